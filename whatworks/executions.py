"""Executions: start, record what happens, and the state that the events add up to.

Every change appends an event and, in the same transaction, sets the execution's row to
`lifecycle.advance(before, event)`; replaying all events gives the same row. Verbs that
change evidence return a `Change`, which `performance.folded` turns into sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import catalogue, clock, db, errors, impressions, profiles, step_notes
from whatworks.lifecycle import OPEN, STEPS_WITHOUT_GUIDE, Event, Execution, advance, from_row
from whatworks.models import ExecutionEvent, WorkflowExecution
from whatworks.store import entitlements

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Change:
    """An execution before (None: it has just begun) and after a verb."""

    before: Execution | None
    after: Execution


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
_LOCK: Final = db.Query(_OWNED.with_for_update())
_LIST: Final = db.Query(
    _COLUMNS.where(_E.user_id == bindparam("user_id"))
    .order_by(_E.touched_at.desc().nulls_last(), _E.id.desc())
    .limit(bindparam("limit"))
)
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
_UPDATE: Final = db.Query(
    update(_E)
    .where(_E.user_id == bindparam("the_user"), _E.id == bindparam("the_id"))
    .values(
        status=bindparam("status"),
        steps_completed=bindparam("steps_completed"),
        completed_at=bindparam("completed_at"),
        touched_at=bindparam("touched_at"),
    )
)
_APPEND: Final = db.Query(insert(ExecutionEvent))
_EVENTS: Final = db.Query(
    select(
        ExecutionEvent.kind,
        ExecutionEvent.at,
        ExecutionEvent.actor,
        ExecutionEvent.step,
        ExecutionEvent.steps_completed,
        ExecutionEvent.result,
        ExecutionEvent.seconds_spent,
        ExecutionEvent.reference_id,
    )
    .where(
        ExecutionEvent.user_id == bindparam("user_id"),
        ExecutionEvent.execution_id == bindparam("execution_id"),
    )
    .order_by(ExecutionEvent.id)
)


def start(
    session: db.Session,
    user_id: str,
    workflow_name: str,
    total_steps: int | None = None,
    *,
    enforce_plan: bool = True,
    actor: str = "owner",
) -> Change:
    """Begin the current version of a workflow, with the person's segment frozen as it is now.

    Raises NotFound (person, workflow) and PaymentRequired.
    """
    profile = profiles.lock(session, user_id)
    workflow = catalogue.get(session, workflow_name)
    if enforce_plan:
        entitlements.require(session, user_id, workflow.tier)
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
    _append(session, execution, Event("started", now, actor))
    impressions.follow(session, execution)
    return Change(None, execution)


def get(session: db.Session, user_id: str, execution_id: str) -> Execution:
    """One execution of this person. Raises NotFound, also when it is somebody else's."""
    row = session.first(_GET, user_id=user_id, id=execution_id)
    if row is None:
        raise _not_found()
    return from_row(row)


def lock(session: db.Session, user_id: str, execution_id: str) -> Execution:
    """As `get`, and nobody else changes it until the transaction ends."""
    row = session.first(_LOCK, user_id=user_id, id=execution_id)
    if row is None:
        raise _not_found()
    return from_row(row)


def find(session: db.Session, user_id: str, execution_id: str) -> Execution | None:
    """One execution of this person, if there is one."""
    row = session.first(_GET, user_id=user_id, id=execution_id)
    return None if row is None else from_row(row)


def find_owner(session: db.Session, execution_id: str) -> str | None:
    """Whose execution it is, for an operator's key that acts for them."""
    found = session.value(_OWNER, id=execution_id)
    return None if found is None else str(found)


def list_for(session: db.Session, user_id: str, limit: int = 100) -> list[Execution]:
    """A person's executions, the last touched first."""
    return [from_row(row) for row in session.all(_LIST, user_id=user_id, limit=limit)]


