"""What Stripe's objects say, in our words. Pure.

Whether something is paid is read from what Stripe says is paid. Who bought what is never read from
it: an order's name is all that is taken from metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from whatworks.gateways import kinds
from whatworks.people import addresses
from whatworks.store import ledger
from whatworks.store.inbox import Invoice, News
from whatworks.store.ledger import Fact, Snapshot
from whatworks.store.subscriptions import Told

DISPUTES: Final = {
    "won": "dispute_won",
    "warning_closed": "dispute_won",
    "prevented": "dispute_won",
    "lost": "dispute_lost",
}
# A bank only asks, and the money is here; what it asks for is between it and the seller.
INQUIRIES: Final = ("warning_needs_response", "warning_under_review")
Meta = dict[str, kinds.Name]


class _Charge(msgspec.Struct):
    id: kinds.Name
    amount: kinds.Amount = 0
    amount_refunded: kinds.Amount = 0
    currency: kinds.Name = ""


class _Intent(msgspec.Struct):
    id: kinds.Name
    status: kinds.Name | None = None
    metadata: Meta = {}
    latest_charge: kinds.Name | _Charge | None = None


class _Price(msgspec.Struct):
    lookup_key: kinds.Name | None = None
    unit_amount: kinds.Amount | None = None
    currency: kinds.Name = ""


class _Item(msgspec.Struct):
    id: kinds.Name = ""
    price: _Price | None = None
    current_period_start: kinds.Moment | None = None
    current_period_end: kinds.Moment | None = None


class _Items(msgspec.Struct):
    data: list[_Item] = []


class _Customer(msgspec.Struct):
    id: kinds.Name
    email: str | None = None


class _Subscription(msgspec.Struct):
    id: kinds.Name
    status: kinds.Name
    customer: kinds.Name | _Customer | None = None
    items: _Items | None = None
    metadata: Meta = {}
    cancel_at_period_end: bool = False
    cancel_at: kinds.Moment | None = None
    ended_at: kinds.Moment | None = None
    current_period_start: kinds.Moment | None = None  # where it was before 2025
    current_period_end: kinds.Moment | None = None


class _Details(msgspec.Struct):
    email: str | None = None


class _Session(msgspec.Struct):
    id: kinds.Name
    created: kinds.Moment
    payment_status: kinds.Name
    status: kinds.Name | None = None
    amount_total: kinds.Amount | None = None
    currency: kinds.Name | None = None
    client_reference_id: kinds.Name | None = None
    metadata: Meta | None = None
    payment_intent: kinds.Name | _Intent | None = None
    invoice: kinds.Name | None = None
    subscription: kinds.Name | _Subscription | None = None
    customer_details: _Details | None = None


class _RefundedCharge(msgspec.Struct):
    id: kinds.Name
    amount_refunded: kinds.Amount
    currency: kinds.Name
    payment_intent: kinds.Name | None = None
    metadata: Meta = {}


class _Dispute(msgspec.Struct):
    id: kinds.Name
    status: kinds.Name
    created: kinds.Moment
    payment_intent: kinds.Name | None = None
    charge: kinds.Name | None = None


class _Refund(msgspec.Struct):
    id: kinds.Name
    status: kinds.Name | None = None
    payment_intent: kinds.Name | None = None
    charge: kinds.Name | None = None
    metadata: Meta | None = None


class _Charged(msgspec.Struct):
    latest_charge: _Charge


class _Began(msgspec.Struct):
    subscription: kinds.Name | None = None
    metadata: Meta | None = None


class _Parent(msgspec.Struct):
    subscription_details: _Began | None = None


class _Invoice(msgspec.Struct):
    id: kinds.Name
    parent: _Parent | None = None


class _InvoicePayment(msgspec.Struct):
    invoice: _Invoice


def of_event(event: dict[str, Any]) -> News | None:
    """What a letter says; None for one of another shape than it has to have."""
    read = READ.get(str(event.get("type")))
    if read is None:
        return News()
    try:
        about, at = event["data"]["object"], msgspec.convert(event["created"], kinds.Moment)
        return read(about, float(at), str(event["id"]))
    except (KeyError, TypeError, ValueError, msgspec.ValidationError):
        return None


def of_session(found: dict[str, Any], now: float) -> Iterator[News]:
    """A Checkout session, its payment's refunds and its subscription, as it was asked for."""
    session = msgspec.convert(found, _Session)
    intent = session.payment_intent
    is_processing = isinstance(intent, _Intent) and intent.status == "processing"
    yield _session(session, agreed_at=now if is_processing else None)
    if isinstance(intent, _Intent) and isinstance(intent.latest_charge, _Charge):
        charge = intent.latest_charge
        if charge.amount_refunded:
            money = charge.amount_refunded, charge.currency.upper()
            yield News(
                orders=_names(session),
                payment_id=intent.id,
                facts=(ledger.refunded(intent.id, now, *money),),
            )
    if isinstance(session.subscription, _Subscription):
        yield _told(session.subscription, now, "asked")


