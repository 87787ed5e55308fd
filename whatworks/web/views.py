"""Shapes that several pages show: evidence, recommendations, runs. Percentages are 0 to 100."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from whatworks import catalogue, db
from whatworks.advice import reasons
from whatworks.advice.slates import Impression
from whatworks.catalogue import Workflow
from whatworks.evidence.findings import WHOLE, Evidence, Levels, Value
from whatworks.execution import executions
from whatworks.execution.lifecycle import Execution
from whatworks.guides.guide import Guide
from whatworks.results import outcomes
from whatworks.results.outcomes import Outcome

MOST: Final = 500  # results and runs that pages look at, of one person


@dataclass(frozen=True)
class Amount:
    """A value with its metric and its currency or unit."""

    metric_type: str
    value: float
    currency: str


@dataclass(frozen=True)
class EvidenceView:
    """What is published of one level, ready for the charts and sentences of `ui.html`.

    `closed` is 0 while too few people have come to an end; then only `people` says anything.
    Nothing but `people`, `started` and `reported` is of others than the `level` named.
    """

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
    stopped: int = 0
    verified: int = 0
    is_own: bool = True
    value: Value | None = None
    value_level: str = ""
    span: tuple[float, float] | None = None  # hours that most need
    updated_at: float | None = None
    uncounted: bool = False  # there are older runs that are not in these numbers


@dataclass(frozen=True)
class FunnelRow:
    """How many people came so far; `share` is of those who began, 0 to 100."""

    label: str
    people: int
    share: float
    note: str | None = None


@dataclass(frozen=True)
class Funnel:
    """From beginning to a result. `silent` did not say what it brought, or something that is not
    counted with the rest (`unlike`: another measure, money without a rate, too new). `low` and
    `high` are who got something, 0 to 100, if all of them got nothing, or all something; None while
    too few have reported.
    """

    began: int
    rows: list[FunnelRow]
    silent: int
    unlike: bool
    low: float | None
    high: float | None
    as_of: float | None


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
    needs_plan: str | None = None


@dataclass(frozen=True)
class Run:
    """An execution in a list."""

    execution: Execution
    title: str
    step_title: str | None
    minutes_left: int | None
    metric: str  # what the workflow is about
    seconds_planned: float  # of the steps that are done


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
    tier: str  # claimed, proof or reviewed
    rejected_proof_id: str | None = None  # a proof of it that needs another look


def evidence(found: Evidence) -> EvidenceView:
    """Evidence as pages show it."""
    estimate, value, hours = found.rate, found.value, found.hours
    return EvidenceView(
        people=found.states.people,
        completed=found.states.finished,
        closed=found.states.ends,
        pending=found.states.pending,
        level=reasons.who(found.rate_level),
        rate=100 * estimate.mean,
        likely=(100 * estimate.low50, 100 * estimate.high50),
        wide=(100 * estimate.low90, 100 * estimate.high90),
        typical=Amount(value.metric, value.median, value.currency) if value else None,
        hours=hours.median if hours else None,
        reported=found.states.reported,
        proofs=value.verified if value else 0,
        zeros=value.zeros if value else 0,
        stopped=found.states.stopped,
        verified=found.states.verified,
        is_own=found.is_own,
        value=value,
        value_level=reasons.who(found.value_level),
        span=(hours.low, hours.high) if hours else None,
        updated_at=found.updated_at,
        uncounted=found.uncounted,
    )


def funnel(levels: Levels) -> Funnel | None:
    """What is published of a workflow as a whole, as a funnel; None while too few have ended."""
    rate, value = levels.rate(WHOLE), levels.value(WHOLE)
    if rate is None:
        return None
    states = rate.states
    began = states.people
    got = value.people - value.zeros if value else None
    rows = [
        FunnelRow("Finished", states.finished, 100 * states.finished / began),
        FunnelRow("Said what it brought", states.reported, 100 * states.reported / began),
    ]
    if states.pending:
        rows.insert(1, FunnelRow("Still at it", states.pending, 100 * states.pending / began))
    low = high = None
    alike = min(value.people, states.reported) if value else states.reported
    silent = max(began - alike, 0)
    if got is not None:
        got = min(got, states.reported)
        rows.append(FunnelRow("Got something", got, 100 * got / began))
        low, high = 100 * got / began, 100 * (got + silent) / began
    row = levels.published(WHOLE)
    is_unlike = alike < states.reported
    return Funnel(began, rows, silent, is_unlike, low, high, row.rate_at if row else None)


def recommendation(workflow: Workflow, shown: Impression) -> Rec:
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
        why=numbers.get("why", []),
        needs_plan=numbers.get("needs_plan"),
    )


def run(execution: Execution, guide: Guide) -> Run:
    """An execution with the step that is next."""
    left = guide.steps[execution.steps_completed :]
    return Run(
        execution,
        guide.title,
        left[0].title if left else None,
        sum(step.minutes for step in left) or None,
        guide.outcome.metric,
        60.0 * sum(step.minutes for step in guide.steps[: execution.steps_completed]),
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
        tier=outcome.tier,
        rejected_proof_id=outcome.proof_id if outcome.review == "rejected" else None,
    )


def list_outcomes(session: db.Session, user_id: str) -> list[OutcomeLine]:
    """All of a person's results that make sense, newest first."""
    mine = executions.list_for(session, user_id, MOST)
    guides = guides_for(session, mine)
    return [
        outcome_line(one, guides[one.execution_id].title)
        if one.execution_id in guides
        else outcome_line(one, "An older run")
        for one in outcomes.list_for(session, user_id, MOST)
        if outcomes.is_countable(one)
    ]


def guides_for(session: db.Session, mine: Sequence[Execution]) -> dict[str, Guide]:
    """The guide of each execution, by its id; those that follow the same are read once."""
    read: dict[tuple[str, int | None, int], Guide] = {}
    found = {}
    for one in mine:
        same = one.workflow_name, one.workflow_version, one.total_steps
        if same not in read:
            read[same] = guide_for(session, one)
        found[one.id] = read[same]
    return found


def guide_for(session: db.Session, execution: Execution) -> Guide:
    """The guide an execution follows, with exactly its steps."""
    return catalogue.followed(
        session, execution.workflow_name, execution.workflow_version, execution.total_steps
    )


def _stored(numbers: dict[str, Any]) -> EvidenceView:
    """The evidence that a recommendation rested on when it was drawn."""
    rate = numbers.get("rate")
    metric, value = numbers.get("metric_type"), numbers.get("value")
    return EvidenceView(
        people=numbers.get("people", 0),
        completed=numbers.get("finished", 0),
        closed=numbers.get("finished", 0) + numbers.get("stopped", 0),
        pending=numbers.get("pending", 0),
        level=numbers.get("counted", "people"),
        rate=100 * (rate or 0.5),
        likely=(100 * (numbers.get("low50") or 0), 100 * (numbers.get("high50") or 1)),
        wide=(100 * (numbers.get("low") or 0), 100 * (numbers.get("high") or 1)),
        typical=Amount(metric, value, numbers.get("currency") or "") if metric and value else None,
        hours=numbers.get("hours"),
        reported=numbers.get("reported", 0),
        proofs=0,
        zeros=0,
        stopped=numbers.get("stopped", 0),
        is_own=numbers.get("is_own", True),
        uncounted=numbers.get("uncounted", False),
    )