def list_events(session: db.Session, user_id: str, execution_id: str) -> list[Event]:
    """What happened to an execution, oldest first."""
    rows = session.all(_EVENTS, user_id=user_id, execution_id=execution_id)
    return [Event(*row) for row in rows]


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

    The same update again changes nothing. Raises NotFound, Invalid (more steps than there are)
    and Conflict (it is completed or abandoned).
    """
    before = lock(session, user_id, execution_id)
    if steps_completed > before.total_steps:
        raise errors.Invalid(
            f"This execution has {before.total_steps} steps.",
            fields={"steps_completed": f"0 to {before.total_steps}"},
        )
    if steps_completed == before.steps_completed and _adds_nothing(session, before, notes):
        return Change(before, before)
    _require_open(before)
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
    return _record(session, before, event)


def record_step(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    result: str,
    note: str | None = None,
    seconds_spent: float | None = None,
    actor: str = "owner",
) -> Change:
    """Log how one step went (`worked` or `failed`); progress is not moved by it.

    Raises NotFound, Invalid (no such step) and Conflict (it is closed).
    """
    before = lock(session, user_id, execution_id)
    if not 1 <= step <= before.total_steps:
        raise errors.Invalid(
            f"This execution has steps 1 to {before.total_steps}.",
            fields={"step": f"1 to {before.total_steps}"},
        )
    _require_open(before)
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
    )
    return _record(session, before, event)


def record_verdict(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    result: str,
    note: str | None = None,
) -> Change:
    """What the verdict bar does: log how a step went and, when it worked, move on past it.

    A step that is done already does not work twice. Raises as `record_step`.
    """
    before = lock(session, user_id, execution_id)
    if before.is_open and result == "worked" and step <= before.steps_completed and not note:
        return Change(before, before)
    logged = record_step(session, user_id, execution_id, step=step, result=result, note=note)
    if result != "worked" or step <= logged.after.steps_completed:
        return logged
    moved = record_progress(session, user_id, execution_id, step)
    return Change(logged.before, moved.after)


def record_note(
    session: db.Session, user_id: str, execution_id: str, *, step: int | None, text: str
) -> Change:
    """Keep a note about a step or the whole execution; closed ones take notes as well."""
    before = lock(session, user_id, execution_id)
    now = clock.timestamp()
    _append(
        session,
        before,
        Event(
            "noted", now, step=step, reference_id=step_notes.add(session, before, step, text, now)
        ),
    )
    return Change(before, before)


def abandon(
    session: db.Session, user_id: str, execution_id: str, *, actor: str = "owner"
) -> Change:
    """Close an execution unfinished; nothing is removed. Raises NotFound, Conflict (completed)."""
    before = lock(session, user_id, execution_id)
    if before.status == "abandoned":
        return Change(before, before)
    _require_open(before)
    return _record(session, before, Event("abandoned", clock.timestamp(), actor))


def resume(session: db.Session, user_id: str, execution_id: str, *, actor: str = "owner") -> Change:
    """Open an abandoned execution again. Raises NotFound, Conflict (completed)."""
    before = lock(session, user_id, execution_id)
    if before.is_open:
        return Change(before, before)
    if before.status == "completed":
        raise _closed(before)
    return _record(session, before, Event("resumed", clock.timestamp(), actor))


def record_outcome(
    session: db.Session, execution: Execution, outcome_id: str, at: float, actor: str
) -> None:
    """Append that an outcome was reported; the state does not change."""
    _append(session, execution, Event("outcome", at, actor, reference_id=outcome_id))


def expire(session: db.Session, before: float, limit: int = 500) -> list[Change]:
    """Abandon open executions that nobody touched since `before`, at most `limit` of them."""
    now = clock.timestamp()
    stale = [from_row(row) for row in session.all(_STALE, before=before, limit=limit)]
    return [_record(session, one, Event("abandoned", now, "system")) for one in stale]


def _record(session: db.Session, before: Execution, event: Event) -> Change:
    after = advance(before, event)
    _append(session, before, event)
    if after.status != before.status:
        impressions.follow(session, after)
    session.run(
        _UPDATE,
        the_user=after.user_id,
        the_id=after.id,
        status=after.status,
        steps_completed=after.steps_completed,
        completed_at=after.completed_at,
        touched_at=after.touched_at,
    )
    return Change(before, after)


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


def _append(session: db.Session, execution: Execution, event: Event) -> None:
    session.run(
        _APPEND,
        user_id=execution.user_id,
        id=clock.new_id(),
        execution_id=execution.id,
        **{name: getattr(event, name) for name in Event.__slots__},
    )


def _adds_nothing(session: db.Session, execution: Execution, notes: str | None) -> bool:
    if not notes:
        return True
    return step_notes.newest(session, execution) == notes


def _require_open(execution: Execution) -> None:
    if not execution.is_open:
        raise _closed(execution)


def _closed(execution: Execution) -> errors.Conflict:
    remedy = "start it again" if execution.status == "completed" else "resume it first"
    return errors.Conflict(
        f"This execution is {execution.status}; {remedy}.", code=f"execution_{execution.status}"
    )


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such execution.")
