"""What was bought in the old shop is still bought, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import text

from tests import people, tills
from tests.conftest import Make
from tests.tills import Till
from tests.upgrades import databases
from tests.web import old_shop
from whatworks import db
from whatworks.people import sessions
from whatworks.store import coupons, entitlements, orders, settlement, subscriptions

BUYER = "buyer3@example.com"  # paid for `pro`
OLD_ORDER = "order_88fd9cf7620358"
UNPAID = "order_c2e8e1fd3f122f"  # premium, 99900


@pytest.fixture
def content() -> Make:
    """An upgraded database of the old shop, dirt included."""
    return old_shop.dirty


@pytest.fixture
def old(till: Till) -> Till:
    """The shop on that."""
    return till


def proved(till: Till, email: str) -> tuple[str, FlaskClient]:
    """Somebody signs up and proves their address; their id and browser."""
    person = people.sign_up(till.app, email)
    till.database.write(sessions.prove_address, person.user_id)
    return person.user_id, people.signed_in(till.app, person.user_id)


def test_every_paid_order_is_the_payers_once_they_prove_their_address(old: Till) -> None:
    user_id, browser = proved(old, BUYER)
    answer = browser.get(f"/api/entitlements/{user_id}").get_json()
    assert (answer["plan"], answer["grants"][0]["product"]) == ("pro", "pro")
    found = browser.get("/download/pro")
    assert (found.status_code, found.data[:2]) == (200, b"PK")
    (order,) = old.database.read(orders.list_for, user_id)
    assert (order.id, order.is_paid, order.email) == (OLD_ORDER, True, BUYER)
    stranger = people.sign_up(old.app, "stranger@example.com")
    assert stranger.client.get("/download/pro").status_code == 402


def test_a_paid_order_of_each_kind_was_brought_along(old: Till) -> None:
    with databases.connected(old.shop.settings.url) as connection:
        paid = connection.execute(
            text("SELECT count(*) FROM orders WHERE status = 'paid' AND id NOT LIKE 'order_d%'")
        ).scalar_one()
        granted = connection.execute(
            text("SELECT count(*) FROM grants WHERE cause = 'order' AND revoked_at IS NULL")
        ).scalar_one()
        facts = connection.execute(
            text("SELECT count(*) FROM order_events WHERE kind = 'paid' AND source = 'import'")
        ).scalar_one()
    assert (paid, granted) == (39, 39)
    assert facts >= 39


def payment_letter(old: Till, order_id: str, payment_id: str, event: str, **more: object) -> None:
    """A letter of Razorpay about an old order."""
    order = old.find(order_id)
    payment = {
        "id": payment_id,
        "order_id": order_id,
        "amount": order.amount,
        "currency": order.currency,
        "status": "captured",
        "email": "late@example.com",
        "amount_refunded": 0,
        "created_at": 1_767_280_667,
        **more,
    }
    old.razorpay.tell(event, payment=payment)


def test_an_old_letter_again_changes_nothing_and_a_refund_revokes(old: Till) -> None:
    (event,) = [e for e in old.database.read(orders.list_events, OLD_ORDER) if e.kind == "paid"]
    before = people.everything(old.database)["grants"]
    payment_letter(old, OLD_ORDER, event.payment_id or "", "payment.captured")
    assert old.deliver() == [200]
    assert people.everything(old.database)["grants"] == before
    refund = {"amount_refunded": 49_900, "status": "refunded"}
    payment_letter(old, OLD_ORDER, event.payment_id or "", "refund.processed", **refund)
    assert old.deliver() == [200]
    assert old.find(OLD_ORDER).status == "refunded"
    assert old.gives(OLD_ORDER) == []
    user_id, browser = proved(old, BUYER)
    assert browser.get("/download/pro").status_code == 402
    assert old.database.read(entitlements.plan, user_id) == "free"


def test_an_order_that_was_never_paid_can_be(old: Till) -> None:
    payment_letter(old, UNPAID, "pay_new", "payment.captured")
    assert old.deliver() == [200]
    assert old.gives(UNPAID) == [("premium", "scale")]
    assert old.find(UNPAID).email == "late@example.com"


def test_old_coupons_count_on(old: Till) -> None:
    for code, valid in (("save20", True), ("Launch50", True), ("OLD10", False)):
        told = old.post("/validate_coupon", {"code": code, "product": "pro"}).get_json()
        assert told["valid"] is valid, told
    old.order("pro", coupon_code="launch50")
    found = old.database.read(coupons.find, "LAUNCH50")
    assert found is not None
    assert (found.uses, found.max_uses) == (4, 100)


def test_an_old_subscription_goes_on_when_stripe_speaks_of_it(old: Till) -> None:
    with databases.connected(old.shop.settings.url) as connection:
        connection.execute(
            text(
                "UPDATE subscriptions SET stripe_subscription_id = 'sub_at_stripe' WHERE id='sub_4'"
            )
        )
    subscription = {
        "id": "sub_at_stripe",
        "status": "active",
        "customer": "cus_old",
        "current_period_start": 1_900_000_000,
        "current_period_end": 1_902_000_000,
    }
    old.stripe.tell("customer.subscription.updated", subscription)
    assert old.deliver() == [200]
    found = old.database.read(subscriptions.find, "sub_at_stripe")
    assert found is not None
    assert (found.id, found.status, found.customer_id) == ("sub_4", "active", "cus_old")


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_an_old_subscriber_is_found_by_their_receipt(empty_url: str, tmp_path: Path) -> None:
    databases.old(empty_url)
    with databases.connected(empty_url) as connection:
        connection.execute(
            text(
                "UPDATE subscriptions SET receipt ="
                f" (SELECT receipt FROM orders WHERE id = '{OLD_ORDER}') WHERE id = 'sub_2'"
            )
        )
    people.migrate_and_stock(empty_url)
    with tills.opened(empty_url, tmp_path) as till:
        user_id, _ = proved(till, BUYER)
        assert till.database.read(entitlements.plan, user_id) == "pro"  # by the order
        with time_machine.travel(1_767_225_600 + 86_400 * 5):
            assert till.database.read(entitlements.plan, user_id) == "scale"


def test_operators_give_addressless_orders_an_address(old: Till) -> None:
    assert old.gives("order_d1") == []  # its payment's payload could not be read
    old.database.write(settlement.assign, "order_d1", "found@example.com", "boss")
    assert old.gives("order_d1") == [("pro", "pro")]


def test_dirty_orders_break_no_page(old: Till) -> None:
    boss = people.operator(old.app)
    for path in ("/admin/orders", "/admin/inbox", "/pricing"):
        assert boss.client.get(path).status_code == 200, path
    for order in old.database.read(orders.search, limit=200):
        assert boss.client.get(f"/admin/orders/{order.id}").status_code == 200, order.id
        answer = boss.client.get(f"/order/{order.id}", headers={"Accept": "application/json"})
        assert answer.status_code in (200, 404), order.id
    listed = old.database.read(lambda session: len(session.all(db.Query(orders.COLUMNS))))
    assert listed >= 60
