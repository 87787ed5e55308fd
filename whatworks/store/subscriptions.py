"""Subscriptions: what a gateway says of them, and the plan that follows from that.

As with orders: `record` appends what is new and sets row and grant to what all that is known says,
so that the order in which gateways tell things does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.models import Email, SubscriptionEvent
from whatworks.models import Subscription as Row
from whatworks.store import entitlements, ledger, orders, settlement
from whatworks.store.entitlements import Held
from whatworks.store.ledger import Snapshot
from whatworks.store.orders import Order

OLD_STATES: Final = {"CANCELLED": "canceled", "EXPIRED": "canceled"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as stored. Old rows may lack anything; times are epoch seconds."""

    id: str
    gateway: str
    gateway_id: str | None
    customer_id: str | None
    user_id: str | None
    email: str | None
    order_id: str | None
    product: str | None
    plan: str
    status: str  # incomplete trialing active past_due unpaid paused canceled incomplete_expired
    period_start: float | None
    period_end: float | None
    cancel_at_period_end: bool
    created_at: float | None
    ended_at: float | None

    @property
    def is_running(self) -> bool:
        """Whether it gives its plan and will be charged again or has just failed to be."""
        return self.status in (*ledger.RUNNING, "past_due")

    @property
    def holder(self) -> str | None:
        """Who holds what it gives; None: nobody knows."""
        return entitlements.holder_of(self.user_id, self.email)

    def is_open(self, now: float) -> bool:
        """Whether it runs, and was not cancelled for a moment that is past."""
        is_over = self.cancel_at_period_end and (self.period_end or now) < now
        return self.is_running and not is_over


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway said of one of its subscriptions."""

    gateway: str
    gateway_id: str
    customer_id: str | None
    order_id: str | None  # the order that began it
    snapshot: Snapshot
    email: str | None = None


_COLUMNS: Final = select(
    Row.id,
    Row.provider,
    Row.stripe_subscription_id,
    Row.razorpay_subscription_id,
    Row.stripe_customer_id,
    Row.user_id,
    Row.email,
    Row.order_id,
    Row.product,
    Row.tier,
    Row.status,
    Row.current_period_start,
    Row.current_period_end,
    Row.cancel_at_period_end,
    Row.created_at,
    Row.cancelled_at,
)
_LOCK: Final = db.Query(_COLUMNS.where(Row.id == bindparam("id")).with_for_update())
_BY_GATEWAY_ID: Final = db.Query(
    _COLUMNS.where(
        or_(
            Row.stripe_subscription_id == bindparam("id"),
            Row.razorpay_subscription_id == bindparam("id"),
            Row.id == bindparam("id"),
        )
    ).order_by(Row.created_at, Row.id)
)
_OF_ORDER: Final = db.Query(
    _COLUMNS.where(Row.order_id == bindparam("order_id")).order_by(Row.created_at, Row.id)
)
_OF_PERSON: Final = db.Query(
    _COLUMNS.where(
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
_RUNNING: Final = db.Query(
    _COLUMNS.where(
        Row.stripe_subscription_id.is_not(None),
        Row.status.in_([*ledger.RUNNING, "past_due", "ACTIVE", "PAST_DUE"]),
        Row.current_period_end < bindparam("before"),
    )
    .order_by(Row.current_period_end)
    .limit(bindparam("limit"))
)
_INSERT: Final = db.Query(insert(Row).on_conflict_do_nothing())
_SET: Final = db.Query(
    update(Row)
    .where(Row.id == bindparam("the_id"))
    .values(
        tier=bindparam("tier"),
        status=bindparam("status"),
        product=bindparam("product"),
        current_period_start=bindparam("period_start"),
        current_period_end=bindparam("period_end"),
        cancel_at_period_end=bindparam("cancel_at_period_end"),
        cancelled_at=bindparam("cancelled_at"),
        stripe_customer_id=bindparam("customer_id"),
        user_id=bindparam("user_id"),
        email=bindparam("email"),
        order_id=bindparam("order_id"),
    )
)
_EVENTS: Final = db.Query(
    select(
        SubscriptionEvent.key,
        SubscriptionEvent.at,
        SubscriptionEvent.status,
        SubscriptionEvent.product,
        SubscriptionEvent.plan,
        SubscriptionEvent.period_start,
        SubscriptionEvent.period_end,
        SubscriptionEvent.cancel_at_period_end,
        SubscriptionEvent.ended_at,
    )
    .where(SubscriptionEvent.subscription_id == bindparam("subscription_id"))
    .order_by(SubscriptionEvent.id)
)
_APPEND: Final = db.Query(insert(SubscriptionEvent))


def record(session: db.Session, told: Told, source: str) -> Subscription:
    """Take in what a gateway said; the plan it gives becomes what all that is known says."""
    known = _ensure(session, told)
    snapshots = list_snapshots(session, known.id)
    if _is_news(told.snapshot, snapshots, source):
        _append(session, known.id, told.snapshot, source)
        snapshots.append(told.snapshot)
    settled = settle(session, _joined(session, known, told), snapshots)
    if settled.order_id is not None and orders.find(session, settled.order_id) is not None:
        settlement.record(session, settled.order_id, (), source)  # it may have waited for this
    return settled


def assign(session: db.Session, order_id: str, email: str, actor_id: str | None) -> Order:
    """Give an order to another address, and the subscription that it began."""
    order = settlement.assign(session, order_id, email, actor_id)
    begun = find_of_order(session, order.id)
    row = session.first(_LOCK, id=begun.id) if begun else None
    if row is not None and (snapshots := list_snapshots(session, row.id)):
        settle(session, replace(_from(row), email=email, user_id=None), snapshots)
    return order


def settle(session: db.Session, known: Subscription, snapshots: list[Snapshot]) -> Subscription:
    """Set a subscription and its grant to what its snapshots say; the caller holds its row."""
    now = ledger.current(snapshots)
    after = replace(
        known,
        plan=now.plan or known.plan,
        product=now.product or known.product,
        status=now.status,
        period_start=now.period_start,
        period_end=now.period_end,
        cancel_at_period_end=now.cancel_at_period_end,
        ended_at=now.ended_at,
    )
    session.run(
        _SET,
        the_id=after.id,
        tier=after.plan,
        status=after.status,
        product=after.product,
        period_start=after.period_start,
        period_end=after.period_end,
        cancel_at_period_end=int(after.cancel_at_period_end),
        cancelled_at=after.ended_at,
        customer_id=after.customer_id,
        user_id=after.user_id,
        email=after.email,
        order_id=after.order_id,
    )
    entitlements.sync(session, after.id, _due(after, snapshots))
    return after


def list_snapshots(session: db.Session, subscription_id: str) -> list[Snapshot]:
    """What was ever said of a subscription, as it was recorded."""
    rows = session.all(_EVENTS, subscription_id=subscription_id)
    return [
        Snapshot(**{**row._asdict(), "cancel_at_period_end": bool(row.cancel_at_period_end)})
        for row in rows
    ]


def list_for(session: db.Session, user_id: str) -> list[Subscription]:
    """Somebody's subscriptions, of their own and of the address they proved; newest first."""
    return [_from(row) for row in session.all(_OF_PERSON, user_id=user_id, the_user=user_id)]


