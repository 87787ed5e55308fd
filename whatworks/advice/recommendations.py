"""What to do next: a slate drawn on purpose, so that what works is used and what is new is tried.

`draw` reads and computes; `slates.keep` stores what is shown: by which policy and model, for whom,
from how many, with which probability, and why.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np

from whatworks import clock, db
from whatworks.advice import choices, dismissals, reasons, slates
from whatworks.advice.choices import Choice
from whatworks.advice.slates import Drawn, Impression
from whatworks.evidence import findings
from whatworks.evidence.beliefs import Beliefs, Person
from whatworks.evidence.findings import Evidence
from whatworks.execution import executions
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.stats import ranking
from whatworks.store import entitlements
from whatworks.store.entitlements import Reach, Terms


def draw(
    session: db.Session, user_id: str, limit: int, known: Beliefs, terms: Terms | None = None
) -> Drawn:
    """Rank anew and draw a slate, or what is missing from the one that holds.

    Reads only; `slates.keep` stores it. Without `terms` plans and products keep nothing from
    anybody. Raises NotFound (person).
    """
    profile = profiles.get(session, user_id)
    seen_event = slates.last_event(session, user_id)
    known.sync_within(session)
    held = entitlements.holdings(session, user_id)
    reach = entitlements.reach(held, terms) if terms else entitlements.EVERYTHING
    said = dismissals.lately(session, user_id)
    person = choices.person_of(session, profile, known, said)
    done = executions.list_for(session, user_id)
    more_of = slates.current(session, user_id, limit)
    size, before = (more_of.missing, more_of.names) if more_of else (limit, frozenset[str]())
    choice = choices.choose(known, person, reach, done, said, size, before)
    seed, now = clock.new_id(), clock.timestamp()
    picked = choice.draw(np.random.default_rng(uuid.UUID(seed).int))
    shown = [
        _shown(session, profile, known, place, rank, propensity, reach, choice, now)
        for rank, (place, propensity) in enumerate(picked, more_of.last + 1 if more_of else 1)
    ]
    return Drawn(
        id=more_of.id if more_of else seed,
        user_id=user_id,
        limit=limit,
        context=_context(profile, held.plan, reach, person, choice),
        model=known.fit_id,
        seen_event=seen_event,
        created_at=now,
        shown=shown,
        more_of=more_of,
    )


def _context(
    profile: Profile, plan: str, reach: Reach, person: Person, choice: Choice
) -> dict[str, object]:
    """What the draw depended on, so that it can be judged later."""
    return {
        "goal": profile.goal,
        "market": profile.market,
        "skill_level": profile.skill_level,
        "country": profile.country,
        "plan": plan,
        "tiers": reach.tiers,
        "unlocked": sorted(reach.workflows),
        "offset": round(person.offset, 4),
        "eligible": len(choice.open),
        "passed_over": sorted(choice.passed_over),
        "temperature": ranking.TEMPERATURE,
        "floor": ranking.FLOOR,
    }


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
