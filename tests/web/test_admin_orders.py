"""The operators' desk: find an order, mend what went wrong, and look at what gateways said."""

from __future__ import annotations

import csv
import io
import re

import pytest
import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people, shopping
from tests.tills import Till
from tests.web import forms
from tests.web.pages import text
from whatworks.people import sessions
from whatworks.store import entitlements, links, takings

RAVI = "ravi@example.com"


@pytest.fixture
def boss(till: Till) -> FlaskClient:
    return people.operator(till.app).client


def act(boss: FlaskClient, order_id: str, **sent: str) -> str:
    return text(boss.post(f"/admin/orders/{order_id}", data=sent, follow_redirects=True))


def paid(till: Till) -> tuple[str, str]:
    """A paid order and its payment."""
    made = till.order(email=RAVI)
    payment = till.razorpay.pay(made["id"], email=RAVI)
    till.deliver()
    return made["order_id"], payment["id"]


def test_orders_are_found_by_whatever_a_buyer_can_name(till: Till, boss: FlaskClient) -> None:
    order_id, payment_id = paid(till)
    till.order("premium", email="asha@example.com")
    gateway_id = till.find(order_id).gateway_id
    for named in (order_id, payment_id, gateway_id, RAVI, " RAVI@example.com "):
        page = text(boss.get("/admin/orders", query_string={"q": named}))
        assert order_id in page, named
        assert "asha@example.com" not in page, named
    assert "asha@example.com" in text(boss.get("/admin/orders"))
    assert "No such order" in text(boss.get("/admin/orders?q=100%25"))
    only = text(boss.get("/admin/orders?status=created"))
    assert order_id not in only
    assert "asha@example.com" in only


def test_many_orders_come_in_pages(till: Till, boss: FlaskClient) -> None:
    for number in range(60):
        shopping.ordered(till.app, email=f"b{number}@example.com")
    first = boss.get("/admin/orders")
    assert text(first).count("@example.com</a>") == 50
    older = re.search(r'href="(/admin/orders\?[^"]*before=[^"]+)"', text(first))
    assert older is not None
    assert text(boss.get(older[1].replace("&amp;", "&"))).count("@example.com</a>") == 10


# ---- takings --------------------------------------------------------------------------------


def lines(answer: TestResponse) -> list[dict[str, str]]:
    """A CSV's rows."""
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def sold_and_sent_back(till: Till) -> None:
    """One in November that goes back in December, one lost to a bank, one kept, one unpaid."""
    with time_machine.travel("2026-11-30 12:00"):
        first, lost = till.order(email=RAVI), till.order()
        payments = [till.razorpay.pay(one["id"])["id"] for one in (first, lost)]
        till.deliver()
    with time_machine.travel("2026-12-02 12:00"):
        till.razorpay.give_back(payments[0], 100)
        till.razorpay.dispute(payments[1], "lost")
        till.stripe.pay(till.checkout("premium", currency="usd")["session_id"])
        till.order(email="=1+1@example.com")
        till.deliver()


def test_takings_are_by_month_product_and_currency(till: Till, boss: FlaskClient) -> None:
    sold_and_sent_back(till)
    found = till.database.read(takings.by_month)
    assert [(t.month, t.product, t.currency, t.paid, t.refunded, t.net) for t in found] == [
        ("2026-12", "premium", "USD", 1900, 0, 1900),
        ("2026-12", "pro", "INR", 0, 50_000, -50_000),
        ("2026-11", "pro", "INR", 99_800, 0, 99_800),
    ]
    page = text(boss.get("/admin/orders?takings=1")).partition("<tbody>")[2]
    assert re.findall(r'"number"[^>]*>([^<]*)<', page) == [
        *("$19", "$0", "$19"),
        *("₹0", "₹500", "-₹500"),
        *("₹998", "₹0", "₹998"),
    ]
    mine = till.database.read(takings.by_month, RAVI)
    assert [(t.month, t.net) for t in mine] == [("2026-12", -100), ("2026-11", 49_900)]


