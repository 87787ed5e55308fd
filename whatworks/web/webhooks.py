"""Where gateways write to. Their signature is looked at before anything else."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint, Response, request

from whatworks import checkout
from whatworks.web import guards, http

site = Blueprint("webhooks", __name__)


class Received(msgspec.Struct):
    """The letter is kept, once. `result` says what it did."""

    id: str
    result: str | None
    success: Literal[True] = True


@site.post("/webhook")
@guards.limiter.limit(guards.PROVIDER)
def razorpay() -> Response:
    """Razorpay's webhook."""
    return _receive("razorpay")


@site.post("/webhook/stripe")
@guards.limiter.limit(guards.PROVIDER)
def stripe() -> Response:
    """Stripe's webhook."""
    return _receive("stripe")


def _receive(gateway: str) -> Response:
    headers = dict(request.headers)  # a name sent twice counts once, the last time
    letter = checkout.receive(http.platform().shop, gateway, request.get_data(), headers)
    return http.reply(Received(letter.id, letter.result))
