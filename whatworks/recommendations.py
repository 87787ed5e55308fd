"""What to do next: ranked by evidence for people like this one, with a reason that is true.

A slate is drawn once, stored (what was shown, why, by which policy, with which probability) and
served again until it is a day old or the person's state has changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import catalogue, clock, db, errors, evidence, executions, phrases, profiles
from whatworks.catalogue import Workflow
from whatworks.evidence import Evidence, Levels
from whatworks.lifecycle import Execution
from whatworks.models import (
    ExecutionEvent,
    Grant,
    Recommendation,
    Slate,
    UserProfile,
    WorkflowExecution,
)
from whatworks.profiles import Profile
from whatworks.store import entitlements

POLICY: Final = "evidence-1"
DAY: Final = 86_400.0
JUST_DONE: Final = 30 * DAY
OTHER_GOAL: Final = 0.7  # how much an unfitting goal, market or level takes off the score
OTHER_MARKET: Final = 0.85
OTHER_LEVEL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Impression:
    """One recommendation as shown. `outcome` is what became of it: in_progress, completed, …"""

    id: str
    workflow_name: str
    reason: str
    rank: int
    clicked: bool
    outcome: str | None
    score: float | None
    propensity: float | None
    evidence: str  # JSON: the level, its counts and the interval that the reason rests on
    created_at: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workflow that could be shown, with what speaks for it."""

    workflow: Workflow
    evidence: Evidence  # for this person's cell
    score: float
    reason: str


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
        ~exists().where(Grant.user_id == Slate.user_id, Grant.valid_from > Slate.created_at),
        ~exists().where(Grant.user_id == Slate.user_id, Grant.revoked_at > Slate.created_at),
        Slate.last_event_id == func.coalesce(_NEWEST_EVENT, ""),
    )
    .order_by(_R.rank)
)
_LAST_EVENT: Final = db.Query(select(func.coalesce(_NEWEST_EVENT, "")))
_ADD_SLATE: Final = db.Query(insert(Slate))
_ADD: Final = db.Query(insert(Recommendation))
_CLICK: Final = db.Query(
    update(_R)
    .where(_R.user_id == bindparam("the_user"), _R.id == bindparam("the_id"))
    .values(clicked=1)
    .returning(_R.workflow_name)
)
_OWNER: Final = db.Query(select(_R.user_id).where(_R.id == bindparam("id")))


def find_current(session: db.Session, user_id: str, limit: int) -> list[Impression] | None:
    """The slate drawn before, if it still holds and is long enough; else None."""
    rows = session.all(_CURRENT, user_id=user_id, after=clock.timestamp() - DAY)
    if not rows or rows[0].size < limit:
        return None
    return [_impression(row) for row in rows[:limit]]


def draw(session: db.Session, user_id: str, limit: int) -> list[Impression]:
    """Rank anew, store what is shown and return it; of several at once only one draws.

    Raises NotFound (person).
    """
    profile = profiles.lock(session, user_id)
    drawn = find_current(session, user_id, limit)
    if drawn is not None:
        return drawn
    candidates = rank(session, profile)[:limit]
    if not candidates:
        return []
    slate_id, now = clock.new_id(), clock.timestamp()
    session.run(
        _ADD_SLATE,
        user_id=user_id,
        id=slate_id,
        policy=POLICY,
        context=json.dumps(_context(profile, candidates)),
        size=limit,
        last_event_id=session.value(_LAST_EVENT, user_id=user_id),
        created_at=now,
    )
    shown = [_shown(candidate, rank, now) for rank, candidate in enumerate(candidates, 1)]
    for impression in shown:
        _store(session, user_id, slate_id, impression)
    return shown


def click(session: db.Session, user_id: str, recommendation_id: str) -> str:
    """Remember that it was followed and return the workflow's name; twice is the same as once.

    Raises NotFound.
    """
    workflow_name = session.value(_CLICK, the_user=user_id, the_id=recommendation_id)
    if workflow_name is None:
        raise errors.NotFound("There is no such recommendation.")
    return str(workflow_name)


def find_owner(session: db.Session, recommendation_id: str) -> str | None:
    """Whose recommendation it is, for an operator's key that acts for them."""
    found = session.value(_OWNER, id=recommendation_id)
    return None if found is None else str(found)


def rank(session: db.Session, profile: Profile) -> list[Candidate]:
    """Workflows the person may run and is not doing or just done, the best first.

    Those done before come back only when nothing else is left.
    """
    held = entitlements.plan(session, profile.id)
    known = evidence.all_levels(session)
    offered = [w for w in catalogue.list_current(session) if entitlements.covers(held, w.tier)]
    recent = _recent(executions.list_for(session, profile.id))
    fresh = [w for w in offered if w.name not in recent]
    again = [w for w in offered if recent.get(w.name) in ("completed", "abandoned")]
    candidates = [
        _candidate(profile, workflow, known.get(workflow.name) or Levels((), ()))
        for workflow in fresh or again
    ]
    return sorted(candidates, key=lambda c: (-c.score, c.workflow.name))


