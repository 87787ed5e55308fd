"""The read model: how far people came, per cell (workflow × market × skill level).

`folded(session, verb, …)` runs a verb and adds what it changed to the cell's counts in the same
transaction. A cell that has no counts yet (old data, a new segment) is counted from history, and
`rebuild` counts all of them; counts are integers, so both ways agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.evidence import census, sources
from whatworks.evidence.sums import (
    NOTHING,
    STATE_NAMES,
    Cell,
    Run,
    States,
    cell_of,
    run_of,
    states_of,
)
from whatworks.evidence.tallies import Tally
from whatworks.execution.history import Change
from whatworks.execution.lifecycle import CLOSED
from whatworks.models import SourceVote, VersionPerformance, WorkflowPerformance
from whatworks.results.outcomes import OutcomeChange

P = ParamSpec("P")
C = TypeVar("C", Change, OutcomeChange)
Earlier = Callable[[Run], Run | None]
Progress = Callable[[int], None]
Count = Callable[[db.Session], Tally]

_W, _V, _N = WorkflowPerformance, VersionPerformance, SourceVote
_CELL: Final = ("workflow_name", "market", "skill_level")
_WEIGHTS: Final = ("weight_finished", "weight_stopped")

_ADDED: Final = tuple(f"add_{name}" for name in STATE_NAMES)
_NEW: Final = {
    name: getattr(_W, name) + bindparam(f"add_{name}") for name in (*STATE_NAMES, *_WEIGHTS)
}
_ENDS: Final = _NEW["finished"] + _NEW["stopped"]
_ADD: Final = db.Query(
    update(_W)
    .where(_W.id == bindparam("cell_id"))
    .values(
        **_NEW,
        success_rate=case((_ENDS > 0, _NEW["finished"] * 100.0 / _ENDS)),
        data_points=_ENDS,
        updated_at=bindparam("now"),
    )
)
_LOCK: Final = db.Query(select(_W.id).where(_W.id == bindparam("cell_id")).with_for_update())
_INSERT: Final = db.Query(insert(_W).on_conflict_do_nothing())
_of_version = insert(_V)
_ADD_VERSION: Final = db.Query(
    _of_version.on_conflict_do_update(
        index_elements=[*_CELL, "version"],
        set_={n: getattr(_V, n) + _of_version.excluded[n] for n in STATE_NAMES},
    )
)
_of_source = insert(_N)
_ADD_SOURCE: Final = db.Query(
    _of_source.on_conflict_do_update(
        index_elements=[*_CELL, "source"],
        set_={n: getattr(_N, n) + _of_source.excluded[n] for n in ("finished", "stopped")},
    ).returning(_N.finished, _N.stopped)
)
_PUT_SOURCE: Final = db.Query(_of_source)


def _silent(_done: int) -> None:
    """Nobody watches."""


def folded(
    session: db.Session,
    verb: Callable[Concatenate[db.Session, P], C],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> C:
    """Run a verb and add what it changed to the evidence, in the same transaction."""
    change = verb(session, *args, **kwargs)
    if isinstance(change, OutcomeChange):
        _fold_outcome(session, change)
    else:
        _fold_execution(session, change)
    return change


def fold_all(session: db.Session, changes: Iterable[Change]) -> int:
    """Fold several changes; returns how many."""
    done = 0
    for change in changes:
        _fold_execution(session, change)
        done += 1
    return done


def rebuild(session: db.Session, progress: Progress = _silent, count: Count | None = None) -> int:
    """Count every cell again from history and replace the read model; returns the cells written.

    Old rows without counts behind them go. Nobody else can write meanwhile. `count` replaces the
    counting by a faster one that gives the same.
    """
    session.exclusive(_W, _V, _N)
    tally = count(session) if count else census.tally(session, progress)
    for table in (_W, _V, _N):
        session.run(delete(table))
    for cell in tally.cells:
        _insert_cell(session, cell)
    _write(session, tally)
    return len(tally.cells)


def _fold_execution(session: db.Session, change: Change) -> None:
    before, after = change.before, change.after
    if before is not None and _vote(before.status) == _vote(after.status):
        return

    def earlier(run: Run) -> Run | None:
        return None if before is None else replace(run, status=_vote(before.status))

    _fold(session, change.after.user_id, cell_of(after), after.id, earlier)


def _fold_outcome(session: db.Session, change: OutcomeChange) -> None:
    was_verified = int(change.before is not None and change.before.verified)
    is_verified = int(change.after.verified)
    if not change.is_first and was_verified == is_verified:
        return

    def earlier(run: Run) -> Run:
        return replace(
            run,
            reported=run.reported and not change.is_first,
            verified=run.verified - is_verified + was_verified,
        )

    execution = change.execution
    _fold(session, execution.user_id, cell_of(execution), execution.id, earlier)


def _fold(
    session: db.Session, user_id: str, cell: Cell | None, execution_id: str, earlier: Earlier
) -> None:
    """Add what one changed run changes about its owner's vote.

    Where others write too, the cell is locked before the owner's runs are read, so that what two
    of them change at once is added up and not lost.
    """
    if cell is None:
        return
    is_counted = session.is_alone or session.value(_LOCK, cell_id=_cell_id(cell)) is not None
    rows = census.runs_of(session, user_id, cell)
    now = {row.id: run_of(row) for row in rows}
    changed = now[execution_id]
    if not changed.is_whole:
        return
    then = {**now, execution_id: earlier(changed)}
    delta = _difference(now, then, None)
    if is_counted and delta != NOTHING:
        weights = _weigh(session, cell, rows[0].source, delta)
        is_counted = bool(_add(session, cell, delta, weights))
    if not is_counted:
        if not _count_cell(session, cell):
            _fold(session, user_id, cell, execution_id, earlier)
        return
    one_version = len(now) == 1 or len({run.version for run in now.values()}) == 1
    of_version = delta if one_version else _difference(now, then, changed.version)
    if of_version != NOTHING:
        _add_version(session, cell, changed.version, of_version)


def _difference(now: dict[str, Run], then: dict[str, Run | None], version: int | None) -> States:
    """What a person's runs add now less what they added before, of one version or of all."""
    before = [run for run in then.values() if run and version in (None, run.version)]
    return states_of(run for run in now.values() if version in (None, run.version)) - states_of(
        before
    )


