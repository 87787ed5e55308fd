"""What people write down while they work: kept apart from events, so that it can be erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.lifecycle import Execution
from whatworks.models import StepNote


@dataclass(frozen=True, slots=True)
class Note:
    """Something the person wrote down; `step` is None for the execution as a whole."""

    id: str
    step: int | None
    text: str
    created_at: float


MOST: Final = 500
_ADD: Final = db.Query(insert(StepNote))
_COUNT: Final = db.Query(
    select(func.count()).where(
        StepNote.user_id == bindparam("user_id"),
        StepNote.execution_id == bindparam("execution_id"),
    )
)
_NEWEST: Final = db.Query(
    select(StepNote.text)
    .where(
        StepNote.user_id == bindparam("user_id"),
        StepNote.execution_id == bindparam("execution_id"),
        StepNote.step.is_(None),
    )
    .order_by(StepNote.id.desc())
    .limit(1)
)
_LIST: Final = db.Query(
    select(StepNote.id, StepNote.step, StepNote.text, StepNote.created_at)
    .where(
        StepNote.user_id == bindparam("user_id"),
        StepNote.execution_id == bindparam("execution_id"),
    )
    .order_by(StepNote.id)
)


def add(session: db.Session, execution: Execution, step: int | None, text: str, at: float) -> str:
    """Keep a note; returns its id. Raises Conflict when the execution has MOST of them."""
    if session.value(_COUNT, user_id=execution.user_id, execution_id=execution.id) >= MOST:
        raise errors.Conflict(
            f"This execution has {MOST} notes already; start it again for more.",
            code="too_many_notes",
        )
    note_id = clock.new_id()
    session.run(
        _ADD,
        user_id=execution.user_id,
        id=note_id,
        execution_id=execution.id,
        step=step,
        text=text,
        created_at=at,
    )
    return note_id


def newest(session: db.Session, execution: Execution) -> str | None:
    """The last note on the execution as a whole."""
    text: str | None = session.value(_NEWEST, user_id=execution.user_id, execution_id=execution.id)
    return text


def list_for(session: db.Session, user_id: str, execution_id: str) -> list[Note]:
    """The notes of an execution, oldest first."""
    rows = session.all(_LIST, user_id=user_id, execution_id=execution_id)
    return [Note(*row) for row in rows]
