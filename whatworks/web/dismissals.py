""" "Not for me, because …" as a form."""

from __future__ import annotations

import msgspec
from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue
from whatworks.advice import dismissals
from whatworks.web import fields, http, identity, pages

site = Blueprint("dismissals", __name__)


class Answer(msgspec.Struct):
    """What the form sends."""

    reason: fields.WhyNot


@site.post("/recommendations/<recommendation_id>/dismiss")
def not_for_me(recommendation_id: str) -> Response:
    """Keep the reason, and go back to the list without it."""
    person = identity.require_person()
    given, typed, _ = pages.read_form(Answer)
    reason = given.reason if given else "other"
    name = http.write(dismissals.record, person.id, recommendation_id, reason)
    workflow = http.read(catalogue.find, name)
    title = workflow.title if workflow else name
    back = pages.local_path(typed.get("next"), "/dashboard/next")
    return pages.go(back, f"Noted: “{title}” is not for you now.")
