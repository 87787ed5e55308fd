"""Everything somebody owns, and their subscription."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import msgspec
from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, checkout, db, errors, export
from whatworks.catalogue import Workflow
from whatworks.people import profiles
from whatworks.store import allowances, entitlements, orders, subscriptions
from whatworks.store.allowances import Allowance
from whatworks.store.entitlements import Holdings
from whatworks.store.ledger import Fact
from whatworks.store.orders import Order
from whatworks.store.subscriptions import Subscription
from whatworks.web import fields, gating, guards, http, identity, offers, order_json, pages

site = Blueprint("library", __name__)
LABELS = {
    "executions": "Runs begun this month",
    "exports": "Exports this month",
    "api_calls": "API calls this month",
}


class Wish(msgspec.Struct):
    """What to do with a subscription."""

    action: Literal["change", "cancel", "resume", "portal"]
    product: fields.Id | None = None
    subscription: fields.Id | None = None  # one of several that run


class Export(msgspec.Struct):
    """What to export, and as what."""

    what: Literal["executions", "outcomes"]
    format: Literal["csv", "jsonl"] = "csv"


@dataclass(frozen=True)
class _Mine:
    """All that a person owns."""

    held: Holdings
    allowances: list[Allowance]
    orders: list[tuple[Order, list[Fact]]]
    subscriptions: list[Subscription]
    workflows: list[Workflow]
    proved: bool


@site.get("/library")
def show() -> Response:
    """Packs, guides, this month's allowances, orders."""
    person = identity.require_person()
    shop = http.platform().shop
    mine = http.read(_mine, person.id)
    packs = [
        (product, f"/download/{product.key}")
        for product in shop.products.list_()
        if not product.is_subscription
        and (product.is_free or entitlements.may_download(mine.held, product))
    ]
    return pages.render(
        "store/library.html",
        plan=mine.held.plan,
        until=_until(mine.held),
        allowances=[(a, LABELS[a.meter]) for a in mine.allowances],
        packs=packs,
        workflows=[
            w
            for w in mine.workflows
            if w.tier != "free" and entitlements.may_run(mine.held, w.tier, w.name, shop.terms)
        ],
        bought=[
            (order, _title(order), order_json.present(order, facts).next.message)
            for order, facts in mine.orders
        ],
        unproved=not mine.proved,
        subscriptions=bool(mine.subscriptions),
    )


@site.get("/subscription")
def subscription() -> Response:
    """What runs, when it renews, and what it can be changed to."""
    person = identity.require_person()
    shop = http.platform().shop
    mine = http.read(subscriptions.list_for, person.id)
    running = http.read(subscriptions.list_running, person.id)
    monthly = [
        offers.offer(shop, product, [], person)
        for product in shop.products.list_()
        if product.is_subscription
    ]
    page = pages.render(
        "store/subscription.html",
        running=[(one, _named(one)) for one in running],
        earlier=[(one, _named(one)) for one in mine if one not in running],
        monthly=monthly,
    )
    # A browser asks this page's policy, not the answer's, whether its form may be led elsewhere.
    return guards.allow_forms_to(page, shop.form_hosts) if running else page


@site.post("/subscription")
@guards.limiter.limit(guards.CREATE_ORDER)
def act() -> Response:
    """Change it, cancel it, or go to the provider's page for card and invoices."""
    person = identity.require_person()
    shop = http.platform().shop
    given, _, _ = pages.read_form(Wish)
    if given is None:
        raise errors.Invalid("Choose what to do with the subscription.")
    try:
        if given.action == "portal":
            return pages.go(checkout.portal_url(shop, person.id))
        if given.action == "cancel":
            checkout.cancel_subscription(shop, person.id, given.subscription)
            return pages.go("/subscription", "It is cancelled, and open until its end.")
        if given.action == "resume":
            checkout.resume_subscription(shop, person.id, given.subscription)
            return pages.go("/subscription", "It goes on.")
        checkout.change_subscription(shop, person.id, given.product or "", given.subscription)
    except (errors.Conflict, errors.Invalid, errors.NotFound, errors.Unavailable) as failure:
        return pages.go("/subscription", failure.message, "error")
    return pages.go("/subscription", "It is changed.")


@site.post("/library/export")
@guards.limiter.limit(guards.EXPORT)
def export_mine() -> Response:
    """My runs or my results as a file, as often as my plan allows."""
    person = identity.require_person()
    asked, _, _ = pages.read_form(Export)
    if asked is None:
        raise errors.Invalid("Choose what to export, and as what: csv or jsonl.")
    http.write(gating.spend_export, person.id, gating.limits())
    file = io.StringIO()
    http.read(export.write_mine, person.id, asked.what, asked.format, file)
    kind = "text/csv" if asked.format == "csv" else "application/x-ndjson"
    response = Response(file.getvalue(), mimetype=kind)
    name = f"{asked.what}.{asked.format}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _mine(session: db.Session, user_id: str) -> _Mine:
    held = entitlements.holdings(session, user_id)
    plan = http.platform().shop.plans.get(held.plan)
    return _Mine(
        held,
        allowances.of(session, user_id, plan),
        [
            (order, [] if order.is_paid else orders.list_facts(session, order.id))
            for order in orders.list_for(session, user_id)
        ],
        subscriptions.list_for(session, user_id),
        catalogue.list_current(session),
        profiles.has_proved_address(session, user_id),
    )


def _until(held: Holdings) -> float | None:
    """When the plan ends, unless something gives it for good."""
    ends = [grant.valid_until for grant in held.grants if grant.plan == held.plan]
    return max((end for end in ends if end), default=None) if None not in ends else None


def _named(one: Subscription) -> str:
    product = http.platform().shop.products.find(one.product or "")
    return product.title if product else one.plan.capitalize()


def _title(order: Order) -> str:
    product = http.platform().shop.products.find(order.product)
    return product.title if product else order.product
