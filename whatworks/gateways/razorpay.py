"""Razorpay: orders, the way back, webhooks. Amounts are its own, in paise or cents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import razorpay
import requests

from whatworks import clock, errors
from whatworks.gateways import kinds, line, razorpay_news, signatures
from whatworks.gateways.razorpay_news import Dispute, Payment, Refund
from whatworks.settings import Settings
from whatworks.store.inbox import Incoming, News
from whatworks.store.orders import Order

T = TypeVar("T")
NAME: Final = "Razorpay"
DAY: Final = 86_400.0
LATE: Final = 90 * DAY  # banks send refunds back, and decide disputes, long after they began
OLDEST: Final = 3 * DAY  # it repeats a letter for a day; older ones are somebody's copy
PAGE: Final = 100
# A bank may agree days after it refused; until then the money waits to be taken.
CAPTURE: Final = {
    "capture": "automatic",
    "capture_options": {"automatic_expiry_period": 7200, "refund_speed": "normal"},
}


class _Unheard(Exception):  # noqa: N818 - nothing wrong with the question
    """No answer, or one that is not JSON."""


class _Session(requests.Session):
    """Fails in one way, before the SDK prints what happened."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            response = super().request(*args, **kwargs)
            response.json()
        except (requests.RequestException, ValueError) as failure:
            raise _Unheard from failure
        return response


class Razorpay:
    """One account at Razorpay."""

    name = "razorpay"

    def __init__(self, settings: Settings, asking: line.Line) -> None:
        self.key_id = settings.razorpay_key_id
        self.url = settings.razorpay_url.rstrip("/")
        self._settings = settings
        self._line = asking
        self._secret = settings.razorpay_key_secret

    def create(self, order: Order, *, again: bool) -> str:
        """Tell Razorpay of an order; returns its id there. Raises Unavailable.

        `again`: an earlier try may have reached it, so it is looked for first.
        """

        def ask(client: Any) -> str:
            if again:
                named = {"receipt": order.receipt, "count": 1}
                for found in _items(client.order.all(named, timeout=line.SOCKET)):
                    return _text(found, "id")
            wanted = {
                "amount": order.amount,
                "currency": order.currency,
                "receipt": order.receipt,
                "payment": CAPTURE,
                "notes": {"order": order.id, "product": order.product},
            }
            return _text(client.order.create(wanted, timeout=line.SOCKET), "id")

        return self._ask(ask)

    def look(self, order: Order) -> list[News]:
        """What became of an order; a payment that only waits to be taken is taken.

        Raises Unavailable.
        """

        def ask(client: Any) -> list[News]:
            named = order.gateway_id or ""
            found = _items(client.order.payments(named, timeout=line.SOCKET))
            payments = [msgspec.convert(one, Payment) for one in found]
            # Of several that wait only one is taken, and none once the order was paid.
            is_paid = order.paid_at is not None or any(one.is_taken for one in payments)
            waiting = next((one for one in payments if not is_paid and one.waits_for(order)), None)
            if waiting is not None:
                payments[payments.index(waiting)] = _take(client, waiting)
            return [razorpay_news.of_payment(one) for one in payments]

        return self._ask(ask) if order.gateway_id else []

    def recent(self, since: float) -> list[News]:
        """Refunds since a time, and what banks have undone or decided of older ones.

        Raises Unavailable.
        """

        def ask(client: Any) -> tuple[list[Refund], list[Dispute]]:
            began = since - LATE
            refunds = [msgspec.convert(one, Refund) for one in _pages(client.refund.all, began)]
            disputes = [msgspec.convert(one, Dispute) for one in _pages(client.dispute.all, began)]
            return refunds, disputes

        refunds, disputes = self._ask(ask)
        wanted = {r.payment_id for r in refunds if r.created_at >= since or r.is_failed}
        # Each is a question by itself: many of them take longer than one may.
        payments = [self._ask(partial(_payment, payment_id=one)) for one in sorted(wanted)]
        told = [razorpay_news.of_payment(one) for one in payments]
        told += [news for one in payments for news in razorpay_news.of_undone(one, refunds)]
        return told + [razorpay_news.of_dispute(one) for one in disputes]

    def refund(self, order: Order, payment_id: str, key: str) -> list[News]:
        """Send what is left of a payment back; returns what became of it. Raises Unavailable.

        The same key is the same refund.
        """

        def ask(client: Any) -> list[News]:
            before = _payment(client, payment_id)
            if before.left > 0:
                wanted = {"amount": before.left, "notes": {"order": order.id}}
                _send_back(client, payment_id, wanted, key)
            return [razorpay_news.of_payment(_payment(client, payment_id))]

        return self._ask(ask)

    def verified_return(self, given: Mapping[str, str]) -> tuple[str, str]:
        """Order and payment of somebody who comes back. Raises Invalid when it is not signed."""
        order_id = given.get("razorpay_order_id", "")
        payment_id = given.get("razorpay_payment_id", "")
        signed = f"{order_id}|{payment_id}".encode(errors="surrogateescape")
        signature = given.get("razorpay_signature")
        if not order_id or not payment_id:
            raise errors.Invalid("Razorpay did not say which payment this is.", code="bad_return")
        if not signatures.is_right(signed, signature, (self._secret,)):
            raise errors.Invalid(
                "This did not come from Razorpay: its signature is wrong.", code="bad_signature"
            )
        return order_id, payment_id

    def read_letter(self, body: bytes, headers: Mapping[str, str]) -> Incoming:
        """A webhook, if it is signed and of our time. Raises Invalid."""
        secrets = self._settings.razorpay_webhook_secrets
        if not secrets:
            raise errors.Invalid(  # gateways write again all the same
                "No secret is set for Razorpay's webhook: WHATWORKS_RAZORPAY_WEBHOOK_SECRET.",
                code="webhook_not_configured",
            )
        if not signatures.is_right(body, headers.get("X-Razorpay-Signature"), secrets):
            raise errors.Invalid("The signature is wrong.", code="bad_signature")
        letter = _json(body)
        sent = letter.get("created_at")
        if isinstance(sent, int | float):
            now = clock.timestamp()
            if not now - OLDEST <= sent <= now + signatures.WINDOW:
                raise errors.Invalid("This was signed for another time.", code="stale_signature")
        return _incoming(letter, body, headers.get("X-Razorpay-Event-Id") or "")

    def reread(self, letter_id: str, body: str) -> Incoming:
        """A kept letter, as it is understood today."""
        return _incoming(_json(body.encode()), body.encode(), letter_id, is_kept=True)

    def _ask(self, question: Callable[[Any], T]) -> T:
        client = razorpay.Client(
            session=_Session(), auth=(self.key_id, self._secret), base_url=self.url
        )
        try:
            return self._line.ask(lambda: question(client))
        except razorpay.errors.BadRequestError as failure:
            raise line.refused(NAME) from failure
        except (
            _Unheard,
            razorpay.errors.GatewayError,
            razorpay.errors.ServerError,
            msgspec.ValidationError,
            TypeError,
            KeyError,
            AttributeError,
        ) as failure:  # the last four: JSON of another shape
            raise line.unavailable(NAME) from failure


