"""Executions: start, progress, stop, go on, and the step log.

Every change is an event in `history`, which brings the rows along. Verbs that change evidence
return a `Change`, which `performance.folded` turns into sums. What happens on a page of a run is
in `runs`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ScalarSelect, bindparam, exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import catalogue, clock, db, errors
from whatworks.execution import history, impressions, step_notes
from whatworks.execution.lifecycle import OPEN, STEPS_WITHOUT_GUIDE, Event, Execution, from_row
from whatworks.models import ExecutionEvent, WorkflowExecution
from whatworks.people import profiles
from whatworks.store import entitlements

DAY: Final = 86_400.0
Change = history.Change
list_events = history.list_events

_E = WorkflowExecution
_COLUMNS: Final = select(
    _E.id,
    _E.user_id,
    _E.workflow_name,
    _E.workflow_version,
    _E.status,
    _E.steps_completed,
    _E.total_steps,
    _E.started_at,
    _E.completed_at,
    _E.touched_at,
    _E.goal,
    _E.market,
    _E.skill_level,
    _E.country,
    _E.recommendation_id,
    _E.execution_notes,
)
_OWNED: Final = _COLUMNS.where(_E.user_id == bindparam("user_id"), _E.id == bindparam("id"))
_GET: Final = db.Query(_OWNED)
_LOCK: Final = db.Query(_OWNED.with_for_update(of=_E))
_LIST: Final = db.Listing(_COLUMNS, _E.user_id, _E.touched_at, _E.id)
# Whoever left a run open in the old shop was never told of a window; theirs began at the upgrade.
_JUST_IMPORTED: Final = exists().where(
    ExecutionEvent.user_id == _E.user_id,
    ExecutionEvent.execution_id == _E.id,
    ExecutionEvent.kind == "imported",
    ExecutionEvent.at >= bindparam("before"),
)
_STALE: Final = db.Query(
    _COLUMNS.where(
        _E.status.in_(OPEN),
        or_(_E.touched_at.is_(None), _E.touched_at < bindparam("before")),
        _E.user_id.is_not(None),
        ~_JUST_IMPORTED,
    )
    .order_by(_E.touched_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_OWNER: Final = db.Query(select(_E.user_id).where(_E.id == bindparam("id")))
_INSERT: Final = db.Query(insert(_E))


def start(
    session: db.Session,
    user_id: str,
    workflow_name: str,
    total_steps: int | None = None,
    *,
    terms: entitlements.Terms | None = None,
    actor: str = "owner",
) -> Change:
    """Begin the current version of a workflow, with the person's segment frozen as it is now.

    With `terms` the person's plan has to cover it and to have runs left this month. Raises
    NotFound (person, workflow) and PaymentRequired.
    """
    profile = profiles.lock(session, user_id)
    workflow = catalogue.get(session, workflow_name)
    if terms is not None:
        entitlements.require_start(session, user_id, workflow.tier, workflow_name, terms)
    now = clock.timestamp()
    execution = Execution(
        id=clock.new_id(),
        user_id=user_id,
        workflow_name=workflow_name,
        workflow_version=workflow.version,
        status="started",
        steps_completed=0,
        total_steps=total_steps or len(workflow.guide.steps) or STEPS_WITHOUT_GUIDE,
        started_at=now,
        completed_at=None,
        touched_at=now,
        goal=profile.goal,
        market=profile.market,
        skill_level=profile.skill_level,
        country=profile.country,
        recommendation_id=impressions.leading_to(session, user_id, workflow_name, now - DAY),
    )
    _insert(session, execution)
    event_id = history.append(session, execution, Event("started", now, actor))
    impressions.follow(session, execution)
    return Change(None, execution, event_id)


def get(session: db.Session, user_id: str, execution_id: str) -> Execution:
    """One execution of this person. Raises NotFound, also when it is somebody else's."""
    row = session.first(_GET, user_id=user_id, id=execution_id)
    if row is None:
        raise _not_found()
    return from_row(row)


def lock(session: db.Session, user_id: str, execution_id: str) -> Execution:
    """As `get`, and nobody else changes this or another run of the person until the transaction
    ends: one timer runs through all of them.
    """
    return from_row(_lock(session, _LOCK, user_id, execution_id))


def locking(count: ScalarSelect[int]) -> db.Query:
    """The query of `lock_and_count`: `count` is correlated to the execution."""
    return db.Query(_OWNED.add_columns(count.label("counted")).with_for_update(of=_E))


def lock_and_count(
    session: db.Session, query: db.Query, user_id: str, execution_id: str
) -> tuple[Execution, int]:
    """As `lock`, with a count that costs no statement of its own. Take the query from `locking`."""
    row = _lock(session, query, user_id, execution_id)
    return from_row(row), row.counted


def find(session: db.Session, user_id: str, execution_id: str) -> Execution | None:
    """One execution of this person, if there is one."""
    row = session.first(_GET, user_id=user_id, id=execution_id)
    return None if row is None else from_row(row)


def find_owner(session: db.Session, execution_id: str) -> str | None:
    """Whose execution it is, for an operator's key that acts for them."""
    found = session.value(_OWNER, id=execution_id)
    return None if found is None else str(found)


