"""What happened to executions: events that are only ever added, and the rows they lead to.

`record` is the one way to append an event; it brings the execution's row and its step's row to
what the event makes of them, in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Integer, bindparam, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.execution import impressions, steps
from whatworks.execution.lifecycle import Event, Execution, advance
from whatworks.models import ExecutionEvent, WorkflowExecution


@dataclass(frozen=True, slots=True)
class Change:
    """An execution before (None: it has just begun) and after a verb, and the last event of it."""

    before: Execution | None
    after: Execution
    event_id: str | None = None


_E = WorkflowExecution
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
DAY: Final = 86_400.0
NO_LIMIT: Final = 2_000_000_000
MOST_A_DAY: Final = 10_000  # events of one person; a long day of work has some hundreds
_V: Final = ExecutionEvent.__table__.c
_LATELY: Final = (
    select(func.count())
    .where(_V.user_id == bindparam("user_id"), _V.id > bindparam("since"))
    .correlate(None)
    .scalar_subquery()
)
_APPEND: Final = db.Query(  # counts on its way, which costs nobody a statement more
    insert(ExecutionEvent).from_select(
        [column.name for column in _V],
        select(*(cast(bindparam(column.name), column.type) for column in _V)).where(
            bindparam("most", type_=Integer) > _LATELY
        ),
    )
)
_LIST: Final = db.Query(
    select(*(getattr(ExecutionEvent, name) for name in Event.__slots__))
    .where(
        ExecutionEvent.user_id == bindparam("user_id"),
        ExecutionEvent.execution_id == bindparam("execution_id"),
    )
    .order_by(ExecutionEvent.id)
)


def record(session: db.Session, before: Execution, event: Event) -> Change:
    """Append an event and follow it. The execution is locked by whoever calls."""
    after = advance(before, event)
    event_id = append(session, before, event)
    steps.record(session, before, event)
    if after.status != before.status:
        impressions.follow(session, after)
    if after != before:
        session.run(
            _UPDATE,
            the_user=after.user_id,
            the_id=after.id,
            status=after.status,
            steps_completed=after.steps_completed,
            completed_at=after.completed_at,
            touched_at=after.touched_at,
        )
    return Change(before, after, event_id)


def append(session: db.Session, execution: Execution, event: Event) -> str:
    """Append an event that changes no row; returns its id.

    Raises TooManyRequests when the person has had MOST_A_DAY of them within a day.
    """
    event_id = clock.new_id()
    appended = session.run(
        _APPEND,
        user_id=execution.user_id,
        id=event_id,
        execution_id=execution.id,
        since=clock.first_id(clock.timestamp() - DAY),
        most=NO_LIMIT if event.actor == "system" else MOST_A_DAY,
        **{name: getattr(event, name) for name in Event.__slots__},
    )
    if not appended:
        raise errors.TooManyRequests(
            f"{MOST_A_DAY} things have happened in your runs since yesterday, which is all there"
            " is room for in a day; go on in an hour.",
            code="too_many_events",
            retry_after=3600,
        )
    return event_id


def list_events(session: db.Session, user_id: str, execution_id: str) -> list[Event]:
    """What happened to an execution, oldest first."""
    rows = session.all(_LIST, user_id=user_id, execution_id=execution_id)
    return [Event(*row) for row in rows]
