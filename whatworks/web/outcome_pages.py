"""The outcome's pages: say what a run brought, see what that changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec
from babel.numbers import get_currency_name
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, clock, db, errors
from whatworks.advice import phrases
from whatworks.evidence import census, findings, performance, publications
from whatworks.evidence.sums import States, cell_of
from whatworks.execution import executions, steps
from whatworks.execution.lifecycle import Execution
from whatworks.guides.guide import Guide
from whatworks.results import outcomes, proofs, shares
from whatworks.results.outcomes import Outcome, OutcomeChange, Report
from whatworks.results.proofs import Proof
from whatworks.web import (
    fields,
    http,
    identity,
    pages,
    proof_uploads,
    recommendations,
    trends,
    views,
)

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
    """What the outcome page sends beside a file; `nothing` needs no value.

    Currency and unit are looked at by `report`: the one that does not belong may hold anything.
    """

    metric_type: fields.Happened
    value: fields.Value | None = None
    currency: str | None = None
    unit: str | None = None
    proof_type: fields.ProofType | None = None
    proof_url: fields.Link | None = None
    proof_id: fields.Id | None = None
    note: fields.Text | None = None
    share: fields.Share = "private"
    supersedes_id: fields.Id | None = None


@dataclass(frozen=True)
class _Page:
    """All that the outcome page shows."""

    execution: Execution
    guide: Guide
    outcomes: list[Outcome]
    proofs: list[Proof]
    skipped: int  # steps
    shared: frozenset[str]  # ids of proofs that others can see


@dataclass(frozen=True)
class Changed:
    """A cell as the public sees it, and of its live counts those that the public may learn.

    `before` is without the run in question. `missing` is after how many more reports what people
    typically get may change.
    """

    published: views.EvidenceView
    before: States
    after: States
    missing: int


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
    if request.args.get("share") or (correcting and correcting.proof_id in page.shared):
        form["share"] = "show"
    return _render(page, form, {}, correcting)


@site.post("/outcome/<execution_id>")
def log(execution_id: str) -> Response | tuple[Response, int]:
    """Log it, with its proof, and show what it changed."""
    person = identity.require_person()
    page = http.read(_load, person.id, execution_id)
    given, typed, wrong = pages.read_form(OutcomeForm, "value")
    if given is not None and given.metric_type != "nothing" and given.value is None:
        wrong = {"value": "Write it as a number, such as 4800; if it was nothing, write 0."}
    if given is not None and not wrong:
        try:
            typed["proof_id"] = _proof_id(given, person.id, execution_id) or ""
            outcome_id = _store(given, person.id, page, typed["proof_id"] or None)
        except (errors.Invalid, errors.TooLarge, errors.UnsupportedMedia) as failure:
            wrong = failure.fields or {"file": failure.message}
        else:
            shared = "&share=1" if given.share == "show" and given.metric_type != "nothing" else ""
            return pages.go(f"/outcome/{execution_id}/done?outcome={outcome_id}{shared}")
        page = http.read(_load, person.id, execution_id)  # a file that was good is kept
    correcting = _find(page.outcomes, typed.get("supersedes_id"))
    return _render(page, typed, wrong, correcting), 400


@site.get("/outcome/<execution_id>/done")
def done(execution_id: str) -> Response:
    """What the result changed: the cell before and after, my own trend, and what next."""
    person = identity.require_person()
    page = http.read(_load, person.id, execution_id)
    logged = _find(page.outcomes, request.args.get("outcome"))
    if logged is None:
        raise errors.NotFound("There is no such outcome, or it was corrected since.")
    shown = recommendations.serve(person.id, 1)
    workflow = http.read(catalogue.find, shown[0].workflow_name) if shown else None
    currency = outcomes.default_currency(person.country)
    mine = [one for one in http.read(views.list_outcomes, person.id) if one.value]
    return pages.render(
        "outcome_done.html",
        execution=page.execution,
        title=page.guide.title,
        outcome=logged,
        segment=phrases.people(2, page.execution.market, page.execution.skill_level),
        changed=http.read(_changed, person.id, page.execution),
        trend=next(
            (
                trend
                for trend in trends.trends(mine, currency, clock.timestamp(), {})
                if trend.metric_type == logged.metric_type and len(trend.points) > 1
            ),
            None,
        ),
        wants_to_show=bool(request.args.get("share")),
        is_shared=logged.proof_id in page.shared,
        recommendation=views.recommendation(workflow, shown[0]) if workflow else None,
    )


def report(
    happened: str, value: float | None, currency: str | None, unit: str | None, guide: Guide
) -> Report:
    """What somebody chose on a page as a report; "nothing yet" is zero of the guide's metric.

    Raises Invalid when a unit of their own is none.
    """
    problem = fields.unit_problem(unit) if unit and happened == "custom" else None
    if problem:
        raise errors.Invalid("Of what is it?", fields={"unit": problem})
    if happened == "nothing":
        return Report(guide.outcome.metric, 0.0)
    units = {"revenue": currency, "custom": unit}
    return Report(happened, value or 0.0, units.get(happened))


def _store(given: OutcomeForm, user_id: str, page: _Page, proof_id: str | None) -> str:
    """Log it once, however often the form is sent; returns the outcome's id."""
    said = report(given.metric_type, given.value, given.currency, given.unit, page.guide)
    if given.metric_type != "nothing":
        said = replace(
            said,
            proof_type=given.proof_type if given.proof_url else None,
            proof_url=given.proof_url,
            proof_id=proof_id,
            note=given.note,
        )
    answer = http.once(
        user_id,
        lambda change: change.after.id.encode(),
        performance.folded,
        _log,
        user_id,
        page.execution.id,
        replace(said, supersedes_id=given.supersedes_id),
        given.share == "show",
    )
    return answer.body.decode()


