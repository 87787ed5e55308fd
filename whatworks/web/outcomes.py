"""Doors to outcomes: report, correct, list."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from whatworks import clock, errors
from whatworks.evidence import performance
from whatworks.results import links, outcomes
from whatworks.results.outcomes import Outcome, OutcomeChange, Report
from whatworks.web import fields, http, identity

doors = http.Doors("Outcomes")


class NewOutcome(msgspec.Struct):
    """What an execution brought."""

    execution_id: fields.Id
    user_id: fields.Id
    metric_type: fields.Metric
    value: fields.Value
    currency: fields.Unit | None = None
    proof_type: fields.ProofType | None = None
    proof_url: fields.ProofLink | None = None
    proof_id: fields.Id | None = None
    note: fields.Note | None = None
    supersedes_id: fields.Id | None = None


class OutcomeCreated(msgspec.Struct):
    """The outcome as stored."""

    outcome_id: str
    metric_type: str
    value: float
    currency: str
    success: Literal[True] = True


class OutcomeLine(msgspec.Struct):
    """An outcome in a list; one that was corrected is not in it.

    `tier` is claimed, proof or reviewed; `verified` means reviewed.
    """

    outcome_id: str
    execution_id: str
    metric_type: str
    value: float | None
    currency: str
    proof_type: str | None
    proof_url: str | None
    proof_id: str | None
    note: str | None
    verified: bool
    tier: str
    review: str | None
    created_at: str | None
    supersedes_id: str | None


class OutcomeList(msgspec.Struct):
    """A person's outcomes, newest first; `next` is the `after` of the next page."""

    outcomes: list[OutcomeLine]
    next: str | None
    success: Literal[True] = True


class OutcomesOf(msgspec.Struct):
    """Whose, how many, and after which one."""

    user_id: fields.Id
    limit: fields.PageSize = 200
    after: fields.Id | None = None


@doors.door(
    "POST",
    "/api/outcome",
    body=NewOutcome,
    answer=OutcomeCreated,
    status=201,
    errors=(400, 401, 404, 409, 415, 429),
)
def create(body: NewOutcome) -> Response:
    """Report an outcome, or correct one by naming it in `supersedes_id`."""
    user_id = identity.acting_for(body.user_id)
    proof_id, proof_url = _proof(body)
    report = Report(
        metric_type=body.metric_type,
        value=body.value,
        currency=body.currency,
        proof_type=body.proof_type,
        proof_url=proof_url,
        proof_id=proof_id,
        note=body.note or None,
        supersedes_id=body.supersedes_id,
    )
    answer = http.once(
        user_id,
        http.encoder(_created),
        performance.folded,
        outcomes.record,
        user_id,
        body.execution_id,
        report,
        actor=identity.actor(),
    )
    return http.reply(answer, 201)


@doors.door("GET", "/api/outcome", query=OutcomesOf, answer=OutcomeList, errors=(400, 401, 404))
def list_for(query: OutcomesOf) -> OutcomeList:
    """A person's outcomes, page by page."""
    owner = identity.acting_for(query.user_id)
    found = http.read(outcomes.list_for, owner, query.limit + 1, query.after)
    page = [_line(outcome) for outcome in found[: query.limit]]
    return OutcomeList(page, page[-1].outcome_id if len(found) > query.limit else None)


def _proof(body: NewOutcome) -> tuple[str | None, str | None]:
    """The proof of ours that is named, by its id or by its address, or a link to elsewhere."""
    if not body.proof_url:
        return body.proof_id, None
    ours = links.proof_of_ours(body.proof_url, http.platform().settings.address)
    if ours is not None:
        return body.proof_id or ours, None
    if problem := links.problem(body.proof_url):
        raise errors.Invalid("Please check: proof_url.", fields={"proof_url": problem})
    return body.proof_id, body.proof_url


def _created(change: OutcomeChange) -> OutcomeCreated:
    after = change.after
    return OutcomeCreated(after.id, after.metric_type, after.value, after.currency)


def _line(outcome: Outcome) -> OutcomeLine:
    return OutcomeLine(
        outcome_id=outcome.id,
        execution_id=outcome.execution_id,
        metric_type=outcome.metric_type,
        value=outcome.value if outcomes.is_countable(outcome) else None,
        currency=outcome.currency,
        proof_type=outcome.proof_type,
        proof_url=outcome.proof_url,
        proof_id=outcome.proof_id,
        note=outcome.note,
        verified=outcome.verified,
        tier=outcome.tier,
        review=outcome.review,
        created_at=clock.rfc3339(outcome.created_at),
        supersedes_id=outcome.supersedes_id,
    )
