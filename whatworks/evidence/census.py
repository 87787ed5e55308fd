"""Everybody's runs as evidence sees them, read from executions and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import (
    Integer,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from whatworks import db
from whatworks.evidence import sources, tallies
from whatworks.evidence.sums import STATE_NAMES, Cell, States, run_of, states_of
from whatworks.evidence.tallies import Tally
from whatworks.execution.lifecycle import CLOSED
from whatworks.models import (
    Outcome,
    SourceVote,
    UserProfile,
    WorkflowExecution,
    WorkflowPerformance,
    WorkflowVersion,
)
from whatworks.people import profiles

Progress = Callable[[int], None]

_E, _O, _P, _G = WorkflowExecution, Outcome, UserProfile, WorkflowVersion
_S, _W = SourceVote, WorkflowPerformance
_later = aliased(Outcome)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_USABLE: Final = (
    _E.user_id.is_not(None),
    _E.workflow_name.is_not(None),
    _E.market.in_(profiles.MARKETS),
    _E.skill_level.in_(profiles.SKILL_LEVELS),
)
_GUIDE: Final = and_(_G.workflow_name == _E.workflow_name, _G.version == _E.workflow_version)
_OF: Final = (_O.user_id == _E.user_id, _O.execution_id == _E.id)
_REPORTED: Final = case((exists().where(*_OF), 1), else_=0)
_VERIFIED: Final = (
    select(func.count()).where(*_OF, _O.verified == 1, _CURRENT).correlate(_E).scalar_subquery()
)
_RUNS: Final = (
    select(
        _E.user_id,
        _E.id,
        _E.workflow_name,
        _E.market,
        _E.skill_level,
        _E.status,
        _E.total_steps,
        _E.workflow_version,
        _G.steps,
        _P.source,
        _REPORTED.label("reported"),
        _VERIFIED.label("verified"),
    )
    .outerjoin(_P, _P.id == _E.user_id)
    .outerjoin(_G, _GUIDE)
)
_IN_CELL: Final = (
    _E.workflow_name == bindparam("workflow_name"),
    _E.market == bindparam("market"),
    _E.skill_level == bindparam("skill_level"),
)
_OF_PERSON: Final = db.Query(_RUNS.where(*_IN_CELL, _E.user_id == bindparam("user_id")))
_OF_CELL: Final = db.Query(_RUNS.where(*_IN_CELL, _E.user_id.is_not(None)).order_by(_E.user_id))
_ALL: Final = db.Query(_RUNS.where(*_USABLE).order_by(_E.user_id))


def runs_of(session: db.Session, user_id: str, cell: Cell) -> list[Any]:
    """One person's runs of one cell: rows for `sums.run_of`, with their id and source."""
    return session.all(_OF_PERSON, user_id=user_id, **_names(cell))


def added(session: db.Session, user_id: str, cell: Cell, execution_id: str) -> States:
    """What one run adds to its cell beside its owner's others: nothing to what they counted for."""
    runs = {row.id: run_of(row) for row in runs_of(session, user_id, cell)}
    others = (run for run_id, run in runs.items() if run_id != execution_id)
    return states_of(runs.values()) - states_of(others)


def tally_cell(session: db.Session, cell: Cell) -> Tally:
    """What one cell's history adds up to."""
    return tallies.of_history(session.stream(_OF_CELL, **_names(cell)), lambda _: None)


def tally(session: db.Session, progress: Progress) -> Tally:
    """What all of history adds up to; `progress` is told of each 10,000 executions.

    PostgreSQL groups by itself; from SQLite every run is read, a few thousand at a time.
    """
    if session.groups_well:
        return tallies.of_groups(session.stream(GROUPS))
    return tallies.of_history(session.stream(_ALL), progress)


# The same by grouping alone: first what each person did in a cell, then how many did so.

_reports: Final = (
    select(
        _O.user_id,
        _O.execution_id,
        func.max(case((and_(_O.verified == 1, _CURRENT), 1), else_=0)).label("verified"),
    )
    .group_by(_O.user_id, _O.execution_id)
    .subquery()
)
_WHOLE: Final = or_(_G.steps.is_(None), func.coalesce(_E.total_steps, 0) >= _G.steps)


_NONE: Final[Any] = literal_column("0")  # written out, so that grouping by it is the same thing


def _tries() -> Any:
    """What each person did with each version of a workflow, in each cell."""
    completed, abandoned = (
        func.sum(case((_E.status == status, 1), else_=0)) for status in ("completed", "abandoned")
    )
    return (
        select(
            _E.user_id,
            _E.workflow_name,
            _E.market,
            _E.skill_level,
            func.coalesce(_E.workflow_version, _NONE).label("version"),
            func.max(_P.source).label("source"),
            func.count().label("started"),
            completed.label("completed"),
            abandoned.label("abandoned"),
            func.max(case((_reports.c.execution_id.is_not(None), 1), else_=0)).label("reported"),
            func.max(func.coalesce(_reports.c.verified, 0)).label("verified"),
        )
        .outerjoin(_P, _P.id == _E.user_id)
        .outerjoin(_G, _GUIDE)
        .outerjoin(
            _reports, and_(_reports.c.user_id == _E.user_id, _reports.c.execution_id == _E.id)
        )
        .where(*_USABLE, _WHOLE)
        .group_by(
            _E.user_id,
            _E.workflow_name,
            _E.market,
            _E.skill_level,
            func.coalesce(_E.workflow_version, _NONE),
        )
        .cte("tries")
    )


