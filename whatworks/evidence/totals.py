"""How many people, executions, outcomes and workflows there are."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select

from whatworks import db
from whatworks.models import Outcome, UserProfile, Workflow, WorkflowExecution

_OFFERED: Final = db.Query(
    select(func.count()).select_from(Workflow).where(Workflow.retired_at.is_(None))
)
_COUNTS: Final = {
    "people": db.Query(select(func.count()).select_from(UserProfile)),
    "executions": db.Query(select(func.count()).select_from(WorkflowExecution)),
    "outcomes": db.Query(select(func.count()).select_from(Outcome)),
    "workflows": _OFFERED,
}


def count(session: db.Session) -> dict[str, int]:
    """All four; takes longer the more there are."""
    return {name: int(session.value(query)) for name, query in _COUNTS.items()}


def count_workflows(session: db.Session) -> int:
    """How many workflows are on offer."""
    return int(session.value(_OFFERED))
