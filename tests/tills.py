"""The shop with stand-ins for both gateways, and what buyers and gateways do there."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.stubs.razorpay import RazorpayStub
from tests.stubs.stripe import StripeStub
from whatworks import db
from whatworks.app import close
from whatworks.shop import Shop
from whatworks.store import entitlements, orders
from whatworks.store.orders import Order

_buyers = itertools.count(1)
WHO: Final = "asha@example.com"


@dataclass(frozen=True)
class Till:
    """An application that sells through both stand-ins."""

    app: Flask
    razorpay: RazorpayStub
    stripe: StripeStub

    @property
    def database(self) -> db.Database:
        return people.platform(self.app).database

    @property
    def shop(self) -> Shop:
        return people.platform(self.app).shop

    def order(self, product: str = "pro", *, email: str = "", **more: object) -> dict[str, Any]:
        """Order at Razorpay as a stranger; the JSON of the answer."""
        address = email or f"buyer{next(_buyers)}@example.com"
        answer = self.post("/create_order", {"product": product, "email": address, **more})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: dict[str, Any] = answer.get_json()
        return found

    def checkout(self, product: str = "pro", *, email: str = "", **more: object) -> dict[str, Any]:
        """Order at Stripe as a stranger; the JSON of the answer."""
        address = email or f"buyer{next(_buyers)}@example.com"
        body = {"product": product, "email": address, **more}
        answer = self.post("/api/billing/create-checkout", body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: dict[str, Any] = answer.get_json()
        return found

    def post(self, path: str, body: object, **headers: str) -> TestResponse:
        """POST as JSON by nobody in particular."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post(path, json=body, headers=named)

    def receive(self, gateway: str, body: bytes, headers: dict[str, str]) -> int:
        """A gateway's letter arrives; the status it gets."""
        path = "/webhook" if gateway == "razorpay" else "/webhook/stripe"
        return self.app.test_client().post(path, data=body, headers=headers).status_code

    def deliver(self) -> list[int]:
        """All letters of both gateways arrive."""
        return [
            *self.razorpay.deliver(lambda body, headers: self.receive("razorpay", body, headers)),
            *self.stripe.deliver(lambda body, headers: self.receive("stripe", body, headers)),
        ]

    def find(self, order_id: str) -> Order:
        """An order as it stands."""
        return self.database.read(orders.get, order_id)

    def kinds(self, order_id: str) -> list[str]:
        """What happened to an order."""
        order = self.find(order_id)
        return [event.kind for event in self.database.read(orders.list_events, order.id)]

    def gives(self, order_id: str) -> list[tuple[str | None, str | None]]:
        """What an order gives now: products and plans."""
        order = self.find(order_id)
        return _in_force(self.database, order.id)

    def grants(self) -> int:
        """How many grants there are, of whatever order, in force or not."""
        return len(people.everything(self.database)["grants"])

    def come_back(self, payment: dict[str, Any]) -> TestResponse:
        """A buyer's browser comes back from Razorpay."""
        return self.browser().post("/success", data=self.razorpay.way_back(payment))

    def browser(self) -> FlaskClient:
        """A browser that gateways lead back to us."""
        client = self.app.test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "cross-site"
        return client


def _in_force(database: db.Database, cause_id: str) -> list[tuple[str | None, str | None]]:
    held = database.read(entitlements.list_of_cause, cause_id)
    return [(one.product, one.plan) for one in held if one.revoked_at is None]


@contextlib.contextmanager
def opened(url: str, folder: Path, **settings: Any) -> Iterator[Till]:
    """A till on a stocked database."""
    with RazorpayStub() as razorpay, StripeStub() as stripe:
        chosen = {**razorpay.settings, **stripe.settings, **settings}
        app = people.build(url, folder, **chosen)
        try:
            yield Till(app, razorpay, stripe)
        finally:
            close(app)
