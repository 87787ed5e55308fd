"""Counting history afresh: from people's runs, or from groups a database has made, to sums. Pure.

People with the same story in a cell are counted together, so that ten million executions cost a
dictionary look-up each and not a sum each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from whatworks.evidence import sources
from whatworks.evidence.sums import Cell, Run, States, run_of, states_of

Story = tuple[Run, ...]
EVERY: Final = 10_000


class Tally:
    """What history adds up to: per cell, per version of a cell, and per network in a cell."""

    def __init__(self) -> None:
        self.cells: dict[Cell, States] = defaultdict(States)
        self.versions: dict[tuple[Cell, int], States] = defaultdict(States)
        self.sources: dict[tuple[Cell, str], tuple[int, int]] = {}
        self._apart: dict[Cell, tuple[int, int]] = defaultdict(lambda: (0, 0))

    def add(self, cell: Cell, story: Story, people: int) -> None:
        """So many people with the same runs in a cell; networks apart."""
        states = states_of(story)
        if not states.people:
            return  # nothing but runs through parts of the guide
        self.cells[cell] += states.times(people)
        for version, states in _by_version(story):
            self.versions[cell, version] += states.times(people)

    def add_source(self, cell: Cell, source: str | None, finished: int, stopped: int) -> None:
        """People of one network (None: unknown) who finished and stopped in a cell."""
        if source is None:
            known = self._apart[cell]
            self._apart[cell] = known[0] + finished, known[1] + stopped
        elif finished or stopped:
            known = self.sources.get((cell, source), (0, 0))
            self.sources[cell, source] = known[0] + finished, known[1] + stopped

    def weights(self) -> dict[Cell, tuple[int, int]]:
        """What those who finished and stopped weigh, in thousandths, per cell."""
        found: dict[Cell, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for cell, (finished, stopped) in self._apart.items():
            found[cell] = sources.UNIT * finished, sources.UNIT * stopped
        for (cell, _), counts in self.sources.items():
            more, known = sources.weighed(*counts), found[cell]
            found[cell] = known[0] + more[0], known[1] + more[1]
        return found


def of_history(rows: Iterable[Any], progress: Any) -> Tally:
    """The tally of runs that come ordered by person; `progress` is told of each 10,000."""
    tally, kinds = Tally(), _Kinds()
    stories: dict[tuple[Cell, tuple[int, ...]], int] = defaultdict(int)
    ended: dict[tuple[int, ...], tuple[int, int]] = {}
    for source, cells in _people(rows, kinds, progress):
        for cell, numbers in cells.items():
            key = tuple(numbers)
            stories[cell, key] += 1
            ends = ended.get(key)
            if ends is None:
                states = states_of(kinds.story(key))
                ends = ended[key] = states.finished, states.stopped
            if ends != (0, 0):
                tally.add_source(cell, source, *ends)
    for (cell, key), people in stories.items():
        tally.add(cell, kinds.story(key), people)
    return tally


def _people(
    rows: Iterable[Any], kinds: _Kinds, progress: Any
) -> Iterator[tuple[str | None, dict[Cell, list[int]]]]:
    """Everybody's network, and the kinds of their runs by cell."""
    cells: dict[Cell, list[int]] = {}
    person, source = None, None
    for done, row in enumerate(rows, 1):
        if row.user_id != person:
            yield source, cells
            person, source, cells = row.user_id, row.source, {}
        cell = row.workflow_name, row.market, row.skill_level
        number = kinds.number(row)
        if cell in cells:
            cells[cell].append(number)
        else:
            cells[cell] = [number]
        if done % EVERY == 0:
            progress(EVERY)
    yield source, cells


class _Kinds:
    """Runs by number: of millions there are only a few dozen kinds."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._runs: list[Run] = []

    def number(self, row: Any) -> int:
        """The number of a row's kind."""
        key = row[5:9] + row[10:]  # status, steps asked for, version, steps; reported, verified
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._runs)
            self._runs.append(run_of(row))
        return found

    def story(self, numbers: tuple[int, ...]) -> Story:
        """The runs of these numbers."""
        return tuple(self._runs[number] for number in numbers)


def of_groups(rows: Iterable[Any]) -> Tally:
    """The tally of what a database has grouped: rows as `census.GROUPS` gives them."""
    tally = Tally()
    for row in rows:
        cell, states = (row[0], row[1], row[2]), States(*map(int, row[5:]))
        if row[4] is None:
            tally.cells[cell] += states
            tally.add_source(cell, row[3], states.finished, states.stopped)
        else:
            tally.versions[cell, int(row[4])] += states
    return tally


def _by_version(story: Story) -> Iterator[tuple[int, States]]:
    for version in {run.version for run in story if run.is_whole}:
        yield version, states_of(run for run in story if run.version == version)
