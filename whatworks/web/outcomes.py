"""Doors to outcomes: report, correct, list."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from whatworks import clock, errors, outcomes, performance
from whatworks.outcomes import Outcome, OutcomeChange, Report
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
    proof_url: fields.Link | None = None
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
    """An outcome in a list; one that was corrected is not in it."""

    outcome_id: str
    execution_id: str
    metric_type: str
    value: float | None
    currency: str
    proof_type: str | None
    proof_url: str | None
    note: str | None
    verified: bool
    created_at: str | None
    supersedes_id: str | None


class OutcomeList(msgspec.Struct):
    """A person's outcomes, newest first."""

    outcomes: list[OutcomeLine]
    success: Literal[True] = True


class OutcomesOf(msgspec.Struct):
    """Whose."""

    user_id: fields.Id


@doors.door(
    "POST",
    "/api/outcome",
    body=NewOutcome,
    answer=OutcomeCreated,
    status=201,
    errors=(400, 401, 404, 409, 415),
)
def create(body: NewOutcome) -> Response:
    """Report an outcome, or correct one by naming it in `supersedes_id`."""
    user_id = identity.acting_for(body.user_id)
    if body.proof_id is not None:
        raise errors.Invalid(
            "There is no such proof; give a link in proof_url instead.",
            fields={"proof_id": "no proof has this id"},
        )
    report = Report(
        metric_type=body.metric_type,
        value=body.value,
        currency=body.currency,
        proof_type=body.proof_type,
        proof_url=body.proof_url,
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
    """A person's outcomes."""
    found = http.read(outcomes.list_for, identity.acting_for(query.user_id))
    return OutcomeList([_line(outcome) for outcome in found])


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
        note=outcome.note,
        verified=outcome.verified,
        created_at=clock.rfc3339(outcome.created_at),
        supersedes_id=outcome.supersedes_id,
    )
