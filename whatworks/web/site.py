"""The front door and the pages that need nobody: landing, help, health."""

from __future__ import annotations

from typing import Final

import msgspec
from flask import Blueprint, Response
from werkzeug.wrappers import Response as Page

from whatworks import catalogue, clock, db
from whatworks.catalogue import Workflow
from whatworks.evidence import findings, totals
from whatworks.web import http, kept, pages, performance, views

site = Blueprint("site", __name__)

EXAMPLES: Final = 4


@site.get("/")
def landing() -> Page:
    """What this is, with real evidence where there is some."""
    performance.publish_due()
    offered, known = http.read(_offer)
    shown = [(w.guide, views.evidence(known[w.name].at())) for w in offered]
    shown.sort(key=lambda pair: -pair[1].closed)
    return pages.render("landing.html", examples=shown[:EXAMPLES], totals=_totals())


@site.get("/home")
def home() -> Page:
    """The old address of the front door."""
    return pages.go("/")


@site.get("/help")
def help_() -> Page:
    """How to get on, and how we count."""
    return pages.render(
        "help.html", window_days=http.platform().settings.abandon_after_days, help_email=None
    )


@site.get("/healthz")
def healthz() -> Response:
    """Whether the process answers."""
    return _json({"success": True, "status": "ok"})


@site.get("/readyz")
def readyz() -> Response:
    """Whether it can do its work: the database answers and the catalogue is there."""
    workflows = http.read(totals.count_workflows)
    answer: dict[str, object] = {
        "success": True,
        "status": "ready",
        "database": http.platform().database.dialect.name,
        "workflows": workflows,
    }
    if http.platform().database.is_sqlite:
        answer["sqlite_version"] = ".".join(map(str, db.sqlite_version()))
        answer["sqlite_safe"] = db.sqlite_version() >= db.SAFE_SQLITE
    return _json(answer)


def _totals() -> dict[str, int] | None:
    """At most a minute old, for the impression only; None before the first run."""
    minute = int(clock.timestamp() // 60)

    def count() -> dict[str, int] | None:
        found = http.read(totals.count)
        return found if found["executions"] else None  # which is not kept: the first one shows

    return kept.get(("totals",), minute, count)


def _offer(session: db.Session) -> tuple[list[Workflow], findings.Known]:
    return catalogue.list_current(session), findings.all_levels(session)


def _json(answer: dict[str, object]) -> Response:
    return Response(msgspec.json.encode(answer), mimetype="application/json")