def of_subscription(found: dict[str, Any], now: float) -> News:
    """A subscription, as it was asked for."""
    return _told(msgspec.convert(found, _Subscription), now, "asked")


def is_left(found: dict[str, Any]) -> bool:
    """Whether anything of a payment has not gone back yet."""
    charge = msgspec.convert(found, _Charged).latest_charge
    return charge.amount_refunded < charge.amount


def of_refunds(found: dict[str, Any], order_id: str, payment_id: str, now: float) -> News:
    """What of a payment has gone back by now, whoever sent it."""
    charge = msgspec.convert(found, _Charged).latest_charge
    fact = ledger.refunded(payment_id, now, charge.amount_refunded, charge.currency.upper())
    return News(orders=(order_id,), payment_id=payment_id, facts=(fact,))


def of_invoice_payment(found: dict[str, Any]) -> Invoice:
    """The invoice that was paid, and the subscription it is of."""
    invoice = msgspec.convert(found, _InvoicePayment).invoice
    began = (invoice.parent.subscription_details if invoice.parent else None) or _Began()
    return Invoice(invoice.id, began.subscription, (began.metadata or {}).get("order"))


def _read_session(about: Any, at: float, event_id: str) -> News:
    del event_id
    session = msgspec.convert(about, _Session)
    return _session(session, agreed_at=at if session.status == "complete" else None)


def _read_failed_session(about: Any, at: float, event_id: str) -> News:
    del event_id
    session = msgspec.convert(about, _Session)
    payment = _payment(session)
    return News(_names(session), payment, (ledger.failed(payment, at),), session_id=session.id)


def _read_failed_intent(about: Any, at: float, event_id: str) -> News:
    del event_id
    intent = msgspec.convert(about, _Intent)
    names = (intent.metadata.get("order", ""),)
    return News(names, intent.id, (ledger.failed(intent.id, at),))


def _read_refund(about: Any, at: float, event_id: str) -> News:
    del event_id
    charge = msgspec.convert(about, _RefundedCharge)
    payment = charge.payment_intent or charge.id
    fact = ledger.refunded(payment, at, charge.amount_refunded, charge.currency.upper())
    return News((charge.metadata.get("order", ""),), payment, (fact,))


def _read_late_refund(about: Any, at: float, event_id: str) -> News:
    """Only that it failed is news; how much has gone back is told of the charge."""
    del event_id
    refund = msgspec.convert(about, _Refund)
    if refund.status not in ("failed", "canceled"):
        return News()
    payment = refund.payment_intent or refund.charge or ""
    fact = ledger.refund_failed(payment, refund.id, at)
    return News(((refund.metadata or {}).get("order", ""),), payment, (fact,))


def _read_dispute(about: Any, at: float, event_id: str) -> News:
    del at, event_id
    dispute = msgspec.convert(about, _Dispute)
    if dispute.status in INQUIRIES:
        return News()
    payment = dispute.payment_intent or dispute.charge or ""
    kind = DISPUTES.get(dispute.status, "disputed")
    fact = ledger.disputed(kind, dispute.id, payment, float(dispute.created))
    return News(payment_id=payment, facts=(fact,))


