"""Orders as they are stored, and their history. What they amount to is `settlement`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Email, OrderEvent
from whatworks.models import Order as Row
from whatworks.people import addresses
from whatworks.store import entitlements
from whatworks.store.ledger import Fact

OPEN: Final = ("created", "failed")
PAID: Final = ("paid", "fulfilled")


@dataclass(frozen=True, slots=True)
class Order:
    """An order as stored. Old rows may lack anything; amounts are in the smallest unit."""

    id: str
    gateway: str  # razorpay | stripe; "" when there was nothing to pay
    gateway_id: str | None
    payment_url: str | None
    user_id: str | None
    email: str | None
    product: str
    plan: str
    days: int | None  # None: as long as its subscription runs; 0: for good
    amount: int
    currency: str
    list_price: int
    coupon_code: str | None
    receipt: str
    status: str  # created | paid | fulfilled | failed | refunded | disputed
    # amount | currency | paid_twice | refund_failed | refund_unheard | no_buyer | no_subscription
    held: str | None
    held_at: float | None
    created_at: float | None
    paid_at: float | None
    attempt_hash: str | None
    next_check_at: float | None
    alerted_at: float | None
    receipt_sent_at: float | None

    @property
    def is_open(self) -> bool:
        """Whether it may still be paid."""
        return self.status in OPEN

    @property
    def is_paid(self) -> bool:
        """Whether its money is here."""
        return self.status in PAID

    @property
    def is_subscription(self) -> bool:
        """Whether it began a subscription, which then says what it gives."""
        return self.days is None

    @property
    def holder(self) -> str | None:
        """Who holds what it gives: a user_id, or the mark of an address; None: nobody knows."""
        return entitlements.holder_of(self.user_id, self.email)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an order's history."""

    id: str
    key: str
    kind: str
    at: float
    recorded_at: float
    source: str
    actor_id: str | None
    payment_id: str | None
    amount: int | None
    currency: str | None
    reference: str | None


COLUMNS: Final = select(
    Row.id,
    Row.gateway,
    Row.gateway_id,
    Row.payment_url,
    Row.user_id,
    Row.email,
    Row.product,
    Row.plan,
    Row.days,
    Row.amount,
    Row.currency,
    Row.list_price,
    Row.coupon_code,
    Row.receipt,
    Row.status,
    Row.held,
    Row.held_at,
    Row.created_at,
    Row.paid_at,
    Row.attempt_hash,
    Row.next_check_at,
    Row.alerted_at,
    Row.receipt_sent_at,
)
BY_ID: Final = COLUMNS.where(Row.id == bindparam("id"))
_GET: Final = db.Query(BY_ID)
_LOCK: Final = db.Query(BY_ID.with_for_update())
_BY_GATEWAY_ID: Final = db.Query(COLUMNS.where(Row.gateway_id == bindparam("id")))
_OF_PAYMENT: Final = db.Query(
    select(OrderEvent.order_id).where(OrderEvent.payment_id == bindparam("payment_id")).limit(1)
)
_EVENTS: Final = db.Query(
    select(
        OrderEvent.id,
        OrderEvent.key,
        OrderEvent.kind,
        OrderEvent.at,
        OrderEvent.recorded_at,
        OrderEvent.source,
        OrderEvent.actor_id,
        OrderEvent.payment_id,
        OrderEvent.amount,
        OrderEvent.currency,
        OrderEvent.reference,
    )
    .where(OrderEvent.order_id == bindparam("order_id"))
    .order_by(OrderEvent.id)
)
_APPEND: Final = db.Query(insert(OrderEvent))
_SOLD: Final = db.Query(
    select(Row.product).where(Row.status.in_(PAID)).distinct().order_by(Row.product)
)
_OF_PERSON: Final = db.Query(
    COLUMNS.where(
        or_(
            Row.user_id == bindparam("user_id"),
            Row.email.in_(
                select(Email.email).where(
                    Email.user_id == bindparam("the_user"), Email.verified_at.is_not(None)
                )
            ),
        )
    ).order_by(Row.created_at.desc(), Row.id.desc())
)


def get(session: db.Session, order_id: str) -> Order:
    """An order by its own id or its gateway's. Raises NotFound."""
    found = find(session, order_id)
    if found is None:
        raise not_found()
    return found


def get_locked(session: db.Session, order_id: str) -> Order:
    """An order by its own id, which nobody else changes until the commit. Raises NotFound."""
    row = session.first(_LOCK, id=order_id)
    if row is None:
        raise not_found()
    return from_row(row)


def find(session: db.Session, order_id: str) -> Order | None:
    """An order by its own id or its gateway's, if there is one."""
    row = session.first(_GET, id=order_id) or session.first(_BY_GATEWAY_ID, id=order_id)
    return None if row is None else from_row(row)


