"""An order's page says why at every state, to whoever may see it, and mails find it again."""

from __future__ import annotations

import email
import email.policy
import re
import uuid
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import outbox, people, shopping
from tests.people import KEY, Person
from tests.tills import Till
from tests.web import forms
from tests.web.buyers import RAVI, SITE, open_page, seen
from tests.web.pages import text
from tests.web.probe import PAYLOADS, probed
from whatworks.people import sessions
from whatworks.store import deliveries, links

# ---- the states -----------------------------------------------------------------------------


def test_nobody_is_asked_to_pay_again_while_a_bank_thinks(till: Till) -> None:
    """A first try failed and the second waits: paying a third time would be paying twice."""
    order = till.find(till.order(email=RAVI)["id"])
    till.razorpay.pay(order.gateway_id or "", status="failed")
    second = till.razorpay.pay(order.gateway_id or "", status="authorized")
    till.deliver()
    assert "Waiting for the bank" in text(open_page(till.app.test_client(), order))
    till.razorpay.capture(second["id"])
    till.razorpay.give_back(second["id"], 10_000)
    till.deliver()
    page = text(open_page(till.app.test_client(), order))
    assert "Paid and ready" in page
    assert "<dt>Sent back</dt><dd>₹100</dd>" in page


def test_a_bank_of_stripe_may_take_days_and_refuse(till: Till) -> None:
    made = till.checkout(email=RAVI)
    order = till.find(made["order_id"])
    till.stripe.pay(made["session_id"], later=True)
    till.deliver()
    assert "Waiting for the bank" in text(open_page(till.app.test_client(), order))
    till.stripe.refuse(made["session_id"])
    till.stripe.letters[-1]["created"] += 5  # never in the same second
    till.deliver()
    page = text(open_page(till.app.test_client(), order))
    assert "did not work" in page
    assert "order it anew" in page


def test_the_page_says_where_it_stands(till: Till) -> None:
    client = till.app.test_client()
    order = till.find(till.order(email=RAVI)["id"])
    assert "Look it over, then pay" in text(open_page(client, order))
    payment = till.razorpay.pay(order.gateway_id or "", email=RAVI, status="authorized")
    till.deliver()
    waiting = open_page(client, order)
    assert "Waiting for the bank" in text(waiting)
    assert 'http-equiv="refresh"' in text(waiting)
    till.razorpay.capture(payment["id"])  # and its letter is lost
    till.razorpay.letters.clear()
    form = forms.find(waiting, f"/order/{order.id}/check")
    asked = forms.send(client, form, form.filled())
    assert "Paid and ready" in text(asked)
    dispute = till.razorpay.dispute(payment["id"])
    till.deliver()
    assert "until it has decided" in text(open_page(client, order)).lower()
    till.razorpay.dispute(payment["id"], "lost", dispute)
    till.deliver()
    lost = text(open_page(client, order))
    assert "Your bank took this payment back" in lost
    assert "until it has decided" not in lost.lower()


def test_a_failed_try_can_be_paid_again(till: Till) -> None:
    client = till.app.test_client()
    order = till.find(till.order(email=RAVI)["id"])
    till.razorpay.pay(order.gateway_id or "", status="failed")
    till.deliver()
    page = open_page(client, order)
    assert "Paying again makes no second order" in text(page)
    form = forms.find(page, f"{till.razorpay.url}/v1/checkout/embedded")
    assert form.fields["order_id"] == order.gateway_id


def test_money_that_does_not_fit_is_said_so(till: Till) -> None:
    order = till.find(till.order(email=RAVI)["id"])
    till.razorpay.pay(order.gateway_id or "", amount=1)
    till.deliver()
    page = text(open_page(till.app.test_client(), order))
    assert "We are looking at your payment" in page
    assert "does not fit" in page
    assert "/download/" not in page


def test_a_gateway_that_does_not_answer_is_said_so(till: Till) -> None:
    client = till.app.test_client()
    order = till.find(till.order(email=RAVI)["id"])
    till.razorpay.switches.error = True
    path = f"/order/{order.id}/check"
    answer = client.post(path, data={"key": links.order_key(KEY, order.id)}, follow_redirects=True)
    assert 'class="flash error"' in text(answer)


