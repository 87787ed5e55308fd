"""An order as JSON, and what its buyer is to do next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from whatworks import clock
from whatworks.store import ledger
from whatworks.store.ledger import Fact
from whatworks.store.orders import Order

State = Literal["ready", "waiting", "action", "closed"]
SAYS: Final[dict[str, tuple[State, str]]] = {
    "fulfilled": ("ready", "Paid and ready."),
    "paid": ("waiting", "Paid. We are getting it ready; the seller has been told."),
    "failed": ("action", "The last try to pay did not work. You can try again."),
    "created": ("action", "Not paid yet."),
    "refunded": ("closed", "Refunded. What it had opened is closed again."),
    "disputed": ("closed", "Your bank is looking into this payment; until then it is closed."),
}
OF_PLAN: Final = {
    "refunded": "Refunded. The page of your subscription says whether your plan is open.",
    "disputed": (
        "Your bank is looking into this payment; the page of your subscription says whether your"
        " plan is open."
    ),
}
LOST: Final = "Your bank took this payment back, so it is closed."
HELD: Final = (
    "Money has arrived, but something does not fit. The seller has been told and will mend it."
)
TWICE: Final = (
    "Paid and ready. It was paid twice: the seller has been told to send the second payment back."
)
WAITING: Final = "Waiting for the bank. This can take a minute; you need not pay again."


class Next(msgspec.Struct):
    """What the buyer is to do: `ready`, `waiting`, `action` (pay) or `closed`."""

    state: State
    message: str


class OrderAnswer(msgspec.Struct):
    """An order. `id` is the gateway's name of it, `order_id` ours; the address is masked.

    `refunded` is how much of `amount` has gone back.
    """

    id: str
    order_id: str
    status: str
    product: str
    amount: int
    currency: str
    receipt: str
    email: str
    created_at: str | None
    paid_at: str | None
    refunded: int
    held: str | None
    next: Next
    success: Literal[True] = True


def present(order: Order, facts: Iterable[Fact]) -> OrderAnswer:
    """An order as JSON, by what happened to it."""
    known = tuple(facts)
    return OrderAnswer(
        id=order.gateway_id or order.id,
        order_id=order.id,
        status=order.status,
        product=order.product,
        amount=order.amount,
        currency=order.currency,
        receipt=order.receipt,
        email=masked(order.email),
        created_at=clock.rfc3339(order.created_at),
        paid_at=clock.rfc3339(order.paid_at),
        refunded=ledger.given_back(order.amount, known),
        held=order.held,
        next=what_next(order, is_awaited=ledger.is_awaited(known), is_lost=ledger.is_lost(known)),
    )


def what_next(order: Order, *, is_awaited: bool = False, is_lost: bool = False) -> Next:
    """What to tell the buyer. `is_awaited`: a bank was asked, so its word is waited for.

    `is_lost`: a bank has decided for the buyer.
    """
    is_asked_back = order.held == "refund_unheard" and order.is_open  # money that did not fit
    if order.held in ("amount", "currency", "no_buyer") or is_asked_back:
        return Next("waiting", HELD)
    if order.held == "no_subscription" or (is_awaited and order.is_open):
        return Next("waiting", WAITING)
    state, message = SAYS.get(order.status, ("closed", f"This order is {order.status}."))
    if order.status == "paid" and order.held is None:  # the old shop's; nothing is missing
        state, message = SAYS["fulfilled"]
    if order.is_subscription:  # which gives what it gives until it ends
        message = OF_PLAN.get(order.status, message)
    elif order.status == "disputed" and is_lost:
        message = LOST
    return Next(state, TWICE if order.held == "paid_twice" else message)


def masked(email: str | None) -> str:
    """An address that its owner knows again and nobody else learns.

    >>> masked("asha@example.com")
    'a***@example.com'
    """
    name, at, host = (email or "").partition("@")
    return f"{name[:1]}***{at}{host}" if at else ""
