"""The inbox: every letter of a gateway once, as it came, with what became of it.

A letter and its effect are one transaction. A letter about a payment of which we know no order
yet waits, and takes effect together with the letter that names the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Webhook
from whatworks.store import ledger, orders, settlement, subscriptions
from whatworks.store.ledger import Fact
from whatworks.store.orders import Order
from whatworks.store.subscriptions import Told


@dataclass(frozen=True, slots=True)
class News:
    """What a letter says, in our words. `orders` are names the order may have, ours or theirs."""

    orders: tuple[str, ...] = ()
    payment_id: str | None = None
    facts: tuple[Fact, ...] = ()
    email: str | None = None
    subscription: Told | None = None
    session_id: str | None = None  # has to be the one that the order was given


@dataclass(frozen=True, slots=True)
class Incoming:
    """A letter whose signature is right. `news` None: nobody here can read it."""

    id: str
    gateway: str
    event: str
    body: str
    news: News | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a payment paid for, as its gateway says: an invoice of a subscription."""

    id: str
    subscription_id: str | None
    order_id: str | None  # the order that began it


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as stored. Letters of the old shop have no gateway and no result."""

    id: str
    gateway: str | None
    event: str | None
    received_at: float | None
    handled_at: float | None
    result: str | None  # applied | ignored | held | waiting | unknown | unreadable
    order_id: str | None
    payment_id: str | None
    body: str = ""


_COLUMNS: Final = (
    Webhook.id,
    Webhook.gateway,
    Webhook.event,
    Webhook.received_at,
    Webhook.handled_at,
    Webhook.result,
    Webhook.order_id,
    Webhook.payment_id,
)
_GET: Final = db.Query(select(*_COLUMNS, Webhook.payload).where(Webhook.id == bindparam("id")))
_LOCK: Final = db.Query(
    select(*_COLUMNS, Webhook.facts).where(Webhook.id == bindparam("id")).with_for_update()
)
_INSERT: Final = db.Query(insert(Webhook).on_conflict_do_nothing())
_HANDLED: Final = db.Query(
    update(Webhook)
    .where(Webhook.id == bindparam("the_id"))
    .values(
        result=bindparam("result"),
        order_id=bindparam("order_id"),
        handled_at=bindparam("handled_at"),
    )
)
_WAITING: Final = db.Query(
    select(Webhook.id, Webhook.facts).where(
        Webhook.payment_id == bindparam("payment_id"),
        Webhook.handled_at.is_(None),
        Webhook.gateway.is_not(None),
    )
)
_STILL_WAITING: Final = db.Query(
    select(Webhook.id, Webhook.facts)
    .where(Webhook.handled_at.is_(None), Webhook.result.in_(["waiting", "unknown"]))
    .order_by(Webhook.received_at.desc())  # of others' payments it is told as well, for good
    .limit(bindparam("limit"))
)


_UNTRACED: Final = db.Query(
    select(*_COLUMNS)
    .where(
        Webhook.handled_at.is_(None),
        Webhook.result == "waiting",
        Webhook.gateway == bindparam("gateway"),
        Webhook.payment_id.is_not(None),
    )
    .order_by(Webhook.received_at)
    .limit(bindparam("limit"))
)


def receive(session: db.Session, incoming: Incoming) -> Letter:
    """Keep a letter and let it take effect; one that was here before changes nothing."""
    news = incoming.news or News()
    is_new = session.run(
        _INSERT,
        id=incoming.id,
        event=incoming.event,
        payload=incoming.body,
        received_at=clock.timestamp(),
        gateway=incoming.gateway,
        payment_id=news.payment_id,
        order_id=None,
        facts=msgspec.json.encode(news).decode(),
        result=None,
        handled_at=None,
    )
    if is_new:
        _handle(session, incoming.id, incoming.news, "webhook")
    return get(session, incoming.id)


def replay(session: db.Session, incoming: Incoming) -> Letter:
    """Let a kept letter take effect again, as it is read today; facts known already stay one."""
    if session.first(_LOCK, id=incoming.id) is None:
        raise _not_found()
    _handle(session, incoming.id, incoming.news, "operator")
    return get(session, incoming.id)


def apply(session: db.Session, news: News, source: str) -> tuple[str, str | None]:
    """Let news take effect, whoever brings them; returns the result and the order's id."""
    if news.subscription is not None:
        if not _is_ours(session, news.subscription):
            return "ignored", None
        known = subscriptions.record(session, news.subscription, source)
        if not news.facts:
            return "applied", known.order_id
    if not news.facts:
        return "ignored", None
    order = _order_of(session, news)
    if order is None:
        return "waiting", None
    if _is_of_another_session(order, news):
        orders.note(session, order.id, "held", source, reference="session")
        return "held", order.id
    order = settlement.record(session, order.id, news.facts, source, email=news.email)
    _wake(session, order, news, source)
    return ("held" if order.held else "applied"), order.id


def retry(session: db.Session, limit: int = 500) -> list[str]:
    """Let letters take effect that wait for an order we know by now; returns their orders."""
    done = []
    for row in session.all(_STILL_WAITING, limit=limit):
        result, order_id = apply(session, msgspec.json.decode(row.facts, type=News), "reconcile")
        if result != "waiting":
            _set(session, row.id, result, order_id)
            done += [order_id] if order_id else []
    return done