def _log(
    session: db.Session, user_id: str, execution_id: str, said: Report, may_show: bool
) -> OutcomeChange:
    """As `outcomes.log`; what is for its owner only is not shared any more."""
    change = outcomes.log(session, user_id, execution_id, said)
    if change.after.proof_id and not may_show:
        shares.revoke(session, user_id, change.after.proof_id)
    return change


def _proof_id(given: OutcomeForm, user_id: str, execution_id: str) -> str | None:
    """The proof that was uploaded now, else the one that was chosen."""
    if given.metric_type == "nothing":
        return None
    return proof_uploads.take_file(user_id, execution_id) or given.proof_id


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
        nothing=next((one for one in page.outcomes[::-1] if one.is_nothing), None),
        correcting=correcting,
        proofs=page.proofs[::-1],
        skipped=page.skipped,
        shared=page.shared,
    )


def _load(session: db.Session, user_id: str, execution_id: str) -> _Page:
    execution = executions.get(session, user_id, execution_id)
    return _Page(
        execution,
        views.guide_for(session, execution),
        outcomes.list_for_execution(session, user_id, execution_id),
        proofs.list_for_execution(session, user_id, execution_id),
        steps.skipped(session, user_id).get(execution_id, 0),
        frozenset(shares.open_for(session, user_id)),
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
        "proof_id": outcome.proof_id or "",
        "note": outcome.note or "",
    }


def _find(found: list[Outcome], outcome_id: str | None) -> Outcome | None:
    return next((outcome for outcome in found if outcome.id == outcome_id), None)


def _changed(session: db.Session, user_id: str, execution: Execution) -> Changed | None:
    """The run's cell before and after; None where it is in none, or that waits to be counted."""
    cell = cell_of(execution)
    if cell is None:
        return None
    levels = findings.levels_of(session, execution.workflow_name)
    found = levels.nearest(*cell[1:])
    if not found.live.people:
        return None
    return Changed(
        published=views.evidence(found),
        before=found.live - census.added(session, user_id, cell, execution.id),
        after=found.live,
        missing=publications.missing(levels, found.value_level or findings.WHOLE),
    )
