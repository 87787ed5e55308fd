""" "Not for me, because …": what people say of recommendations, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Dismissal as DismissalRow
from whatworks.models import Recommendation

DAY: Final = 86_400.0
# Why, and for how many days the workflow is not recommended to this person again.
REASONS: Final = {
    "not_my_field": 365,
    "too_hard": 90,
    "too_easy": 180,
    "too_long": 60,
    "did_it_elsewhere": 365,
    "not_now": 14,
    "other": 90,
}
WORDS: Final = {
    "not_my_field": "It is not my field",
    "too_hard": "It is too hard for me",
    "too_easy": "It is too easy for me",
    "too_long": "It takes too long",
    "did_it_elsewhere": "I have done it elsewhere",
    "not_now": "Not now",
    "other": "Something else",
}


@dataclass(frozen=True, slots=True)
class Dismissal:
    """What somebody said of a workflow that was recommended to them."""

    workflow_name: str
    reason: str
    at: float

    @property
    def ends_at(self) -> float:
        """When the workflow may be recommended again."""
        return self.at + DAY * REASONS.get(self.reason, REASONS["other"])


_D, _R = DismissalRow, Recommendation
_GET: Final = db.Query(
    select(_R.workflow_name).where(_R.user_id == bindparam("user_id"), _R.id == bindparam("id"))
)
_ADD: Final = db.Query(insert(_D).on_conflict_do_nothing())
_LATELY: Final = db.Query(
    select(_D.workflow_name, _D.reason, _D.created_at)
    .where(_D.user_id == bindparam("user_id"), _D.created_at > bindparam("after"))
    .order_by(_D.id)
)
_COUNTS: Final = db.Query(
    select(_D.workflow_name, _D.reason, func.count(_D.user_id.distinct()))
    .group_by(_D.workflow_name, _D.reason)
    .order_by(_D.workflow_name, _D.reason)
)


def record(
    session: db.Session, user_id: str, recommendation_id: str, reason: str, note: str | None = None
) -> str:
    """Keep why somebody does not want it, and leave its place in the slate empty; twice is once.

    Returns the workflow's name. Raises NotFound.
    """
    row = session.first(_GET, user_id=user_id, id=recommendation_id)
    if row is None:
        raise errors.NotFound("There is no such recommendation.")
    session.run(
        _ADD,
        user_id=user_id,
        id=clock.new_id(),
        recommendation_id=recommendation_id,
        workflow_name=row.workflow_name or "",
        reason=reason,
        note=note,
        created_at=clock.timestamp(),
    )
    return row.workflow_name or ""


def lately(session: db.Session, user_id: str) -> list[Dismissal]:
    """What a person said that still holds."""
    now = clock.timestamp()
    rows = session.all(_LATELY, user_id=user_id, after=now - DAY * max(REASONS.values()))
    return [found for row in rows if (found := Dismissal(*row)).ends_at > now]


def counts(session: db.Session) -> Sequence[Any]:
    """How many people said what of each workflow: rows of name, reason, people."""
    return session.all(_COUNTS)
