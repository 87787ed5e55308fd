"""The operators' queue of proofs, and the mail to those whose proof was rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Blueprint, Flask, render_template, request
from werkzeug.wrappers import Response

from whatworks import catalogue, clock, db, errors
from whatworks.evidence import performance
from whatworks.execution import executions, steps
from whatworks.execution.lifecycle import Execution
from whatworks.people import profiles
from whatworks.results import outcomes, proof_files, proofs, reviews
from whatworks.results.outcomes import Outcome
from whatworks.results.proofs import Alike, Proof
from whatworks.results.reviews import Review
from whatworks.web import fields, http, identity, pages

site = Blueprint("review_pages", __name__)
COMMON: Final = 5
SUBJECT: Final = "Your proof needs another look"


class Place(msgspec.Struct):
    """Where in the queue, or which result."""

    skip: fields.Count = 0
    user: fields.Id | None = None
    outcome: fields.Id | None = None


class Decide(msgspec.Struct):
    """A decision, and what the reviewer had before them."""

    user_id: fields.Id
    outcome_id: fields.Id
    proof_id: fields.Id
    seen: fields.Count
    decision: fields.Decision
    reason: fields.RejectReason | None = None
    text: fields.Text | None = None
    skip: fields.Count = 0


class Undo(msgspec.Struct):
    """Which decision to take back."""

    user_id: fields.Id
    outcome_id: fields.Id
    number: fields.Count


@dataclass(frozen=True)
class Case:
    """A result under review, with all that helps to decide."""

    user_id: str
    outcome: Outcome
    seen: int
    proof: Proof
    execution: Execution
    skipped: int  # steps
    title: str
    others: list[Proof]
    alike: list[Alike]
    history: list[Review]

    @property
    def country(self) -> str | None:
        """Where they live, in words."""
        return dict(pages.COUNTRY_NAMES).get(self.execution.country or "")

    @property
    def strangers(self) -> list[Alike]:
        """The same picture of another person, or else one that looks the same."""
        others = [alike for alike in self.alike if alike.proof.user_id != self.user_id]
        same = [alike for alike in others if alike.is_same]
        return same or ([] if self.is_common else others)

    @property
    def is_common(self) -> bool:
        """Whether so many people's pictures look like it that it is an app's own screen."""
        return len({alike.proof.user_id for alike in self.alike}) > COMMON

    @property
    def own(self) -> list[Alike]:
        """The same picture in another run of the same person."""
        return [
            alike
            for alike in self.alike
            if alike.is_same
            and alike.proof.user_id == self.user_id
            and alike.proof.execution_id != self.proof.execution_id
        ]


@site.get("/admin/proofs")
def queue() -> Response:
    """The next proof that waits, or one that was decided on."""
    boss = identity.require_operator()
    given = {name: value for name, value in request.args.items() if value}
    return _page(boss.id, http.convert(given, Place, strict=False), {}, {})


@site.post("/admin/proofs/decide")
def decide() -> Response | tuple[Response, int]:
    """Approve, or reject with a reason."""
    boss = identity.require_operator()
    given, typed, wrong = pages.read_form(Decide)
    if given is None:
        return _again(boss.id, typed, wrong), 400
    try:
        http.once(
            boss.id,
            lambda change: change.after.id.encode(),
            performance.folded,
            reviews.decide,
            boss.id,
            given.user_id,
            given.outcome_id,
            given.decision,
            proof_id=given.proof_id,
            seen=given.seen,
            reason=given.reason,
            text=given.text,
        )
    except errors.Invalid as failure:
        return _again(boss.id, typed, failure.fields), 400
    except errors.Conflict as failure:
        return pages.go("/admin/proofs", failure.message, "error")
    send_due()
    return pages.go("/admin/proofs" + (f"?skip={given.skip}" if given.skip else ""))


@site.post("/admin/proofs/undo")
def undo() -> Response:
    """Take back one's last decision, within some seconds."""
    boss = identity.require_operator()
    given, _, wrong = pages.read_form(Undo)
    if given is None:
        raise errors.Invalid("There is nothing to undo.", fields=wrong)
    try:
        http.write(
            performance.folded,
            reviews.undo,
            boss.id,
            given.user_id,
            given.outcome_id,
            given.number,
        )
    except errors.Conflict as failure:
        return pages.go("/admin/proofs", failure.message, "error")
    back = f"/admin/proofs?user={given.user_id}&outcome={given.outcome_id}"
    return pages.go(back, "Taken back. Decide again, or go on to the next.")