def test_what_was_searched_for_is_a_file_too(till: Till, boss: FlaskClient) -> None:
    sold_and_sent_back(till)
    found = lines(boss.get("/admin/orders.csv"))
    told = [(one["status"], one["paid"], one["refunded"], one["net"]) for one in found]
    assert told == [
        ("fulfilled", "49900", "100", "49800"),
        ("disputed", "49900", "49900", "0"),
        ("fulfilled", "1900", "0", "1900"),
        ("created", "0", "0", "0"),
    ]
    assert [(one["amount"], one["currency"]) for one in found[1:3]] == [
        ("49900", "INR"),
        ("1900", "USD"),
    ]
    assert found[3]["email"] == "'=1+1@example.com"  # no spreadsheet runs it
    assert [one["status"] for one in lines(boss.get("/admin/orders.csv?status=disputed"))] == [
        "disputed"
    ]
    href = re.search(r'href="(/admin/orders\.csv[^"]*)"', text(boss.get(f"/admin/orders?q={RAVI}")))
    assert href is not None
    assert [one["email"] for one in lines(boss.get(href[1].replace("&amp;", "&")))] == [RAVI]


def test_of_two_payments_one_goes_back_and_the_order_stays(till: Till, boss: FlaskClient) -> None:
    order_id, _ = paid(till)
    too_many = till.razorpay.pay(till.find(order_id).gateway_id or "", email=RAVI)["id"]
    till.deliver()
    assert "was paid twice" in text(till.app.test_client().get(f"/order/{order_id}?email={RAVI}"))
    page = text(boss.get(f"/admin/orders/{order_id}"))
    assert f'<option value="{too_many}"' in page
    wish = {"action": "refund", "sure": "yes"}
    assert "not one of this order" in act(boss, order_id, **wish, payment_id="pay_of_others")
    assert "the order is fulfilled" in act(boss, order_id, **wish, payment_id=too_many)
    assert [one["payment_id"] for one in till.razorpay.refunds] == [too_many]
    order = till.find(order_id)
    assert (order.status, order.held, len(till.gives(order_id))) == ("fulfilled", None, 1)
    outbox = people.platform(till.app)
    outbox.mailer.close()
    sent = [one.read_text() for one in (outbox.settings.data_dir / "outbox").glob("*.eml")]
    assert any("One of the two payments is on its way back" in one for one in sent)
    assert "Sent back" not in text(till.app.test_client().get(f"/order/{order_id}?email={RAVI}"))


def test_a_refund_asks_twice_and_closes_everything(till: Till, boss: FlaskClient) -> None:
    order_id, payment_id = paid(till)
    assert "Tick the box" in act(boss, order_id, action="refund")
    assert till.find(order_id).status == "fulfilled"
    said = act(boss, order_id, action="refund", sure="yes")
    assert "Refunded" in said
    assert till.find(order_id).status == "refunded"
    assert till.gives(order_id) == []
    assert [one["payment_id"] for one in till.razorpay.refunds] == [payment_id]
    assert "Refund</summary>" not in said  # there is nothing left to give back
    till.deliver()
    assert till.find(order_id).status == "refunded"


def test_the_history_tells_times_as_all_pages_do(till: Till) -> None:
    with time_machine.travel("2026-11-30 12:00", tick=False):
        order_id, _ = paid(till)
        till.app.test_client().get(links.download_path(people.KEY, order_id, "pro"))
    with time_machine.travel("2026-11-30 14:00", tick=False):
        boss = people.operator(till.app).client
        page = text(boss.get(f"/admin/orders/{order_id}"))
    _, events, downloads = re.split("What happened|Downloads</h2>", page)
    for history in (events, downloads):
        assert 'title="2026-11-30T12:00:00Z">2 hours ago</time>' in history
    assert "Z</time>" not in page


def test_a_mistyped_address_is_put_right(till: Till, boss: FlaskClient) -> None:
    made = till.order(email="ravi@exampel.com")
    till.razorpay.pay(made["id"])
    till.deliver()
    page = act(boss, made["order_id"], action="assign", email="RAVI@example.com")
    assert "belongs to ravi@example.com" in page
    order = till.find(made["order_id"])
    assert (order.email, order.status) == (RAVI, "fulfilled")
    wrong = till.app.test_client().get(
        f"/order/{order.id}?email=ravi@exampel.com", headers={"Accept": "application/json"}
    )
    assert wrong.status_code == 404
    assert boss.post(f"/admin/orders/{order.id}", data={"action": "assign"}).status_code == 303
    assert 'class="flash error"' in act(boss, order.id, action="assign", email="nobody")
    assert till.find(order.id).email == RAVI