def _groups() -> db.Query:
    """Counts per cell and network, and per cell and version, in one pass.

    Rows: cell, network, version (NULL in rows per network), then the states in the order of
    `sums.STATE_NAMES`.
    """
    tries = _tries()
    t = tries.c
    person = (
        select(
            t.user_id,
            t.workflow_name,
            t.market,
            t.skill_level,
            func.max(t.source).label("source"),
            *(func.sum(t[name]).label(name) for name in ("started", "completed", "abandoned")),
            *(func.max(t[name]).label(name) for name in ("reported", "verified")),
        )
        .group_by(t.user_id, t.workflow_name, t.market, t.skill_level)
        .subquery()
        .c
    )
    by_source = _summed(person, person.source, literal(None, Integer))
    by_version = _summed(t, literal(None, String), t.version)
    return db.Query(union_all(by_source, by_version))


def _summed(of: Any, source: Any, version: Any) -> Any:
    """How many people did what, in the order of `sums.STATE_NAMES`."""
    key = of.version if "version" in of else of.source
    return select(
        of.workflow_name,
        of.market,
        of.skill_level,
        source.label("source"),
        version.label("version"),
        func.count().label("people"),
        func.sum(of.started),
        func.sum(of.completed),
        func.sum(of.abandoned),
        func.sum(of.reported),
        func.sum(case((of.completed > 0, 1), else_=0)),
        func.sum(case((and_(of.completed == 0, of.abandoned == of.started), 1), else_=0)),
        func.sum(of.verified),
    ).group_by(of.workflow_name, of.market, of.skill_level, key)


GROUPS: Final = _groups()


# For the model: who finished and who stopped, and the counts of all cells.

_person_ends: Final = (
    select(
        _E.user_id,
        _E.workflow_name,
        _E.market,
        _E.skill_level,
        func.max(_E.goal).label("goal"),
        func.max(_E.country).label("country"),
        func.max(_P.source).label("source"),
        func.max(case((_E.status == "completed", 1), else_=0)).label("finished"),
        func.max(case((_E.status.in_(CLOSED), 0), else_=1)).label("open"),
        func.min(_E.started_at).label("begun"),
    )
    .outerjoin(_P, _P.id == _E.user_id)
    .outerjoin(_G, _GUIDE)
    .where(*_USABLE, _WHOLE)
    .group_by(_E.user_id, _E.workflow_name, _E.market, _E.skill_level)
    .subquery()
)
_ENDED: Final = or_(_person_ends.c.finished == 1, _person_ends.c.open == 0)
_ENDS: Final = select(_person_ends).where(_ENDED)
_last_digit = func.substr(_person_ends.c.user_id, func.length(_person_ends.c.user_id), 1)
_ENDS_OF_SOME: Final = {
    part: db.Query(_ENDS.where(_last_digit.in_(tuple("0123456789abcdef"[:part]))))
    for part in range(1, 16)
}
_ALL_ENDS: Final = db.Query(_ENDS)
_OWN_ENDS: Final = db.Query(
    select(
        _E.workflow_name,
        _E.market,
        _E.skill_level,
        func.max(case((_E.status == "completed", 1), else_=0)).label("finished"),
    )
    .where(_E.user_id == bindparam("user_id"), *_USABLE[1:], _E.status.in_(CLOSED))
    .group_by(_E.workflow_name, _E.market, _E.skill_level)
    .limit(200)
)
_CROWDS: Final = db.Query(
    select(
        _S.workflow_name, _S.market, _S.skill_level, _S.source, (_S.finished + _S.stopped)
    ).where(_S.finished + _S.stopped > sources.WHOLE)
)
_CELLS: Final = select(
    _W.workflow_name,
    _W.market,
    _W.skill_level,
    *(getattr(_W, name) for name in STATE_NAMES),
    _W.weight_finished,
    _W.weight_stopped,
    _W.updated_at,
).where(_W.started.is_not(None))
_ALL_CELLS: Final = db.Query(_CELLS)
_LATE_CELLS: Final = db.Query(_CELLS.where(_W.updated_at >= bindparam("since")))
_CELLS_OF: Final = db.Query(_CELLS.where(_W.workflow_name == bindparam("workflow_name")))


def ends(session: db.Session, sixteenths: int = 16) -> Iterator[Any]:
    """Everybody's known end in every cell, or that of so many sixteenths of the people."""
    return session.stream(_ENDS_OF_SOME.get(sixteenths, _ALL_ENDS))


def own_ends(session: db.Session, user_id: str) -> list[Any]:
    """What became of one person's own tries: workflow, segment, finished (0 or 1)."""
    return session.all(_OWN_ENDS, user_id=user_id)


def crowds(session: db.Session) -> dict[tuple[str, str, str, str], int]:
    """How many people of one network ended in a cell, where they are too many to count in full."""
    return {tuple(row[:4]): int(row[4]) for row in session.all(_CROWDS)}


def cells(
    session: db.Session, *, workflow_name: str | None = None, since: float | None = None
) -> list[Any]:
    """The counts of all cells, of one workflow's, or of those that changed since a moment."""
    if workflow_name is not None:
        return session.all(_CELLS_OF, workflow_name=workflow_name)
    if since is not None:
        return session.all(_LATE_CELLS, since=since)
    return session.all(_ALL_CELLS)


def states(row: Any) -> States:
    """The counts of a row of `cells`."""
    return States(*(getattr(row, name) for name in STATE_NAMES))


def _names(cell: Cell) -> dict[str, str]:
    return dict(zip(("workflow_name", "market", "skill_level"), cell, strict=True))