def list_running(session: db.Session, user_id: str) -> list[Subscription]:
    """The subscriptions somebody has now; first those that will be paid again."""
    now = clock.timestamp()
    mine = [one for one in list_for(session, user_id) if one.is_open(now)]
    return sorted(mine, key=lambda one: one.cancel_at_period_end)


def find_running(session: db.Session, user_id: str) -> Subscription | None:
    """The subscription somebody pays now, if any."""
    return next((one for one in list_running(session, user_id) if one.gateway_id), None)


def find(session: db.Session, gateway_id: str) -> Subscription | None:
    """A subscription by its gateway's id or its own, if there is one."""
    row = session.first(_BY_GATEWAY_ID, id=gateway_id)
    return None if row is None else _from(row)


def find_of_order(session: db.Session, order_id: str) -> Subscription | None:
    """The subscription that an order began, if there is one."""
    row = session.first(_OF_ORDER, order_id=order_id)
    return None if row is None else _from(row)


def list_lapsing(session: db.Session, before: float, limit: int = 200) -> list[Subscription]:
    """Subscriptions that should have been renewed by now, as far as we were told."""
    return [_from(row) for row in session.all(_RUNNING, before=before, limit=limit)]


def _ensure(session: db.Session, told: Told) -> Subscription:
    """The row of a gateway's subscription, held until the transaction ends; made when new."""
    known = find(session, told.gateway_id)
    if known is None:
        session.run(
            _INSERT,
            id=told.gateway_id,  # so that of two that are told at once one makes the row
            receipt=None,
            tier=told.snapshot.plan,
            billing_cycle=None,
            amount_paise=None,
            status=told.snapshot.status,
            current_period_start=None,
            current_period_end=None,
            provider=told.gateway,
            stripe_subscription_id=told.gateway_id if told.gateway == "stripe" else None,
            stripe_customer_id=told.customer_id,
            razorpay_subscription_id=told.gateway_id if told.gateway == "razorpay" else None,
            created_at=clock.timestamp(),
            cancelled_at=None,
            cancellation_reason=None,
            user_id=None,
            email=None,
            order_id=None,
            product=told.snapshot.product,
            cancel_at_period_end=0,
        )
    row = session.first(_LOCK, id=known.id if known else told.gateway_id)
    if row is None:
        raise db.Repeat
    return _from(row)


