"""The operators' view of the shop: orders, what to do about one, and the inbox of webhooks."""

from __future__ import annotations

import io
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import checkout, clock, db, errors, reconcile, refunds
from whatworks.advice import phrases
from whatworks.store import (
    deliveries,
    inbox,
    ledger,
    money,
    orders,
    settlement,
    subscriptions,
    takings,
)
from whatworks.store.orders import Event, Order
from whatworks.store.takings import Taking
from whatworks.web import fields, http, identity, pages
from whatworks.web import orders as order_pages

site = Blueprint("admin_orders", __name__)
STATUSES: Final = ("created", "paid", "fulfilled", "failed", "refunded", "disputed", "held")
PAGE: Final = 50


class Search(msgspec.Struct):
    """Which orders to list."""

    q: fields.Note = ""
    status: Literal[
        "", "created", "paid", "fulfilled", "failed", "refunded", "disputed", "held"
    ] = ""
    before: float | None = None
    takings: Literal["", "1"] = ""


class Shelf(msgspec.Struct):
    """Which letters to list."""

    unhandled: Literal["", "1"] = ""
    before: float | None = None


class Handling(msgspec.Struct):
    """What an operator does about a letter: have it take effect, or nothing, for good."""

    action: Literal["again", "aside"] = "again"


class Act(msgspec.Struct):
    """What an operator does about an order."""

    action: Literal["refund", "resend", "check", "assign", "accept"]
    sure: fields.Id | None = None
    email: fields.Email | None = None
    payment_id: fields.Id | None = None  # refund only this one


@site.get("/admin/orders")
def list_() -> Response:
    """Orders, newest first: by number, payment, address or product."""
    identity.require_operator()
    asked = http.read_query(Search)
    found = http.read(
        orders.search,
        asked.q,
        status=asked.status or None,
        limit=PAGE + 1,
        before=asked.before,
    )
    return pages.render(
        "store/admin_orders.html",
        orders=found[:PAGE],
        more=found[PAGE - 1].created_at if len(found) > PAGE else None,
        q=asked.q,
        status=asked.status,
        statuses=[(one, one.capitalize()) for one in STATUSES],
        waiting=http.read(orders.search, "", status="held", limit=PAGE),
        takings=_takings(asked) if asked.takings else None,
    )


@site.get("/admin/orders.csv")
def as_csv() -> Response:
    """The orders that were searched for, all of them, for spreadsheets."""
    identity.require_operator()
    asked = http.read_query(Search)
    file = io.StringIO()
    http.read(takings.write, asked.q, asked.status or None, file)
    response = Response(file.getvalue(), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename="orders.csv")
    return response


@site.get("/admin/orders/<order_id>")
def show(order_id: str) -> Response:
    """One order with everything that happened to it."""
    identity.require_operator()
    return pages.render("store/admin_order.html", **http.read(_load, order_id))


@site.post("/admin/orders/<order_id>")
def act(order_id: str) -> Response:
    """Refund, send the link again, or ask the gateway."""
    boss = identity.require_operator()
    order = http.read(orders.get, order_id)
    given, typed, wrong = pages.read_form(Act)
    back = f"/admin/orders/{order.id}"
    if given is None and typed.get("action") == "assign" and "email" in wrong:
        return pages.go(back, wrong["email"], "error")
    if given is None:
        raise errors.Invalid("Choose what to do with the order.")
    try:
        said = _do(given, order, boss.id)
    except (errors.Conflict, errors.Invalid, errors.Unavailable) as failure:
        return pages.go(back, failure.message, "error")
    return pages.go(back, said)


@site.post("/admin/orders")
def reconcile_all() -> Response:
    """Ask the gateways about every order that may have been paid."""
    identity.require_operator()
    report = reconcile.run(http.platform().shop)
    return pages.go(
        "/admin/orders",
        f"Asked about {report.looked}: {report.paid} paid, {report.granted} granted,"
        f" {report.held} held, {report.unreachable} without an answer.",
    )


