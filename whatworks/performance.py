"""The read model: sums per cell (workflow × market × skill level), kept with every change.

`folded(session, verb, …)` runs a verb and adds what it changed to the cell's sums in the same
transaction. A cell that has no sums yet (old data, a new segment) is counted from history, and
`rebuild` counts all of them; sums are integers, so both ways agree to the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import (
    ColumnElement,
    Numeric,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, lifecycle, outcomes, profiles
from whatworks.executions import Change
from whatworks.lifecycle import Execution
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import OutcomeSum, WorkflowExecution, WorkflowPerformance
from whatworks.outcomes import OutcomeChange
from whatworks.stats import estimates
from whatworks.sums import (
    METRIC_ORDER,
    SUM_NAMES,
    VALUE_NAMES,
    Cell,
    Sums,
    Unit,
    ValueSums,
    cell_of,
    contribution,
    unit_of,
    value_contribution,
)

P = ParamSpec("P")
C = TypeVar("C", Change, OutcomeChange)
Progress = Callable[[int], None]


_W, _S, _E, _O = WorkflowPerformance, OutcomeSum, WorkflowExecution, OutcomeRow

_NEW: Final = {name: getattr(_W, name) + bindparam(f"add_{name}") for name in SUM_NAMES}
_TRIALS: Final = _NEW["completed"] + _NEW["abandoned"]


def _typical(log: Any, count: ColumnElement[Any]) -> ColumnElement[Any]:
    """The geometric mean behind a sum of logarithms; NULL of nothing."""
    return case((count > 0, func.exp(log / (count * float(estimates.SCALE)))))


# Of the metric and currency most reported in the cell.
_TYPICAL_VALUE: Final = (
    select(func.round(cast(_typical(_S.value_log, _S.reports - _S.zeros), Numeric), 2))
    .where(
        _S.workflow_name == _W.workflow_name,
        _S.market == _W.market,
        _S.skill_level == _W.skill_level,
        _S.reports > 0,
        _S.metric_type != "custom",
    )
    .order_by(_S.reports.desc(), case(METRIC_ORDER, value=_S.metric_type), _S.currency)
    .limit(1)
    .scalar_subquery()
)
# The counts, and with them the old columns: raw percentage, typical value and hours, known ends.
_ADD: Final = db.Query(
    update(_W)
    .where(_W.id == bindparam("cell_id"))
    .values(
        **_NEW,
        success_rate=case((_TRIALS > 0, _NEW["completed"] * 100.0 / _TRIALS)),
        avg_outcome_value=_TYPICAL_VALUE,
        completion_time_hours=_typical(_NEW["duration_log"], _NEW["durations"]) / 3600.0,
        data_points=_TRIALS,
        updated_at=bindparam("now"),
    )
)
_KNOWN: Final = db.Query(select(_W.started).where(_W.id == bindparam("cell_id")).with_for_update())
_INSERT: Final = db.Query(insert(_W).on_conflict_do_nothing())
_insert_value: Final = insert(_S)
_ADD_VALUE: Final = db.Query(
    _insert_value.on_conflict_do_update(
        index_elements=["workflow_name", "market", "skill_level", "metric_type", "currency"],
        set_={n: getattr(_S, n) + _insert_value.excluded[n] for n in VALUE_NAMES},
    )
)
_ANOTHER: Final = db.Query(
    select(_E.id)
    .where(
        _E.user_id == bindparam("user_id"),
        _E.workflow_name == bindparam("workflow_name"),
        _E.market == bindparam("market"),
        _E.skill_level == bindparam("skill_level"),
        _E.id != bindparam("id"),
    )
    .limit(1)
)

_later = aliased(OutcomeRow)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_REPORTED: Final = exists().where(_O.user_id == _E.user_id, _O.execution_id == _E.id)
_HISTORY: Final = (
    select(
        _E.user_id,
        _E.id,
        _E.workflow_name,
        _E.workflow_version,
        _E.market,
        _E.skill_level,
        _E.status,
        _E.steps_completed,
        _E.total_steps,
        _E.started_at,
        _E.completed_at,
        _E.touched_at,
        _E.goal,
        _E.country,
        _E.recommendation_id,
        _E.execution_notes,
        case((_REPORTED, 1), else_=0).label("reported"),
    )
    .where(
        _E.user_id.is_not(None),
        _E.workflow_name.is_not(None),
        _E.market.in_(profiles.MARKETS),
        _E.skill_level.in_(profiles.SKILL_LEVELS),
    )
    .order_by(_E.user_id)
)
_VALUE_HISTORY: Final = (
    select(
        _E.workflow_name,
        _E.market,
        _E.skill_level,
        _O.id,
        _O.execution_id,
        _O.metric_type,
        _O.value,
        _O.currency,
        _O.proof_type,
        _O.proof_url,
        _O.proof_id,
        _O.note,
        _O.verified,
        _O.timestamp,
        _O.supersedes_id,
    )
    .join(_O, and_(_O.user_id == _E.user_id, _O.execution_id == _E.id))
    .where(
        _E.workflow_name.is_not(None),
        _E.market.in_(profiles.MARKETS),
        _E.skill_level.in_(profiles.SKILL_LEVELS),
        _CURRENT,
    )
)
_THIS_CELL: Final = (
    _E.workflow_name == bindparam("cell_workflow"),
    _E.market == bindparam("cell_market"),
    _E.skill_level == bindparam("cell_skill_level"),
)
_ALL_HISTORY: Final = db.Query(_HISTORY)
_CELL_HISTORY: Final = db.Query(_HISTORY.where(*_THIS_CELL))
_ALL_VALUES: Final = db.Query(_VALUE_HISTORY)
_CELL_VALUES: Final = db.Query(_VALUE_HISTORY.where(*_THIS_CELL))


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


def rebuild(session: db.Session, progress: Progress = _silent) -> int:
    """Count every cell again from history and replace the read model; returns the cells written.

    Old rows without counts behind them go. Nobody else can write meanwhile.
    """
    session.exclusive(_W, _S)
    sums = _count(session.stream(_ALL_HISTORY), progress)
    values = _count_values(session.stream(_ALL_VALUES), progress)
    session.run(delete(_W))
    session.run(delete(_S))
    for (cell, unit), value in values.items():
        _add_value(session, cell, unit, value)
    for cell, total in sums.items():
        _insert_cell(session, cell)
        _update(session, cell, total)
    return len(sums)


def _fold_execution(session: db.Session, change: Change) -> None:
    cell = cell_of(change.after)
    delta = contribution(change.after) - contribution(change.before)
    if cell is None or (change.before is not None and delta == Sums()):
        return
    if change.before is None and not _has_another(session, change.after):
        delta += Sums(people=1)
    if not _update(session, cell, delta) and not _count_cell(session, cell):
        _update(session, cell, delta)


def _fold_outcome(session: db.Session, change: OutcomeChange) -> None:
    cell = cell_of(change.execution)
    if cell is None:
        return
    # Holding the row, so that whoever derives the typical value sees all sums.
    known = session.value(_KNOWN, cell_id=_cell_id(cell)) is not None
    if not known and _count_cell(session, cell):
        return
    before, after = change.before, change.after
    if before is not None and outcomes.is_countable(before):
        less = ValueSums() - value_contribution(before)
        _add_value(session, cell, unit_of(before), less)
    _add_value(session, cell, unit_of(after), value_contribution(after))
    _update(session, cell, Sums(reported=int(change.is_first)))


def _has_another(session: db.Session, execution: Execution) -> bool:
    found = session.value(
        _ANOTHER,
        user_id=execution.user_id,
        workflow_name=execution.workflow_name,
        market=execution.market,
        skill_level=execution.skill_level,
        id=execution.id,
    )
    return found is not None


def _count_cell(session: db.Session, cell: Cell) -> bool:
    """Count a cell that has no sums yet (old data, a new segment) from history.

    The change being folded is history already and so included. False when another transaction was
    first; it could not see this change, which then has to be added.
    """
    if not _insert_cell(session, cell):
        return False
    for (_, unit), value in _count_values(session.stream(_CELL_VALUES, **_names(cell))).items():
        _add_value(session, cell, unit, value)
    _update(session, cell, _count(session.stream(_CELL_HISTORY, **_names(cell)))[cell])
    return True


def _insert_cell(session: db.Session, cell: Cell) -> int:
    """A row of zeros; returns 0 when there is one already."""
    return session.run(
        _INSERT,
        id=_cell_id(cell),
        workflow_name=cell[0],
        market=cell[1],
        skill_level=cell[2],
        success_rate=None,
        avg_outcome_value=None,
        completion_time_hours=None,
        data_points=None,
        updated_at=None,
        **dict.fromkeys(SUM_NAMES, 0),
    )


def _update(session: db.Session, cell: Cell, delta: Sums) -> int:
    """Add to the sums and derive the rest; returns 0 when there is no such row."""
    added = {f"add_{name}": getattr(delta, name) for name in SUM_NAMES}
    return session.run(_ADD, cell_id=_cell_id(cell), now=clock.timestamp(), **added)


def _add_value(session: db.Session, cell: Cell, unit: Unit, value: ValueSums) -> None:
    session.run(
        _ADD_VALUE,
        workflow_name=cell[0],
        market=cell[1],
        skill_level=cell[2],
        metric_type=unit[0],
        currency=unit[1],
        **{name: getattr(value, name) for name in VALUE_NAMES},
    )


def _count(history: Iterator[Any], progress: Progress = _silent) -> dict[Cell, Sums]:
    """Sum executions that come ordered by person, so that people are counted as they pass."""
    totals: dict[Cell, Sums] = defaultdict(Sums)
    person, seen = None, set[Cell]()
    for done, row in enumerate(history, 1):
        if row.user_id != person:
            person, seen = row.user_id, set()
        cell = row.workflow_name, row.market, row.skill_level
        totals[cell] += contribution(lifecycle.from_row(row)) + Sums(
            people=int(cell not in seen), reported=row.reported
        )
        seen.add(cell)
        if done % 10_000 == 0:
            progress(10_000)
    return totals


def _count_values(
    history: Iterator[Any], progress: Progress = _silent
) -> dict[tuple[Cell, Unit], ValueSums]:
    totals: dict[tuple[Cell, Unit], ValueSums] = defaultdict(ValueSums)
    for done, row in enumerate(history, 1):
        outcome = outcomes.from_row(row)
        if outcomes.is_countable(outcome):
            cell = row.workflow_name, row.market, row.skill_level
            totals[cell, unit_of(outcome)] += value_contribution(outcome)
        if done % 10_000 == 0:
            progress(10_000)
    return totals


def _cell_id(cell: Cell) -> str:
    return ":".join(cell)


def _names(cell: Cell) -> dict[str, str]:
    return dict(zip(("cell_workflow", "cell_market", "cell_skill_level"), cell, strict=True))
