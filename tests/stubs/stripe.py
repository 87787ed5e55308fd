"""A stand-in for Stripe: prices, Checkout, subscriptions, refunds, portal, events, idempotency."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl

from tests.stubs.provider import BROKEN, Answer, Failed, Provider

SECRET_KEY = "sk_test_1"
WEBHOOK_SECRET = "whsec_of_tests"
MONTH = 30 * 86_400


class StripeStub(Provider):
    """One account at a pretended Stripe."""

    def __init__(self, port: int = 0) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.prices: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.charges: dict[str, dict[str, Any]] = {}  # by payment intent
        self.invoices: dict[str, str] = {}  # to payment intents
        self.billed: dict[str, str] = {}  # invoices, to subscriptions
        self.customers: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []
        self._kept: dict[str, tuple[str, Answer | Failed | None]] = {}
        self.settings = {
            "stripe_secret_key": SECRET_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
        }
        super().__init__(WEBHOOK_SECRET, port)
        self.settings["stripe_url"] = self.url

    # what people and banks do

    def pay(
        self,
        session_id: str,
        *,
        amount: int | None = None,
        currency: str | None = None,
        email: str = "payer@example.com",
        later: bool = False,
    ) -> dict[str, Any]:
        """Somebody completes Checkout; `later`: their bank has yet to agree."""
        session = self.sessions[session_id]
        if time.time() >= session["expires_at"]:
            raise _bad(400, "", "This Checkout session has expired.")
        if amount is not None:
            session["amount_total"] = amount
        session["currency"] = currency or session["currency"]
        session["status"] = "complete"
        session["customer_details"] = {"email": session.get("customer_email") or email}
        self._charge(session)
        if later:
            self.tell("checkout.session.completed", session)
            return session
        session["payment_status"] = "paid"
        self.tell("checkout.session.completed", session)
        return session

    def agree(self, session_id: str) -> None:
        """The bank agrees after a while."""
        session = self.sessions[session_id]
        session["payment_status"] = "paid"
        self.tell("checkout.session.async_payment_succeeded", session)

    def refuse(self, session_id: str) -> None:
        """The bank does not agree."""
        self.tell("checkout.session.async_payment_failed", self.sessions[session_id])

    def expire(self, session_id: str) -> None:
        """Nobody paid."""
        self.sessions[session_id]["status"] = "expired"
        self.tell("checkout.session.expired", self.sessions[session_id])

    def give_back(self, intent: str, amount: int | None = None) -> dict[str, Any]:
        """Refund a payment, or part of it."""
        charge = self.charges[intent]
        money = amount or charge["amount"] - charge["amount_refunded"]
        if money <= 0 or charge["amount_refunded"] + money > charge["amount"]:
            raise _bad(400, "charge_already_refunded", "Charge has already been refunded.")
        charge["amount_refunded"] += money
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        refund = {
            "id": self.new_id("re"),
            "object": "refund",
            "amount": money,
            "currency": charge["currency"],
            "payment_intent": intent,
            "status": "succeeded",
        }
        self.refunds.append(refund)
        self.tell("charge.refunded", charge)
        return refund

    def bounce(self, intent: str) -> None:
        """The last refund of a payment does not arrive."""
        refund = next(r for r in reversed(self.refunds) if r["payment_intent"] == intent)
        refund["status"] = "failed"
        self.charges[intent]["amount_refunded"] -= refund["amount"]
        self.tell("refund.updated", refund)
        self.tell("refund.failed", refund)

    def dispute(self, intent: str, status: str = "needs_response", dispute_id: str = "") -> str:
        """A bank wants the money back, and then it is won or lost."""
        found = dispute_id or self.new_id("dp")
        entity = {
            "id": found,
            "object": "dispute",
            "payment_intent": intent,
            "charge": self.charges[intent]["id"],
            "status": status,
            "created": int(time.time()),
        }
        is_new = status.endswith("needs_response")
        self.tell(f"charge.dispute.{'created' if is_new else 'closed'}", entity)
        return found

    def renew(self, subscription_id: str) -> str:
        """A period ends, the card is charged, the next begins; returns what was paid with."""
        item = self.subscriptions[subscription_id]["items"]["data"][0]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] += MONTH
        self._tell_of(subscription_id, status="active")
        price = item["price"]
        intent = self._pay_with(price["unit_amount"], price["currency"], {})
        self._bill(subscription_id, intent)
        return intent

    def miss(self, subscription_id: str) -> None:
        """A period ends and the card is refused."""
        item = self.subscriptions[subscription_id]["items"]["data"][0]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] += MONTH
        self._tell_of(subscription_id, status="past_due")

    def end(self, subscription_id: str) -> dict[str, Any]:
        """It is over, now."""
        subscription = self.subscriptions[subscription_id]
        subscription.update(status="canceled", ended_at=int(time.time()))
        self.tell("customer.subscription.deleted", subscription)
        return subscription

    def _tell_of(self, subscription_id: str, **changes: object) -> dict[str, Any]:
        subscription = self.subscriptions[subscription_id]
        subscription.update(changes)
        self.tell("customer.subscription.updated", subscription)
        return subscription

    def tell(
        self, kind: str, about: dict[str, Any], created: float | None = None
    ) -> dict[str, Any]:
        """Write a letter about what happened, and keep it."""
        event = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": "2026-10-28",
            "created": int(time.time() if created is None else created),
            "type": kind,
            "data": {"object": json.loads(json.dumps(about))},
        }
        self.events.append(event)
        self.write(event)
        return event

    def signed(self, letter: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(letter).encode()
        return body, {
            "Content-Type": "application/json",
            "Stripe-Signature": sign(body, self.secret, int(time.time())),
        }

    # the API

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> Answer:
        if found := re.fullmatch(r"/pay/(\w+)", path):
            return 200, self._page(method, found[1])
        if path.startswith("/portal/"):
            return 200, "<!doctype html><title>Billing</title><h1>Cards and invoices</h1>"
        if headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            raise _bad(401, "", "Invalid API Key provided")
        form = _nested(parse_qsl(body.decode(), keep_blank_values=True))
        asked = _nested(list(query.items()))
        key = headers.get("Idempotency-Key")
        if method != "POST" or not key:
            with self.lock:
                return 200, self._api(method, path, form or asked)
        return self._once(key, f"{path} {body.decode()}", path, form)

    def _once(self, key: str, request: str, path: str, form: dict[str, Any]) -> Answer:
        with self.lock:
            if key in self._kept:
                before, answer = self._kept[key]
                if before != request:
                    raise Failed(
                        400, {"error": {"type": "idempotency_error", "message": "changed"}}
                    )
                if answer is None:
                    raise Failed(409, {"error": {"code": "idempotency_key_in_use", "message": ""}})
                if isinstance(answer, Failed):
                    raise answer
                return answer
            self._kept[key] = request, None
        with self.lock:
            try:
                found: Answer = 200, self._api("POST", path, form)
            except Failed as failed:
                self._kept[key] = request, failed
                raise
            self._kept[key] = request, found
        return found

    def _api(self, method: str, path: str, form: dict[str, Any]) -> object:
        doors = {
            ("POST", "/v1/checkout/sessions"): self._create,
            ("GET", "/v1/prices"): self._find_prices,
            ("POST", "/v1/prices"): self._price,
            ("POST", "/v1/refunds"): self._refund,
            ("GET", "/v1/events"): self._events,
            ("GET", "/v1/invoice_payments"): self._payments_of,
            ("POST", "/v1/billing_portal/sessions"): self._portal,
        }
        if door := doors.get((method, path)):
            return door(form)
        if found := re.fullmatch(r"/v1/checkout/sessions/(\w+)", path):
            return self._session(found[1])
        if found := re.fullmatch(r"/v1/payment_intents/(\w+)", path):
            return {"id": found[1], "latest_charge": self.charges[found[1]]}
        if found := re.fullmatch(r"/v1/subscriptions/(\w+)", path):
            return self._subscription(method, found[1], form)
        raise _bad(404, "", f"Unrecognized request URL {path}")

    def _find_prices(self, form: dict[str, Any]) -> dict[str, Any]:
        names = _values(form.get("lookup_keys"))
        return _list([p for p in self.prices.values() if p["lookup_key"] in names])

    def _payments_of(self, form: dict[str, Any]) -> dict[str, Any]:
        if "invoice" in form:
            intent = self.invoices[form["invoice"]]
            return _list([{"payment": {"type": "payment_intent", "payment_intent": intent}}])
        paid = [i for i, pi in self.invoices.items() if pi == form["payment"]["payment_intent"]]
        return _list([{"object": "invoice_payment", "invoice": self._invoice(i)} for i in paid])

    def _invoice(self, invoice: str) -> dict[str, Any]:
        found = self.billed[invoice]
        began = {"subscription": found, "metadata": self.subscriptions[found]["metadata"]}
        return {"id": invoice, "object": "invoice", "parent": {"subscription_details": began}}

    def _refund(self, form: dict[str, Any]) -> dict[str, Any]:
        if self.switches.no_refunds == "refuse":
            raise _bad(400, "balance_insufficient", "Insufficient funds in your account.")
        if self.switches.no_refunds == "fail":
            return {"id": self.new_id("re"), "object": "refund", "status": "failed"}
        if self.switches.no_refunds == "race":
            self.give_back(form["payment_intent"])
        if self.switches.no_refunds == "break":
            raise Failed(500, BROKEN)
        found = self.give_back(form["payment_intent"])
        if self.switches.no_refunds == "broken":
            raise Failed(500, BROKEN)
        return found

    def forget_keys(self) -> None:
        """A day passes: answers to keys are not kept for longer, those with a 500 neither."""
        self._kept.clear()

    def _portal(self, form: dict[str, Any]) -> dict[str, Any]:
        return {"id": "bps_1", "url": f"{self.url}/portal/{form['customer']}"}

    def _create(self, form: dict[str, Any]) -> dict[str, Any]:
        line = form["line_items"]["0"]
        if form["mode"] == "subscription":
            price = self.prices[line["price"]]
            amount, currency = price["unit_amount"], price["currency"]
        else:
            amount = int(line["price_data"]["unit_amount"])
            currency = line["price_data"]["currency"]
        session_id = self.new_id("cs")
        meta = (form.get("payment_intent_data") or form.get("subscription_data") or {})["metadata"]
        session = {
            "id": session_id,
            "object": "checkout.session",
            "url": f"{self.url}/pay/{session_id}",
            "mode": form["mode"],
            "amount_total": amount,
            "currency": currency,
            "client_reference_id": form["client_reference_id"],
            "metadata": form["metadata"],
            "customer_email": form.get("customer_email"),
            "payment_status": "unpaid",
            "status": "open",
            "payment_intent": None,
            "invoice": None,
            "subscription": None,
            "created": int(time.time()),
            "expires_at": _expiry(form.get("expires_at")),
            "_then": form["success_url"],
            "_price": line.get("price"),
            "_meta": meta,
        }
        self.sessions[session_id] = session
        return session

    def _charge(self, session: dict[str, Any]) -> None:
        meta = session["_meta"] if session["mode"] == "payment" else {}
        intent = self._pay_with(session["amount_total"], session["currency"], meta)
        if session["mode"] == "payment":
            session["payment_intent"] = intent
            return
        customer = self.new_id("cus")
        self.customers[customer] = {"id": customer, "email": session["customer_details"]["email"]}
        session["customer"] = customer
        session["subscription"] = self._subscribe(session, customer)
        session["invoice"] = self._bill(session["subscription"], intent)

    def _pay_with(self, amount: int, currency: str, metadata: dict[str, Any]) -> str:
        intent = self.new_id("pi")
        self.charges[intent] = {
            "id": self.new_id("ch"),
            "object": "charge",
            "amount": amount,
            "amount_refunded": 0,
            "refunded": False,
            "currency": currency,
            "payment_intent": intent,
            "metadata": metadata,
        }
        return intent

    def _bill(self, subscription_id: str, intent: str) -> str:
        invoice = self.new_id("in")
        self.invoices[invoice], self.billed[invoice] = intent, subscription_id
        return invoice

    def _subscribe(self, session: dict[str, Any], customer: str) -> str:
        now = int(time.time())
        found = self.new_id("sub")
        self.subscriptions[found] = {
            "id": found,
            "object": "subscription",
            "status": "active",
            "customer": customer,
            "metadata": session["_meta"],
            "cancel_at_period_end": False,
            "ended_at": None,
            "items": _list(
                [
                    {
                        "id": self.new_id("si"),
                        "object": "subscription_item",
                        "price": self.prices[session["_price"]],
                        "current_period_start": now,
                        "current_period_end": now + MONTH,
                    }
                ]
            ),
        }
        self.tell("customer.subscription.created", self.subscriptions[found])
        return found

    def _price(self, form: dict[str, Any]) -> dict[str, Any]:
        if any(p["lookup_key"] == form["lookup_key"] for p in self.prices.values()):
            raise _bad(400, "", "A price already uses that lookup key.")
        price = {
            "id": self.new_id("price"),
            "object": "price",
            "unit_amount": int(form["unit_amount"]),
            "currency": form["currency"],
            "lookup_key": form["lookup_key"],
            "recurring": form["recurring"],
        }
        self.prices[price["id"]] = price
        return price

    def _session(self, session_id: str) -> dict[str, Any]:
        if session_id not in self.sessions:
            raise _bad(404, "resource_missing", "No such checkout.session")
        session = dict(self.sessions[session_id])
        if session["subscription"]:
            session["subscription"] = self.subscriptions[session["subscription"]]
        if intent := session["payment_intent"]:
            session["payment_intent"] = {
                "id": intent,
                "object": "payment_intent",
                "metadata": session["_meta"],
                "latest_charge": self.charges[intent],
            }
        return session

    def _subscription(self, method: str, found: str, form: dict[str, Any]) -> dict[str, Any]:
        if found not in self.subscriptions:
            raise _bad(404, "resource_missing", "No such subscription")
        if method == "DELETE":
            return self.end(found)
        if method == "POST":
            changes = {}
            if "cancel_at_period_end" in form:
                changes["cancel_at_period_end"] = form["cancel_at_period_end"] == "true"
            if "items" in form:
                item = self.subscriptions[found]["items"]["data"][0]
                item["price"] = self.prices[form["items"]["0"]["price"]]
            return self._tell_of(found, **changes)
        customer = self.subscriptions[found]["customer"]
        if "customer" in _values(form.get("expand")):
            return {**self.subscriptions[found], "customer": self.customers[customer]}
        return self.subscriptions[found]

    def _events(self, form: dict[str, Any]) -> dict[str, Any]:
        kinds, since = _values(form.get("types")), int(form["created"]["gte"])
        young = [e for e in self.events if e["type"] in kinds and e["created"] >= since][::-1]
        if after := form.get("starting_after"):
            young = young[[e["id"] for e in young].index(after) + 1 :]
        size = int(form.get("limit", 10))
        return {**_list(young[:size]), "has_more": len(young) > size}

    def _page(self, method: str, session_id: str) -> str:
        session = self.sessions[session_id]
        if method == "GET":
            money = f"{session['currency']} {session['amount_total']}"
            return (
                f"<!doctype html><title>Pay</title><h1>Pay {money}</h1>"
                '<form method="post"><button>Pay</button></form>'
            )
        self.pay(session_id)
        then = session["_then"].replace("{CHECKOUT_SESSION_ID}", session_id)
        return f'<!doctype html><meta http-equiv="refresh" content="0;url={then}">'


def _expiry(asked: str | None) -> int:
    """When a session ends: a day from now, or when it was asked to within that day."""
    now = int(time.time())
    ends = int(asked) if asked else now + 86_400
    if not now + 1_800 <= ends <= now + 86_400:
        raise _bad(400, "", "expires_at has to be half an hour to a day from now.")
    return ends


def sign(body: bytes, secret: str, at: int) -> str:
    """The documented header: `t=…,v1=HMAC-SHA256(t.body)`."""
    signed = f"{at}.".encode() + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0]=c` as `{"a": {"b": {"0": "c"}}}`."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        into = found
        for part in path:
            into = into.setdefault(part, {})
        into[last] = value
    return found


def _values(found: object) -> list[str]:
    return [str(v) for v in found.values()] if isinstance(found, dict) else []


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": items, "has_more": False, "url": "/v1/list"}


def _bad(status: int, code: str, message: str) -> Failed:
    error = {"type": "invalid_request_error", "code": code or None, "message": message}
    return Failed(status, {"error": error})
