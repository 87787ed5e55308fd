"""What Razorpay's objects say, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from whatworks import clock
from whatworks.gateways import kinds
from whatworks.people import addresses
from whatworks.store import ledger
from whatworks.store.inbox import News
from whatworks.store.ledger import Fact, Snapshot
from whatworks.store.orders import Order
from whatworks.store.subscriptions import Told

T = TypeVar("T")
STATES: Final = {
    "created": "incomplete",
    "authenticated": "incomplete",
    "active": "active",
    "pending": "past_due",
    "halted": "unpaid",
    "paused": "paused",
    "cancelled": "canceled",
    "completed": "canceled",
    "expired": "incomplete_expired",
}
NOBODY: Final = "void@razorpay.com"  # it writes this where no address was given
INQUIRY: Final = "retrieval"  # a bank only asks, and the money is here
DISPUTES: Final = {"won": "dispute_won", "lost": "dispute_lost"}


class Payment(msgspec.Struct):
    """A payment; amounts in the smallest unit."""

    id: kinds.Name
    amount: kinds.Amount
    currency: kinds.Name
    status: str
    created_at: kinds.Moment
    order_id: kinds.Name | None = None
    amount_refunded: kinds.Amount | None = 0
    email: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether its money came, be it here still or not."""
        return self.status in ("captured", "refunded")

    def waits_for(self, order: Order) -> bool:
        """Whether a bank agreed to just what an order costs, and nobody has taken it yet."""
        is_right = (self.amount, self.currency) == (order.amount, order.currency)
        return self.status == "authorized" and is_right

    @property
    def left(self) -> int:
        """What of it has not gone back."""
        return self.amount - (self.amount_refunded or 0)


class Dispute(msgspec.Struct):
    """A bank asks for a payment, and decides."""

    id: kinds.Name
    payment_id: kinds.Name
    status: str
    created_at: kinds.Moment
    phase: str | None = None


class Refund(msgspec.Struct):
    """Money of a payment on its way back."""

    id: kinds.Name
    payment_id: kinds.Name
    amount: kinds.Amount | None = None
    status: str | None = None
    created_at: kinds.Moment = 0

    @property
    def is_failed(self) -> bool:
        """Whether it did not arrive: its money is here again."""
        return self.status == "failed"


class _Subscription(msgspec.Struct):
    id: kinds.Name
    status: str
    customer_id: kinds.Name | None = None
    current_start: kinds.Moment | None = None
    current_end: kinds.Moment | None = None
    ended_at: kinds.Moment | None = None


class _Order(msgspec.Struct):
    id: kinds.Name
    receipt: kinds.Name | None = None


class _OfOrder(msgspec.Struct):
    order_id: kinds.Name | None = None


def of_letter(letter: dict[str, Any]) -> News:
    """What a webhook says. Raises ValidationError and others for one of another shape."""
    event, payload = str(letter.get("event", "")), letter.get("payload") or {}
    orders = _order_names(payload)
    if event.startswith("payment.dispute."):
        return of_dispute(_entity(payload, "dispute", Dispute), orders)
    if event in ("payment.authorized", "payment.captured", "payment.failed", "order.paid"):
        return of_payment(_entity(payload, "payment", Payment), orders)
    if event == "refund.processed":
        return of_payment(_entity(payload, "payment", Payment), orders)
    if event == "refund.failed":
        at = msgspec.convert(letter.get("created_at") or 0, kinds.Moment)
        return _failed_refund(_entity(payload, "refund", Refund), orders, float(at))
    if event.startswith("subscription."):
        told = _entity(payload, "subscription", _Subscription)
        at = msgspec.convert(letter.get("created_at") or 0, kinds.Moment)
        return News(subscription=_told(told, float(at)))
    return News()


def _entity(payload: dict[str, Any], name: str, kind: type[T]) -> T:
    return msgspec.convert((payload.get(name) or {}).get("entity"), kind)


def _order_names(payload: dict[str, Any]) -> tuple[str, ...]:
    names: list[str] = []
    if "order" in payload:
        order = _entity(payload, "order", _Order)
        names += [order.id, order.receipt or ""]
    if "payment" in payload:
        names.append(_entity(payload, "payment", _OfOrder).order_id or "")
    return tuple(name for name in names if name)


def of_payment(payment: Payment, orders: tuple[str, ...] = ()) -> News:
    """What a payment says; `orders` are further names of its order."""
    named = (payment.order_id,) if payment.order_id else ()
    return News(
        orders=tuple(dict.fromkeys((*named, *orders))),
        payment_id=payment.id,
        facts=tuple(_facts(payment)),
        email=addresses.find(payment.email) if payment.email != NOBODY else None,
    )


def _facts(payment: Payment) -> Iterator[Fact]:
    at, money = float(payment.created_at), (payment.amount, payment.currency.upper())
    if payment.is_taken:
        yield ledger.paid(payment.id, at, *money)
    elif payment.status == "authorized":
        yield ledger.authorized(payment.id, at, *money)
    elif payment.status == "failed":
        yield ledger.failed(payment.id, at)
    if payment.amount_refunded:
        # When it went back is not said; what counts is that it did.
        yield ledger.refunded(payment.id, clock.timestamp(), payment.amount_refunded, money[1])


def of_undone(payment: Payment, refunds: list[Refund]) -> Iterator[News]:
    """Refunds of a payment that failed, unless all of it is on its way by others.

    When they failed is not said. One that was made again since has to stay good.
    """
    mine = [one for one in refunds if one.payment_id == payment.id]
    going = sum(one.amount or 0 for one in mine if not one.is_failed)
    names = (payment.order_id,) if payment.order_id else ()
    if going < payment.amount:
        for one in mine:
            if one.is_failed:
                yield _failed_refund(one, names, clock.timestamp())


def _failed_refund(refund: Refund, orders: tuple[str, ...], at: float) -> News:
    fact = ledger.refund_failed(refund.payment_id, refund.id, at)
    return News(orders=orders, payment_id=refund.payment_id, facts=(fact,))


def of_dispute(dispute: Dispute, orders: tuple[str, ...] = ()) -> News:
    """What a dispute says; `orders` are names of the order it is about."""
    kind = DISPUTES.get(dispute.status, "disputed")
    if kind == "disputed" and dispute.phase == INQUIRY and dispute.status != "closed":
        return News()
    if dispute.status == "closed":  # it ended without saying against whom
        kind = "dispute_won"
    fact = ledger.disputed(kind, dispute.id, dispute.payment_id, float(dispute.created_at))
    return News(orders=orders, payment_id=dispute.payment_id, facts=(fact,))


def _told(told: _Subscription, at: float) -> Told:
    snapshot = Snapshot(
        key=f"{told.id}:{told.status}:{told.current_end}:{at}",
        at=at,
        status=STATES.get(told.status, "incomplete"),
        period_start=told.current_start,
        period_end=told.current_end,
        ended_at=told.ended_at,
    )
    return Told("razorpay", told.id, None, None, snapshot)
