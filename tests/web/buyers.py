"""Buyers who have nothing but an address, by forms alone."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import KEY
from tests.web import forms
from whatworks.store import links
from whatworks.store.orders import Order

RAVI = "ravi@example.com"
CHECKOUT = "/v1/checkout/embedded"
SITE = "http://localhost:8000"


def ordered_by_form(client: FlaskClient, email: str = RAVI, **typed: str) -> TestResponse:
    """From the price list to the order's page, as a browser without scripts."""
    assert 'href="/buy?product=pro' in client.get("/pricing").get_data(as_text=True)
    form = forms.find(client.get("/buy?product=pro"), "/buy")
    return forms.send(client, form, form.filled(email=email, **typed))


def id_of(page: TestResponse) -> str:
    """The order of a page."""
    return page.request.path.removeprefix("/order/")


def open_page(client: FlaskClient, order: Order) -> TestResponse:
    """The page that a mail leads to."""
    return client.get(links.order_path(KEY, order.id))


def seen(answer: TestResponse, hidden: str) -> tuple[int, str, str]:
    """All that tells an answer from another, but for one name and for ids."""
    body = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.get_data(as_text=True))
    where = answer.headers.get("Location", "").replace(hidden, "ID")
    return answer.status_code, body.replace(hidden, "ID"), where
