"""The operators' home."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, clock, db
from whatworks.advice import dismissals
from whatworks.evidence import analytics, findings, totals
from whatworks.people import operators
from whatworks.results import reviews
from whatworks.shop import Shop
from whatworks.store import orders
from whatworks.web import http, identity, kept, offers, pages, views

site = Blueprint("admin", __name__)

QUARTER: Final = 900.0
LABELS: Final = {
    "people": "People",
    "executions": "Runs",
    "outcomes": "Results",
    "workflows": "Workflows",
}


@site.get("/admin")
def home() -> Response:
    """Counts, health, the workflows, and why people pass things over."""
    boss = identity.require_operator()
    counts, bosses = http.read(totals.count), len(http.read(operators.list_))
    among = "you among them" if bosses == 1 else f"{bosses} operators among them"
    notes = {"people": "only you so far" if counts["people"] == 1 else among}
    return pages.render(
        "admin.html",
        counts=[
            {"label": LABELS[name], "value": value, "note": notes.get(name)}
            for name, value in counts.items()
        ],
        proofs_waiting=http.read(reviews.count_waiting, boss.id),
        health=_health(),
        workflows=http.read(_workflows),
        why=_why(),
    )


def _why() -> dict[str, list[tuple[str | None, int]]]:
    """Why people pass things over; every quarter of an hour, for it counts all there is."""
    quarter = int(clock.timestamp() // QUARTER)

    def ask(session: db.Session) -> dict[str, list[tuple[str | None, int]]]:
        dismissed = Counter[str | None]()
        for _, reason, people in dismissals.counts(session):
            dismissed[reason] += people
        return {"dismissed": dismissed.most_common(), **analytics.reasons(session)}

    return kept.get(("why",), quarter, lambda: http.read(ask))


def _health() -> list[dict[str, Any]]:
    platform = http.platform()
    settings = platform.settings
    lines: list[dict[str, Any]] = [
        {
            "name": "Mail",
            "ok": bool(settings.smtp_url),
            "note": "sent by SMTP" if settings.smtp_url else "written to the outbox folder",
        },
        _payments(platform.shop),
        _products(platform.shop),
        {
            "name": "Rate limits",
            "ok": settings.rate_limits,
            "note": "on" if settings.rate_limits else "off: for load tests only",
        },
    ]
    kept = {"name": "Proofs", "ok": True, "note": platform.files.describe()}
    version = ".".join(map(str, db.sqlite_version()))
    database = {"name": "Database", "ok": True, "note": platform.database.dialect.name}
    if platform.database.is_sqlite:
        safe = db.sqlite_version() >= db.SAFE_SQLITE
        database |= {"ok": safe, "note": f"SQLite {version}" + ("" if safe else ", too old")}
    return [database, kept, *lines]


def _payments(shop: Shop) -> dict[str, Any]:
    """Which gateways take money, and which setting is still missing."""
    chosen = shop.settings
    gateways = (
        ("Razorpay", shop.razorpay, chosen.razorpay_webhook_secret, "WHATWORKS_RAZORPAY_WEBHOOK"),
        ("Stripe", shop.stripe, chosen.stripe_webhook_secret, "WHATWORKS_STRIPE_WEBHOOK"),
    )
    taking = [name for name, gateway, _, _ in gateways if gateway]
    deaf = [
        f"{name}'s webhook is not heard, {setting}_SECRET is missing"
        for name, gateway, secret, setting in gateways
        if gateway and not secret
    ]
    none = f"no gateway: {offers.RAZORPAY_KEY} or {offers.STRIPE_KEY} opens one"
    note = "; ".join([f"by {' and '.join(taking)}" if taking else none, *deaf])
    return {"name": "Payments", "ok": bool(taking) and not deaf, "note": note}


def _products(shop: Shop) -> dict[str, Any]:
    """Whether everything that is sold, or was, can be delivered."""
    absent = [
        f"{p.key}: {', '.join(p.absent)} is missing" for p in shop.products.list_() if p.absent
    ]
    dropped = [
        f"{key} was sold and is not in the products file any more"
        for key in http.read(orders.list_sold)
        if shop.products.find(key) is None
    ]
    wrong = [*absent, *dropped]
    return {"name": "Products", "ok": not wrong, "note": "; ".join(wrong) or "all can be delivered"}


def _workflows(session: db.Session) -> list[dict[str, Any]]:
    known = findings.all_levels(session)
    rows = []
    for workflow in catalogue.list_current(session):
        levels = known[workflow.name]
        found, live = levels.nearest(), levels.live(findings.WHOLE)
        rows.append(
            {
                "name": workflow.name,
                "title": workflow.title,
                "version": workflow.version,
                "tier": workflow.tier,
                "started": live.people,
                "completed": live.finished,
                "abandoned": live.stopped,
                "pending": live.pending,
                "reported": live.reported,
                "evidence": views.evidence(found) if found.is_enough else None,
            }
        )
    return rows
