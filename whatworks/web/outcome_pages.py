"""The outcome's pages: say what a run brought, see what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from babel.numbers import get_currency_name
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, db, errors, evidence, executions, outcomes, performance, phrases
from whatworks.guide import Guide
from whatworks.lifecycle import Execution
from whatworks.outcomes import Outcome, Report
from whatworks.sums import cell_of
from whatworks.web import fields, http, identity, pages, recommendations, views

site = Blueprint("outcomes", __name__)

COMMON: Final = ("INR", "USD", "EUR", "GBP", "NGN", "BDT", "PKR", "IDR", "BRL", "AED", "SGD")
CURRENCIES: Final = [
    *((code, get_currency_name(code, locale="en")) for code in COMMON),
    *(
        (code, get_currency_name(code, locale="en"))
        for code in sorted(outcomes.CURRENCIES - set(COMMON))
    ),
]


class OutcomeForm(msgspec.Struct):
    """What the outcome page sends; `nothing` needs no value."""

    metric_type: fields.Happened
    value: fields.Value | None = None
    currency: fields.Unit | None = None
    unit: fields.Unit | None = None
    proof_type: fields.ProofType | None = None
    proof_url: fields.Link | None = None
    note: fields.Text | None = None
    supersedes_id: fields.Id | None = None


@dataclass(frozen=True)
class _Page:
    """All that the outcome page shows."""

    execution: Execution
    guide: Guide
    outcomes: list[Outcome]


@site.get("/outcome/<execution_id>")
def ask(execution_id: str) -> Response:
    """What did it bring?"""
    person = identity.require_person()
    page = http.read(_load, person.id, execution_id)
    correcting = _find(page.outcomes, request.args.get("corrects"))
    form = {
        "metric_type": page.guide.outcome.metric,
        "currency": outcomes.default_currency(person.country),
    }
    if correcting is not None:
        form = _typed(correcting)
    return _render(page, form, {}, correcting)


@site.post("/outcome/<execution_id>")
def log(execution_id: str) -> Response | tuple[Response, int]:
    """Log it, and show what it changed."""
    person = identity.require_person()
    page = http.read(_load, person.id, execution_id)
    given, typed, wrong = pages.read_form(OutcomeForm, "value")
    if given is not None and given.metric_type != "nothing" and given.value is None:
        wrong = {"value": "Give a number; 0 is one too."}
    if given is not None and not wrong:
        try:
            answer = http.once(
                person.id,
                lambda change: change.after.id.encode(),
                performance.folded,
                outcomes.record,
                person.id,
                execution_id,
                _report(given, page.guide),
            )
        except errors.Invalid as failure:
            wrong = failure.fields
        else:
            return pages.go(f"/outcome/{execution_id}/done?outcome={answer.body.decode()}")
    correcting = _find(page.outcomes, typed.get("supersedes_id"))
    return _render(page, typed, wrong, correcting), 400


@site.get("/outcome/<execution_id>/done")
def done(execution_id: str) -> Response:
    """What the result changed: the cell before and after, and what next."""
    person = identity.require_person()
    page = http.read(_load, person.id, execution_id)
    logged = _find(page.outcomes, request.args.get("outcome"))
    if logged is None:
        raise errors.NotFound("There is no such outcome, or it was corrected since.")
    before, after = http.read(_before_and_after, page.execution, logged)
    shown = recommendations.serve(person.id, 1)
    workflow = http.read(catalogue.find, shown[0].workflow_name) if shown else None
    return pages.render(
        "outcome_done.html",
        execution=page.execution,
        title=page.guide.title,
        outcome=logged,
        segment=phrases.people(2, page.execution.market, page.execution.skill_level),
        before=before,
        after=after,
        recommendation=(
            views.recommendation(workflow, shown[0], person.goal) if workflow else None
        ),
    )


def _render(
    page: _Page, form: dict[str, str], wrong: dict[str, str], correcting: Outcome | None
) -> Response:
    return pages.render(
        "outcome.html",
        execution=page.execution,
        title=page.guide.title,
        ask=page.guide.outcome.ask,
        proof_hint=page.guide.outcome.proof,
        form=form,
        errors=wrong,
        currencies=CURRENCIES,
        outcomes=page.outcomes[::-1],
        correcting=correcting,
    )


def _load(session: db.Session, user_id: str, execution_id: str) -> _Page:
    execution = executions.get(session, user_id, execution_id)
    return _Page(
        execution,
        views.guide_for(session, execution),
        outcomes.list_for_execution(session, user_id, execution_id),
    )


def _report(given: OutcomeForm, guide: Guide) -> Report:
    """ "Nothing yet" is zero of the workflow's own metric."""
    if given.metric_type == "nothing":
        return Report(guide.outcome.metric, 0.0, supersedes_id=given.supersedes_id)
    units = {"revenue": given.currency, "custom": given.unit}
    return Report(
        metric_type=given.metric_type,
        value=given.value or 0.0,
        currency=units.get(given.metric_type),
        proof_type=given.proof_type,
        proof_url=given.proof_url,
        note=given.note,
        supersedes_id=given.supersedes_id,
    )


def _typed(outcome: Outcome) -> dict[str, str]:
    """An outcome as it would have been typed, to start a correction from."""
    return {
        "metric_type": outcome.metric_type,
        "value": f"{outcome.value:g}" if outcome.value < 1e6 else f"{outcome.value:.2f}",
        "currency": outcome.currency,
        "unit": outcome.currency,
        "proof_type": outcome.proof_type or "none",
        "proof_url": outcome.proof_url or "",
        "note": outcome.note or "",
    }


def _find(found: list[Outcome], outcome_id: str | None) -> Outcome | None:
    return next((outcome for outcome in found if outcome.id == outcome_id), None)


def _before_and_after(
    session: db.Session, execution: Execution, logged: Outcome
) -> tuple[views.EvidenceView | None, views.EvidenceView | None]:
    """The cell with and without this run's result."""
    cell = cell_of(execution)
    if cell is None:
        return None, None
    levels = evidence.levels_of(session, execution.workflow_name)
    after = levels.at(cell[1], cell[2])
    without = levels.without(execution, logged).at(cell[1], cell[2])
    return views.evidence(without), views.evidence(after)
