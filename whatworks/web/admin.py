"""The operators' home."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, db, evidence, totals
from whatworks.evidence import Levels
from whatworks.web import http, identity, pages, views

site = Blueprint("admin", __name__)


@site.get("/admin")
def home() -> Response:
    """Counts, health and the workflows."""
    identity.require_operator()
    counts = http.read(totals.count)
    return pages.render(
        "admin.html",
        counts=[
            {"label": name.capitalize(), "value": value, "note": None}
            for name, value in counts.items()
        ],
        health=_health(),
        workflows=http.read(_workflows),
    )


def _health() -> list[dict[str, Any]]:
    platform = http.platform()
    settings = platform.settings
    lines: list[dict[str, Any]] = [
        {
            "name": "Mail",
            "ok": bool(settings.smtp_url),
            "note": "sent by SMTP" if settings.smtp_url else "written to the outbox folder",
        },
        {
            "name": "Rate limits",
            "ok": settings.rate_limits,
            "note": "on" if settings.rate_limits else "off: for load tests only",
        },
    ]
    version = ".".join(map(str, db.sqlite_version()))
    database = {"name": "Database", "ok": True, "note": platform.database.dialect.name}
    if platform.database.is_sqlite:
        safe = db.sqlite_version() >= db.SAFE_SQLITE
        database |= {"ok": safe, "note": f"SQLite {version}" + ("" if safe else ", too old")}
    return [database, *lines]


def _workflows(session: db.Session) -> list[dict[str, Any]]:
    known = evidence.all_levels(session)
    rows = []
    for workflow in catalogue.list_current(session):
        found = known.get(workflow.name, Levels((), ())).at()
        rows.append(
            {
                "name": workflow.name,
                "title": workflow.title,
                "version": workflow.version,
                "tier": workflow.tier,
                "started": found.sums.started,
                "completed": found.sums.completed,
                "abandoned": found.sums.abandoned,
                "pending": found.sums.pending,
                "reported": found.sums.reported,
                "evidence": views.evidence(found) if found.sums.started else None,
            }
        )
    return rows