def _take(client: Any, payment: Payment) -> Payment:
    money = {"currency": payment.currency}
    taken = client.payment.capture(payment.id, payment.amount, money, timeout=line.SOCKET)
    return msgspec.convert(taken, Payment)


def _payment(client: Any, payment_id: str) -> Payment:
    return msgspec.convert(client.payment.fetch(payment_id, timeout=line.SOCKET), Payment)


def _send_back(client: Any, payment_id: str, wanted: dict[str, Any], key: str) -> None:
    known_by = {"X-Refund-Idempotency": key}
    try:
        made = client.payment.refund(payment_id, wanted, headers=known_by, timeout=line.SOCKET)
    except razorpay.errors.BadRequestError as failure:
        now = _payment(client, payment_id)
        if now.left > 0:
            raise line.not_sent_back(NAME) from failure
        return  # somebody else was faster
    if made["status"] == "failed":
        raise line.not_sent_back(NAME)


def _incoming(
    letter: dict[str, Any], body: bytes, event_id: str, *, is_kept: bool = False
) -> Incoming:
    """The id that came is not signed: with another body it is another letter."""
    digest = hashlib.sha256(body).hexdigest()
    letter_id = event_id if is_kept else f"{event_id[:100] or 'letter'}:{digest[:24]}"
    try:
        news = razorpay_news.of_letter(letter)
    except (msgspec.ValidationError, AttributeError, TypeError):
        news = None
    text = body.decode(errors="replace")
    return Incoming(letter_id, Razorpay.name, kinds.name(letter.get("event")), text, news)


def _pages(list_: Callable[..., Any], since: float) -> Iterator[Any]:
    for skip in range(0, 10_000, PAGE):
        asked = {"from": int(since), "count": PAGE, "skip": skip}
        found = _items(list_(asked, timeout=line.SOCKET))
        yield from found
        if len(found) < PAGE:
            return


def _items(answer: Any) -> list[Any]:
    found = answer["items"]
    if not isinstance(found, list):
        raise TypeError("not a list of items")
    return found


def _text(answer: Any, name: str) -> str:
    found = answer[name]
    if not isinstance(found, str):
        raise TypeError(f"{name} is not text")
    return found


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise errors.Invalid("The body is not JSON.", code="not_json") from failure
    if not isinstance(found, dict):
        raise errors.Invalid("The body is not a JSON object.", code="not_json")
    return found