@site.get("/admin/inbox")
def list_letters() -> Response:
    """What the gateways told us, newest first."""
    identity.require_operator()
    asked = http.read_query(Shelf)
    unhandled = bool(asked.unhandled)
    found = http.read(inbox.list_, limit=PAGE + 1, before=asked.before, only_unhandled=unhandled)
    return pages.render(
        "store/admin_inbox.html",
        letters=found[:PAGE],
        more=found[PAGE - 1].received_at if len(found) > PAGE else None,
        unhandled=unhandled,
    )


@site.get("/admin/inbox/<letter_id>")
def show_letter(letter_id: str) -> Response:
    """One webhook as it came, and what it did."""
    identity.require_operator()
    return pages.render("store/admin_letter.html", letter=http.read(inbox.get, letter_id))


@site.post("/admin/inbox/<letter_id>")
def replay(letter_id: str) -> Response:
    """Handle a webhook again, or set it aside; what it did already is not done twice."""
    identity.require_operator()
    given, _, _ = pages.read_form(Handling)
    back = f"/admin/inbox/{quote(letter_id)}"
    if given is None:
        raise errors.Invalid("Choose what to do with the letter.")
    if given.action == "aside":
        http.write(inbox.set_aside, letter_id)
        return pages.go("/admin/inbox?unhandled=1", "Set aside.")
    try:
        letter = checkout.replay(http.platform().shop, letter_id)
    except (errors.Conflict, errors.Unavailable) as failure:
        return pages.go(back, failure.message, "error")
    return pages.go(back, f"Handled again: {letter.result or 'nothing new'}.")


def _takings(asked: Search) -> list[Taking]:
    return http.read(takings.by_month, asked.q, asked.status or None)


def _do(given: Act, order: Order, boss_id: str) -> str:
    """What was asked for; returns what to say about it."""
    shop = http.platform().shop
    if given.action == "check":
        return f"The gateway says: {checkout.check(shop, order.id, 'operator').status}."
    if given.action == "resend":
        if not order.is_paid or not order.email:
            raise errors.Conflict("Only a paid order with an address has a link to send.")
        order_pages.send_link(order, "operator", boss_id)
        return f"The link is on its way to {order.email}."
    if given.action == "accept":
        if order.held not in ("amount", "currency"):
            raise errors.Conflict("There is no money here that does not fit.")
        http.write(settlement.accept, order.id, boss_id)
        return f"Taken for the right one; the order is {checkout.settled(shop, order.id).status}."
    if given.action == "assign":
        return _assign(given, order, boss_id)
    if given.sure != "yes":
        raise errors.Invalid("Tick the box to refund; money cannot be called back.")
    after = refunds.send_back(shop, order.id, boss_id, payment_id=given.payment_id or None)
    return f"Refunded; the order is {after.status}."


def _assign(given: Act, order: Order, boss_id: str) -> str:
    if given.email is None:
        raise errors.Invalid("Give the address that it should have gone to.")
    after = http.write(subscriptions.assign, order.id, fields.normal_email(given.email), boss_id)
    if not after.is_paid:
        return f"It belongs to {after.email} now."
    order_pages.send_link(after, "operator", boss_id)
    return f"It belongs to {after.email} now, and the link is on its way."


def _load(session: db.Session, order_id: str) -> dict[str, Any]:
    order = orders.get(session, order_id)
    events = orders.list_events(session, order.id)
    paid = {e.payment_id: _payment(e) for e in events[::-1] if e.kind == "paid" and e.payment_id}
    facts = orders.list_facts(session, order.id)
    gone = ledger.given_back(order.amount, facts)
    return {
        "order": order,
        "events": events,
        "payments": list(paid.items()),
        "given_back": ledger.sent_back(facts) if order.is_subscription else gone,
        "subscription": subscriptions.find_of_order(session, order.id),
        "deliveries": deliveries.list_of_order(session, order.id),
        "product": http.platform().shop.products.find(order.product),
    }


def _payment(event: Event) -> str:
    """One payment of several, to choose from."""
    amount = money.text(event.amount, event.currency)
    return f"Only {amount}, paid {phrases.ago(event.at, clock.timestamp())}, {event.payment_id}"
