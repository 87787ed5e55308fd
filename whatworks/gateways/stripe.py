"""Stripe: Checkout for one payment or a subscription, its portal, webhooks, its list of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import stripe

from whatworks import clock, errors
from whatworks.gateways import kinds, line, signatures, stripe_news
from whatworks.settings import Settings
from whatworks.store import coupons
from whatworks.store.inbox import Incoming, Invoice, News
from whatworks.store.orders import Order
from whatworks.store.products import Product

T = TypeVar("T")
NAME: Final = "Stripe"
TOLD: Final = tuple(stripe_news.READ)
MOST_EVENTS: Final = 5_000
PAGE: Final = 100


class Stripe:
    """One account at Stripe."""

    name = "stripe"

    def __init__(self, settings: Settings, asking: line.Line) -> None:
        self.url = settings.stripe_url.rstrip("/")
        self._settings = settings
        self._line = asking
        self._client = stripe.StripeClient(
            settings.stripe_secret_key or "none",
            base_addresses={"api": self.url},
            http_client=stripe.RequestsClient(timeout=line.SOCKET),
            max_network_retries=0,
        )

    def create(self, order: Order, product: Product, *, then: str, back: str) -> tuple[str, str]:
        """Open a Checkout session; returns its id and where the buyer pays. Raises Unavailable.

        `then` and `back` are where Stripe leads afterwards. The same order again is the same
        session.
        """

        def ask(v1: Any) -> tuple[str, str]:
            about: dict[str, Any] = {"metadata": {"order": order.id}}
            if product.is_subscription:
                what: dict[str, Any] = {"price": _price(v1, product, order.currency, order.amount)}
                about = {"mode": "subscription", "subscription_data": about}
            else:
                what = {"price_data": _price_data(product, order)}
                about = {"mode": "payment", "payment_intent_data": about}
            wanted = {
                **about,
                "client_reference_id": order.id,
                "metadata": {"order": order.id},
                "line_items": [{**what, "quantity": 1}],
                "success_url": then,
                "cancel_url": back,
            }
            if order.coupon_code:  # nor can it be paid when its use has been given back
                wanted["expires_at"] = int((order.created_at or 0.0) + coupons.HOLD)
            if order.email:
                wanted["customer_email"] = order.email
            key = {"idempotency_key": f"order-{order.id}"}
            session = v1.checkout.sessions.create(wanted, key)
            return _text(session.id), _text(session.url)

        return self._ask(ask)

    def look(self, order: Order) -> list[News]:
        """What became of an order. Raises Unavailable."""
        return self.look_at(order.gateway_id) if order.gateway_id else []

    def look_at(self, session_id: str) -> list[News]:
        """What became of a Checkout session. Raises Unavailable, NotFound."""

        def ask(v1: Any) -> list[News]:
            found = v1.checkout.sessions.retrieve(
                session_id, {"expand": ["subscription", "payment_intent.latest_charge"]}
            )
            return list(stripe_news.of_session(_plain(found), clock.timestamp()))

        return self._ask(ask)

    def look_at_subscription(self, subscription_id: str) -> News:
        """How a subscription stands. Raises Unavailable, NotFound."""

        def ask(v1: Any) -> News:
            found = v1.subscriptions.retrieve(subscription_id, {"expand": ["customer"]})
            return stripe_news.of_subscription(_plain(found), clock.timestamp())

        return self._ask(ask)

    def recent(self, since: float) -> list[Incoming]:
        """The letters it wrote since a time, whether they arrived or not. Raises Unavailable."""

        wanted = {"created": {"gte": int(since)}, "types": list(TOLD), "limit": PAGE}
        found: list[Incoming] = []
        while len(found) < MOST_EVENTS:
            # Each page is a question by itself: all of them take longer than one may.
            after = {"starting_after": found[-1].id} if found else {}
            page, is_last = self._ask(partial(_events, wanted=wanted | after))
            found += page
            if is_last:
                break
        return found[::-1]

    def refund(self, order: Order, payment_id: str, key: str) -> list[News]:
        """Send what is left of an order's money back, and end its subscription.

        The same key is the same refund. Raises Unavailable.
        """

        def ask(v1: Any) -> list[News]:
            session = _plain(
                v1.checkout.sessions.retrieve(order.gateway_id, {"expand": ["subscription"]})
            )
            subscription = session.get("subscription")
            intent = _intent_of_invoice(v1, payment_id) if subscription else payment_id
            if stripe_news.is_left(_charged(v1, intent)):
                _send_back(v1, {"payment_intent": intent, "metadata": {"order": order.id}}, key)
            now, charged = clock.timestamp(), _charged(v1, intent)
            told = stripe_news.of_refunds(charged, order.id, payment_id, now)
            return [told, *_ended(v1, subscription)]

        return self._ask(ask)

    def invoice_of(self, payment_id: str) -> Invoice | None:
        """The invoice of a subscription that a payment paid, if it paid one. Raises Unavailable."""

        def ask(v1: Any) -> Invoice | None:
            paid = {"type": "payment_intent", "payment_intent": payment_id}
            wanted = {"payment": paid, "limit": 1, "expand": ["data.invoice"]}
            for found in v1.invoice_payments.list(wanted).data:
                return stripe_news.of_invoice_payment(_plain(found))
            return None

        try:
            return self._ask(ask) if payment_id.startswith("pi_") else None
        except errors.NotFound:
            return None

    def change(self, subscription_id: str, product: Product, currency: str) -> News:
        """Another product from now on; Stripe works out the difference. Raises Unavailable."""

        def ask(v1: Any) -> News:
            before = _plain(v1.subscriptions.retrieve(subscription_id))
            price = _price(v1, product, currency, product.prices[currency])
            item = {"id": before["items"]["data"][0]["id"], "price": price}
            wanted = {
                "items": [item],
                "proration_behavior": "create_prorations",
                "cancel_at_period_end": False,
            }
            after = _plain(v1.subscriptions.update(subscription_id, wanted))
            return stripe_news.of_subscription(after, clock.timestamp())

        return self._ask(ask)

    def cancel(self, subscription_id: str) -> News:
        """No further charge: it ends with the period that is paid. Raises Unavailable."""
        return self._end(subscription_id, is_near=True)

    def resume(self, subscription_id: str) -> News:
        """It does not end with the period after all. Raises Unavailable."""
        return self._end(subscription_id, is_near=False)

    def _end(self, subscription_id: str, *, is_near: bool) -> News:
        def ask(v1: Any) -> News:
            wanted = {"cancel_at_period_end": is_near}
            after = _plain(v1.subscriptions.update(subscription_id, wanted))
            return stripe_news.of_subscription(after, clock.timestamp())

        return self._ask(ask)

    def portal(self, customer_id: str, back: str) -> str:
        """Where a customer manages cards and invoices. Raises Unavailable."""

        def ask(v1: Any) -> str:
            wanted = {"customer": customer_id, "return_url": back}
            return _text(v1.billing_portal.sessions.create(wanted).url)

        return self._ask(ask)

    def read_letter(self, body: bytes, headers: Mapping[str, str]) -> Incoming:
        """A webhook, if it is signed and of now. Raises Invalid."""
        secrets = self._settings.stripe_webhook_secrets
        if not secrets:
            raise errors.Invalid(  # gateways write again all the same
                "No secret is set for Stripe's webhook: WHATWORKS_STRIPE_WEBHOOK_SECRET.",
                code="webhook_not_configured",
            )
        header, now = headers.get("Stripe-Signature"), clock.timestamp()
        if not signatures.is_right_and_fresh(body, header, secrets, now):
            raise errors.Invalid("The signature is wrong or too old.", code="bad_signature")
        return _read_letter(body)

    def reread(self, letter_id: str, body: str) -> Incoming:
        """A kept letter, as it is understood today."""
        del letter_id  # it is in the letter
        return _read_letter(body.encode())

    def _ask(self, question: Callable[[Any], T]) -> T:
        try:
            return self._line.ask(lambda: question(self._client.v1))
        except stripe.InvalidRequestError as failure:
            if failure.code == "resource_missing":
                raise errors.NotFound(
                    "Stripe knows nothing of this; the seller has to look into it."
                ) from failure
            raise line.refused(NAME) from failure
        except (stripe.AuthenticationError, stripe.PermissionError) as failure:
            raise line.refused(NAME) from failure
        except (
            stripe.StripeError,
            msgspec.ValidationError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            IndexError,
        ) as failure:  # the last ones: JSON of another shape
            raise line.unavailable(NAME) from failure


def _price_data(product: Product, order: Order) -> dict[str, Any]:
    return {
        "currency": order.currency.lower(),
        "unit_amount": order.amount,
        "product_data": {"name": product.title},
    }


def _price(v1: Any, product: Product, currency: str, amount: int) -> str:
    """Stripe's price of a subscription, made at its first sale."""
    name = stripe_news.price_name(product.key, product.plan, currency, amount, product.interval)
    for found in v1.prices.list({"lookup_keys": [name], "active": True, "limit": 1}).data:
        return _text(found.id)
    wanted = {
        "currency": currency.lower(),
        "unit_amount": amount,
        "recurring": {"interval": product.interval},
        "lookup_key": name,
        "product_data": {"name": product.title},
    }
    return _text(v1.prices.create(wanted, {"idempotency_key": f"price-{name}"}).id)