# ---- who may see it -------------------------------------------------------------------------


ROUTES = [("GET", ""), ("POST", ""), ("POST", "/check"), ("POST", "/resend"), ("GET", "/receipt")]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_somebody_elses_order_looks_like_none(
    app: Flask, person: Callable[..., Person], accept: str
) -> None:
    asha, ravi, boss = person(), person(), people.operator(app)
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    absent = str(uuid.uuid4())
    for client in (app.test_client(), ravi.client, boss.client):
        for method, rest in ROUTES:
            for sent in ({}, {"email": ravi.email, "key": "1.x"}, {"email": "", "key": ""}):
                real, none = (
                    client.open(
                        f"/order/{order_id}{rest}",
                        method=method,
                        data=sent if method == "POST" else None,
                        query_string=sent if method == "GET" else None,
                        headers={"Accept": accept},
                    )
                    for order_id in (order.id, absent)
                )
                assert seen(real, order.id) == seen(none, absent), (method, rest, sent)
                assert asha.email not in real.get_data(as_text=True)
    assert shopping.events(app, order).count("resent") == 0


def test_its_owner_sees_it(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    assert "Paid and ready" in text(asha.client.get(f"/order/{order.id}"))
    assert "Paid and ready" in text(asha.client.get(f"/order/{order.gateway_id}"))
    assert "₹499" in text(asha.client.get(f"/order/{order.id}/receipt"))


def test_number_and_address_open_it(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app, email=RAVI)
    form = forms.find(client.get(f"/order/{order.id}"), f"/order/{order.id}")
    wrong = client.post(form.action, data=form.filled(email="asha@example.com"))
    assert wrong.status_code == 404
    page = forms.send(client, form, form.filled(email=" RAVI@example.com "))
    assert "Paid and ready" in text(page)
    forms.find(page, f"/order/{order.id}/resend")


def test_an_order_as_json(app: Flask, client: FlaskClient, person: Callable[..., Person]) -> None:
    order = shopping.bought(app, email=RAVI)
    program = {"Accept": "application/json"}
    path = f"/order/{order.id}"
    assert client.get(path, headers=program).status_code == 404
    answers = [
        client.get(path, headers=program, query_string={"email": RAVI}),
        client.post(path, headers=program, data={"email": RAVI}),
        client.get(links.order_path(KEY, order.id), headers=program),
    ]
    asha = person()
    people.platform(app).database.write(sessions.prove_address, asha.user_id)
    for answer in answers:
        body = answer.get_json()
        assert (body["success"], body["order_id"], body["status"]) == (True, order.id, "fulfilled")
        assert (body["amount"], body["currency"]) == (49900, "INR")
        assert body["next"]["state"] == "ready"
        assert body["email"] == "r***@example.com"


def test_a_receipt_is_of_what_was_paid(app: Flask, client: FlaskClient) -> None:
    order = shopping.ordered(app, email=RAVI)
    path = f"/order/{order.id}/receipt?key={links.order_key(KEY, order.id)}"
    assert client.get(path).status_code == 404
    shopping.pay(app, order)
    assert order.id in text(client.get(path))


# ---- lost mails -----------------------------------------------------------------------------


def test_the_link_goes_again_to_the_orders_own_address(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app, email=RAVI)
    page = open_page(client, order)
    form = forms.find(page, f"/order/{order.id}/resend")
    asked = client.post(form.action, data={**form.filled(), "email": "thief@example.com"})
    assert asked.status_code == 303
    (mail,) = outbox.texts(app)
    assert f"To: {RAVI}" in mail
    assert shopping.events(app, order)[-1] == "resent"


def test_the_mailed_link_opens_the_order(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app, email=RAVI)
    client.post(f"/order/{order.id}/resend", data={"key": links.order_key(KEY, order.id)})
    found = re.search(r"http://localhost:8000(/order/\S+\?key=\S+)", outbox.texts(app)[0])
    assert found is not None
    assert "Paid and ready" in text(client.get(found[1]))


@pytest.mark.parametrize("has_account", [False, True])
def test_from_the_receipt_to_the_workflows(
    app: Flask, client: FlaskClient, person: Callable[..., Person], has_account: bool
) -> None:
    """The mail leads there: sign up or in, the link of one more mail, and what was bought."""
    if has_account:
        person(RAVI)
    order = shopping.bought(app, email=RAVI)
    client.post(f"/order/{order.id}/resend", data={"key": links.order_key(KEY, order.id)})
    way = "/signin?" if has_account else "/signup?"
    form = forms.find(client.get(path_in(outbox.texts(app)[-1], way)), way[:-1])
    assert form.fields["email"] == RAVI
    typed = {} if has_account else {k: v for k, v in people.NEW.items() if k in form.takes}
    asked = client.post(form.action, data={**form.filled(), **typed})
    assert "Check your mail" in text(asked)
    assert "The code shows that the address is yours" in text(asked)
    assert 'href="/download/pro"' not in text(client.get("/library", follow_redirects=True))
    form = forms.find(client.get(path_in(outbox.texts(app)[-1], "/signin/link?")), "/signin/link")
    library = client.post(form.action, data=form.filled(), follow_redirects=True)
    assert library.request.path == "/library"
    assert 'href="/download/pro"' in text(library)
    assert client.get("/executor/raise_your_rates").status_code == 200


def path_in(mail: str, start: str) -> str:
    """The address of ours in a mail that begins so."""
    found = str(email.message_from_string(mail, policy=email.policy.default).get_content())
    return next(word[len(SITE) :] for word in found.split() if word.startswith(SITE + start))


def test_all_orders_of_an_address_are_mailed_and_nobody_learns_which(
    app: Flask, client: FlaskClient
) -> None:
    paid, unpaid = shopping.bought(app, email=RAVI), shopping.ordered(app, "premium", email=RAVI)
    form = forms.find(client.get("/order"), "/order")
    known, unknown = (
        client.post("/order", data=form.filled(email=email)) for email in (RAVI, "no@example.com")
    )
    assert seen(known, RAVI) == seen(unknown, "no@example.com")
    (mail,) = outbox.texts(app)
    assert paid.id in mail
    assert unpaid.id not in mail


def test_mails_to_one_buyer_are_limited(limited: Callable[..., Flask]) -> None:
    app = limited()
    client = app.test_client()
    order = shopping.bought(app, email=RAVI)
    sent = {"key": links.order_key(KEY, order.id)}
    statuses = [client.post(f"/order/{order.id}/resend", data=sent).status_code for _ in range(8)]
    assert statuses == [303] * 5 + [429] * 3


def test_downloads_show_where_operators_look(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app, email=RAVI)
    client.get(links.download_path(KEY, order.id, "pro"))
    assert people.platform(app).database.read(deliveries.list_of_order, order.id)
    page = people.operator(app).client.get(f"/admin/orders/{order.id}")
    assert "pro.zip by link" in text(page)


# ---- what people type -----------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_people_and_gateways_type_is_text(till: Till) -> None:
    client, boss = till.app.test_client(), people.operator(till.app).client
    order = till.find(till.order(email=RAVI)["id"])
    for number, payload in enumerate(PAYLOADS):
        typed = dict.fromkeys(("email", "coupon_code", "currency", "key", "sure"), payload)
        letter = {"event": payload, "payload": {}, "id": f"x{number}", "account_id": payload}
        till.receive("razorpay", *till.razorpay.signed(letter))
        answers = [
            client.post("/buy", data={**typed, "product": "pro"}),
            client.get("/buy", query_string={**typed, "product": "pro"}),
            client.post("/order", data=typed),
            client.post(f"/order/{order.id}", data=typed),
            client.get(f"/order/{order.id}", query_string=typed),
            client.get(f"/order/{quote(payload, safe='')}"),
            client.get("/pricing", query_string=typed),
            client.get("/download/pro", query_string={"token": payload}),
            boss.get("/admin/orders", query_string={"q": payload}),
            boss.post(f"/admin/orders/{order.id}", data={**typed, "action": "assign"}),
            boss.get("/admin/inbox"),
        ]
        paths = re.findall(r'href="(/admin/inbox/[^"]+)"', answers[-1].get_data(as_text=True))
        answers += [boss.get(path) for path in paths[:2]]
        for answer in answers:
            assert answer.status_code < 500, answer.request.path
            assert probed(answer.get_data(as_text=True)) == [], (answer.request.path, payload)
