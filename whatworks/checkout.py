"""The shop at work: what doors, pages, commands and jobs do that needs a gateway.

A gateway is asked between transactions, never inside one. What it says, and what its letters say,
ends in the same verbs, so that it makes no difference who tells first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import quote, urlencode

from whatworks import clock, db, errors, notices
from whatworks.gateways.razorpay import Razorpay
from whatworks.gateways.stripe import Stripe
from whatworks.shop import Shop
from whatworks.store import (
    coupons,
    duties,
    inbox,
    ledger,
    links,
    ordering,
    orders,
    settlement,
    subscriptions,
)
from whatworks.store.inbox import Incoming, Letter, News
from whatworks.store.ordering import Attempt, Buyer, Draft
from whatworks.store.orders import Order
from whatworks.store.products import Product
from whatworks.store.subscriptions import Subscription

UNKNOWN: Final = (
    "The gateway does not know this order any more, so it cannot be asked; the seller has to look"
    " into it."
)
FREE: Final = "free"  # the payment of an order with nothing to pay


@dataclass(frozen=True, slots=True)
class Opened:
    """An order that can be paid, and whether it repeats an earlier request."""

    order: Order
    replayed: bool


@dataclass(frozen=True, slots=True)
class PaymentStep:
    """Where the buyer's browser goes to pay: a link (GET) or a form with these fields (POST)."""

    method: Literal["GET", "POST"]
    url: str
    fields: dict[str, str]


def open_order(
    shop: Shop,
    buyer: Buyer,
    product_key: str,
    *,
    coupon_code: str | None = None,
    currency: str | None = None,
    attempt: Attempt | None = None,
    gateway: str | None = None,
) -> Opened:
    """An order of a product that its gateway knows; the same attempt again is the same order.

    Raises NotFound (product), Invalid (coupon, currency, address), Conflict and Unavailable (no
    gateway is set, or it does not answer: then the same attempt may be made again).
    """
    product = _for_sale(shop, buyer, product_key, coupon_code)
    chosen = product.currency(currency)
    taker = gateway or _gateway(shop, product)
    is_set = shop.taker(taker) is not None
    draft = Draft(product, chosen, product.prices[chosen], coupon_code, taker, is_set)
    order, is_new = shop.database.write(ordering.begin, buyer, draft, attempt)
    replayed = not is_new and order.gateway_id is not None
    if not order.amount and order.is_open:
        fact = ledger.paid(FREE, clock.timestamp(), 0, order.currency)
        order = shop.database.write(settlement.record, order.id, [fact], "coupon")
        notices.tell(shop, order)
    elif order.gateway_id is None and order.is_open:
        order = _attached(shop, order, product, again=not is_new)
    return Opened(order, replayed)


def _for_sale(shop: Shop, buyer: Buyer, key: str, coupon_code: str | None) -> Product:
    product = shop.products.get(key)
    if product.is_free:
        raise errors.Invalid(
            f"{product.title} is free; download it at /download/{product.key}.",
            code="product_is_free",
            fields={"product": "is free and needs no order"},
        )
    if product.absent:
        raise errors.Unavailable(
            f"{product.title} cannot be bought just now: a file of it is missing, which the seller"
            " has to put back.",
            code="product_file_unreadable",
            retry_after=600,
        )
    if not product.is_subscription:
        return product
    if coupon_code:
        raise errors.Invalid(
            "Coupons are for what is paid once.",
            fields={"coupon_code": "leave it out for a subscription"},
        )
    if buyer.user_id and shop.database.read(subscriptions.find_running, buyer.user_id):
        raise errors.Conflict(
            "You have a subscription already; change it at /subscription.",
            code="already_subscribed",
        )
    return product


def _gateway(shop: Shop, product: Product) -> str:
    """Who is to take the money, set or not."""
    if product.is_subscription or (shop.razorpay is None and shop.stripe is not None):
        return "stripe"
    return "razorpay"


def _attached(shop: Shop, order: Order, product: Product, *, again: bool) -> Order:
    if order.gateway == "razorpay" and shop.razorpay is not None:
        known_as = shop.razorpay.create(order, again=again)
        return shop.database.write(ordering.attach, order.id, known_as)
    if order.gateway == "stripe" and shop.stripe is not None:
        address = shop.settings.address
        session_id, url = shop.stripe.create(
            order,
            product,
            then=f"{address}/api/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
            back=f"{address}/api/billing/cancel?product={quote(product.key)}",
        )
        return shop.database.write(ordering.attach, order.id, session_id, url)
    raise ordering.no_gateway(order.gateway)


