"""Ordering: from what somebody wants to an order that a gateway takes money for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors, idempotency
from whatworks.models import Order as Row
from whatworks.store import coupons, orders
from whatworks.store.ledger import Fact
from whatworks.store.orders import Order
from whatworks.store.products import Product

FIRST_CHECK: Final = 300.0
NO_GATEWAY: Final = "payment_gateway_not_configured"
_LATER: Final = (  # columns that only what happens later fills
    "paid_at",
    "gateway_id",
    "payment_url",
    "held",
    "held_at",
    "next_check_at",
    "alerted_at",
    "receipt_sent_at",
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys: somebody signed in, an address, or for now nobody we know."""

    user_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What makes a repeated request the same one: hashes of its key and of the request."""

    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to buy, and for how much."""

    product: Product
    currency: str
    price: int
    coupon_code: str | None
    gateway: str  # who is to take the money
    is_set: bool = True  # whether they can


_BY_ATTEMPT: Final = db.Query(orders.COLUMNS.where(Row.attempt == bindparam("attempt")))
_INSERT: Final = db.Query(insert(Row).on_conflict_do_nothing())
_ATTACH: Final = db.Query(
    update(Row)
    .where(Row.id == bindparam("the_id"), Row.gateway_id.is_(None))
    .values(
        gateway_id=bindparam("gateway_id"),
        payment_url=bindparam("payment_url"),
        next_check_at=bindparam("next_check_at"),
    )
)


def attempt(key: idempotency.Key) -> Attempt:
    """The attempt that an Idempotency-Key stands for."""
    named = f"{key.caller} {key.key_hash}".encode()
    return Attempt(hashlib.sha256(named).hexdigest(), key.request_hash)


def begin(
    session: db.Session, buyer: Buyer, draft: Draft, attempt: Attempt | None
) -> tuple[Order, bool]:
    """A new order that the gateway has yet to hear of, and whether it is new.

    The same attempt again is the same order. Raises Conflict (the attempt came with another
    request) and Invalid (the coupon).
    """
    try:
        coupon = coupons.get_usable(session, draft.coupon_code) if draft.coupon_code else None
    except errors.Invalid:  # the same attempt may itself have used the coupon up, just now
        if attempt is not None and (earlier := find_attempt(session, attempt)) is not None:
            return earlier, False
        raise
    amount = coupon.reduced(draft.price) if coupon else draft.price
    if amount and not draft.is_set:
        raise no_gateway(draft.gateway)
    if not amount and not (buyer.user_id or buyer.email):
        raise errors.Invalid(
            "Give the e-mail address to which we send it.", fields={"email": "an e-mail address"}
        )
    order_id = clock.new_id()
    price = _Price(amount, coupon.code if coupon else None)
    if not _insert(session, order_id, buyer, draft, price, attempt):
        return _earlier(session, attempt), False
    if coupon:
        coupons.take(session, coupon, order_id)
    created = Fact("created", "created", clock.timestamp())
    orders.append(session, order_id, created, "buyer", actor_id=buyer.user_id)
    return orders.get(session, order_id), True


@dataclass(frozen=True, slots=True)
class _Price:
    """What is left to pay, and by which coupon."""

    amount: int
    coupon_code: str | None


def _insert(
    session: db.Session,
    order_id: str,
    buyer: Buyer,
    draft: Draft,
    price: _Price,
    attempt: Attempt | None,
) -> bool:
    product = draft.product
    inserted = session.run(
        _INSERT,
        id=order_id,
        amount=price.amount,
        currency=draft.currency,
        receipt=order_id,
        product=product.key,
        status="created",
        created_at=clock.timestamp(),
        gateway=draft.gateway if price.amount else "",
        user_id=buyer.user_id,
        email=buyer.email,
        list_price=draft.price,
        coupon_code=price.coupon_code,
        plan=product.plan,
        days=None if product.is_subscription else product.days,
        attempt=attempt.key if attempt else None,
        attempt_hash=attempt.request_hash if attempt else None,
        **dict.fromkeys(_LATER),
    )
    return bool(inserted)


def no_gateway(gateway: str) -> errors.Unavailable:
    """Nobody is set who could take the money; says which setting is missing."""
    setting = {"stripe": "WHATWORKS_STRIPE_SECRET_KEY"}.get(gateway, "WHATWORKS_RAZORPAY_KEY_ID")
    return errors.Unavailable(
        f"Payments are not set up yet: {setting} is missing.",
        code=NO_GATEWAY,
        details={"setting": setting},
        retry_after=3600,
    )


def find_attempt(session: db.Session, attempt: Attempt) -> Order | None:
    """The order that the same attempt made before. Raises Conflict."""
    if session.first(_BY_ATTEMPT, attempt=attempt.key) is None:
        return None
    return _earlier(session, attempt)


def _earlier(session: db.Session, attempt: Attempt | None) -> Order:
    row = session.first(_BY_ATTEMPT, attempt=attempt.key if attempt else "")
    if row is None:
        raise db.Repeat
    order = orders.from_row(row)
    if attempt is None or order.attempt_hash != attempt.request_hash:
        raise errors.Conflict(
            "This Idempotency-Key was used for another request; choose a new one.",
            code="idempotency_key_reused",
        )
    return order


def attach(
    session: db.Session, order_id: str, gateway_id: str, payment_url: str | None = None
) -> Order:
    """The gateway knows the order by this name now; the first name stays."""
    now = clock.timestamp()
    attached = session.run(
        _ATTACH,
        the_id=order_id,
        gateway_id=gateway_id,
        payment_url=payment_url,
        next_check_at=now + FIRST_CHECK,
    )
    if attached:
        fact = Fact("attached", "attached", now, reference=gateway_id)
        orders.append(session, order_id, fact, "buyer")
    return orders.get(session, order_id)