def list_for(
    session: db.Session, user_id: str, limit: int = 100, after: str | None = None
) -> list[Execution]:
    """A person's executions, the last touched first; those that come after the one named.

    Raises Invalid when that one is not theirs.
    """
    return [from_row(row) for row in _LIST.rows(session, user_id, limit, after)]


def record_progress(
    session: db.Session,
    user_id: str,
    execution_id: str,
    steps_completed: int,
    notes: str | None = None,
    *,
    actor: str = "owner",
) -> Change:
    """Set how many steps are done; reaching the last one completes the execution.

    The same update again changes nothing. Raises NotFound, Invalid (no such number of steps)
    and Conflict (it is completed or abandoned).
    """
    before = lock(session, user_id, execution_id)
    if not 0 <= steps_completed <= before.total_steps:
        raise errors.Invalid(
            f"This execution has {before.total_steps} steps.",
            fields={"steps_completed": f"0 to {before.total_steps}"},
        )
    if steps_completed == before.steps_completed and _adds_nothing(session, before, notes):
        return Change(before, before)
    require_open(before)
    now = clock.timestamp()
    reference = step_notes.add(session, before, None, notes, now) if notes else None
    done = steps_completed == before.total_steps
    event = Event(
        "completed" if done else "progressed",
        now,
        actor,
        steps_completed=steps_completed,
        reference_id=reference,
    )
    return history.record(session, before, event)


def record_step(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    result: str,
    reason: str | None = None,
    note: str | None = None,
    seconds_spent: float | None = None,
    happened_at: float | None = None,
    actor: str = "owner",
) -> Change:
    """Log how one step went (worked, failed or skipped); progress is not moved by it.

    Raises NotFound, Invalid (no such step) and Conflict (it is closed).
    """
    before = lock(session, user_id, execution_id)
    require_step(before, step)
    require_open(before)
    now = clock.timestamp()
    reference = step_notes.add(session, before, step, note, now) if note else None
    event = Event(
        "logged",
        now,
        actor,
        step=step,
        result=result,
        seconds_spent=seconds_spent,
        reference_id=reference,
        reason=reason,
        happened_at=happened_at,
    )
    return history.record(session, before, event)


def abandon(
    session: db.Session, user_id: str, execution_id: str, *, actor: str = "owner"
) -> Change:
    """Close an execution unfinished; nothing is removed. Raises NotFound, Conflict (completed)."""
    before = lock(session, user_id, execution_id)
    if before.status == "abandoned":
        return Change(before, before)
    require_open(before)
    return history.record(session, before, Event("abandoned", clock.timestamp(), actor))


def resume(session: db.Session, user_id: str, execution_id: str, *, actor: str = "owner") -> Change:
    """Open an abandoned execution again. Raises NotFound, Conflict (completed)."""
    before = lock(session, user_id, execution_id)
    if before.is_open:
        return Change(before, before)
    if before.status == "completed":
        raise _closed(before)
    return history.record(session, before, Event("resumed", clock.timestamp(), actor))


def record_outcome(
    session: db.Session, execution: Execution, outcome_id: str, at: float, actor: str
) -> None:
    """Append that an outcome was reported; the state does not change."""
    history.append(session, execution, Event("outcome", at, actor, reference_id=outcome_id))


def expire(session: db.Session, before: float, limit: int = 500) -> list[Change]:
    """Abandon open executions that nobody touched since `before`, at most `limit` of them."""
    now = clock.timestamp()
    stale = [from_row(row) for row in session.all(_STALE, before=before, limit=limit)]
    return [history.record(session, one, Event("abandoned", now, "system")) for one in stale]


def _lock(session: db.Session, query: db.Query, user_id: str, execution_id: str) -> Any:
    session.hold(user_id)
    row = session.first(query, user_id=user_id, id=execution_id)
    if row is None:
        raise _not_found()
    return row


def _insert(session: db.Session, execution: Execution) -> None:
    session.run(
        _INSERT,
        **{
            name: getattr(execution, name)
            for name in Execution.__slots__
            if name not in {"old_notes"}
        },
        execution_notes=None,
    )


def _adds_nothing(session: db.Session, execution: Execution, notes: str | None) -> bool:
    if not notes:
        return True
    return step_notes.newest(session, execution) == notes


def require_open(execution: Execution) -> None:
    """Raise Conflict, with what to do, when it is completed or abandoned."""
    if not execution.is_open:
        raise _closed(execution)


def require_step(execution: Execution, step: int) -> None:
    """Raise Invalid when the execution has no such step."""
    if not 1 <= step <= execution.total_steps:
        raise errors.Invalid(
            f"This execution has steps 1 to {execution.total_steps}.",
            fields={"step": f"1 to {execution.total_steps}"},
        )


def _closed(execution: Execution) -> errors.Conflict:
    remedy = "start it again" if execution.status == "completed" else "resume it first"
    return errors.Conflict(
        f"This execution is {execution.status}; {remedy}.", code=f"execution_{execution.status}"
    )


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such execution.")