def send_due() -> None:
    """Mail the owners of rejected proofs, each once, when it can no longer be undone."""
    platform = http.platform()
    for review in http.read(reviews.list_untold):
        if not http.write(reviews.claim_notice, review):
            continue
        email, title, outcome = http.read(_mail, review)
        if email:
            text = render_template(
                "mail/proof_rejected.txt",
                title=title,
                outcome=outcome,
                review=review,
                url=f"{platform.settings.address}/proofs/{review.proof_id}",
            )
            platform.mailer.send(email, SUBJECT, text)


def keep_house(app: Flask) -> None:
    """What is due without anybody asking: mails, and files whose upload was cut off."""
    with app.app_context():
        send_due()
        platform = http.platform()
        proof_files.sweep(platform.database, platform.files)


def _again(boss_id: str, typed: dict[str, str], wrong: dict[str, str]) -> Response:
    place = Place(user=typed.get("user_id"), outcome=typed.get("outcome_id"))
    return _page(boss_id, place, typed, wrong)


def _page(boss_id: str, place: Place, typed: dict[str, str], wrong: dict[str, str]) -> Response:
    count, case, recent = http.read(_load, boss_id, place)
    return pages.render(
        "admin_proofs.html",
        count=count,
        case=case,
        skip=place.skip,
        recent=recent,
        last=_undoable(boss_id, recent),
        undo_seconds=int(reviews.UNDO_SECONDS),
        reasons=reviews.REASONS,
        form=typed,
        errors=wrong,
    )


def _undoable(boss_id: str, recent: list[tuple[Review, str]]) -> Review | None:
    """The decision that this operator has just made, while it can be undone."""
    for review, _ in recent:
        if review.by == boss_id:
            fresh = clock.timestamp() - review.at < reviews.UNDO_SECONDS
            return review if fresh and review.decision in reviews.DECISIONS else None
    return None


def _load(
    session: db.Session, boss_id: str, place: Place
) -> tuple[int, Case | None, list[tuple[Review, str]]]:
    titles = {one.name: one.title for one in catalogue.list_current(session)}
    recent = [
        (review, _title_of(session, titles, review))
        for review in reviews.list_recent(session, boss_id, 10)
    ]
    return reviews.count_waiting(session, boss_id), _case(session, boss_id, place, titles), recent


def _case(session: db.Session, boss_id: str, place: Place, titles: dict[str, str]) -> Case | None:
    if place.user is not None and place.outcome is not None:
        if place.user == boss_id:
            raise errors.NotFound("There is no such proof to review.")
        user_id = place.user
        outcome = outcomes.get(session, user_id, place.outcome)
        seen = len(reviews.list_for_outcome(session, user_id, outcome.id))
    else:
        waiting = reviews.list_waiting(session, boss_id, place.skip + 1)
        if len(waiting) <= place.skip:
            return None
        user_id, outcome, seen = waiting[-1].user_id, waiting[-1].outcome, waiting[-1].seen
    proof = proofs.get(session, user_id, outcome.proof_id or "")
    execution = executions.get(session, user_id, outcome.execution_id)
    others = proofs.list_for_execution(session, user_id, execution.id)
    return Case(
        user_id=user_id,
        outcome=outcome,
        seen=seen,
        proof=proof,
        execution=execution,
        skipped=steps.skipped(session, user_id).get(execution.id, 0),
        title=titles.get(execution.workflow_name, execution.workflow_name),
        others=[other for other in others if other.id != proof.id],
        alike=proofs.list_alike(session, proof),
        history=reviews.list_for_outcome(session, user_id, outcome.id),
    )


def _title_of(session: db.Session, titles: dict[str, str], review: Review) -> str:
    outcome = outcomes.get(session, review.user_id, review.outcome_id)
    execution = executions.get(session, review.user_id, outcome.execution_id)
    return titles.get(execution.workflow_name, execution.workflow_name)


def _mail(session: db.Session, review: Review) -> tuple[str | None, str, Outcome]:
    titles = {one.name: one.title for one in catalogue.list_current(session)}
    owner = profiles.find(session, review.user_id)
    outcome = outcomes.get(session, review.user_id, review.outcome_id)
    return owner.email if owner else None, _title_of(session, titles, review), outcome