def payment_step(shop: Shop, order: Order) -> PaymentStep:
    """How an open order is paid. Raises Conflict when it is not open any more, Unavailable, and
    Invalid when its coupon was given back in the meantime and cannot be used again.
    """
    if not order.is_open:
        raise errors.Conflict(f"This order is {order.status}; there is nothing to pay.")
    if order.gateway == "stripe" and order.payment_url:
        return PaymentStep("GET", order.payment_url, {})
    if order.gateway != "razorpay" or shop.razorpay is None or order.gateway_id is None:
        raise ordering.no_gateway(order.gateway)
    if order.coupon_code:
        shop.database.write(coupons.hold, order.coupon_code, order.id)
    address, product = shop.settings.address, shop.products.find(order.product)
    key = links.order_key(shop.settings.secret_key, order.id)
    back = urlencode({"order_id": order.id, "key": key})  # a failed try leads back as well
    fields = {
        "key_id": shop.razorpay.key_id,
        "order_id": order.gateway_id,
        "amount": str(order.amount),
        "currency": order.currency,
        "name": product.title if product else order.product,
        "callback_url": f"{address}/success?{back}",
        "cancel_url": f"{address}/success?{back}",
    }
    if order.email:
        fields["prefill[email]"] = order.email
    return PaymentStep("POST", f"{shop.razorpay.url}/v1/checkout/embedded", fields)


def returned_razorpay(shop: Shop, given: Mapping[str, str]) -> Order:
    """Somebody comes back from Razorpay: their order, as Razorpay says that it stands.

    The signature proves which payment it is, and Razorpay says whether its money is there. When
    Razorpay does not answer, the order waits for the webhook. Raises Invalid, NotFound.
    """
    reader = shop.readers["razorpay"]
    assert isinstance(reader, Razorpay)  # noqa: S101 - for the type's sake
    named, payment_id = reader.verified_return(given)
    order = shop.database.read(orders.get, named)
    fact = ledger.Fact("returned", f"returned:{payment_id}", clock.timestamp(), payment_id)
    shop.database.write(settlement.record, order.id, [fact], "return")
    return check_or_wait(shop, order, "return")


def returned_stripe(shop: Shop, session_id: str) -> Order:
    """Somebody comes back from Stripe: their order, as Stripe says that it stands.

    Raises NotFound.
    """
    order = shop.database.read(orders.get, session_id)
    if order.gateway_id != session_id:
        raise orders.not_found()
    return check_or_wait(shop, order, "return")


def check_or_wait(shop: Shop, order: Order, source: str) -> Order:
    """Ask the gateway now, or, when it does not answer, at the next turn."""
    try:
        return check(shop, order.id, source)
    except errors.Unavailable:
        shop.database.write(duties.check_soon, order.id)
        return shop.database.read(orders.get, order.id)


def check(shop: Shop, order_id: str, source: str = "reconcile") -> Order:
    """Ask the gateway about an order and let the answer take effect. Raises Unavailable."""
    order = shop.database.read(orders.get, order_id)
    if order.gateway not in shop.readers or order.gateway_id is None:
        return order
    gateway = shop.taker(order.gateway)
    if gateway is None:
        raise ordering.no_gateway(order.gateway)
    try:
        news = gateway.look(order)
    except errors.NotFound as failure:  # of another account, whose key was set then
        raise errors.Unavailable(UNKNOWN, code="gateway_refused") from failure
    apply(shop, news, source)
    return settled(shop, order.id)


def apply(shop: Shop, news: Sequence[News], source: str) -> list[tuple[str, str | None]]:
    """Let what was asked for take effect, all of it together; (result, order id) of each."""
    return shop.database.write(_apply, list(news), source)


def _apply(session: db.Session, news: list[News], source: str) -> list[tuple[str, str | None]]:
    return [inbox.apply(session, one, source) for one in news]


def receive(shop: Shop, gateway: str, body: bytes, headers: Mapping[str, str]) -> Letter:
    """A webhook: its signature, then its one effect. Raises Invalid."""
    return keep(shop, shop.readers[gateway].read_letter(body, headers))


