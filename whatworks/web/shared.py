"""What somebody shares, for whoever has the address: the proof, and what is typical beside it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, db
from whatworks.evidence import findings
from whatworks.results import gallery
from whatworks.results.gallery import Claim, Item
from whatworks.results.shares import Share
from whatworks.web import http, identity, pages, proofs, views
from whatworks.web.views import EvidenceView

site = Blueprint("shared", __name__)


@dataclass(frozen=True)
class Result:
    """A result beside what the workflow brings people in general."""

    claim: Claim
    title: str
    evidence: EvidenceView


@site.get("/shared/<token>")
def show(token: str) -> Response:
    """The page that was shared."""
    share, item = http.read(gallery.get_shared, token)
    results = http.read(_results, item)
    person = identity.person()
    page = pages.render(
        "shared.html",
        token=token,
        proof=item.proof,
        results=results,
        is_mine=person is not None and person.id == share.user_id,
        is_listed=_is_listed(share, item),
    )
    if not _is_listed(share, item):
        page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page


@site.get("/shared/<token>/page/<int:number>")
def picture(token: str, number: int) -> Response:
    """A page of it."""
    _, item = http.read(gallery.get_shared, token)
    response = proofs.picture(proofs.page_of(item.proof, number))
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _is_listed(share: Share, item: Item) -> bool:
    """Search engines are told of it only when its owner said so and a reviewer has looked at it."""
    return share.is_listed and all(claim.outcome.verified for claim in item.claims)


def _results(session: db.Session, item: Item) -> list[Result]:
    titles = {one.name: one.title for one in catalogue.list_current(session)}
    return [
        Result(
            claim,
            titles.get(claim.workflow_name, claim.workflow_name),
            views.evidence(findings.levels_of(session, claim.workflow_name).at()),
        )
        for claim in item.claims
    ]