def reason(workflow: Workflow, profile: Profile, levels: Levels) -> str:
    """Why this one: counts of the narrowest level with enough known ends, and that level's name.

    Says "too early to say" below that, and "new" where nothing is known.
    """
    fit = _fit(workflow, profile)
    found = levels.nearest(profile.market, profile.skill_level)
    if found.is_enough:
        return f"{_finished(found)}{_typical(found)}{fit}"
    if found.sums.count.trials:
        return f"{_finished(found)} so far, too early to say{fit}"
    if found.sums.started:
        return f"new: {phrases.plural(found.sums.started, 'run')} under way, no results yet{fit}"
    return f"new: no results yet{fit}"


def _candidate(profile: Profile, workflow: Workflow, levels: Levels) -> Candidate:
    found = levels.at(*profile.segment) if all(profile.segment) else levels.at()
    guide = workflow.guide
    score = found.rate.mean
    score *= 1.0 if profile.goal in guide.goals else OTHER_GOAL
    score *= 1.0 if profile.market in guide.markets else OTHER_MARKET
    score *= 1.0 if profile.skill_level in guide.skill_levels else OTHER_LEVEL
    return Candidate(workflow, found, score, reason(workflow, profile, levels))


def _finished(found: Evidence) -> str:
    count = found.sums.count
    return f"{count.successes} of {count.trials} {counted(found)} finished this"


def counted(found: Evidence) -> str:
    """Who or what the counts are: people where everybody ran it once, else runs by people."""
    sums = found.sums
    who = phrases.people(
        sums.count.trials if sums.started == sums.people else sums.people,
        found.market,
        found.skill_level,
    )
    return who if sums.started == sums.people else f"runs by {sums.people} {who}"


def _typical(found: Evidence) -> str:
    """The level's own typical value and time, where five people or more reported them."""
    parts = []
    sample = found.values.sample
    if sample.n >= evidence.ENOUGH and sample.typical is not None:
        typical = float(f"{sample.typical:.2g}")
        parts.append(f"typical {phrases.quantity(typical, found.currency or '')}")
    duration = found.sums.duration
    if duration.n >= evidence.ENOUGH and duration.typical is not None:
        parts.append(f"in {phrases.hours(duration.typical / 3600)}")
    return f"; {' '.join(parts)}" if parts else ""


def _fit(workflow: Workflow, profile: Profile) -> str:
    return ", fits your goal" if profile.goal in workflow.guide.goals else ""


def _recent(done: Sequence[Execution]) -> dict[str, str]:
    """Workflow → status, for those open now or closed within the last month."""
    since = clock.timestamp() - JUST_DONE
    found: dict[str, str] = {}
    for execution in done:
        if execution.is_open:
            found[execution.workflow_name] = execution.status
        elif (execution.touched_at or 0) > since:
            found.setdefault(execution.workflow_name, execution.status)
    return found


def _context(profile: Profile, candidates: Sequence[Candidate]) -> dict[str, object]:
    return {
        "goal": profile.goal,
        "market": profile.market,
        "skill_level": profile.skill_level,
        "eligible": [candidate.workflow.name for candidate in candidates],
    }


def _shown(candidate: Candidate, rank: int, now: float) -> Impression:
    found = candidate.evidence
    return Impression(
        id=clock.new_id(),
        workflow_name=candidate.workflow.name,
        reason=candidate.reason,
        rank=rank,
        clicked=False,
        outcome=None,
        score=candidate.score,
        propensity=1.0,  # this policy leaves nothing to chance
        evidence=json.dumps(
            {
                "market": found.market,
                "skill_level": found.skill_level,
                "counted": counted(found),
                "people": found.sums.people,
                "pending": found.sums.pending,
                "completed": found.sums.completed,
                "abandoned": found.sums.abandoned,
                "rate": round(found.rate.mean, 4),
                "low": round(found.rate.low90, 4),
                "high": round(found.rate.high90, 4),
                "low50": round(found.rate.low50, 4),
                "high50": round(found.rate.high50, 4),
            }
        ),
        created_at=now,
    )


def _store(session: db.Session, user_id: str, slate_id: str, shown: Impression) -> None:
    session.run(
        _ADD,
        user_id=user_id,
        id=shown.id,
        workflow_name=shown.workflow_name,
        reason=shown.reason,
        rank=shown.rank,
        created_at=shown.created_at,
        clicked=0,
        outcome=None,
        slate_id=slate_id,
        score=shown.score,
        propensity=shown.propensity,
        evidence=shown.evidence,
    )


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
