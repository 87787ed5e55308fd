"""Doors to Stripe's Checkout and portal, and the way back from there."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import checkout, errors
from whatworks.store import links
from whatworks.web import checkout as shop_doors
from whatworks.web import fields, guards, http, identity, pages

doors = http.Doors("Billing")
site = Blueprint("billing", __name__)


class NewCheckout(msgspec.Struct):
    """What to buy at Stripe, once or as a subscription."""

    product: fields.Id
    email: fields.Email | None = None
    coupon_code: fields.Id | None = None
    currency: fields.Currency | None = None


class CheckoutAnswer(msgspec.Struct):
    """Where to pay."""

    url: str
    session_id: str
    order_id: str
    success: Literal[True] = True


class PortalAnswer(msgspec.Struct):
    """Where a subscriber manages cards and invoices."""

    url: str
    success: Literal[True] = True


@doors.door(
    "POST",
    "/api/billing/create-checkout",
    body=NewCheckout,
    answer=CheckoutAnswer,
    errors=(400, 401, 404, 409, 415, 429, 503),
    private=False,
)
@guards.limiter.limit(guards.CREATE_ORDER)
def create_checkout(body: NewCheckout) -> Response:
    """Open a Stripe Checkout session."""
    opened = checkout.open_order(
        http.platform().shop,
        shop_doors.buyer(body.email),
        body.product,
        coupon_code=body.coupon_code,
        currency=body.currency,
        attempt=shop_doors.attempt(),
        gateway="stripe",
    )
    order = opened.order
    address = http.platform().settings.address
    url = order.payment_url or f"{address}/order/{order.id}"  # nothing to pay
    response = http.reply(CheckoutAnswer(url, order.gateway_id or order.id, order.id))
    if opened.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


@doors.door("POST", "/api/billing/portal", answer=PortalAnswer, errors=(401, 404, 409, 429, 503))
@guards.limiter.limit(guards.CREATE_ORDER)
def portal() -> PortalAnswer:
    """Where the caller manages cards and invoices at Stripe."""
    caller = identity.credential()
    if caller is None:
        raise errors.NotFound("There is nothing at this address.")
    return PortalAnswer(checkout.portal_url(http.platform().shop, caller.user_id))


@site.get("/api/billing/success")
def success() -> Response:
    """The way back from Stripe, to the order."""
    platform = http.platform()
    order = checkout.returned_stripe(platform.shop, request.args.get("session_id", ""))
    return pages.go(links.order_path(platform.settings.secret_key, order.id))


@site.get("/api/billing/cancel")
def cancel() -> Response:
    """Back without paying."""
    product = quote(request.args.get("product", "")[:60])
    return pages.go(f"/buy?product={product}" if product else "/pricing", "Nothing was paid.")