def _weigh(session: db.Session, cell: Cell, source: str | None, delta: States) -> tuple[int, int]:
    """How the weights of a cell change, in thousandths."""
    if not (delta.finished or delta.stopped):
        return 0, 0
    if source is None:
        return sources.UNIT * delta.finished, sources.UNIT * delta.stopped
    (row,) = session.all(
        _ADD_SOURCE,
        **_names(cell),
        source=source,
        finished=delta.finished,
        stopped=delta.stopped,
    )
    now = sources.weighed(row.finished, row.stopped)
    then = sources.weighed(row.finished - delta.finished, row.stopped - delta.stopped)
    return now[0] - then[0], now[1] - then[1]


def _count_cell(session: db.Session, cell: Cell) -> bool:
    """Count a cell that has no counts yet (old data, a new segment) from history.

    The change being folded is history already and so included. False when another transaction was
    first; it could not see this change, which then has to be added.
    """
    if not _insert_cell(session, cell):
        return False
    for table in (_V, _N):
        session.run(
            delete(table).where(
                table.workflow_name == cell[0],
                table.market == cell[1],
                table.skill_level == cell[2],
            )
        )
    _write(session, census.tally_cell(session, cell))
    return True


def _write(session: db.Session, tally: Tally) -> None:
    weights = tally.weights()
    for cell, states in tally.cells.items():
        _add(session, cell, states, weights[cell])
    for (cell, version), states in tally.versions.items():
        _add_version(session, cell, version, states)
    session.many(
        _PUT_SOURCE,
        (
            {**_names(cell), "source": source, "finished": finished, "stopped": stopped}
            for (cell, source), (finished, stopped) in tally.sources.items()
        ),
    )


def _insert_cell(session: db.Session, cell: Cell) -> int:
    """A row of zeros; returns 0 when there is one already."""
    return session.run(
        _INSERT,
        id=_cell_id(cell),
        **_names(cell),
        success_rate=None,
        avg_outcome_value=None,
        completion_time_hours=None,
        data_points=None,
        updated_at=None,
        **dict.fromkeys((*STATE_NAMES, *_WEIGHTS), 0),
    )


def _add(session: db.Session, cell: Cell, delta: States, weights: tuple[int, int]) -> int:
    """Add to a cell's counts and derive the rest; returns 0 when there is no such row."""
    return session.run(
        _ADD,
        cell_id=_cell_id(cell),
        now=clock.timestamp(),
        add_weight_finished=weights[0],
        add_weight_stopped=weights[1],
        **dict(zip(_ADDED, delta.values(), strict=True)),
    )


def _add_version(session: db.Session, cell: Cell, version: int, delta: States) -> None:
    counts = dict(zip(STATE_NAMES, delta.values(), strict=True))
    session.run(_ADD_VERSION, **_names(cell), version=version, **counts)


def _vote(status: str) -> str:
    """Open runs are alike: neither a success nor a failure yet."""
    return status if status in CLOSED else "open"


def _cell_id(cell: Cell) -> str:
    return ":".join(cell)


def _names(cell: Cell) -> dict[str, str]:
    return dict(zip(_CELL, cell, strict=True))
