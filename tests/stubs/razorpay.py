"""A stand-in for Razorpay: orders, payments, refunds, disputes, its hosted page, its letters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl

from tests.stubs.provider import BROKEN, Answer, Failed, Provider

KEY_ID = "rzp_test_1"
KEY_SECRET = "key-secret-of-tests"
WEBHOOK_SECRET = "webhook-secret-of-tests"


def hmac_sha256(secret: str, message: bytes) -> str:
    """The documented signature: HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class RazorpayStub(Provider):
    """One account at a pretended Razorpay."""

    def __init__(self, port: int = 0) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.answered: dict[str, object] = {}  # by the key of a refund, refusals as well
        self.refunds: list[dict[str, Any]] = []
        self.disputes: dict[str, dict[str, Any]] = {}
        self.settings = {"razorpay_key_id": KEY_ID, "razorpay_key_secret": KEY_SECRET}
        self.settings["razorpay_webhook_secret"] = WEBHOOK_SECRET
        super().__init__(WEBHOOK_SECRET, port)
        self.settings["razorpay_url"] = self.url

    # what people and banks do

    def pay(
        self,
        order_id: str,
        *,
        amount: int | None = None,
        currency: str | None = None,
        email: str = "payer@example.com",
        status: str = "captured",
    ) -> dict[str, Any]:
        """Somebody pays an order, or tries to: captured, authorized or failed."""
        order = self.orders[order_id]
        payment: dict[str, Any] = {
            "id": self.new_id("pay"),
            "entity": "payment",
            "order_id": order_id,
            "amount": order["amount"] if amount is None else amount,
            "currency": currency or order["currency"],
            "status": status,
            "amount_refunded": 0,
            "email": email,
            "contact": "+919999999999",
            "notes": {},
            "created_at": int(time.time()),
        }
        self.payments[payment["id"]] = payment
        if status == "failed":
            self.tell("payment.failed", payment=payment)
            return payment
        self.tell("payment.authorized", payment={**payment, "status": "authorized"})
        if status == "captured":
            self.capture(payment["id"])
        return payment

    def capture(self, payment_id: str) -> None:
        """The money is taken."""
        payment = self.payments[payment_id]
        payment["status"] = "captured"
        order = self.orders[payment["order_id"]]
        order["status"], order["amount_paid"] = "paid", payment["amount"]
        self.tell("payment.captured", payment=payment)
        self.tell("order.paid", payment=payment, order=order)

    def agree_late(self, payment_id: str) -> None:
        """A bank that had refused agrees after all."""
        self.payments[payment_id]["status"] = "authorized"
        self.tell("payment.authorized", payment=self.payments[payment_id])

    def give_back(self, payment_id: str, amount: int | None = None) -> dict[str, Any]:
        """Refund a payment, or part of it."""
        payment = self.payments[payment_id]
        money = amount or payment["amount"] - payment["amount_refunded"]
        payment["amount_refunded"] += money
        if payment["amount_refunded"] == payment["amount"]:
            payment["status"] = "refunded"
        refund = {
            "id": self.new_id("rfnd"),
            "entity": "refund",
            "payment_id": payment_id,
            "amount": money,
            "currency": payment["currency"],
            "status": "processed",
            "created_at": int(time.time()),
        }
        self.refunds.append(refund)
        self.tell("refund.created", refund=refund, payment=payment)
        self.tell("refund.processed", refund=refund, payment=payment)
        return refund

    def forget_keys(self) -> None:
        """A day passes: answers to keys are not kept for longer, those with a 500 neither."""
        self.answered.clear()

    def bounce(self, payment_id: str) -> None:
        """The last refund of a payment does not arrive."""
        refund = next(r for r in reversed(self.refunds) if r["payment_id"] == payment_id)
        refund["status"] = "failed"
        payment = self.payments[payment_id]
        payment["amount_refunded"] -= refund["amount"]
        payment["status"] = "captured"
        self.tell("refund.failed", refund=refund, payment=payment)

    def dispute(
        self, payment_id: str, status: str = "open", dispute_id: str = "", phase: str = "chargeback"
    ) -> str:
        """A bank wants the money back (open), and then it is won or lost."""
        found = dispute_id or self.new_id("disp")
        entity = self.disputes.setdefault(
            found,
            {
                "id": found,
                "entity": "dispute",
                "payment_id": payment_id,
                "created_at": int(time.time()),
            },
        )
        entity.update(status=status, phase=phase)
        event = "payment.dispute." + {"open": "created"}.get(status, status)
        self.tell(event, dispute=entity, payment=self.payments[payment_id])
        return found

    def tell(self, event: str, **entities: dict[str, Any]) -> None:
        """Write a letter about what happened."""
        payload = {name: {"entity": dict(entity)} for name, entity in entities.items()}
        self.write(
            {
                "id": self.new_id("event"),
                "entity": "event",
                "account_id": "acc_1",
                "event": event,
                "contains": list(entities),
                "payload": payload,
                "created_at": int(time.time()),
            }
        )

    def signed(self, letter: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps({k: v for k, v in letter.items() if k != "id"}).encode()
        return body, {
            "Content-Type": "application/json",
            "X-Razorpay-Signature": hmac_sha256(self.secret, body),
            "X-Razorpay-Event-Id": letter["id"],
        }

    def way_back(self, payment: dict[str, Any]) -> dict[str, str]:
        """What the buyer's browser brings back to the shop."""
        signed = f"{payment['order_id']}|{payment['id']}".encode()
        return {
            "razorpay_order_id": payment["order_id"],
            "razorpay_payment_id": payment["id"],
            "razorpay_signature": hmac_sha256(KEY_SECRET, signed),
        }

    # the API

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> Answer:
        form = dict(parse_qsl(body.decode())) if "form" in headers.get("Content-Type", "") else {}
        if (method, path) == ("POST", "/v1/checkout/embedded"):
            return 200, self._page(form)
        if (method, path) == ("POST", "/pay"):
            return 200, self._paid_page(form)
        right = base64.b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode()
        if headers.get("Authorization") != f"Basic {right}":
            raise _bad(401, "Authentication failed")
        data = json.loads(body) if body else {}
        with self.lock:
            key = headers.get("X-Refund-Idempotency", "")
            if key not in self.answered or not key:
                try:
                    self.answered[key] = self._api(method, path, query, data)
                except Failed as failed:
                    self.answered[key] = failed
            if isinstance(found := self.answered[key], Failed):
                raise found
            return 200, found

    def _api(self, method: str, path: str, query: dict[str, str], data: dict[str, Any]) -> object:
        if (method, path) == ("POST", "/v1/orders"):
            return self._create(data)
        if (method, path) == ("GET", "/v1/orders"):
            named = query.get("receipt")
            return _list([o for o in self.orders.values() if o["receipt"] == named])
        if (method, path) == ("GET", "/v1/refunds"):
            return _page_of(self.refunds, query)
        if (method, path) == ("GET", "/v1/disputes"):
            return _page_of(list(self.disputes.values()), query)
        if found := re.fullmatch(r"/v1/orders/(\w+)/payments", path):
            if found[1] not in self.orders:
                raise _bad(400, "The id provided does not exist")
            return _list([p for p in self.payments.values() if p["order_id"] == found[1]])
        if found := re.fullmatch(r"/v1/payments/(\w+)(/capture|/refund)?", path):
            if found[1] not in self.payments:
                raise _bad(400, "The id provided does not exist")
            return self._payment(found[1], found[2] or "", data)
        raise _bad(404, "no such url")

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(data.get("amount"), int) or data["amount"] < 100:
            raise _bad(400, "The amount must be at least INR 1.00")
        order = {
            "id": self.new_id("order"),
            "entity": "order",
            "amount": data["amount"],
            "amount_paid": 0,
            "currency": data["currency"],
            "receipt": data["receipt"],
            "status": "created",
            "notes": data.get("notes", {}),
            "created_at": int(time.time()),
        }
        self.orders[order["id"]] = order
        return order

    def _payment(self, payment_id: str, what: str, data: dict[str, Any]) -> dict[str, Any]:
        payment = self.payments[payment_id]
        if what == "/capture":
            if payment["status"] != "authorized" or data["amount"] != payment["amount"]:
                raise _bad(400, "This payment cannot be captured")
            self.capture(payment_id)
        elif what == "/refund":
            return self._refund(payment, data["amount"])
        return payment

    def _refund(self, payment: dict[str, Any], amount: int) -> dict[str, Any]:
        if self.switches.no_refunds == "refuse":
            raise _bad(400, "Your account does not have enough balance")
        if self.switches.no_refunds == "fail":
            return {"id": self.new_id("rfnd"), "status": "failed", "amount": amount}
        if self.switches.no_refunds == "race":
            self.give_back(payment["id"])
        if amount > payment["amount"] - payment["amount_refunded"]:
            raise _bad(400, "The total refund amount is greater than the refund payment amount")
        if self.switches.no_refunds == "break":
            raise Failed(500, BROKEN)
        found = self.give_back(payment["id"], amount)
        if self.switches.no_refunds == "broken":
            raise Failed(500, BROKEN)
        return found

    # the hosted page

    def _page(self, form: dict[str, str]) -> str:
        order = self.orders[form["order_id"]]
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(n)}" value="{html.escape(v)}">'
            for n, v in form.items()
        )
        return (
            f"<!doctype html><title>Pay</title><h1>Pay {order['currency']} {order['amount']}</h1>"
            f'<form method="post" action="/pay">{hidden}<button>Pay</button></form>'
        )

    def _paid_page(self, form: dict[str, str]) -> str:
        payment = self.pay(form["order_id"], email=form.get("prefill[email]", "p@example.com"))
        hidden = "".join(
            f'<input type="hidden" name="{n}" value="{html.escape(v)}">'
            for n, v in self.way_back(payment).items()
        )
        back = html.escape(form["callback_url"])
        return (
            f'<!doctype html><title>Paid</title><form method="post" action="{back}">{hidden}'
            "<button>Back to the shop</button></form><script>document.forms[0].submit()</script>"
        )


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"entity": "collection", "count": len(items), "items": items}


def _page_of(items: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    young = [i for i in items if i["created_at"] >= int(query.get("from", 0))]
    skip = int(query.get("skip", 0))
    return _list(young[skip : skip + int(query.get("count", 10))])


def _bad(status: int, description: str) -> Failed:
    return Failed(status, {"error": {"code": "BAD_REQUEST_ERROR", "description": description}})
