"""The ways back from a gateway lead to the order and nowhere else."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people
from tests.tills import Till
from tests.web import forms
from tests.web.buyers import CHECKOUT, RAVI, open_page, seen
from tests.web.pages import text


def test_a_failed_try_leads_back_without_asking(till: Till) -> None:
    """Razorpay posts what went wrong to the address that it was given, which has the key."""
    order = till.find(till.order(email=RAVI)["id"])
    form = forms.find(open_page(till.app.test_client(), order), f"{till.razorpay.url}{CHECKOUT}")
    wrong = {"error[code]": "BAD_REQUEST_ERROR", "error[metadata]": "{}"}
    for path in (form.fields["callback_url"], form.fields["cancel_url"]):
        back = path.removeprefix(people.platform(till.app).settings.address)
        page = till.browser().post(back, data=wrong, follow_redirects=True)
        assert "The payment did not go through. You can try again." in text(page)
        assert "Look it over, then pay" in text(page)
        again = forms.find(page, f"{till.razorpay.url}{CHECKOUT}")
        assert again.fields["order_id"] == form.fields["order_id"]
    assert till.find(order.id).status == "created"


def test_the_way_back_does_not_tell_which_orders_there_are(till: Till) -> None:
    order = till.find(till.order(email=RAVI)["id"])
    for there, nowhere in (
        (order.id, "0193a0e4-0000-7000-8000-000000000000"),
        (order.gateway_id or "", "order_0000000000000"),
    ):
        known, unknown = (
            [
                seen(till.browser().get("/success", query_string={"order_id": name}), name),
                seen(
                    till.browser().get("/success", query_string={"order": name, "key": "1.x"}), name
                ),
                seen(till.browser().post("/success", data=failure_of(name)), name),
                seen(till.browser().get(f"/order/{name}"), name),
            ]
            for name in (there, nowhere)
        )
        assert known == unknown
        assert [status for status, _, _ in known] == [303, 303, 303, 404]


def test_a_gateways_name_of_an_order_opens_it_with_the_address(till: Till) -> None:
    order = till.find(till.order(email=RAVI)["id"])
    client = till.app.test_client()
    page = client.get(
        "/success", query_string={"order_id": order.gateway_id}, follow_redirects=True
    )
    form = forms.find(page, f"/order/{order.gateway_id}")
    opened = client.post(form.action, data=form.filled(email=RAVI), follow_redirects=True)
    assert "Look it over, then pay" in text(opened)
    wrong = client.post(form.action, data=form.filled(email="thief@example.com"))
    assert wrong.status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "..",
        "a\r\nX: 1",
        "é",
        "x" * 9999,
    ],
)
def test_the_way_back_leads_nowhere_else(app: Flask, client: FlaskClient, name: str) -> None:
    for answer in (
        client.get("/success", query_string={"order_id": name, "key": name}),
        client.post("/success", data=failure_of(name)),
        client.get("/api/billing/cancel", query_string={"product": name}),
    ):
        assert answer.status_code == 303
        assert re.fullmatch(
            r"/(order/|buy\?product=|pricing)[\w.%?=/-]*", answer.headers["Location"]
        )
        assert "X" not in answer.headers


def failure_of(name: str) -> dict[str, str]:
    """What Razorpay posts through a browser whose payment did not go through."""
    return {"error[code]": "BAD", "error[metadata]": json.dumps({"order_id": name})}
