"""Shapes that several pages show: evidence, recommendations, runs. Percentages are 0 to 100."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from whatworks import catalogue, db, phrases
from whatworks.catalogue import Workflow
from whatworks.evidence import ENOUGH, Evidence
from whatworks.guide import Guide, Step
from whatworks.guide import Outcome as GuideOutcome
from whatworks.lifecycle import Execution
from whatworks.outcomes import Outcome
from whatworks.recommendations import Impression, counted


@dataclass(frozen=True)
class Amount:
    """A value with its metric and its currency or unit."""

    metric_type: str
    value: float
    currency: str


@dataclass(frozen=True)
class EvidenceView:
    """What is known at one level, ready for the charts and sentences of `ui.html`."""

    people: int
    completed: int
    closed: int
    pending: int
    level: str
    rate: float
    likely: tuple[float, float]
    wide: tuple[float, float]
    typical: Amount | None
    hours: float | None
    reported: int
    proofs: int
    zeros: int


@dataclass(frozen=True)
class Rec:
    """A recommendation with what its card shows."""

    recommendation_id: str
    workflow_name: str
    title: str
    summary: str
    minutes: int
    steps: int
    reason: str
    rank: int
    evidence: EvidenceView
    why: list[str]


@dataclass(frozen=True)
class Run:
    """An execution in a list."""

    execution: Execution
    title: str
    step_title: str | None
    minutes_left: int | None


@dataclass(frozen=True)
class OutcomeLine:
    """An outcome in a list."""

    id: str
    execution_id: str
    title: str
    metric_type: str
    value: float
    currency: str
    created_at: float | None
    verified: bool
    has_proof: bool


def evidence(found: Evidence) -> EvidenceView:
    """Evidence as pages show it."""
    estimate = found.rate
    return EvidenceView(
        people=found.sums.people,
        completed=found.sums.completed,
        closed=found.sums.count.trials,
        pending=found.sums.pending,
        level=counted(found),
        rate=100 * estimate.mean,
        likely=(100 * estimate.low50, 100 * estimate.high50),
        wide=(100 * estimate.low90, 100 * estimate.high90),
        typical=_typical(found),
        hours=_hours(found),
        reported=found.sums.reported,
        proofs=found.values.proofs,
        zeros=found.values.zeros,
    )


def _typical(found: Evidence) -> Amount | None:
    """What this level itself reported, where that is enough to quote; else the estimate."""
    if not found.value or not found.metric:
        return None
    sample = found.values.sample
    own = sample.typical if sample.n >= ENOUGH else None
    return Amount(found.metric, float(f"{own or found.value.mean:.2g}"), found.currency or "")


def _hours(found: Evidence) -> float | None:
    if not found.duration:
        return None
    sample = found.sums.duration
    own = sample.typical if sample.n >= ENOUGH else None
    return (own or found.duration.mean) / 3600


def recommendation(workflow: Workflow, shown: Impression, goal: str) -> Rec:
    """A recommendation as its card shows it, from what was stored when it was drawn."""
    guide, numbers = workflow.guide, json.loads(shown.evidence)
    return Rec(
        recommendation_id=shown.id,
        workflow_name=workflow.name,
        title=guide.title,
        summary=guide.summary,
        minutes=guide.minutes,
        steps=len(guide.steps),
        reason=shown.reason,
        rank=shown.rank,
        evidence=_stored(numbers),
        why=_why(guide, numbers, goal),
    )


def run(execution: Execution, guide: Guide) -> Run:
    """An execution with the step that is next."""
    left = guide.steps[execution.steps_completed :]
    return Run(
        execution,
        guide.title,
        left[0].title if left else None,
        sum(step.minutes for step in left) or None,
    )


def outcome_line(outcome: Outcome, title: str) -> OutcomeLine:
    """An outcome with its workflow's title."""
    return OutcomeLine(
        id=outcome.id,
        execution_id=outcome.execution_id,
        title=title,
        metric_type=outcome.metric_type,
        value=outcome.value,
        currency=outcome.currency,
        created_at=outcome.created_at,
        verified=outcome.verified,
        has_proof=outcome.has_proof,
    )


def guide_for(session: db.Session, execution: Execution) -> Guide:
    """The guide an execution follows, with exactly its steps.

    Its own version; for old runs the current one; steps alone where there is no guide at all.
    """
    found = catalogue.find(session, execution.workflow_name, execution.workflow_version)
    guide = found.guide if found else _without_text(execution.workflow_name)
    missing = range(len(guide.steps) + 1, execution.total_steps + 1)
    steps = (*guide.steps[: execution.total_steps], *map(_bare_step, missing))
    return replace(guide, steps=steps)


def _without_text(name: str) -> Guide:
    return Guide(
        name=name,
        title=name.replace("_", " ").capitalize() or "Old run",
        summary="",
        language="en",
        tier="free",
        goals=(),
        markets=(),
        skill_levels=(),
        outcome=GuideOutcome("revenue", "What did it bring?", "A screenshot, names hidden"),
        steps=(),
    )


def _bare_step(number: int) -> Step:
    return Step(number, f"Step {number}", 10, "You have done what your pack says for this step.")


def _stored(numbers: dict[str, Any]) -> EvidenceView:
    closed = numbers.get("completed", 0) + numbers.get("abandoned", 0)
    return EvidenceView(
        people=numbers.get("people", closed),
        completed=numbers.get("completed", 0),
        closed=closed,
        pending=numbers.get("pending", 0),
        level=numbers.get("counted")
        or phrases.people(2, numbers.get("market"), numbers.get("skill_level")),
        rate=100 * numbers.get("rate", 0.5),
        likely=(100 * numbers.get("low50", 0), 100 * numbers.get("high50", 1)),
        wide=(100 * numbers.get("low", 0), 100 * numbers.get("high", 1)),
        typical=None,
        hours=None,
        reported=0,
        proofs=0,
        zeros=0,
    )


def _why(guide: Guide, numbers: dict[str, Any], goal: str) -> list[str]:
    """The terms of the score in sentences."""
    found = _stored(numbers)
    lines = [
        "It fits your goal."
        if goal in guide.goals
        else "Your goal is not what it was written for.",
    ]
    if found.closed:
        lines.append(
            f"{found.completed} of {found.closed} {found.level} finished it; with what others did, "
            f"the estimate for you is {phrases.percent(found.rate)}."
        )
    else:
        lines.append(
            f"No {found.level} have finished or stopped yet, so the estimate of "
            f"{phrases.percent(found.rate)} leans on everybody else."
        )
    lines.append(
        f"It is likely between {phrases.percent(found.likely[0])} and "
        f"{phrases.percent(found.likely[1])}."
    )
    return lines