def _read_subscription(about: Any, at: float, event_id: str) -> News:
    return _told(msgspec.convert(about, _Subscription), at, event_id)


READ: Final[dict[str, Callable[[Any, float, str], News]]] = {
    "checkout.session.completed": _read_session,
    "checkout.session.async_payment_succeeded": _read_session,
    "checkout.session.async_payment_failed": _read_failed_session,
    "checkout.session.expired": _read_failed_session,
    "payment_intent.payment_failed": _read_failed_intent,
    "charge.refunded": _read_refund,
    "charge.refund.updated": _read_late_refund,
    "refund.updated": _read_late_refund,
    "refund.failed": _read_late_refund,
    "charge.dispute.created": _read_dispute,
    "charge.dispute.updated": _read_dispute,
    "charge.dispute.closed": _read_dispute,
    "customer.subscription.created": _read_subscription,
    "customer.subscription.updated": _read_subscription,
    "customer.subscription.deleted": _read_subscription,
    "customer.subscription.paused": _read_subscription,
    "customer.subscription.resumed": _read_subscription,
}


def _session(session: _Session, *, agreed_at: float | None) -> News:
    """Paid, when Stripe says so; a session that is only complete waits for its bank."""
    facts: tuple[Fact, ...] = ()
    payment = _payment(session)
    currency = (session.currency or "").upper()
    if session.payment_status in ("paid", "no_payment_required"):
        facts = (ledger.paid(payment, float(session.created), session.amount_total, currency),)
    elif agreed_at is not None:
        facts = (ledger.authorized(payment, agreed_at, session.amount_total or 0, currency),)
    return News(
        orders=_names(session),
        payment_id=payment,
        facts=facts,
        email=_address(session.customer_details),
        session_id=session.id,
    )


def _payment(session: _Session) -> str:
    intent = session.payment_intent
    found = intent.id if isinstance(intent, _Intent) else intent
    return found or session.invoice or session.id


def _names(session: _Session) -> tuple[str, ...]:
    named = (session.id, session.client_reference_id, (session.metadata or {}).get("order"))
    return tuple(name for name in named if name)


def _told(found: _Subscription, at: float, told_by: str) -> News:
    item = next(iter(found.items.data), _Item()) if found.items else _Item()
    product, plan = _sold(item.price)
    end = item.current_period_end or found.current_period_end
    ends = found.cancel_at_period_end or found.cancel_at is not None
    content = f"{found.status}:{end}:{ends}:{product}"
    key = f"asked:{at}:{content}" if told_by == "asked" else told_by
    customer = found.customer
    snapshot = Snapshot(
        key=key,
        at=at,
        status=found.status,
        product=product,
        plan=plan,
        period_start=item.current_period_start or found.current_period_start,
        period_end=end,
        cancel_at_period_end=ends,
        ended_at=found.ended_at,
    )
    return News(
        subscription=Told(
            gateway="stripe",
            gateway_id=found.id,
            customer_id=customer.id if isinstance(customer, _Customer) else customer,
            order_id=found.metadata.get("order"),
            snapshot=snapshot,
            email=_address(customer) if isinstance(customer, _Customer) else None,
        )
    )


def price_name(product: str, plan: str, currency: str, amount: int, interval: str) -> str:
    """Stripe's name of a price, which says all that it is."""
    return f"{product}.{plan}.{currency}.{amount}.{interval}"


def _sold(price: _Price | None) -> tuple[str | None, str | None]:
    """Product and plan of a price of ours, if it costs what its name says."""
    parts = (price.lookup_key or "").split(".") if price else []
    if price is None or len(parts) != 5:
        return None, None
    costs = price.currency.upper(), str(price.unit_amount)
    return (parts[0], parts[1]) if costs == (parts[2], parts[3]) else (None, None)


def _address(found: _Details | _Customer | None) -> str | None:
    return addresses.find(found.email) if found else None
