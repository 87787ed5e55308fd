"""Orders made and paid by the store's own verbs, for tests that need no gateway."""

from __future__ import annotations

from typing import Final

from flask import Flask

from tests import people
from whatworks import clock
from whatworks.settings import Settings
from whatworks.store import ledger, ordering, orders, plans, products, settlement
from whatworks.store.entitlements import Terms
from whatworks.store.ordering import Buyer, Draft
from whatworks.store.orders import Order

EMAIL: Final = "buyer@example.com"
TERMS: Final = Terms(plans.from_settings(Settings()), products.load())  # what is on offer


def ordered(
    app: Flask, product: str = "pro", *, email: str | None = EMAIL, user_id: str | None = None
) -> Order:
    """An order that nobody has paid."""
    platform = people.platform(app)
    found = platform.shop.products.get(product)
    draft = Draft(found, "INR", found.prices["INR"], None, "razorpay")
    buyer = Buyer(user_id, email)
    order, _ = platform.database.write(ordering.begin, buyer, draft, None)
    return platform.database.write(ordering.attach, order.id, f"order_{order.id[-12:]}")


def bought(
    app: Flask, product: str = "pro", *, email: str | None = EMAIL, user_id: str | None = None
) -> Order:
    """An order that is paid."""
    return pay(app, ordered(app, product, email=email, user_id=user_id))


def pay(app: Flask, order: Order, amount: int | None = None) -> Order:
    """Its money arrives, or another amount."""
    paid = order.amount if amount is None else amount
    fact = ledger.paid(payment_of(order), clock.timestamp(), paid, order.currency)
    return _record(app, order, fact)


def refund(app: Flask, order: Order) -> Order:
    """All of its money goes back."""
    fact = ledger.refunded(payment_of(order), clock.timestamp(), order.amount, order.currency)
    return _record(app, order, fact)


def dispute(app: Flask, order: Order, kind: str = "disputed") -> Order:
    """Its buyer's bank asks for the money (`disputed`), or lets it be (`dispute_won`)."""
    fact = ledger.disputed(kind, "disp_1", payment_of(order), clock.timestamp())
    return _record(app, order, fact)


def fail(app: Flask, order: Order) -> Order:
    """A try to pay goes wrong."""
    return _record(app, order, ledger.failed("pay_failed", clock.timestamp()))


def payment_of(order: Order) -> str:
    """What the gateway calls its payment."""
    return f"pay_{order.id[-12:]}"


def events(app: Flask, order: Order) -> list[str]:
    """The kinds of what happened to it."""
    found = people.platform(app).database.read(orders.list_events, order.id)
    return [event.kind for event in found]


def _record(app: Flask, order: Order, fact: ledger.Fact) -> Order:
    database = people.platform(app).database
    return database.write(settlement.record, order.id, [fact], "webhook")
