"""Slates as they are kept: what was shown to whom, how it was drawn, and what of it still holds.

A slate is served again until it is a day old or the person's state has changed. What is dismissed
leaves it; then it is drawn one place longer, so that the others stay, as rows and with the
probability they had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors
from whatworks.models import (
    Dismissal,
    ExecutionEvent,
    Recommendation,
    Slate,
    UserProfile,
    WorkflowExecution,
)
from whatworks.people import profiles
from whatworks.store import entitlements

POLICY: Final = "softmax-H-1"
DAY: Final = 86_400.0
MOST_A_DAY: Final = 1_000  # slates of one person, each some kilobytes


@dataclass(frozen=True, slots=True)
class Impression:
    """One recommendation as shown. `outcome` is what became of it: in_progress, completed, …

    `rank` is the place it was drawn for; as it is served, the place it is shown at.

    `score` is the optimistic expected benefit it was ranked by; `propensity` the probability that
    this place shows it, given the places before (None: it was put there, not drawn).
    """

    id: str
    workflow_name: str
    reason: str
    rank: int
    clicked: bool
    outcome: str | None
    score: float | None
    propensity: float | None
    evidence: str  # JSON: what the reason rests on
    created_at: float | None


@dataclass(frozen=True, slots=True)
class Current:
    """The slate that holds: what is left of it, all that was ever in it, and how much is missing.

    `last` is the last place that was drawn.
    """

    id: str
    left: list[Impression]
    names: frozenset[str]
    missing: int
    last: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn, not yet kept: a slate, or further places of the one that holds (`more_of`).

    `seen_event` is the person's newest event at that time.
    """

    id: str
    user_id: str
    limit: int
    context: dict[str, object]
    model: str | None
    seen_event: str
    created_at: float
    shown: list[Impression]
    more_of: Current | None


TABLES: Final = (  # what a stored slate is read from
    *("recommendations", "slates", "dismissals", "user_profiles"),
    *("workflow_executions", "execution_events"),
)
_R, _later = Recommendation, aliased(Slate)
_NEWEST_EVENT: Final = (
    select(func.max(ExecutionEvent.id))
    .where(ExecutionEvent.user_id == bindparam("user_id"))
    .scalar_subquery()
)
_CURRENT: Final = db.Query(
    select(
        _R.id,
        _R.workflow_name,
        _R.reason,
        _R.rank,
        _R.clicked,
        _R.outcome,
        _R.score,
        _R.propensity,
        _R.evidence,
        _R.created_at,
        _R.slate_id,
        Slate.size,
        Slate.created_at.label("drawn_at"),
        exists()
        .where(
            Dismissal.user_id == _R.user_id,
            Dismissal.workflow_name == _R.workflow_name,
            Dismissal.created_at >= Slate.created_at,
        )
        .label("is_dismissed"),
        WorkflowExecution.status,
    )
    .join(Slate, (Slate.user_id == _R.user_id) & (Slate.id == _R.slate_id))
    .join(UserProfile, UserProfile.id == _R.user_id)
    .outerjoin(
        WorkflowExecution,
        (WorkflowExecution.user_id == _R.user_id) & (WorkflowExecution.recommendation_id == _R.id),
    )
    .where(
        _R.user_id == bindparam("user_id"),
        _R.slate_id
        == select(func.max(_later.id))
        .where(_later.user_id == bindparam("user_id"))
        .scalar_subquery(),
        Slate.created_at > bindparam("after"),
        Slate.created_at >= UserProfile.updated_at,
        Slate.policy == POLICY,
        Slate.ended_at.is_(None),
        Slate.last_event_id == func.coalesce(_NEWEST_EVENT, ""),
    )
    .order_by(_R.rank)
)
_LAST_EVENT: Final = db.Query(select(func.coalesce(_NEWEST_EVENT, "")))
_ADD_SLATE: Final = db.Query(insert(Slate))
_ADD: Final = db.Query(insert(_R))
_CLICK: Final = db.Query(
    update(_R)
    .where(_R.user_id == bindparam("the_user"), _R.id == bindparam("the_id"))
    .values(clicked=1)
    .returning(_R.workflow_name)
)
_END: Final = db.Query(
    update(Slate)
    .where(
        Slate.created_at > bindparam("after"),
        Slate.ended_at.is_(None),
        exists().where(
            _R.user_id == Slate.user_id,
            _R.slate_id == Slate.id,
            _R.workflow_name == bindparam("workflow_name"),
        ),
    )
    .values(ended_at=bindparam("now"))
)
_LATELY: Final = db.Query(
    select(func.count()).where(Slate.user_id == bindparam("user_id"), Slate.id > bindparam("since"))
)
_OWNER: Final = db.Query(select(_R.user_id).where(_R.id == bindparam("id")))


def find_current(session: db.Session, user_id: str, limit: int) -> list[Impression] | None:
    """The slate drawn before, if it still holds and nothing is missing from it; else None."""
    now = current(session, user_id, limit)
    return None if now is None or now.missing else _served(now.left, limit)