def _charged(v1: Any, intent: str) -> dict[str, Any]:
    """A payment with what was charged, and what of that has gone back."""
    return _plain(v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}))


def _send_back(v1: Any, wanted: dict[str, Any], key: str) -> None:
    try:
        made = _plain(v1.refunds.create(wanted, {"idempotency_key": key}))
    except (stripe.InvalidRequestError, stripe.CardError) as failure:
        if failure.code == "charge_already_refunded":  # somebody else was faster
            return
        raise line.not_sent_back(NAME) from failure
    if made["status"] in ("failed", "canceled"):
        raise line.not_sent_back(NAME)


def _ended(v1: Any, subscription: dict[str, Any] | None) -> list[News]:
    """A subscription whose money went back, ended if it was not; nothing when there is none."""
    if subscription is None:
        return []
    if subscription["status"] != "canceled":
        v1.subscriptions.cancel(subscription["id"])
    after = _plain(v1.subscriptions.retrieve(subscription["id"]))
    return [stripe_news.of_subscription(after, clock.timestamp())]


def _events(v1: Any, wanted: dict[str, Any]) -> tuple[list[Incoming], bool]:
    page = v1.events.list(wanted)
    plain = [_plain(event) for event in page.data]
    letters = [_incoming(one, msgspec.json.encode(one).decode()) for one in plain]
    return letters, not (page.has_more and letters)


def _intent_of_invoice(v1: Any, invoice_id: str) -> str:
    payments = v1.invoice_payments.list({"invoice": invoice_id, "limit": 1}).data
    return _text(_plain(payments[0])["payment"]["payment_intent"])


def _read_letter(body: bytes) -> Incoming:
    try:
        event = msgspec.json.decode(body)
        text = body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise errors.Invalid("The body is not JSON.", code="not_json") from failure
    if not isinstance(event, dict) or not kinds.name(event.get("id")):
        raise errors.Invalid("The body is no event of Stripe.", code="not_json")
    return _incoming(event, text)


def _incoming(event: dict[str, Any], text: str) -> Incoming:
    kind, news = kinds.name(event.get("type")), stripe_news.of_event(event)
    return Incoming(event["id"], Stripe.name, kind, text, news)


def _plain(found: Any) -> dict[str, Any]:
    """What the SDK gave, as plain values."""
    plain: dict[str, Any] = found.to_dict(for_json=True)
    return plain


def _text(found: object) -> str:
    if not isinstance(found, str) or not found:
        raise TypeError("not text")
    return found