def test_a_mistyped_address_of_a_subscription_is_put_right(till: Till, boss: FlaskClient) -> None:
    made = till.checkout("pro_monthly", email="ravi@exampel.com")
    subscription = till.stripe.pay(made["session_id"])["subscription"]
    till.deliver()
    act(boss, made["order_id"], action="assign", email=RAVI)
    till.stripe.renew(subscription)
    till.deliver()
    ravi, wrong = people.sign_up(till.app, RAVI), people.sign_up(till.app, "ravi@exampel.com")
    for person in (ravi, wrong):
        till.database.write(sessions.prove_address, person.user_id)
    plans = [till.database.read(entitlements.plan, one.user_id) for one in (ravi, wrong)]
    assert plans == ["pro", "free"]


def test_held_money_is_looked_at_and_accepted(till: Till, boss: FlaskClient) -> None:
    made = till.order(email=RAVI)
    till.razorpay.pay(made["id"], amount=49_000, email=RAVI)
    till.deliver()
    assert till.gives(made["order_id"]) == []
    listed = text(boss.get("/admin/orders?status=held"))
    assert made["order_id"] in listed
    page = boss.get(f"/admin/orders/{made['order_id']}")
    assert "nothing was granted: it is not the amount that was asked for" in text(page)
    form = next(f for f in forms.read(page) if f.fields.get("action") == "accept")
    assert "Ready" in text(forms.send(boss, form, form.filled()))
    assert till.gives(made["order_id"]) == [("pro", "pro")]
    again = act(boss, made["order_id"], action="accept")
    assert "no money here that does not fit" in again


def test_lost_webhooks_are_caught_up(till: Till, boss: FlaskClient) -> None:
    orders = []
    for _ in range(3):
        made = till.order(email=RAVI)
        till.razorpay.pay(made["id"], email=RAVI)
        orders.append(made["order_id"])
    till.razorpay.letters.clear()
    assert "Ready" in act(boss, orders[0], action="check")
    form = next(
        f
        for f in forms.read(boss.get("/admin/orders"))
        if f.action == "/admin/orders" and f.method == "post"
    )
    said = text(forms.send(boss, form, form.filled()))
    assert "2 paid" in said
    assert {till.find(one).status for one in orders} == {"fulfilled"}


def test_the_inbox_is_read_and_replayed(till: Till, boss: FlaskClient) -> None:
    order_id, _ = paid(till)
    listed = boss.get("/admin/inbox")
    assert "payment.captured" in text(listed)
    paths = re.findall(r'href="(/admin/inbox/[^"]+)"', text(listed))
    before = till.grants()
    for path in set(paths):
        letter = boss.get(path)
        assert "As it came" in text(letter)
        form = forms.find(letter, path)
        assert "Handled again" in text(forms.send(boss, form, form.filled()))
    assert till.grants() == before
    assert till.find(order_id).status == "fulfilled"
    assert boss.get("/admin/inbox/nothing").status_code == 404
    assert boss.get("/admin/orders/nothing").status_code == 404
    assert "payment" not in text(boss.get("/admin/inbox?unhandled=1")).partition("<main")[2]


def test_bad_requests_are_refused_politely(till: Till, boss: FlaskClient) -> None:
    order_id, _ = paid(till)
    assert boss.post(f"/admin/orders/{order_id}", data={"action": "burn"}).status_code == 400
    for query in ("before=x", "status=x", "q=%00", "before=nan", "before=1e999"):
        assert boss.get(f"/admin/orders?takings=1&{query}").status_code < 500, query
        assert boss.get(f"/admin/orders.csv?{query}").status_code < 500, query
        assert boss.get(f"/admin/inbox?{query}").status_code < 500, query