def keep(shop: Shop, incoming: Incoming) -> Letter:
    """Keep a letter that is known to be the gateway's; it has one effect, however often it came."""
    letter = shop.database.write(inbox.receive, incoming)
    if letter.order_id:
        settled(shop, letter.order_id)
    return letter


def replay(shop: Shop, letter_id: str) -> Letter:
    """Handle a kept letter again, as it is read today. Raises NotFound, Conflict."""
    letter = shop.database.read(inbox.get, letter_id)
    gateway = shop.readers.get(letter.gateway or "")
    if gateway is None:
        raise errors.Conflict("This letter is the old shop's; it was handled there.")
    incoming = replace(gateway.reread(letter.id, letter.body), id=letter.id)
    after = shop.database.write(inbox.replay, incoming)
    if after.order_id:
        settled(shop, after.order_id)
    return trace(shop, after) if after.result == "waiting" else after


def trace(shop: Shop, letter: Letter) -> Letter:
    """Ask what a payment paid for that no order is known of: perhaps an invoice of a subscription.

    Raises Unavailable.
    """
    if letter.gateway != "stripe" or letter.payment_id is None or shop.stripe is None:
        return letter
    invoice = shop.stripe.invoice_of(letter.payment_id)
    after = shop.database.write(inbox.trace, letter.id, invoice)
    if after.order_id:
        order = settled(shop, after.order_id)
        begun = shop.database.read(subscriptions.find_of_order, order.id)
        if begun is not None and begun.is_running:
            notices.send_goes_on(shop, order, letter.event or "")
    return after


def change_subscription(
    shop: Shop, user_id: str, product_key: str, named: str | None = None
) -> None:
    """Another product for a subscriber. Raises NotFound, Invalid, Conflict, Unavailable.

    `named` is one of several subscriptions that run; without it, the first.
    """
    current, stripe = _subscribed(shop, user_id, named)
    product = shop.products.get(product_key)
    if not product.is_subscription:
        raise errors.Invalid("This is not a subscription.", fields={"product": "a subscription"})
    order = shop.database.read(orders.find, current.order_id or "")
    currency = product.currency(order.currency if order else None)
    apply(shop, [stripe.change(current.gateway_id or "", product, currency)], "buyer")


def cancel_subscription(shop: Shop, user_id: str, named: str | None = None) -> None:
    """No further charge; what is paid stays until its end. Raises Conflict, Unavailable."""
    current, stripe = _subscribed(shop, user_id, named)
    apply(shop, [stripe.cancel(current.gateway_id or "")], "buyer")


def resume_subscription(shop: Shop, user_id: str, named: str | None = None) -> None:
    """One that was cancelled and has not ended goes on. Raises Conflict, Unavailable."""
    current, stripe = _subscribed(shop, user_id, named)
    apply(shop, [stripe.resume(current.gateway_id or "")], "buyer")
    after = shop.database.read(subscriptions.find, current.id)
    if after is None or not after.is_running:  # it ended a moment ago
        raise errors.Conflict("It has ended meanwhile; choose a plan at /pricing.")


def portal_url(shop: Shop, user_id: str) -> str:
    """Where somebody manages cards and invoices at Stripe. Raises Conflict, Unavailable."""
    mine = shop.database.read(subscriptions.list_for, user_id)
    customer_id = next((one.customer_id for one in mine if one.customer_id), None)
    if shop.stripe is None:
        raise ordering.no_gateway("stripe")
    if customer_id is None:
        raise _not_subscribed()
    return shop.stripe.portal(customer_id, f"{shop.settings.address}/subscription")


def _subscribed(shop: Shop, user_id: str, named: str | None) -> tuple[Subscription, Stripe]:
    running = shop.database.read(subscriptions.list_running, user_id)
    mine = (one for one in running if one.gateway_id and named in (None, one.id))
    current = next(mine, None)
    if shop.stripe is None:
        raise ordering.no_gateway("stripe")
    if current is None or current.gateway != "stripe":
        raise _not_subscribed()
    return current, shop.stripe


def _not_subscribed() -> errors.Conflict:
    return errors.Conflict(
        "There is no subscription to manage; choose one at /pricing.", code="not_subscribed"
    )


def settled(shop: Shop, order_id: str) -> Order:
    """An order after something happened to it; its buyer is told, once, what they wait for."""
    order = shop.database.read(orders.get, order_id)
    notices.tell(shop, order)
    return order
