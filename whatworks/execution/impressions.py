"""Recommendations as seen from executions: which one led here, and what became of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select, update

from whatworks import db
from whatworks.execution.lifecycle import Execution
from whatworks.models import Recommendation

_NEWEST: Final = db.Query(
    select(Recommendation.id)
    .where(
        Recommendation.user_id == bindparam("user_id"),
        Recommendation.workflow_name == bindparam("workflow_name"),
        Recommendation.created_at > bindparam("after"),
    )
    .order_by(Recommendation.clicked.desc(), Recommendation.created_at.desc())
    .limit(1)
)
_FOLLOW: Final = db.Query(
    update(Recommendation)
    .where(
        Recommendation.user_id == bindparam("the_user"),
        Recommendation.id == bindparam("the_id"),
    )
    .values(outcome=bindparam("outcome"))
)


def leading_to(session: db.Session, user_id: str, workflow_name: str, after: float) -> str | None:
    """The impression of a workflow that a start since `after` is owed to, clicked ones first."""
    found: str | None = session.value(
        _NEWEST, user_id=user_id, workflow_name=workflow_name, after=after
    )
    return found


def follow(session: db.Session, execution: Execution) -> None:
    """Note what became of the recommendation that led to an execution."""
    if execution.recommendation_id is not None:
        session.run(
            _FOLLOW,
            the_user=execution.user_id,
            the_id=execution.recommendation_id,
            outcome="in_progress" if execution.is_open else execution.status,
        )
