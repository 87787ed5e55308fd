"""Would another way of recommending have done better? Answered from what was shown and why.

Every slate was drawn with known probabilities, so another policy can be judged by the same log
(off-policy evaluation). The reward of a slate is 1 when its first recommendation was finished.
What is still within its window is left out, and below a hundred effective rows nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.orm import aliased

from whatworks import clock, db
from whatworks.advice import choices, slates
from whatworks.evidence.beliefs import Beliefs, Person
from whatworks.evidence.fits import SEGMENTS
from whatworks.models import Recommendation, Slate, WorkflowExecution
from whatworks.stats import evaluation, ranking
from whatworks.stats.arrays import Floats
from whatworks.stats.evaluation import Logged, Verdict
from whatworks.store import entitlements
from whatworks.store.entitlements import Reach

WINDOW: Final = 30 * 86_400.0
NEWEST: Final = 5_000
Policy = Callable[[Floats, Floats], Floats]  # optimistic scores, chances → probabilities


def _soft(score: Floats, temperature: float) -> Floats:
    energy = ranking.energies(score.astype(np.float32), temperature).astype(np.float64)
    weight = np.exp(energy - energy.max())
    even = ranking.FLOOR / len(score)  # as slates are drawn, the floor with them
    found: Floats = (1 - ranking.FLOOR) * weight / weight.sum() + even
    return found


def _best(score: Floats) -> Floats:
    found = np.zeros(len(score))
    found[int(np.argmax(score))] = 1.0
    return found


POLICIES: Final[dict[str, Policy]] = {
    "as it is now": lambda score, _: _soft(score, ranking.TEMPERATURE),
    "half as curious": lambda score, _: _soft(score, ranking.TEMPERATURE / 2),
    "always the most promising": lambda score, _: _best(score),
    "always the likeliest to be finished": lambda _, chance: _best(chance),
    "by chance": lambda score, _: np.full(len(score), 1 / len(score)),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What can be said of one policy; `verdict.better` is None where that is nothing."""

    policy: str
    verdict: Verdict


_R, _later = Recommendation, aliased(Slate)
_E = WorkflowExecution
_DECISIONS: Final = db.Query(
    select(Slate.context, Slate.created_at, _R.workflow_name, _R.propensity, _E.status)
    .join(_R, (_R.user_id == Slate.user_id) & (_R.slate_id == Slate.id) & (_R.rank == 1))
    .outerjoin(_E, (_E.user_id == _R.user_id) & (_E.recommendation_id == _R.id))
    .where(
        Slate.policy == slates.POLICY,
        _R.propensity.is_not(None),
        or_(
            _E.status.in_(("completed", "abandoned")),
            Slate.created_at < bindparam("before"),
            # passed over: the person has moved on without beginning it
            _E.status.is_(None)
            & exists().where(_later.user_id == Slate.user_id, _later.id > Slate.id),
        ),
    )
    .order_by(Slate.created_at.desc())
    .limit(bindparam("newest"))
)


def report(
    session: db.Session, known: Beliefs, chance: np.random.Generator, newest: int = NEWEST
) -> list[Report]:
    """Every policy judged by the newest decisions whose end is known."""
    known.sync_within(session)
    before = clock.timestamp() - WINDOW
    rows = list(session.all(_DECISIONS, before=before, newest=newest))
    decisions = list(_decisions(rows, known))
    return [
        Report(name, evaluation.evaluate(_logged(decisions, policy), chance))
        for name, policy in POLICIES.items()
    ]


@dataclass(frozen=True, slots=True)
class _Decision:
    """One choice that was made, beside all that could have been chosen."""

    place: int
    propensity: float
    reward: float
    scores: Floats
    likely: Floats


def _decisions(rows: list[Any], known: Beliefs) -> Iterator[_Decision]:
    for row in rows:
        context = json.loads(row.context)
        person = Person(
            segment=SEGMENTS.get((context["market"], context["skill_level"]), -1),
            goal=context["goal"],
            market=context["market"],
            skill_level=context["skill_level"],
            offset=context.get("offset", 0.0),
        )
        scores, likely = known.scores(person)
        passed = frozenset(context.get("passed_over", ()))
        eligible = choices.eligible(known, _reach(context), passed)
        found = np.flatnonzero(eligible == known.place(row.workflow_name or ""))
        if len(found):  # else it is not on offer any more
            yield _Decision(
                int(found[0]),
                row.propensity,
                float(row.status == "completed"),
                scores[eligible].astype(np.float64),
                likely[eligible].astype(np.float64),
            )


def _reach(context: dict[str, Any]) -> Reach:
    """What the person could run then; older slates tell only their plan."""
    upto = entitlements.PLANS.index(context.get("plan", "free")) + 1
    tiers = tuple(context.get("tiers", entitlements.PLANS[:upto]))
    return Reach(tiers, frozenset(context.get("unlocked", ())))


def _logged(decisions: list[_Decision], policy: Policy) -> Logged:
    """The log as the estimators want it; chances are scaled to how often what is shown is begun."""
    reward = np.array([d.reward for d in decisions])
    chance = np.array([d.likely[d.place] for d in decisions])
    scale = float(reward.sum() / chance.sum()) if len(decisions) else 0.0
    wanted = [policy(d.scores, d.likely) for d in decisions]
    return Logged(
        reward=reward,
        propensity=np.array([d.propensity for d in decisions]),
        probability=np.array([p[d.place] for p, d in zip(wanted, decisions, strict=True)]),
        predicted=scale * chance,
        baseline=scale
        * np.array([float(p @ d.likely) for p, d in zip(wanted, decisions, strict=True)]),
    )
