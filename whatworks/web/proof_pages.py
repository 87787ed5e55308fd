"""The proof gallery, a proof's own page, and the forms on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, db, errors
from whatworks.evidence import performance
from whatworks.results import gallery, outcomes, proofs, reviews, shares
from whatworks.results.gallery import Claim, Item
from whatworks.results.outcomes import Outcome
from whatworks.results.reviews import Review
from whatworks.results.shares import Share
from whatworks.web import fields, guards, http, identity, pages, proof_uploads
from whatworks.web import proofs as proof_doors

site = Blueprint("proof_pages", __name__)
PER_PAGE: Final = 24


class Filter(msgspec.Struct):
    """What to show of one's proofs."""

    workflow: fields.Name | None = None
    metric: fields.Metric | None = None
    page: fields.PageNumber = 1


class ForOutcome(msgspec.Struct):
    """Which result a proof is for."""

    outcome_id: fields.Id


class AnswerForm(msgspec.Struct):
    """What an owner says to a rejection."""

    outcome_id: fields.Id
    text: fields.Text


class ReplaceForm(msgspec.Struct):
    """Another proof in the place of a rejected one: a file, or a text."""

    outcome_id: fields.Id
    text: fields.Text | None = None


class ShareForm(msgspec.Struct):
    """How to share."""

    listed: fields.OnOff | None = None


class TakeBackForm(msgspec.Struct):
    """Whether they mean it."""

    sure: fields.OnOff | None = None


@dataclass(frozen=True)
class Said:
    """A result with what reviewers last said about it."""

    outcome: Outcome
    title: str
    review: Review | None


@dataclass(frozen=True)
class Shown:
    """A proof as pages show it; `also` names the workflows where the same picture is used too."""

    item: Item
    title: str | None
    said: list[Said]
    share: Share | None
    also: list[str]

    @property
    def tier(self) -> str:
        """The best that was made of it: reviewed, rejected, proof, or "" when it proves nothing."""
        found = {
            "rejected" if s.outcome.review == "rejected" else s.outcome.tier for s in self.said
        }
        return next((t for t in ("reviewed", "rejected", "proof") if t in found), "")


@dataclass(frozen=True)
class _Mine:
    """All that a person shows, and the words for it."""

    items: list[Item]
    titles: dict[str, str]
    said: dict[str, Review]
    shared: dict[str, Share]


@site.get("/proofs")
def browse() -> Response:
    """My proofs, filtered by workflow and metric."""
    person = identity.require_person()
    given = {name: value for name, value in request.args.items() if value}
    chosen = http.convert(given, Filter, strict=False)
    mine = http.read(_mine, person.id)
    fitting = [
        item
        for item in mine.items
        if chosen.workflow in (None, *item.workflows) and chosen.metric in (None, *item.metrics)
    ]
    first = (chosen.page - 1) * PER_PAGE
    names = sorted({name for item in mine.items for name in item.workflows})
    return pages.render(
        "proofs.html",
        shown=[_shown(mine, item) for item in fitting[first : first + PER_PAGE]],
        total=len(mine.items),
        found=len(fitting),
        filters={"workflow": chosen.workflow or "", "metric": chosen.metric or ""},
        workflows=[(name, mine.titles.get(name, name)) for name in names],
        metrics={metric for item in mine.items for metric in item.metrics},
        page_number=chosen.page,
        has_more=len(fitting) > first + PER_PAGE,
        quota=proof_uploads.quota(),
        used_bytes=sum(item.proof.bytes for item in mine.items),
    )


@site.get("/proofs/<proof_id>")
def show(proof_id: str) -> Response:
    """One proof: its pictures, what it is for, what was said about it, and who may see it."""
    return _page(proof_id, {}, {})


@site.post("/proofs/<proof_id>/attach")
def attach(proof_id: str) -> Response | tuple[Response, int]:
    """Show it for one of my results."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(ForOutcome)
    if given is None:
        return _page(proof_id, wrong, typed), 400
    http.write(performance.folded, reviews.attach, person.id, proof_id, given.outcome_id)
    return pages.go(f"/proofs/{proof_id}", "It is shown for your result now.")


@site.post("/proofs/<proof_id>/replace")
@guards.limiter.limit(guards.UPLOAD)
def replace(proof_id: str) -> Response | tuple[Response, int]:
    """Another file, or a text, in the place of one that was rejected."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(ReplaceForm)
    if given is None:
        return _page(proof_id, wrong, typed), 400
    http.read(proofs.get, person.id, proof_id)
    run = http.read(outcomes.get, person.id, given.outcome_id).execution_id
    try:
        new_id = proof_uploads.take_file(person.id, run)
        if new_id is None and given.text:
            new_id = proof_uploads.take_text(person.id, given.text, run)
    except (errors.Invalid, errors.TooLarge, errors.UnsupportedMedia) as failure:
        return _page(proof_id, {"file": failure.message}, typed), 400
    if new_id is None:
        return _page(proof_id, {"file": "Choose a file, or write a text."}, typed), 400
    http.write(performance.folded, reviews.attach, person.id, new_id, given.outcome_id)
    return pages.go(f"/proofs/{new_id}", "Thank you. Somebody will look at it.")