def current(session: db.Session, user_id: str, limit: int) -> Current | None:
    """The slate drawn before, if it still holds and is long enough."""
    rows = session.all(_CURRENT, user_id=user_id, after=clock.timestamp() - DAY)
    if not rows or rows[0].size < limit:
        return None
    if entitlements.changed_since(session, user_id, rows[0].created_at):
        return None
    left = [_impression(row) for row in rows if not row.is_dismissed]
    drawn_at_first = sum(row.created_at == row.drawn_at for row in rows)
    return Current(
        id=rows[0].slate_id,
        left=left,
        names=frozenset(row.workflow_name or "" for row in rows),
        missing=max(drawn_at_first - len(left), 0),
        last=rows[-1].rank,
    )


def last_event(session: db.Session, user_id: str) -> str:
    """The person's newest event; a later one ends their slate."""
    return str(session.value(_LAST_EVENT, user_id=user_id))


def keep(session: db.Session, drawn: Drawn) -> list[Impression]:
    """Store a slate and return what to show; of several drawn at once only the first is kept.

    Raises TooManyRequests when the person has had MOST_A_DAY of them within a day.
    """
    profiles.lock(session, drawn.user_id)
    earlier = find_current(session, drawn.user_id, drawn.limit)
    if earlier is not None:
        return earlier
    if drawn.more_of is not None:
        return _keep_more(session, drawn, drawn.more_of)
    if drawn.shown:
        _keep_new(session, drawn)
    return drawn.shown


def _keep_more(session: db.Session, drawn: Drawn, more_of: Current) -> list[Impression]:
    """Add places to a slate that is still as it was; else what was left of it is shown."""
    now = current(session, drawn.user_id, drawn.limit)
    if now is None or (now.id, now.last) != (more_of.id, more_of.last):
        return _served(more_of.left, drawn.limit)
    session.many(_ADD, (_row(drawn, one) for one in drawn.shown))
    return _served([*now.left, *drawn.shown], drawn.limit)


def _keep_new(session: db.Session, drawn: Drawn) -> None:
    since = clock.first_id(clock.timestamp() - DAY)
    if session.value(_LATELY, user_id=drawn.user_id, since=since) >= MOST_A_DAY:
        raise errors.TooManyRequests(
            f"You have been recommended something new {MOST_A_DAY} times since yesterday; try"
            " again in an hour.",
            code="too_many_recommendations",
            retry_after=3600,
        )
    session.run(
        _ADD_SLATE,
        user_id=drawn.user_id,
        id=drawn.id,
        policy=POLICY,
        context=json.dumps(drawn.context),
        size=drawn.limit,
        last_event_id=drawn.seen_event,
        created_at=drawn.created_at,
        model=drawn.model,
        ended_at=None,
    )
    session.many(_ADD, (_row(drawn, one) for one in drawn.shown))


def _served(left: list[Impression], limit: int) -> list[Impression]:
    """What is shown, by the place it has there: what needs another plan is never above the rest."""
    shown = sorted(left, key=lambda one: (one.propensity is None, one.rank))[:limit]
    return [replace(one, rank=place) for place, one in enumerate(shown, 1)]


def click(session: db.Session, user_id: str, recommendation_id: str) -> str:
    """Remember that it was followed and return the workflow's name; twice is the same as once.

    Raises NotFound.
    """
    found = session.all(_CLICK, the_user=user_id, the_id=recommendation_id)
    if not found:
        raise errors.NotFound("There is no such recommendation.")
    return str(found[0].workflow_name)


def withdraw(session: db.Session, workflow_name: str) -> int:
    """End the slates that recommend a workflow, for it is no longer on offer; returns how many."""
    now = clock.timestamp()
    return session.run(_END, workflow_name=workflow_name, after=now - DAY, now=now)


def find_owner(session: db.Session, recommendation_id: str) -> str | None:
    """Whose recommendation it is, for an operator's key that acts for them."""
    found = session.value(_OWNER, id=recommendation_id)
    return None if found is None else str(found)


def _row(drawn: Drawn, shown: Impression) -> dict[str, Any]:
    return {
        "user_id": drawn.user_id,
        "id": shown.id,
        "workflow_name": shown.workflow_name,
        "reason": shown.reason,
        "rank": shown.rank,
        "created_at": shown.created_at,
        "clicked": 0,
        "outcome": None,
        "slate_id": drawn.id,
        "score": shown.score,
        "propensity": shown.propensity,
        "evidence": shown.evidence,
    }


def _impression(row: Any) -> Impression:
    status = row.status or row.outcome
    return Impression(
        id=row.id,
        workflow_name=row.workflow_name or "",
        reason=row.reason or "",
        rank=row.rank,
        clicked=bool(row.clicked),
        outcome="in_progress" if status == "started" else status,
        score=row.score,
        propensity=row.propensity,
        evidence=row.evidence or "{}",
        created_at=row.created_at,
    )
