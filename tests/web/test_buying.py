"""A stranger buys with nothing but an address."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from tests import outbox, people, shopping
from tests.tills import Till
from tests.web import forms
from tests.web.buyers import RAVI, id_of, ordered_by_form
from tests.web.pages import text
from whatworks.store import coupons


def test_a_stranger_buys_and_loses_it_on_refund(till: Till) -> None:
    client = till.browser()
    del client.environ_base["HTTP_SEC_FETCH_SITE"]
    page = ordered_by_form(client)
    said = text(page)
    assert "Look it over, then pay" in said
    assert RAVI in said
    assert "₹499" in said
    assert till.razorpay.url in page.headers["Content-Security-Policy"]
    pay = forms.find(page, f"{till.razorpay.url}/v1/checkout/embedded")
    payment = till.razorpay.pay(pay.fields["order_id"], email=RAVI)
    back = till.come_back(payment)
    ready = client.get(back.headers["Location"])
    assert "Paid and ready" in text(ready)
    assert till.razorpay.url not in ready.headers["Content-Security-Policy"]
    found = re.search(r'href="(/download/pro\?token=[^"]+)"', ready.get_data(as_text=True))
    assert found is not None
    zip_ = client.get(found[1])
    assert zip_.get_data().startswith(b"PK")
    till.razorpay.give_back(payment["id"])
    assert set(till.deliver()) == {200}
    closed = text(client.get(back.headers["Location"]))
    assert "This order is closed" in closed
    assert "on its way back" in closed
    assert "/download/" not in closed
    assert client.get(found[1]).status_code == 402
    receipt, refund = outbox.texts(till.app)
    assert "your money is on its way back" in refund
    assert "Pro pack is paid and ready" in receipt
    assert id_of(page) in receipt


def test_what_was_typed_wrong_is_said_at_its_field(till: Till) -> None:
    client = till.app.test_client()
    for typed, field in (
        ({"email": ""}, "email"),
        ({"email": "nobody"}, "email"),
        ({"coupon_code": "NOTHING"}, "coupon_code"),
    ):
        form = forms.find(client.get("/buy?product=pro"), "/buy")
        answer = client.post("/buy", data=form.filled(**{"email": RAVI, **typed}))
        assert answer.status_code == 400
        page = answer.get_data(as_text=True)
        assert f'id="{field}-error"' in page
        assert f'href="#{field}"' in page
    assert till.razorpay.orders == {}


def test_a_price_is_never_the_buyers(till: Till) -> None:
    form = {"product": "pro", "email": RAVI, "amount": "1", "price": "1", "prices[INR]": "1"}
    page = till.app.test_client().post("/buy", data=form, follow_redirects=True)
    assert "₹499" in text(page)
    assert [order["amount"] for order in till.razorpay.orders.values()] == [49900]


def test_a_coupon_is_said_back_before_paying(till: Till) -> None:
    till.database.write(coupons.create, "HALF", percent=50)
    page = ordered_by_form(till.app.test_client(), coupon_code="half")
    said = text(page)
    assert "Coupon HALF" in said
    assert "−₹249.50" in said
    assert "Pay ₹249.50" in said


def test_an_address_can_be_mended_before_paying(till: Till) -> None:
    client = till.app.test_client()
    page = ordered_by_form(client, "ravi@exampel.com")
    found = re.search(r'href="(/buy\?product=pro&amp;email=[^"]+)"', page.get_data(as_text=True))
    assert found is not None
    form = forms.find(client.get(found[1].replace("&amp;", "&")), "/buy")
    assert form.fields["email"] == "ravi@exampel.com"
    again = forms.send(client, form, form.filled(email=RAVI))
    assert RAVI in text(again)
    assert id_of(again) != id_of(page)


def test_a_form_sent_twice_is_one_order(till: Till) -> None:
    client = till.app.test_client()
    form = forms.find(client.get("/buy?product=pro"), "/buy")
    pages = [forms.send(client, form, form.filled(email=RAVI)) for _ in range(3)]
    assert len({id_of(page) for page in pages}) == 1
    assert len(till.razorpay.orders) == 1


def test_a_gateway_that_fails_makes_no_second_order(till: Till) -> None:
    client = till.app.test_client()
    form = forms.find(client.get("/buy?product=pro"), "/buy")
    till.razorpay.switches.error = True
    refused = client.post("/buy", data=form.filled(email=RAVI))
    assert refused.status_code == 503
    assert RAVI in refused.get_data(as_text=True)  # nothing has to be typed again
    till.razorpay.switches.error = False
    again = forms.find(refused, "/buy")
    assert "Look it over" in text(forms.send(client, form, form.filled(email=RAVI)))
    assert again.fields["email"] == RAVI
    assert len(till.razorpay.orders) == 1


def test_without_a_gateway_the_shop_says_so(app: Flask, client: FlaskClient) -> None:
    pricing = text(client.get("/pricing"))
    assert "Payments are not set up" in pricing
    assert "cannot be bought here" not in pricing  # once is enough
    assert "Payments are not set up" in text(client.get("/buy?product=pro"))
    assert not [
        form for form in forms.read(client.get("/buy?product=pro")) if form.action == "/buy"
    ]
    answer = client.post("/buy", data={"product": "pro", "email": RAVI})
    assert answer.status_code == 503
    assert "WHATWORKS_RAZORPAY_KEY_ID" in answer.get_data(as_text=True)


def test_what_one_has_is_not_sold_again(till: Till) -> None:
    asha = people.sign_up(till.app)
    shopping.bought(till.app, user_id=asha.user_id, email=asha.email)
    page = asha.client.get("/buy?product=pro")
    assert "You have this already" in text(page)
    assert asha.client.get("/buy?product=starter").headers["Location"] == "/download/starter"
    assert asha.client.get("/buy?product=nothing").status_code == 404
    assert asha.client.get("/buy").location == "/pricing"
