"""What the shop still owes: questions to gateways, receipts, alerts, coupons to give back.

Each is claimed by the statement that finds it, so that of several processes one does it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.models import CouponUse, IdempotencyKey
from whatworks.models import Order as Row
from whatworks.store import coupons, ledger, orders
from whatworks.store.ledger import Fact
from whatworks.store.orders import Order

SOON: Final = 900.0  # between two questions about the same young order
PATIENT: Final = 60.0  # paid and not granted for longer is alarming
DAY: Final = 86_400.0
WATCHED: Final = 7 * DAY  # a bank may agree days after it refused

_WAITING: Final = or_(Row.status.in_(orders.OPEN), Row.held == "no_subscription")
_OPEN: Final = db.Query(
    orders.COLUMNS.where(
        _WAITING,
        Row.gateway_id.is_not(None),
        Row.created_at > bindparam("since"),
        Row.created_at < 1e11,
        Row.id > bindparam("after"),
    )
    .order_by(Row.id)
    .limit(bindparam("limit"))
)
_DUE: Final = db.Query(
    orders.COLUMNS.where(_WAITING, Row.next_check_at <= bindparam("now"))
    .order_by(Row.next_check_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_IS_UNHEARD: Final = (
    Row.held == "refund_unheard",
    Row.held_at > bindparam("since"),
    Row.held_at < bindparam("before"),
)
_UNHEARD: Final = db.Query(orders.COLUMNS.where(*_IS_UNHEARD).order_by(Row.held_at))
_UNHEARD_DUE: Final = db.Query(
    orders.COLUMNS.where(
        *_IS_UNHEARD, or_(Row.next_check_at.is_(None), Row.next_check_at <= bindparam("now"))
    )
    .order_by(Row.held_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_NEXT: Final = db.Query(
    update(Row)
    .where(Row.id == bindparam("the_id"))
    .values(next_check_at=bindparam("next_check_at"))
)
# `held_at` and `paid_at` are by the gateway's clock, which may run late but not ahead.
_ALERT: Final = db.Query(
    update(Row)
    .where(
        or_(Row.held.is_not(None), Row.status == "paid"),
        Row.alerted_at.is_(None),
        func.coalesce(Row.held_at, Row.paid_at) < bindparam("before"),
    )
    .values(alerted_at=bindparam("now"))
    .returning(Row.id)
)
_SEND: Final = (
    update(Row)
    .where(Row.status == "fulfilled", Row.email.is_not(None), Row.receipt_sent_at.is_(None))
    .values(receipt_sent_at=bindparam("now"))
    .returning(Row.id)
)
_SEND_ALL: Final = db.Query(_SEND)
_SEND_ONE: Final = db.Query(_SEND.where(Row.id == bindparam("the_id")))
_ROUND: Final = db.Query(  # forgotten with the idempotency keys
    insert(IdempotencyKey)
    .values(
        user_id="reconcile",
        key_hash=bindparam("key_hash"),
        request_hash="",
        status=None,
        answer=None,
        created_at=bindparam("created_at"),
    )
    .on_conflict_do_nothing()
)
_UNPAID: Final = db.Query(
    select(CouponUse.code, CouponUse.order_id, CouponUse.at)
    .join(Row, Row.id == CouponUse.order_id)
    .where(
        CouponUse.released_at.is_(None),
        CouponUse.at < bindparam("before"),
        Row.status.in_(orders.OPEN),
    )
    .limit(500)
)


def list_open(session: db.Session, after: str = "", limit: int = 200) -> list[Order]:
    """Orders of the last days that a gateway may have taken money for; page on by id."""
    since = clock.timestamp() - WATCHED
    rows = session.all(_OPEN, since=since, after=after, limit=limit)
    return [orders.from_row(row) for row in rows]


def claim_checks(session: db.Session, limit: int = 50) -> list[Order]:
    """Orders to ask about now. The older one is, the later its next turn; after days, never."""
    now = clock.timestamp()
    due = [orders.from_row(row) for row in session.all(_DUE, now=now, limit=limit)]
    for order in due:
        age = now - (order.created_at or 0.0)
        turn = now + max(SOON, age / 4) if age < WATCHED else None
        session.run(_NEXT, the_id=order.id, next_check_at=turn)
    return due


def list_unheard(session: db.Session) -> list[Order]:
    """Orders whose refund was asked for, and not just now, without an answer of the gateway."""
    now = clock.timestamp()
    rows = session.all(_UNHEARD, since=now - WATCHED, before=now - PATIENT)
    return [orders.from_row(row) for row in rows]


def claim_unheard(session: db.Session, limit: int = 50) -> list[Order]:
    """Those of them to ask for again now. The longer nothing was heard, the later the next turn."""
    now = clock.timestamp()
    bounds = {"since": now - WATCHED, "before": now - PATIENT, "now": now}
    due = [orders.from_row(row) for row in session.all(_UNHEARD_DUE, limit=limit, **bounds)]
    for order in due:
        silence = now - (order.held_at or now)
        session.run(_NEXT, the_id=order.id, next_check_at=now + max(PATIENT, silence / 4))
    return due


def check_soon(session: db.Session, order_id: str) -> None:
    """Ask about this order at the next turn."""
    session.run(_NEXT, the_id=order_id, next_check_at=clock.timestamp())


def claim_round(session: db.Session, number: int) -> bool:
    """Whether the caller is the one who does this round; of several processes one is."""
    return bool(session.run(_ROUND, key_hash=f"round {number}", created_at=clock.timestamp()))


def claim_alerts(session: db.Session) -> list[Order]:
    """Orders with money and nothing given for a minute, of which nobody was told yet."""
    now = clock.timestamp()
    return _each(session, session.all(_ALERT, before=now - PATIENT, now=now))


def claim_receipts(session: db.Session) -> list[Order]:
    """Fulfilled orders whose buyers have no receipt yet."""
    return _each(session, session.all(_SEND_ALL, now=clock.timestamp()))


def claim_receipt(session: db.Session, order_id: str) -> bool:
    """Whether this order's receipt is still to be sent, by whoever asks."""
    return bool(session.all(_SEND_ONE, now=clock.timestamp(), the_id=order_id))


