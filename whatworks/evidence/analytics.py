"""For operators: every cell as it is, where people stop, and how versions did, side by side."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

import numpy as np
from sqlalchemy import and_, bindparam, func, literal, select

from whatworks import db, export
from whatworks.evidence import census, findings, fits, reports
from whatworks.evidence.beliefs import SIZE, Beliefs
from whatworks.evidence.findings import Level, Levels
from whatworks.evidence.fits import SEGMENTS
from whatworks.evidence.sums import STATE_NAMES, States
from whatworks.models import (
    ExecutionEvent,
    ExecutionStep,
    VersionPerformance,
    WorkflowExecution,
)
from whatworks.people import profiles
from whatworks.stats import estimates, values
from whatworks.stats.estimates import Estimate

NEWEST: Final = 20_000  # runs looked at for where people stop

_E, _V, _X = WorkflowExecution, VersionPerformance, ExecutionEvent
_STATES: Final = tuple(func.sum(getattr(_V, name)).label(name) for name in STATE_NAMES)
_VERSIONS: Final = db.Query(
    select(_V.version, *_STATES)
    .where(_V.workflow_name == bindparam("workflow_name"))
    .group_by(_V.version)
    .order_by(_V.version)
)
_newest: Final = (
    select(_E.user_id, _E.id, _E.status, _E.steps_completed)
    .where(_E.workflow_name == bindparam("workflow_name"), _E.user_id.is_not(None))
    .order_by(_E.id.desc())
    .limit(bindparam("newest"))
    .subquery()
)
_PLACES: Final = db.Query(
    select(_newest.c.status, _newest.c.steps_completed, func.count()).group_by(
        _newest.c.status, _newest.c.steps_completed
    )
)
_REASON: Final = getattr(_X, "reason", literal(None))
_FAILED: Final = db.Query(
    select(_X.step, _REASON.label("reason"), func.count(_X.user_id.distinct()))
    .join(_newest, and_(_newest.c.user_id == _X.user_id, _newest.c.id == _X.execution_id))
    .where(_X.kind == "logged", _X.result == "failed", _X.step.is_not(None))
    .group_by(_X.step, _REASON)
)
_S: Final = ExecutionStep
_REASONS: Final = {
    kind: db.Query(
        select(reason, func.count(_S.user_id.distinct()))
        .where(happened)
        .group_by(reason)
        .order_by(func.count(_S.user_id.distinct()).desc(), reason)
    )
    for kind, reason, happened in (
        ("skipped", _S.reason, _S.result == "skipped"),
        ("failed", _S.failed_reason, _S.failures > 0),
    )
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One level of a workflow as operators see it: live counts, the estimate, what is public."""

    level: Level
    states: States
    estimate: Estimate | None
    published: findings.Rate | None
    typical: values.Typical | None
    unit: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Step:
    """How many came to a step and stopped there, and what they said failed: reason → people."""

    number: int
    reached: int
    stopped: int
    failed: dict[str | None, int]

    @property
    def lost(self) -> float:
        """The share of those who came to it that stopped there."""
        return self.stopped / self.reached if self.reached else 0.0


@dataclass(frozen=True, slots=True)
class Version:
    """How people did with one version; 0 stands for old runs that do not say which."""

    number: int
    states: States
    estimate: Estimate


def matrix(session: db.Session, workflow_name: str, known: Beliefs) -> list[Cell]:
    """Every cell, market, level and the whole of a workflow, with everything that is known."""
    known.sync_within(session)
    levels = findings.levels_of(session, workflow_name)
    said = reports.of_workflow(session, workflow_name)
    return [_cell(workflow_name, level, levels, said, known) for level in levels.known()]


def versions(session: db.Session, workflow_name: str) -> list[Version]:
    """Versions side by side: what changed after one, not what was caused by it."""
    found = []
    for row in session.all(_VERSIONS, workflow_name=workflow_name):
        states = States(*(int(getattr(row, name)) for name in STATE_NAMES))
        found.append(Version(row.version, states, estimates.rate([states.count])))
    return found


