"""Refunds: money goes back once, however often it is asked for and whatever is heard of it.

That a refund is asked for is written down before its gateway is asked. As long as the gateway has
not answered, the order is held as `refund_unheard`, and the same question is asked again.
"""

from __future__ import annotations

from typing import Final

from whatworks import checkout, clock, errors, notices
from whatworks.gateways.razorpay import Razorpay
from whatworks.gateways.stripe import Stripe
from whatworks.shop import Shop
from whatworks.store import ledger, ordering, orders, settlement
from whatworks.store.ledger import Refunding
from whatworks.store.orders import Order

REFUSED: Final = "refund_refused"
UNHEARD: Final = (
    "The gateway did not answer, so it is not known whether the money went back. It is asked again"
    " by itself, under the same key, so it goes back once. This page says when it is known."
)
STRANGE: Final = (
    "The gateway does not know this payment or does not take the key that is set, so no money went"
    " back. Look whether the key is of the account that was paid."
)


def send_back(
    shop: Shop, order_id: str, actor_id: str | None, *, payment_id: str | None = None
) -> Order:
    """Send an order's money back and take back what it gave; or one payment of several.

    As long as the price of the order is still here, what it gave stays. The buyer is told.
    Raises Conflict, Unavailable.
    """
    order = shop.database.read(orders.get, order_id)
    paid = _chosen(shop, order, payment_id)
    if paid != [checkout.FREE]:
        _gateway(shop, order)  # before anything is written down
    _note(shop, order, "refund_asked", paid, "operator", actor_id)
    if paid == [checkout.FREE]:
        fact = ledger.refunded(checkout.FREE, clock.timestamp(), 0, order.currency)
        return shop.database.write(settlement.record, order.id, [fact], "operator")
    failure: errors.Unavailable | None = None
    for one in paid:
        try:
            _send_one(shop, order, one, "operator")
        except errors.Unavailable as raised:  # of this payment; the others go back all the same
            failure = failure or raised
    after = checkout.settled(shop, order.id)
    if failure is not None:
        raise failure
    return after


def ask_again(shop: Shop, order_id: str) -> Order:
    """Ask once more for the refunds of which nothing was heard; who asked first may be gone.

    So the seller is told when a gateway refuses. Raises Unavailable.
    """
    order = shop.database.read(orders.get, order_id)
    for payment_id in ledger.unheard(shop.database.read(orders.list_facts, order.id)):
        try:
            _send_one(shop, order, payment_id, "reconcile")
        except errors.Unavailable as failure:
            if failure.code != REFUSED:
                raise
            notices.send_refusal(shop, order)
    return checkout.settled(shop, order.id)


def _send_one(shop: Shop, order: Order, payment_id: str, source: str) -> None:
    """Send one payment back, once.

    A gateway gives the same answer to the same key. So the key stays as long as it is not known
    what became of the last try, and is another one after a try that was refused.
    """
    events = shop.database.read(orders.list_events, order.id)
    failed = [(REFUSED, payment_id), ("refund_failed", payment_id)]
    refusals = sum((e.kind, e.payment_id or e.reference) in failed for e in events)
    key = f"refund-{payment_id}-{refusals}"
    try:
        news = _gateway(shop, order).refund(order, payment_id, key)
    except (errors.NotFound, errors.Unavailable) as failure:
        if failure.code == "gateway_unavailable":
            raise errors.Unavailable(UNHEARD, code=failure.code) from failure
        if failure.code == ordering.NO_GATEWAY:
            raise
        _note(shop, order, REFUSED, [payment_id], source)
        if failure.code == REFUSED:
            raise
        raise errors.Unavailable(STRANGE, code=REFUSED) from failure
    checkout.apply(shop, news, source)
    if payment_id in ledger.unheard(shop.database.read(orders.list_facts, order.id)):
        _note(shop, order, "refund_answered", [payment_id], source)


def _note(
    shop: Shop,
    order: Order,
    what: Refunding,
    payments: list[str],
    source: str,
    actor_id: str | None = None,
) -> None:
    now = clock.timestamp()
    facts = [ledger.refunding(what, one, now) for one in payments]
    shop.database.write(settlement.record, order.id, facts, source, actor_id=actor_id)


def _chosen(shop: Shop, order: Order, payment_id: str | None) -> list[str]:
    """The payments that are to go back: all, or the one that was named. Raises Conflict."""
    paid = _payments(shop, order)
    if not paid and order.is_paid:  # an old order of which only that is known
        checkout.check(shop, order.id, "operator")
        paid = _payments(shop, order)
    if not paid:
        raise errors.Conflict("No money came for this order; there is nothing to send back.")
    if payment_id is None:
        return paid
    if payment_id not in paid:
        raise errors.Conflict("This payment is not one of this order.")
    return [payment_id]


def _payments(shop: Shop, order: Order) -> list[str]:
    events = shop.database.read(orders.list_events, order.id)
    return sorted({e.payment_id for e in events if e.kind == "paid" and e.payment_id})


def _gateway(shop: Shop, order: Order) -> Razorpay | Stripe:
    found = shop.taker(order.gateway)
    if found is None:
        raise ordering.no_gateway(order.gateway)
    return found