@site.post("/proofs/<proof_id>/answer")
def answer(proof_id: str) -> Response | tuple[Response, int]:
    """Say something to a rejection, so that it is looked at again."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(AnswerForm)
    if given is None:
        return _page(proof_id, wrong, typed), 400
    http.read(proofs.get, person.id, proof_id)
    http.write(performance.folded, reviews.answer, person.id, given.outcome_id, given.text)
    return pages.go(f"/proofs/{proof_id}", "Thank you. Somebody will look at it again.")


@site.post("/proofs/<proof_id>/share")
def share(proof_id: str) -> Response | tuple[Response, int]:
    """Give it an address for others."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(ShareForm)
    if given is None:
        return _page(proof_id, wrong, typed), 400
    http.write(gallery.share, person.id, proof_id, is_listed=given.listed == "on")
    return pages.go(f"/proofs/{proof_id}#sharing", "Whoever has the address can see it now.")


@site.post("/proofs/<proof_id>/unshare")
def unshare(proof_id: str) -> Response:
    """Take the address back."""
    person = identity.require_person()
    http.read(proofs.get, person.id, proof_id)
    http.write(shares.revoke, person.id, proof_id)
    return pages.go(f"/proofs/{proof_id}#sharing", "Only you and our reviewers can see it now.")


@site.post("/proofs/<proof_id>/take-back")
def take_back(proof_id: str) -> Response | tuple[Response, int]:
    """Remove it from here, for good."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(TakeBackForm)
    if given is None:
        return _page(proof_id, wrong, typed), 400
    if given.sure != "on":
        return _page(proof_id, {"sure": "Tick that you want it removed for good."}, typed), 400
    proof_doors.let_go(person.id, proof_id)
    return pages.go("/proofs", "It is taken back, and its pictures are removed.")


def _page(proof_id: str, wrong: dict[str, str], typed: dict[str, str]) -> Response:
    person = identity.require_person()
    shown, unproved = http.read(_one, person.id, proof_id)
    address = http.platform().settings.address
    return pages.render(
        "proof.html",
        shown=shown,
        unproved=unproved,
        asked=bool(request.args.get("share")),
        public_url=f"{address}/shared/{shown.share.token}" if shown.share else None,
        errors=wrong,
        form=typed,
    )


def _mine(session: db.Session, user_id: str) -> _Mine:
    return _Mine(
        gallery.list_for(session, user_id),
        _titles(session),
        reviews.last_for(session, user_id),
        shares.open_for(session, user_id),
    )


def _one(session: db.Session, user_id: str, proof_id: str) -> tuple[Shown, list[tuple[Claim, str]]]:
    item = gallery.get(session, user_id, proof_id)
    mine = _Mine(
        [item],
        _titles(session),
        reviews.last_for(session, user_id),
        shares.open_for(session, user_id),
    )
    alike = [a.proof for a in proofs.list_alike(session, item.proof) if a.is_same]
    also = [
        gallery.get(session, user_id, other.id).workflow_name
        for other in alike
        if other.user_id == user_id
    ]
    unproved = [
        (claim, mine.titles.get(claim.workflow_name, claim.workflow_name))
        for claim in gallery.list_unproved(session, user_id)
        if not claim.outcome.is_nothing and claim.outcome.proof_id != proof_id
    ]
    return _shown(mine, item, [name for name in also if name]), unproved


def _shown(mine: _Mine, item: Item, also: list[str] | None = None) -> Shown:
    title = mine.titles.get(item.workflow_name or "", item.workflow_name)
    said = [
        Said(
            claim.outcome,
            mine.titles.get(claim.workflow_name, claim.workflow_name),
            mine.said.get(claim.outcome.id),
        )
        for claim in item.claims
    ]
    other = sorted({mine.titles.get(name, name) for name in also or ()})
    return Shown(item, title, said, mine.shared.get(item.proof.id), other)


def _titles(session: db.Session) -> dict[str, str]:
    return {one.name: one.title for one in catalogue.list_current(session)}
