"""Paid orders whose money goes back, in the dashboards or at the desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine

from tests import outbox
from tests.tills import Till


def of_each(till: Till) -> dict[str, str]:
    """A paid order at each gateway, and its payment."""
    at_razorpay, at_stripe = till.order(), till.checkout()
    payment = till.razorpay.pay(at_razorpay["id"])["id"]
    intent = till.stripe.pay(at_stripe["session_id"])["payment_intent"]
    till.deliver()
    return {at_razorpay["order_id"]: payment, at_stripe["order_id"]: intent}


def give_back(till: Till, paid: dict[str, str], amount: int | None = None) -> None:
    """Refunds in both dashboards, of all or of so much."""
    at_razorpay, at_stripe = paid.values()
    till.razorpay.give_back(at_razorpay, amount)
    till.stripe.give_back(at_stripe, amount)


def switch(till: Till, way: str) -> None:
    """What both gateways do with refunds from now on."""
    till.razorpay.switches.no_refunds = till.stripe.switches.no_refunds = way


def minutes(number: float) -> time_machine.travel:
    """So much later."""
    return time_machine.travel(datetime.now(UTC) + timedelta(minutes=number))


def refund_mails(till: Till) -> list[str]:
    """What buyers were told of money that goes back."""
    return outbox.about(till.app, "your money is on its way back")
