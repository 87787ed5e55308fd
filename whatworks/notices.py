"""What the shop mails: receipts and refunds to buyers, and to sellers what needs a look."""

from __future__ import annotations

import logging

from whatworks.people import operators
from whatworks.shop import Shop
from whatworks.store import duties, ledger, orders, receipts
from whatworks.store.orders import Order

logger = logging.getLogger(__name__)


def tell(shop: Shop, order: Order) -> None:
    """Mail the receipt of a fulfilled order, once; and of money that goes back, once."""
    if order.email is None:
        return
    is_due = order.status == "fulfilled" and order.receipt_sent_at is None
    if is_due and shop.database.write(duties.claim_receipt, order.id):
        send_first_receipt(shop, order)
    facts = shop.database.read(orders.list_facts, order.id)
    if ledger.untold(facts) and shop.database.write(duties.claim_refund, order.id):
        gone = ledger.given_back(order.amount, facts)
        _send_refund(shop, order, ledger.sent_back(facts) if order.is_subscription else gone)


def send_first_receipt(shop: Shop, order: Order) -> None:
    """Mail the receipt of an order that has just become ready; the seller, if that needs a word."""
    send_receipt(shop, order)
    if order.coupon_code is None:
        return
    events = shop.database.read(orders.list_events, order.id)
    if any(event.kind == "coupon_over" for event in events):
        _alert(
            shop,
            f"Coupon {order.coupon_code} was used once too often",
            f"Order {order.id} was paid late: its use of coupon {order.coupon_code} had been given"
            " back after an hour, and others took the last. It is granted, as it was promised.",
            order,
        )


def send_receipt(shop: Shop, order: Order) -> None:
    """Mail the receipt and the way to what was bought."""
    if order.email:
        product = shop.products.find(order.product)
        subject, text = receipts.compose(
            order, product, shop.settings.address, shop.settings.secret_key
        )
        shop.mailer.send(order.email, subject, text)


def _send_refund(shop: Shop, order: Order, given_back: int) -> None:
    """Mail that money goes back: all of it, a part of the price, or a payment too many."""
    if order.email:
        product = shop.products.find(order.product)
        subject, text = receipts.compose_refund(order, product, given_back, shop.settings.address)
        shop.mailer.send(order.email, subject, text)


def send_alert(shop: Shop, order: Order) -> None:
    """Tell the seller that money is where it should not be. The mail names no buyer."""
    why = {
        "amount": "the amount is not the one that was asked for",
        "currency": "the currency is not the one that was asked for",
        "paid_twice": "it was paid twice; one payment should go back",
        "refund_failed": "a refund did not arrive, and the money is here again",
        "refund_unheard": "its gateway has not answered to a refund, and is asked again by itself",
        "no_buyer": "nobody knows whose it is: it has no address",
        "no_subscription": "its subscription has not been heard of",
    }.get(order.held or "", "it is not known why")
    logger.warning("order %s is held: %s", order.id, order.held)
    said = f"Order {order.id} ({order.product}) needs you: {why}."
    _alert(shop, f"Look at order {order.id}", said, order)


def send_refusal(shop: Shop, order: Order) -> None:
    """Tell the seller that a refund that was asked for before is refused now."""
    said = f"The gateway refused the refund of order {order.id} ({order.product}); no money went."
    _alert(shop, f"The refund of order {order.id} was refused", said, order)


def send_goes_on(shop: Shop, order: Order, event: str) -> None:
    """Tell the seller that a gateway told of a payment of a subscription, which goes on."""
    said = (
        f"Stripe told of a payment of a subscription ({event}): order {order.id} ({order.product})"
        " has it in its history. The subscription goes on: it gives its plan and is charged again."
        " If it is to end, end it at Stripe, or on the order's page."
    )
    _alert(shop, f"A payment of a subscription: {event}", said, order)


def _alert(shop: Shop, subject: str, said: str, order: Order) -> None:
    text = f"{said}\n\n{shop.settings.address}/admin/orders/{order.id}\n"
    for address in sellers(shop):
        shop.mailer.send(address, subject, text)


def sellers(shop: Shop) -> list[str]:
    """Who is told when something is wrong."""
    if shop.settings.seller_email:
        return [shop.settings.seller_email]
    return [email for _, email, _, _ in shop.database.read(operators.list_) if email]