def _joined(session: db.Session, known: Subscription, told: Told) -> Subscription:
    """Whose it is: what the row says, else the order that began it, else the payer's address."""
    order = orders.find(session, told.order_id or known.order_id or "")
    return replace(
        known,
        customer_id=told.customer_id or known.customer_id,
        order_id=known.order_id or (order.id if order else None),
        user_id=known.user_id or (order.user_id if order else None),
        email=known.email or (order.email if order else None) or told.email,
    )


def _is_news(snapshot: Snapshot, known: list[Snapshot], source: str) -> bool:
    if any(snapshot.key == there.key for there in known):
        return False
    is_asked = source != "webhook"  # what we ask for is news only when something has changed
    return not (is_asked and known and ledger.current(known).content == snapshot.content)


def _due(known: Subscription, snapshots: list[Snapshot]) -> list[Held]:
    span = ledger.span(snapshots)
    if span is None or known.holder is None or not known.plan:
        return []
    return [
        Held(
            known.holder,
            f"subscription:{known.id}",
            known.product,
            known.plan,
            "subscription",
            known.id,
            span.since,
            span.until,
            span.revoked_at,
        )
    ]


def _append(session: db.Session, subscription_id: str, snapshot: Snapshot, source: str) -> None:
    session.run(
        _APPEND,
        subscription_id=subscription_id,
        id=clock.new_id(),
        key=snapshot.key,
        at=snapshot.at,
        recorded_at=clock.timestamp(),
        source=source,
        status=snapshot.status,
        product=snapshot.product,
        plan=snapshot.plan,
        period_start=snapshot.period_start,
        period_end=snapshot.period_end,
        cancel_at_period_end=int(snapshot.cancel_at_period_end),
        ended_at=snapshot.ended_at,
    )


def _from(row: Any) -> Subscription:
    status = row.status if isinstance(row.status, str) else ""
    return Subscription(
        id=row.id,
        gateway=row.provider or "",
        gateway_id=row.stripe_subscription_id or row.razorpay_subscription_id,
        customer_id=row.stripe_customer_id,
        user_id=row.user_id,
        email=row.email,
        order_id=row.order_id,
        product=row.product,
        plan=row.tier if isinstance(row.tier, str) else "",
        status=OLD_STATES.get(status, status.lower()),
        period_start=_time(row.current_period_start),
        period_end=_time(row.current_period_end),
        cancel_at_period_end=row.cancel_at_period_end == 1,
        created_at=_time(row.created_at),
        ended_at=_time(row.cancelled_at),
    )


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e11 else None