def find_by_payment(session: db.Session, payment_id: str) -> Order | None:
    """The order that a payment was for, once its facts say so."""
    found = session.value(_OF_PAYMENT, payment_id=payment_id)
    return None if found is None else find(session, str(found))


def list_events(session: db.Session, order_id: str) -> list[Event]:
    """What happened to an order, as it was recorded."""
    return [Event(*row) for row in session.all(_EVENTS, order_id=order_id)]


def list_facts(session: db.Session, order_id: str) -> list[Fact]:
    """What happened to an order, as the ledger reads it."""
    return [
        Fact(e.kind, e.key, e.at, e.payment_id or "", e.amount or 0, e.currency or "", e.reference)
        for e in list_events(session, order_id)
    ]


def list_for(session: db.Session, user_id: str) -> list[Order]:
    """Everything somebody ordered, themselves or with the address they proved; newest first."""
    return [from_row(row) for row in session.all(_OF_PERSON, user_id=user_id, the_user=user_id)]


def list_sold(session: db.Session) -> list[str]:
    """The products of all orders whose money is here."""
    rows = session.all(_SOLD)
    return [row.product for row in rows if isinstance(row.product, str)]


def search(
    session: db.Session,
    text: str = "",
    status: str | None = None,
    *,
    limit: int = 50,
    before: float | None = None,
) -> list[Order]:
    """Orders for operators, newest first: those that `wanted` names."""
    named = wanted(text, status)
    if before is not None:
        named.append(Row.created_at < before)
    newest = COLUMNS.where(*named).order_by(Row.created_at.desc(), Row.id.desc()).limit(limit)
    return [from_row(row) for row in session.all(newest)]


def wanted(text: str = "", status: str | None = None) -> list[ColumnElement[bool]]:
    """What operators look for: a number, payment, address or product; everything for "".

    `status` is one of an order's, or `held`.
    """
    found: list[ColumnElement[bool]] = []
    if text := text.strip():
        paid = select(OrderEvent.order_id).where(OrderEvent.payment_id == text)
        named = (Row.id == text, Row.gateway_id == text, Row.receipt == text, Row.product == text)
        typed = addresses.find(text) or text.casefold()
        found.append(or_(*named, Row.email == typed, Row.id.in_(paid)))
    if status == "held":
        found.append(Row.held.is_not(None))
    elif status:
        found.append(Row.status == status)
    return found


def note(
    session: db.Session,
    order_id: str,
    kind: str,
    source: str,
    *,
    actor_id: str | None = None,
    reference: str | None = None,
) -> None:
    """Append something that happened and changes nothing, such as a download."""
    fact = Fact(kind, f"{kind}:{clock.new_id()}", clock.timestamp(), reference=reference)
    append(session, order_id, fact, source, actor_id=actor_id)


def append(
    session: db.Session, order_id: str, fact: Fact, source: str, *, actor_id: str | None = None
) -> None:
    """One more line of history; the caller has seen that its key is new."""
    session.run(
        _APPEND,
        order_id=order_id,
        id=clock.new_id(),
        key=fact.key,
        kind=fact.kind,
        at=fact.at,
        recorded_at=clock.timestamp(),
        source=source,
        actor_id=actor_id,
        payment_id=fact.payment_id or None,
        amount=fact.amount,
        currency=fact.currency,
        reference=fact.reference,
    )


def matches_email(order: Order, typed: str) -> bool:
    """Whether an address is that of the order, in a time that tells nothing."""
    there = (order.email or "").encode(errors="replace")
    ways = addresses.find(typed) or "", typed.strip().casefold()  # the second is the old shop's
    right = [hmac.compare_digest(there, given.encode(errors="replace")) for given in ways]
    return any(right) and bool(there)


def not_found() -> errors.NotFound:
    """There is none, or it is not theirs."""
    return errors.NotFound("There is no such order.", code="order_not_found")


def from_row(row: Any) -> Order:
    """An order as stored; whatever old rows hold, nothing stumbles over it."""
    return Order(
        id=row.id,
        gateway=_text(row.gateway),
        gateway_id=row.gateway_id,
        payment_url=row.payment_url,
        user_id=row.user_id,
        email=row.email,
        product=_text(row.product),
        plan=_text(row.plan),
        days=row.days,
        amount=_count(row.amount),
        currency=_text(row.currency),
        list_price=_count(row.list_price),
        coupon_code=row.coupon_code,
        receipt=_text(row.receipt) or row.id,
        status=_text(row.status) or "created",
        held=row.held,
        held_at=row.held_at,
        created_at=_time(row.created_at),
        paid_at=_time(row.paid_at),
        attempt_hash=row.attempt_hash,
        next_check_at=row.next_check_at,
        alerted_at=row.alerted_at,
        receipt_sent_at=row.receipt_sent_at,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e11 else None
