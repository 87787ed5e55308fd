"""What to do next: a slate drawn on purpose, so that what works is used and what is new is tried.

`draw` reads and computes, `keep` stores what is shown: by which policy and model, for whom, from
how many, with which probability, and why. A slate is served again until it is a day old, something
in it was dismissed, or the person's state has changed.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors
from whatworks.advice import choices, dismissals, reasons
from whatworks.advice.choices import Choice
from whatworks.evidence import findings
from whatworks.evidence.beliefs import Beliefs
from whatworks.evidence.findings import Evidence
from whatworks.execution import executions
from whatworks.models import (
    ExecutionEvent,
    Recommendation,
    Slate,
    UserProfile,
    WorkflowExecution,
)
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.stats import ranking
from whatworks.store import entitlements
from whatworks.store.entitlements import Reach, Terms

POLICY: Final = "softmax-H-1"
DAY: Final = 86_400.0
MOST_A_DAY: Final = 1_000  # slates of one person, each some kilobytes


@dataclass(frozen=True, slots=True)
class Impression:
    """One recommendation as shown. `outcome` is what became of it: in_progress, completed, …

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
class Drawn:
    """A slate as drawn, not yet kept. `seen_event` is the person's newest event at that time."""

    id: str
    user_id: str
    limit: int
    context: dict[str, object]
    model: str | None
    seen_event: str
    created_at: float
    shown: list[Impression]


TABLES: Final = (  # what a stored slate is read from
    *("recommendations", "slates", "user_profiles"),
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
        Slate.size,
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
    """The slate drawn before, if it still holds and is long enough; else None."""
    rows = session.all(_CURRENT, user_id=user_id, after=clock.timestamp() - DAY)
    if not rows or rows[0].size < limit:
        return None
    if entitlements.changed_since(session, user_id, rows[0].created_at):
        return None
    return [_impression(row) for row in rows[:limit]]


def draw(
    session: db.Session, user_id: str, limit: int, known: Beliefs, terms: Terms | None = None
) -> Drawn:
    """Rank anew and draw a slate. Reads only; `keep` stores it. Raises NotFound (person).

    Without `terms` plans and products keep nothing from anybody.
    """
    profile = profiles.get(session, user_id)
    seen_event = session.value(_LAST_EVENT, user_id=user_id)
    known.sync_within(session)
    held = entitlements.holdings(session, user_id)
    reach = entitlements.reach(held, terms) if terms else entitlements.EVERYTHING
    said = dismissals.lately(session, user_id)
    person = choices.person_of(session, profile, known, said)
    done = executions.list_for(session, user_id)
    choice = choices.choose(known, person, reach, done, said, limit)
    slate_id, now = clock.new_id(), clock.timestamp()
    picked = choice.draw(np.random.default_rng(uuid.UUID(slate_id).int))
    shown = [
        _shown(session, profile, known, place, rank, propensity, reach, choice, now)
        for rank, (place, propensity) in enumerate(picked, 1)
    ]
    context = {
        "goal": profile.goal,
        "market": profile.market,
        "skill_level": profile.skill_level,
        "country": profile.country,
        "plan": held.plan,
        "tiers": reach.tiers,
        "unlocked": sorted(reach.workflows),
        "offset": round(person.offset, 4),
        "eligible": len(choice.open),
        "passed_over": sorted(choice.passed_over),
        "temperature": ranking.TEMPERATURE,
        "floor": ranking.FLOOR,
    }
    return Drawn(slate_id, user_id, limit, context, known.fit_id, seen_event, now, shown)


def keep(session: db.Session, drawn: Drawn) -> list[Impression]:
    """Store a slate and return what to show; of several drawn at once only the first is kept.

    Raises TooManyRequests when the person has had MOST_A_DAY of them within a day.
    """
    profiles.lock(session, drawn.user_id)
    earlier = find_current(session, drawn.user_id, drawn.limit)
    if earlier is not None:
        return earlier
    if not drawn.shown:
        return []
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
    return drawn.shown


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


def _shown(
    session: db.Session,
    profile: Profile,
    known: Beliefs,
    place: int,
    rank: int,
    propensity: float | None,
    reach: Reach,
    choice: Choice,
    now: float,
) -> Impression:
    workflow = known.offered[place]
    assert workflow is not None  # noqa: S101 - only what is on offer is chosen
    found = findings.levels_of(session, workflow.name).nearest(*profile.segment)
    locked = None if reach.holds(workflow.tier, workflow.name) else workflow.tier
    because = reasons.reason(
        found, profile, serves_goal=profile.goal in workflow.guide.goals, tier=locked
    )
    return Impression(
        id=clock.new_id(),
        workflow_name=workflow.name,
        reason=because.text,
        rank=rank,
        clicked=False,
        outcome=None,
        score=round(float(choice.scores[place]), 6),
        propensity=propensity,
        evidence=json.dumps(_told(found, because, locked), ensure_ascii=False),
        created_at=now,
    )


def _told(found: Evidence, because: reasons.Reason, locked: str | None) -> Any:
    """What the reason rests on, to be shown beside it for as long as it is."""
    level, states, rate = found.rate_level, found.states, found.rate
    value = found.value
    return {
        "level": findings.name_of(level),
        "market": (level or ("", ""))[0] or None,
        "skill_level": (level or ("", ""))[1] or None,
        "counted": reasons.who(level),
        "people": states.people,
        "started": states.started,
        "pending": states.pending if level is not None else 0,
        "finished": states.finished,
        "stopped": states.stopped,
        "completed": states.completed,
        "abandoned": states.abandoned,
        "reported": states.reported,
        "is_own": found.is_own,
        "rate": round(rate.mean, 4) if level is not None else None,
        "low": round(rate.low90, 4) if level is not None else None,
        "high": round(rate.high90, 4) if level is not None else None,
        "low50": round(rate.low50, 4) if level is not None else None,
        "high50": round(rate.high50, 4) if level is not None else None,
        "metric_type": value.metric if value else None,
        "currency": value.currency if value else None,
        "value": value.median if value else None,
        "value_low": value.low if value else None,
        "value_high": value.high if value else None,
        "hours": found.hours.median if found.hours else None,
        "needs_plan": locked,
        "uncounted": found.uncounted,
        "why": because.why,
    }


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
