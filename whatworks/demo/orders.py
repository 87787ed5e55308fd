"""Orders of invented people in every state that the shop knows. No gateway has heard of them.

An order is begun and attached as always; what a gateway would write comes as letters to the inbox.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from whatworks import clock, db
from whatworks.demo.people import DAY, HOUR, Person
from whatworks.store import coupons, inbox, ledger, ordering, settlement, subscriptions
from whatworks.store.inbox import Incoming, News
from whatworks.store.ledger import Fact, Snapshot
from whatworks.store.ordering import Buyer, Draft
from whatworks.store.orders import Order
from whatworks.store.products import Catalogue
from whatworks.store.subscriptions import Told

COUPON, GIFT = "WELCOME20", "GIFT"
Tell = Callable[[str, Order, float], Fact]


@dataclass(frozen=True, slots=True)
class Plan:
    """An order to be told: by whom (a place among the people), of what, how many days ago, and
    what letters followed, the first of them soon, each other a day after the one before.
    """

    buyer: int
    product: str
    days: float
    letters: tuple[tuple[str, Tell], ...] = ()
    currency: str = "INR"
    coupon: str | None = None
    states: tuple[str, ...] = ()  # of the subscription that it began


def _paid(payment: str, order: Order, at: float) -> Fact:
    return ledger.paid(payment, at, order.amount, order.currency)


def _paid_too_little(payment: str, order: Order, at: float) -> Fact:
    return ledger.paid(payment, at, order.amount - 100, order.currency)


def _failed(payment: str, order: Order, at: float) -> Fact:
    del order
    return ledger.failed(payment, at)


def _refunded(payment: str, order: Order, at: float) -> Fact:
    return ledger.refunded(payment, at, order.amount, order.currency)


def _disputed(payment: str, order: Order, at: float) -> Fact:
    del order
    return ledger.disputed("disputed", f"disp_{payment}", payment, at)


PAID: Final = ("payment.captured", _paid)
PLANS: Final = (
    Plan(0, "pro", 60, (PAID,)),  # the first of the people finds it in her library
    Plan(0, "premium", 0.1),
    Plan(3, "pro", 40, (PAID,), coupon=COUPON),
    Plan(4, "premium", 33, (PAID, ("refund.processed", _refunded))),
    Plan(5, "pro", 21, (PAID, ("payment.dispute.created", _disputed))),
    Plan(6, "premium", 9, (("payment.failed", _failed), PAID), currency="USD"),
    Plan(7, "pro", 3, (("payment.failed", _failed),)),
    Plan(8, "pro", 2, (("payment.captured", _paid_too_little),)),
    Plan(9, "premium", 1, (PAID,), currency="EUR"),
    Plan(10, "pro", 0.05),
    Plan(11, "pro", 12, coupon=GIFT),
    Plan(12, "pro_monthly", 10, (PAID,), states=("active",)),
    Plan(13, "scale_monthly", 33, (PAID,), states=("active", "past_due")),
    Plan(14, "pro_monthly", 80, (PAID,), states=("active", "canceled")),
)


def tell(
    session: db.Session, people: Sequence[Person], products: Catalogue, now: float
) -> list[Order]:
    """Every plan whose buyer there is, and coupons for some; returns the orders."""
    with clock.told_at(now - 90 * DAY):
        coupons.create(session, COUPON, 20, description="For those who came early", max_uses=50)
        coupons.create(session, GIFT, 100, description="A present", max_uses=5)
        coupons.create(session, "SUMMER", 30, description="Over", expires_at=now - 30 * DAY)
    told = [
        _order(session, plan, _buyer(plan.buyer, people), products, now - plan.days * DAY)
        for plan in PLANS
        if plan.buyer < len(people)
    ]
    _stray_letters(session, now)
    return told


def _buyer(place: int, people: Sequence[Person]) -> Buyer:
    """Every other one buys with nothing but an address."""
    profile = people[place].profile
    return Buyer(email=profile.email) if place % 2 else Buyer(profile.id)


def _order(session: db.Session, plan: Plan, buyer: Buyer, products: Catalogue, at: float) -> Order:
    product = products.get(plan.product)
    gateway = "stripe" if product.is_subscription else "razorpay"
    price = product.prices[plan.currency]
    draft = Draft(product, plan.currency, price, plan.coupon, gateway)
    with clock.told_at(at):
        order, _ = ordering.begin(session, buyer, draft, None)
        if not order.amount:
            free = ledger.paid("free", at, 0, order.currency)
            return settlement.record(session, order.id, [free], "coupon")
        ordering.attach(session, order.id, _name(order, "order"))
    for number, (event, fact) in enumerate(plan.letters):
        arrived = at + number * DAY + 0.1 * HOUR
        news = News(orders=(order.id,), facts=(fact(_name(order, "pay"), order, arrived),))
        _receive(session, gateway, event, news, arrived)
    for number, state in enumerate(plan.states):
        _subscribe(session, plan, order, state, at + number * 30 * DAY + HOUR)
    return order


def _subscribe(session: db.Session, plan: Plan, order: Order, state: str, at: float) -> None:
    snapshot = Snapshot(
        key=f"{order.id}:{state}",
        at=at,
        status=state,
        product=plan.product,
        plan=order.plan,
        period_start=at,
        period_end=at + 30 * DAY,
        ended_at=at if state == "canceled" else None,
    )
    with clock.told_at(at):
        name, customer = _name(order, "sub"), _name(order, "cus")
        told = Told("stripe", name, customer, order.id, snapshot, order.email)
        subscriptions.record(session, told, "webhook")


def _stray_letters(session: db.Session, now: float) -> None:
    """A payment of which no order is known, and a letter that nobody can read."""
    lost = ledger.paid("pay_lost", now - 5 * DAY, 49900, "INR")
    news = News(orders=("order_unknown",), payment_id="pay_lost", facts=(lost,))
    _receive(session, "razorpay", "payment.captured", news, now - 5 * DAY)
    _receive(session, "stripe", "charge.refunded", None, now - 15 * DAY)


def _receive(session: db.Session, gateway: str, event: str, news: News | None, at: float) -> None:
    body = json.dumps({"event": event, "note": "invented", "at": clock.rfc3339(at)})
    with clock.told_at(at):
        inbox.receive(session, Incoming(f"evt_{clock.new_id()}", gateway, event, body, news))


def _name(order: Order, kind: str) -> str:
    """What the gateway would call it."""
    return f"{kind}_{order.id.replace('-', '')[-14:]}"