def list_untraced(session: db.Session, gateway: str, limit: int = 100) -> list[Letter]:
    """Letters about payments of which its gateway was not asked yet what they paid for."""
    return [_letter(row) for row in session.all(_UNTRACED, gateway=gateway, limit=limit)]


def trace(session: db.Session, letter_id: str, invoice: Invoice | None) -> Letter:
    """Let a letter that waits take effect on the order whose subscription its payment was for.

    None, or one of no subscription of ours: nothing here is about it, as far as anybody knows.
    """
    row = session.first(_LOCK, id=letter_id)
    if row is None:
        raise _not_found()
    if row.handled_at is None and row.result in ("waiting", "unknown"):
        result, order_id = _trace(session, msgspec.json.decode(row.facts, type=News), invoice)
        _set(session, letter_id, result, order_id)
    return get(session, letter_id)


def _trace(session: db.Session, news: News, invoice: Invoice | None) -> tuple[str, str | None]:
    order = _order_of_invoice(session, invoice) if invoice else None
    if order is None or invoice is None:
        return "unknown", None
    paid = {
        event.payment_id for event in orders.list_events(session, order.id) if event.kind == "paid"
    }
    if not paid:  # which invoice was the first is not known yet
        return "waiting", None
    is_first = invoice.id in paid
    facts = [ledger.of_invoice(fact, invoice.id, is_first=is_first) for fact in news.facts]
    settlement.record(session, order.id, facts, "webhook")
    return "applied", order.id


def _order_of_invoice(session: db.Session, invoice: Invoice) -> Order | None:
    known = subscriptions.find(session, invoice.subscription_id or "")
    for name in (invoice.order_id, known.order_id if known else None):
        if name and (order := orders.find(session, name)) is not None and order.is_subscription:
            return order
    return None


def set_aside(session: db.Session, letter_id: str) -> Letter:
    """Somebody has looked at a letter that did nothing, and nothing is to be done about it."""
    row = session.first(_LOCK, id=letter_id)
    if row is None:
        raise _not_found()
    if row.handled_at is None:
        _set(session, letter_id, "ignored", row.order_id)
    return get(session, letter_id)


def get(session: db.Session, letter_id: str) -> Letter:
    """One letter with its body. Raises NotFound."""
    row = session.first(_GET, id=letter_id)
    if row is None:
        raise _not_found()
    return _letter(row)


def known(session: db.Session, letter_ids: Sequence[str]) -> set[str]:
    """Those of these letters that are here."""
    found: set[str] = set()
    for first in range(0, len(letter_ids), 500):
        some = letter_ids[first : first + 500]
        found |= {row.id for row in session.all(select(Webhook.id).where(Webhook.id.in_(some)))}
    return found


def list_(
    session: db.Session,
    *,
    limit: int = 50,
    before: float | None = None,
    only_unhandled: bool = False,
) -> list[Letter]:
    """Letters without their bodies, newest first."""
    wanted = []
    if before is not None:
        wanted.append(Webhook.received_at < before)
    if only_unhandled:
        wanted += [Webhook.handled_at.is_(None), Webhook.gateway.is_not(None)]
    newest = Webhook.received_at.desc(), Webhook.id.desc()
    rows = session.all(select(*_COLUMNS).where(*wanted).order_by(*newest).limit(limit))
    return [_letter(row) for row in rows]


def _handle(session: db.Session, letter_id: str, news: News | None, source: str) -> None:
    result, order_id = apply(session, news, source) if news is not None else ("unreadable", None)
    _set(session, letter_id, result, order_id)


def _set(session: db.Session, letter_id: str, result: str, order_id: str | None) -> None:
    is_done = result in ("applied", "ignored", "held")
    session.run(
        _HANDLED,
        the_id=letter_id,
        result=result,
        order_id=order_id,
        handled_at=clock.timestamp() if is_done else None,
    )


def _wake(session: db.Session, order: Order, news: News, source: str) -> None:
    """Letters that came before the one that named the order."""
    payments = {fact.payment_id for fact in news.facts if fact.payment_id}
    for payment_id in sorted(payments):
        for row in session.all(_WAITING, payment_id=payment_id):
            waiting = msgspec.json.decode(row.facts, type=News)
            settlement.record(session, order.id, waiting.facts, source, email=waiting.email)
            _set(session, row.id, "applied", order.id)


def _order_of(session: db.Session, news: News) -> Order | None:
    found = (orders.find(session, name) for name in news.orders if name)
    order = next((order for order in found if order is not None), None)
    if order is None and news.payment_id:
        return orders.find_by_payment(session, news.payment_id)
    return order


def _is_ours(session: db.Session, told: Told) -> bool:
    """Gateways tell of everything of an account; one we never sold is not ours."""
    if subscriptions.find(session, told.gateway_id) is not None:
        return True
    return bool(told.order_id and orders.find(session, told.order_id))


def _is_of_another_session(order: Order, news: News) -> bool:
    """A session that names an order but is not the one it was given pays nothing."""
    return bool(
        news.session_id and order.gateway_id is not None and order.gateway_id != news.session_id
    )


def _letter(row: Any) -> Letter:
    found = row._asdict()
    body = found.pop("payload", None)
    return Letter(**found, body=body if isinstance(body, str) else "")


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such letter.")
