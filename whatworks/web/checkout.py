"""Doors of the shop: order, try a coupon, come back from paying."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import quote

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import checkout, clock, errors
from whatworks.checkout import Opened
from whatworks.people import profiles
from whatworks.store import coupons, links, ordering, orders
from whatworks.store.ordering import Attempt, Buyer
from whatworks.store.orders import Order
from whatworks.web import fields, guards, http, identity, pages

doors = http.Doors("Shop")
site = Blueprint("checkout", __name__)
LONGEST: Final = 100  # name or key of an order that a browser brings back


class NewOrder(msgspec.Struct):
    """What to buy. The price is the catalogue's, whatever else is sent."""

    product: fields.Id
    coupon_code: fields.Id | None = None
    email: fields.Email | None = None
    currency: fields.Currency | None = None


class Pay(msgspec.Struct):
    """Where the buyer's browser goes to pay: a link (GET), or a form with these fields (POST)."""

    method: Literal["GET", "POST"]
    url: str
    fields: dict[str, str]


class NewOrderAnswer(msgspec.Struct):
    """The order. `id` is the gateway's, as its checkout wants it; `order_id` is ours."""

    id: str
    order_id: str
    status: str
    amount: int
    currency: str
    receipt: str
    product: str
    key_id: str
    gateway: str
    pay: Pay | None
    success: Literal[True] = True


class CouponQuestion(msgspec.Struct):
    """A coupon, and perhaps what it is for."""

    code: fields.Id | None = None
    coupon_code: fields.Id | None = None
    product: fields.Id | None = None
    currency: fields.Currency | None = None


class CouponAnswer(msgspec.Struct):
    """Whether it can be used now, and what it takes off a product's price."""

    valid: bool
    code: str
    message: str
    discount_percent: int = 0
    reason: str | None = None
    list_price: int | None = None
    amount: int | None = None
    currency: str | None = None
    success: Literal[True] = True


@doors.door(
    "POST",
    "/create_order",
    body=NewOrder,
    answer=NewOrderAnswer,
    errors=(400, 401, 404, 409, 415, 429, 503),
    private=False,
)
@guards.limiter.limit(guards.CREATE_ORDER)
def create_order(body: NewOrder) -> Response:
    """Order a product; answers with what the gateway's checkout needs."""
    opened = checkout.open_order(
        http.platform().shop,
        buyer(body.email),
        body.product,
        coupon_code=body.coupon_code,
        currency=body.currency,
        attempt=attempt(),
    )
    return answer(opened)


@doors.door(
    "POST",
    "/validate_coupon",
    body=CouponQuestion,
    answer=CouponAnswer,
    errors=(400, 404, 415, 429),
    private=False,
)
@guards.limiter.limit(guards.COUPON)
def validate_coupon(body: CouponQuestion) -> CouponAnswer:
    """Whether a coupon can be used, and what a product costs with it."""
    code = body.code or body.coupon_code
    if code is None:
        raise errors.Invalid("Please check: code.", fields={"code": "is missing; give a coupon"})
    found = http.look(coupons.find, code)
    problem = found.problem(clock.timestamp()) if found else "unknown"
    if found is None or problem:
        reason = problem or "unknown"
        return CouponAnswer(False, code, coupons.SAYS[reason], reason=reason)
    return _discounted(found, body)


def _discounted(coupon: coupons.Coupon, body: CouponQuestion) -> CouponAnswer:
    told = CouponAnswer(
        True, coupon.code, f"{coupon.percent} % off.", discount_percent=coupon.percent
    )
    if body.product is None:
        return told
    product = http.platform().shop.products.get(body.product)
    if product.is_free or product.is_subscription:
        told.valid, told.reason = False, "not_for_this"
        told.message = "Coupons are for what is paid once."
        return told
    told.currency = product.currency(body.currency)
    told.list_price = product.prices[told.currency]
    told.amount = coupon.reduced(told.list_price)
    return told


@site.post("/success")
def come_back() -> Response:
    """The way back from Razorpay, which posts here through the buyer's browser."""
    platform = http.platform()
    given = {name: value for name, value in request.form.items() if len(value) < 1000}
    if "razorpay_signature" not in given:
        return _not_paid(given)
    try:
        order = checkout.returned_razorpay(platform.shop, given)
    except errors.Invalid as failure:
        order = _ask_instead(failure)
    return pages.go(links.order_path(platform.settings.secret_key, order.id))


def _ask_instead(failure: errors.Invalid) -> Order:
    """Nothing of what came is believed; Razorpay is asked about the order that the address opens.

    Somebody may have changed the key while a buyer was paying. Raises the failure.
    """
    platform = http.platform()
    named, key = request.args.get("order_id", ""), request.args.get("key", "")
    if not links.opens_page(platform.settings.link_keys, key, named):
        raise failure
    return checkout.check_or_wait(platform.shop, http.look(orders.get, named), "return")


@site.get("/success")
def success() -> Response:
    """Lead on to the order."""
    return pages.go(_order_named() or "/library")


def _not_paid(given: dict[str, str]) -> Response:
    """Razorpay says that it went wrong; nothing it says here is signed, so nothing is believed."""
    try:
        told = msgspec.json.decode(given.get("error[metadata]", "{}"), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeError):
        told = {}
    path = _order_named() or _order_page(told.get("order_id", "")) or "/pricing"
    return pages.go(path, "The payment did not go through. You can try again.", "error")


def _order_named() -> str:
    """The page of the order that this address names, with the key it was given, if it has one."""
    named = request.args.get("order_id") or request.args.get("order") or ""
    key = request.args.get("key", "")[:LONGEST]
    path = _order_page(named)
    return f"{path}?key={quote(key, safe='')}" if path and key else path


def _order_page(named: str) -> str:
    """Where an order of this name would be: nobody learns here whether there is one."""
    return f"/order/{quote(named[:LONGEST], safe='')}" if named else ""


def buyer(email: str | None) -> Buyer:
    """Who buys: whoever is signed in, or the address given, or nobody known yet."""
    credential = identity.credential()
    address = fields.normal_email(email) if email else None
    if credential is None or credential.kind == "key":
        return Buyer(None, address)
    person = http.look(profiles.find, credential.user_id)
    return Buyer(credential.user_id, address or (person.email if person else None) or None)


def attempt() -> Attempt | None:
    """What makes a repeated request the same one: its Idempotency-Key, if it has one."""
    credential = identity.credential()
    key = http.request_key(credential.user_id if credential else identity.client())
    return ordering.attempt(key) if key else None


def answer(opened: Opened) -> Response:
    """An order that was made, as JSON."""
    shop, order = http.platform().shop, opened.order
    step = checkout.payment_step(shop, order) if order.is_open else None
    is_razorpay = order.gateway == "razorpay" and shop.razorpay is not None
    response = http.reply(
        NewOrderAnswer(
            id=order.gateway_id or order.id,
            order_id=order.id,
            status=order.status,
            amount=order.amount,
            currency=order.currency,
            receipt=order.receipt,
            product=order.product,
            key_id=shop.settings.razorpay_key_id if is_razorpay else "",
            gateway=order.gateway,
            pay=Pay(step.method, step.url, step.fields) if step else None,
        )
    )
    if opened.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response
