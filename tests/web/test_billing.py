"""Subscriptions at Stripe, and the one call that tells what a person may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests import people, tills
from tests.people import Person
from tests.tills import Till
from whatworks import catalogue, checkout, errors, refunds
from whatworks.people import sessions
from whatworks.store import entitlements, subscriptions, usage

MONTH = timedelta(days=30)


def told(person: Person) -> dict[str, Any]:
    answer = person.client.get(f"/api/entitlements/{person.user_id}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def subscribed(till: Till, product: str = "pro_monthly") -> tuple[Person, str]:
    """Somebody with a subscription; they and its id at Stripe."""
    asha = people.sign_up(till.app)
    made = asha.post("/api/billing/create-checkout", {"product": product}).get_json()
    session = till.stripe.pay(made["session_id"])
    till.deliver()
    return asha, session["subscription"]


def test_a_subscription_from_checkout_to_its_end(till: Till) -> None:
    asha, subscription = subscribed(till)
    now = told(asha)
    assert (now["plan"], now["tiers"]) == ("pro", ["free", "pro"])
    assert now["subscription"]["status"] == "active"
    assert now["subscription"]["renews_at"] < now["grants"][0]["until"]  # there is some grace
    assert "pro" in now["products"]
    with time_machine.travel(datetime.now(UTC) + MONTH + timedelta(days=1)):
        till.stripe.renew(subscription)
        till.deliver()
        person = people.signed_in(till.app, asha.user_id)
        assert till.database.read(entitlements.plan, asha.user_id) == "pro"
        assert person.get(f"/api/entitlements/{asha.user_id}").get_json()["plan"] == "pro"
    with time_machine.travel(datetime.now(UTC) + 3 * MONTH):  # it lapses without a word
        assert till.database.read(entitlements.plan, asha.user_id) == "free"
    till.stripe.end(subscription)
    till.deliver()
    assert told(asha)["plan"] == "free"
    rows = people.everything(till.database)["grants"]
    assert len(rows) == 1  # it stays, revoked
    assert till.kinds(till.database.read(subscriptions.list_for, asha.user_id)[0].order_id or "")


def test_a_card_that_fails_leaves_a_week(till: Till) -> None:
    asha, subscription = subscribed(till)
    with time_machine.travel(datetime.now(UTC) + MONTH):
        till.stripe.miss(subscription)
        till.deliver()
        assert till.database.read(entitlements.plan, asha.user_id) == "pro"
    with time_machine.travel(datetime.now(UTC) + MONTH + timedelta(days=8)):
        assert till.database.read(entitlements.plan, asha.user_id) == "free"
        till.stripe._tell_of(subscription, status="active")
        till.deliver()
        assert till.database.read(entitlements.plan, asha.user_id) == "pro"


def test_changing_and_cancelling(till: Till) -> None:
    asha, _ = subscribed(till)
    checkout.change_subscription(till.shop, asha.user_id, "scale_monthly")
    assert told(asha)["plan"] == "scale"
    till.deliver()
    assert told(asha)["plan"] == "scale"
    assert len(till.stripe.prices) == 2
    checkout.cancel_subscription(till.shop, asha.user_id)
    now = told(asha)
    assert (now["plan"], now["subscription"]["cancel_at_period_end"]) == ("scale", True)
    with time_machine.travel(datetime.now(UTC) + MONTH + timedelta(minutes=1)):
        assert till.database.read(entitlements.plan, asha.user_id) == "free"
    with pytest.raises(errors.Invalid):
        checkout.change_subscription(till.shop, asha.user_id, "pro")


def test_only_one_subscription_at_a_time(till: Till) -> None:
    asha, _ = subscribed(till)
    again = asha.post("/api/billing/create-checkout", {"product": "scale_monthly"})
    assert (again.status_code, again.get_json()["code"]) == (409, "already_subscribed")
    coupon = till.post(
        "/api/billing/create-checkout", {"product": "pro_monthly", "coupon_code": "x"}
    )
    assert "coupon_code" in coupon.get_json()["fields"]


def test_the_portal_is_for_subscribers(till: Till) -> None:
    asha, _ = subscribed(till)
    ravi = people.sign_up(till.app)
    (customer,) = till.stripe.customers
    assert asha.post("/api/billing/portal", {}).get_json()["url"].endswith(customer)
    assert ravi.post("/api/billing/portal", {}).status_code == 409
    assert till.post("/api/billing/portal", {}).status_code == 404


def test_a_refund_ends_order_and_subscription(till: Till) -> None:
    asha, subscription = subscribed(till)
    (mine,) = till.database.read(subscriptions.list_for, asha.user_id)
    order = refunds.send_back(till.shop, mine.order_id or "", "boss")
    assert order.status == "refunded"
    assert till.stripe.subscriptions[subscription]["status"] == "canceled"
    assert told(asha)["plan"] == "free"
    till.deliver()
    assert told(asha)["plan"] == "free"


def test_what_is_bought_by_address_is_there_once_the_address_is_proved(till: Till) -> None:
    made = till.order("pro", email=tills.WHO)
    till.razorpay.pay(made["id"])
    till.deliver()
    asha = people.sign_up(till.app, tills.WHO)
    assert told(asha)["plan"] == "free"  # anybody could have typed that address
    till.database.write(sessions.prove_address, asha.user_id)
    proved = people.signed_in(till.app, asha.user_id)
    now = proved.get(f"/api/entitlements/{asha.user_id}").get_json()
    assert (now["plan"], now["products"]) == ("pro", ["starter", "pro", "pro_monthly"])
    assert [grant["product"] for grant in now["grants"]] == ["pro"]
    started = proved.post(
        "/api/execution", json={"user_id": asha.user_id, "workflow_name": pro_workflow(till)}
    )
    assert started.status_code == 201
    refunds.send_back(till.shop, made["order_id"], "boss")
    again = proved.post(
        "/api/execution", json={"user_id": asha.user_id, "workflow_name": pro_workflow(till)}
    )
    assert (again.status_code, again.get_json()["reason"]) == (402, "tier")


def pro_workflow(till: Till) -> str:
    return next(w.name for w in till.database.read(catalogue.list_current) if w.tier == "pro")


def test_what_is_used_is_counted_by_the_month(till: Till) -> None:
    asha = people.sign_up(till.app)
    with time_machine.travel(datetime(2025, 12, 31, 23, 59, tzinfo=UTC)):
        for _ in range(2):
            till.database.write(usage.record, asha.user_id, "exports")
        used = till.database.read(usage.used, asha.user_id)
        assert (used.exports, used.api_calls) == (2, 0)
        assert datetime.fromtimestamp(used.resets_at, UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC)):
        assert till.database.read(usage.used, asha.user_id).exports == 0
    asha.start()
    now = told(asha)
    assert now["used"] == {"executions": 1, "api_calls": 0, "exports": 0}
    assert now["limits"].keys() == {"executions", "api_calls", "exports"}


def test_a_malformed_answer_of_stripe_is_no_fault_of_ours(till: Till) -> None:
    made = till.checkout()
    till.stripe.sessions[made["session_id"]]["payment_status"] = 7
    answer = till.browser().get(f"/api/billing/success?session_id={made['session_id']}")
    assert answer.status_code == 303
    assert till.find(made["order_id"]).status == "created"
