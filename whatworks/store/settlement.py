"""What the facts of an order amount to: its state, and what it gives.

Whatever tells of a payment (a webhook, the way back from the gateway, reconciliation) ends in
`record`: it appends the facts that are new and sets order and grants to what all facts together
say. So telling it twice, late or in another order changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sqlalchemy import bindparam, select, update

from whatworks import clock, db
from whatworks.models import Order as Row
from whatworks.models import Subscription
from whatworks.store import coupons, entitlements, ledger, orders
from whatworks.store.entitlements import Held
from whatworks.store.ledger import Fact, Standing
from whatworks.store.orders import Order

DAY: Final = 86_400.0
_SET: Final = db.Query(
    update(Row)
    .where(Row.id == bindparam("the_id"))
    .values(
        status=bindparam("status"),
        paid_at=bindparam("paid_at"),
        held=bindparam("held"),
        held_at=bindparam("held_at"),
        next_check_at=bindparam("next_check_at"),
        alerted_at=bindparam("alerted_at"),
    )
)
_SET_EMAIL: Final = db.Query(
    update(Row).where(Row.id == bindparam("the_id")).values(email=bindparam("email"))
)
_ASSIGN: Final = db.Query(
    update(Row).where(Row.id == bindparam("the_id")).values(email=bindparam("email"), user_id=None)
)
_SUBSCRIBED: Final = db.Query(
    select(Subscription.id)
    .where(Subscription.order_id == bindparam("order_id"), Subscription.tier != "")
    .limit(1)
)


def record(
    session: db.Session,
    order_id: str,
    facts: Iterable[Fact],
    source: str,
    *,
    actor_id: str | None = None,
    email: str | None = None,
) -> Order:
    """Append the facts that are new; order and grants become what all facts say.

    `email` is the payer's, for an order that has no address yet. Raises NotFound.
    """
    order = orders.get_locked(session, order_id)
    if email and order.holder is None:
        session.run(_SET_EMAIL, the_id=order.id, email=email)
        order = replace(order, email=email)
    known = {event.key for event in orders.list_events(session, order.id)}
    for fact in facts:
        if fact.key not in known:
            known.add(fact.key)
            orders.append(session, order.id, fact, source, actor_id=actor_id)
    return settle(session, order)


def assign(session: db.Session, order_id: str, email: str, actor_id: str | None) -> Order:
    """Give an order to another address, which had been mistyped; what it gives goes along."""
    order = orders.get_locked(session, order_id)
    session.run(_ASSIGN, the_id=order.id, email=email)
    orders.note(session, order.id, "assigned", "operator", actor_id=actor_id)
    return settle(session, replace(order, email=email, user_id=None))


def accept(session: db.Session, order_id: str, actor_id: str | None) -> Order:
    """Take held money for what was asked for: an operator has looked at it."""
    order = orders.get(session, order_id)
    paid = {
        event.payment_id
        for event in orders.list_events(session, order.id)
        if event.kind == "paid" and event.payment_id
    }
    now = clock.timestamp()
    facts = [Fact("accepted", f"accepted:{one}", now, one) for one in sorted(paid)]
    return record(session, order.id, facts, "operator", actor_id=actor_id)


def settle(session: db.Session, order: Order) -> Order:
    """Set an order and what it gives to what its facts say; the caller holds its row."""
    facts = orders.list_facts(session, order.id)
    found = ledger.standing(order.amount, order.currency, facts)
    due = _due(order, found)
    changed = not order.is_subscription and entitlements.sync(session, order.id, due)
    after = _after(session, order, found, is_granted=bool(due))
    if after != order:
        session.run(
            _SET,
            the_id=order.id,
            status=after.status,
            paid_at=after.paid_at,
            held=after.held,
            held_at=after.held_at,
            next_check_at=after.next_check_at,
            alerted_at=after.alerted_at,
        )
    if after.is_paid and after.coupon_code and coupons.keep(session, after.coupon_code, after.id):
        orders.note(session, order.id, "coupon_over", "system", reference=after.coupon_code)
    if changed:
        is_given = after.status == "fulfilled"
        orders.note(session, order.id, "granted" if is_given else "revoked", "system")
    # That a refund was asked for is a line already, and mostly it is answered at once.
    if after.held not in (None, order.held, "refund_unheard"):
        orders.note(session, order.id, "held", "system", reference=after.held)
    return after


def _due(order: Order, found: Standing) -> list[Held]:
    """The grant that an order's standing calls for."""
    if found.paid_at is None or order.holder is None or order.is_subscription:
        return []
    until = found.paid_at + order.days * DAY if order.days else None
    return [
        Held(
            order.holder,
            f"order:{order.id}",
            order.product,
            order.plan or None,
            "order",
            order.id,
            found.paid_at,
            until,
            found.ended_at,
        )
    ]


def _after(session: db.Session, order: Order, found: Standing, *, is_granted: bool) -> Order:
    status, held, held_at = found.status, found.held, found.held_at
    if status == "paid":
        if order.is_subscription:
            is_granted = session.value(_SUBSCRIBED, order_id=order.id) is not None
        missing = "no_subscription" if order.is_subscription else "no_buyer"
        status = "fulfilled" if is_granted else "paid"
        if not is_granted and held is None:
            held, held_at = missing, found.paid_at
    is_waiting = status in orders.OPEN or held == "no_subscription"
    return replace(
        order,
        status=status,
        paid_at=found.paid_at,
        held=held,
        held_at=held_at,
        next_check_at=order.next_check_at if is_waiting else None,
        alerted_at=order.alerted_at if held == order.held else None,  # another reason, another mail
    )