def steps(session: db.Session, workflow_name: str, count: int) -> list[Step]:
    """Where people stop, of the newest runs whose end is known."""
    stopped: dict[int, int] = defaultdict(int)
    finished = 0
    for row in session.all(_PLACES, workflow_name=workflow_name, newest=NEWEST):
        status, done, runs = row
        if status == "completed":
            finished += runs
        elif status == "abandoned":
            stopped[min(max(int(done or 0), 0), max(count - 1, 0)) + 1] += runs
    failed: dict[int, dict[str | None, int]] = defaultdict(dict)
    for row in session.all(_FAILED, workflow_name=workflow_name, newest=NEWEST):
        failed[int(row[0])][row[1]] = int(row[2])
    found = []
    left = finished + sum(stopped.values())
    for number in range(1, count + 1):
        found.append(Step(number, left, stopped[number], failed[number]))
        left -= stopped[number]
    return found


def reasons(session: db.Session) -> dict[str, list[tuple[str | None, int]]]:
    """Why steps were skipped, and why they failed: how many people said so, most first."""
    return {
        kind: [(row[0], int(row[1])) for row in session.all(query)]
        for kind, query in _REASONS.items()
    }


def shares(levels: Levels, level: Level) -> np.typing.NDArray[np.float64]:
    """How the people of a level whose end is known spread over segments."""
    found = np.zeros(SIZE)
    for cell, weight in levels.ends(level).items():
        found[SEGMENTS[cell]] = weight
    return found


def estimate(name: str, level: Level, levels: Levels, known: Beliefs) -> Estimate | None:
    """What the model says of a level now; None where nobody has come to an end."""
    if all(level):
        return known.posterior(name, SEGMENTS[level]).estimate()
    weights = shares(levels, level)
    if not weights.any() or not known.knows(name):
        return None
    return known.level(name, weights).estimate()


COLUMNS: Final = (
    *("workflow_name", "market", "skill_level", *STATE_NAMES, "pending"),
    *("raw_success_rate", "success_rate", "success_rate_low", "success_rate_high"),
    *("metric_type", "currency", "typical_value", "value_low", "value_high", "earned_nothing"),
    *("published", "method"),
)


def write(
    session: db.Session, known: Beliefs, file: TextIO, names: Iterable[str] | None = None
) -> int:
    """Everything as CSV, from the file's beginning; returns the rows."""
    file.seek(0)
    file.truncate()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rows = 0
    chosen = {row.workflow_name for row in census.cells(session)} if names is None else names
    for name in sorted(chosen):
        for cell in matrix(session, name, known):
            writer.writerow(map(export.defused, _line(name, cell)))
            rows += 1
    return rows


def _line(name: str, cell: Cell) -> Iterator[object]:
    states, estimated, typical = cell.states, cell.estimate, cell.typical
    unit = cell.unit or ("", "")
    yield from (name, cell.level[0], cell.level[1], *states.values(), states.pending)
    yield round(100 * states.finished / states.ends, 2) if states.ends else ""
    for rate in (estimated.mean, estimated.low90, estimated.high90) if estimated else ("",) * 3:
        yield round(100 * rate, 2) if isinstance(rate, float) else ""
    yield from (unit[0], unit[1])
    if typical is None:
        yield from ("", "", "", "")
    else:
        yield from (round(typical.median, 2), round(typical.low50, 2), round(typical.high50, 2))
        yield round(typical.zero_share, 4)
    yield from (cell.published is not None, fits.METHOD)


def _cell(
    name: str, level: Level, levels: Levels, said: Sequence[reports.Report], known: Beliefs
) -> Cell:
    mine = [r for r in said if level[0] in ("", r.market) and level[1] in ("", r.skill_level)]
    unit = reports.headline(mine)
    typical = None
    if unit is not None:
        some = reports.votes(mine, *unit)
        typical = values.typical(some, reports.votes(said, *unit), values.fit([(0, some)]))
    return Cell(
        level,
        levels.live(level),
        estimate(name, level, levels, known),
        levels.rate(level),
        typical,
        unit,
    )


def rows_of(cells: Iterable[Cell]) -> dict[Level, Cell]:
    """The cells by level."""
    return {cell.level: cell for cell in cells}


def corners() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Markets and levels in the order of the matrix, everything last."""
    return (*profiles.MARKETS, ""), (*profiles.SKILL_LEVELS, "")
