"""What people's runs add up to, per cell (workflow × market × skill level). Pure.

Everybody has one vote per cell, however often they run a workflow or report. All sums are
integers, so that folding changes one by one and counting history afresh agree to the last digit.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

from whatworks.execution.lifecycle import CLOSED, Execution
from whatworks.people import profiles
from whatworks.stats.estimates import Count

Cell = tuple[str, str, str]  # workflow_name, market, skill_level


@dataclass(frozen=True, slots=True)
class States:
    """How far people came. Addable and subtractable, all integers.

    `started`, `completed` and `abandoned` are executions, all others are people: `finished` have
    completed one, `stopped` have abandoned and neither finished nor are at it again, `reported`
    said what it brought, `verified` had that reviewed.
    """

    people: int = 0
    started: int = 0
    completed: int = 0
    abandoned: int = 0
    reported: int = 0
    finished: int = 0
    stopped: int = 0
    verified: int = 0

    def __add__(self, other: States) -> States:
        return States(*map(operator.add, self.values(), other.values()))

    def __sub__(self, other: States) -> States:
        return States(*map(operator.sub, self.values(), other.values()))

    def times(self, people: int) -> States:
        """The same so many times."""
        return self if people == 1 else States(*(people * value for value in self.values()))

    def values(self) -> tuple[int, ...]:
        """The numbers, in the order of the fields."""
        return (
            self.people,
            self.started,
            self.completed,
            self.abandoned,
            self.reported,
            self.finished,
            self.stopped,
            self.verified,
        )

    @property
    def pending(self) -> int:
        """People still inside their window."""
        return self.people - self.finished - self.stopped

    @property
    def ends(self) -> int:
        """People whose end is known."""
        return self.finished + self.stopped

    @property
    def count(self) -> Count:
        """Those who finished, out of those whose end is known."""
        return Count(self.finished, self.ends)


@dataclass(frozen=True, slots=True)
class Run:
    """What of an execution evidence is interested in.

    `is_whole` says that it had at least the steps of the guide: a run of two steps through a guide
    of six shows nothing about the guide. `verified` counts its current, reviewed outcomes.
    """

    status: str
    version: int
    is_whole: bool
    reported: bool
    verified: int


NOTHING: Final = States()
STATE_NAMES: Final = tuple(f.name for f in fields(States))


def cell_of(execution: Execution) -> Cell | None:
    """The cell an execution counts in; None when old data do not say."""
    if execution.market in profiles.MARKETS and execution.skill_level in profiles.SKILL_LEVELS:
        return execution.workflow_name, execution.market, execution.skill_level
    return None


def states_of(runs: Iterable[Run]) -> States:
    """What one person's runs of one cell add to it.

    >>> stopped, done = Run("abandoned", 1, True, False, 0), Run("completed", 1, True, True, 0)
    >>> states_of([stopped]).stopped, states_of([stopped, done]).stopped
    (1, 0)
    >>> both = states_of([stopped, done, done])
    >>> both.people, both.started, both.finished, both.reported
    (1, 3, 1, 1)
    """
    started = completed = abandoned = 0
    reported = verified = False
    for run in runs:
        if run.is_whole:
            started += 1
            completed += run.status == "completed"
            abandoned += run.status == "abandoned"
            reported = reported or run.reported
            verified = verified or run.verified > 0
    if not started:
        return States()
    finished = completed > 0
    return States(
        people=1,
        started=started,
        completed=completed,
        abandoned=abandoned,
        reported=int(reported),
        finished=int(finished),
        stopped=int(not finished and abandoned == started),
        verified=int(verified),
    )


def run_of(row: Any) -> Run:
    """A run as the queries of `performance` give it; old rows hold anything."""
    return Run(
        status=row.status if row.status in CLOSED else "open",
        version=row.workflow_version or 0,
        is_whole=row.steps is None or (row.total_steps or 0) >= row.steps,
        reported=bool(row.reported),
        verified=row.verified,
    )