def claim_refund(session: db.Session, order_id: str) -> bool:
    """Whether money went back of which the buyer is still to be told, by whoever asks.

    What was told is a line of the order's history, with how much it was in all: the same refund
    told again, or an earlier part of it that comes late, is no news.
    """
    order = orders.get_locked(session, order_id)
    gone = ledger.untold(orders.list_facts(session, order.id))
    if gone and order.email:
        told = Fact("refund_told", f"refund_told:{gone}", clock.timestamp(), amount=gone)
        orders.append(session, order.id, told, "system")
    return bool(gone and order.email)


def list_unpaid_uses(session: db.Session) -> list[tuple[str, str]]:
    """Coupons and orders that took a use, could be paid, and by all we were told are not.

    An order is asked about within a quarter of an hour, so that much is waited after the last
    moment to pay; and for days on a bank that was asked and has yet to answer.
    """
    now = clock.timestamp()
    unpaid = session.all(_UNPAID, before=now - coupons.HOLD - SOON)
    return [
        (row.code, row.order_id)
        for row in unpaid
        if row.at < now - WATCHED or not ledger.is_awaited(orders.list_facts(session, row.order_id))
    ]


def release_use(session: db.Session, code: str, order_id: str) -> bool:
    """Give the use of an order back, unless it was paid in the meantime."""
    is_open = orders.get_locked(session, order_id).is_open
    return is_open and coupons.release(session, code, order_id)


def _each(session: db.Session, rows: list[Any]) -> list[Order]:
    return [orders.get(session, row.id) for row in rows]
