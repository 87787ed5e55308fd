"""Subscriptions at Stripe, and the one call that tells what a person may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests import outbox, people, tills
from tests.people import Person
from tests.tills import Till
from tests.web import forms
from whatworks import catalogue, checkout, errors, reconcile, refunds
from whatworks.people import sessions
from whatworks.store import entitlements, inbox, subscriptions, takings, usage

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


# ---- refunds and disputes in the dashboard --------------------------------------------------


def unhandled(till: Till) -> list[str | None]:
    """What waits in the inbox."""
    return [one.result for one in till.database.read(inbox.list_, only_unhandled=True)]


def test_a_subscriptions_payment_refunded_at_stripe_is_kept_and_ends_nothing(till: Till) -> None:
    boss = people.operator(till.app)
    asha, subscription = subscribed(till)
    (mine,) = till.database.read(subscriptions.list_for, asha.user_id)
    (first,) = till.stripe.charges
    till.stripe.give_back(first)
    till.deliver()
    assert unhandled(till) == ["waiting"]  # nothing in it names the subscription
    reconcile.run(till.shop)
    reconcile.run(till.shop)
    order = till.find(mine.order_id or "")
    assert (order.status, order.held, unhandled(till)) == ("refunded", None, [])
    assert told(asha)["plan"] == "pro"
    (alert,) = outbox.about(till.app, "The subscription goes on")
    assert f"To: {boss.email}" in alert
    (mail,) = outbox.about(till.app, "all told. Until when your plan is open")
    assert "199 of what you paid" in mail
    page = asha.client.get(f"/order/{order.id}").get_data(as_text=True)
    assert "The page of your subscription says whether your plan is open" in page
    assert "is closed again" not in page
    desk = boss.client.get(f"/admin/orders/{order.id}").get_data(as_text=True)
    assert "end the subscription now" in desk
    refunds.send_back(till.shop, order.id, "boss")  # that is how the desk ends it
    assert till.stripe.subscriptions[subscription]["status"] == "canceled"
    assert (told(asha)["plan"], len(till.stripe.refunds)) == ("free", 1)


def test_a_renewal_refunded_at_stripe_leaves_the_order_as_it_is(till: Till) -> None:
    asha, subscription = subscribed(till)
    (mine,) = till.database.read(subscriptions.list_for, asha.user_id)
    renewal = till.stripe.renew(subscription)
    till.stripe.give_back(renewal, 5_000)
    till.stripe.give_back(renewal)
    till.stripe.bounce(renewal)
    till.stripe.dispute(renewal)
    till.deliver()
    reconcile.run(till.shop)
    order = till.find(mine.order_id or "")
    assert (order.status, order.held, unhandled(till)) == ("fulfilled", None, [])
    kinds = till.kinds(order.id)
    assert kinds.count("renewal_refunded") == 2
    assert {"renewal_refund_failed", "renewal_disputed"} < set(kinds)
    assert told(asha)["plan"] == "pro"
    assert len(outbox.about(till.app, "all told. Until when your plan is open")) >= 1
    (taking,) = till.database.read(takings.by_month)
    assert (taking.paid, taking.refunded) == (19_900, 0)  # renewals are no orders


def test_a_refund_at_the_desk_leaves_no_letter_waiting(till: Till) -> None:
    asha, _ = subscribed(till)
    (mine,) = till.database.read(subscriptions.list_for, asha.user_id)
    refunds.send_back(till.shop, mine.order_id or "", "boss")
    till.deliver()
    reconcile.run(till.shop)
    assert unhandled(till) == []
    assert outbox.about(till.app, "The subscription goes on") == []
    assert len(outbox.about(till.app, "all told. Until when your plan is open")) == 1


def test_of_others_payments_stripe_is_asked_once(till: Till) -> None:
    boss = people.operator(till.app).client
    charge = {"id": "ch_1", "amount_refunded": 100, "currency": "inr"}
    for intent in ("pi_of_another_shop", None):
        till.stripe.tell("charge.refunded", {**charge, "payment_intent": intent})
    till.deliver()
    for _ in range(3):
        reconcile.run(till.shop)
    assert unhandled(till) == ["unknown"] * 2
    assert till.stripe.calls.count(("GET", "/v1/invoice_payments")) == 1
    for letter in till.database.read(inbox.list_, only_unhandled=True):
        page = boss.get(f"/admin/inbox/{letter.id}")
        assert "another program sells at the same account" in page.get_data(as_text=True)
        form = next(f for f in forms.read(page) if f.fields.get("action") == "aside")
        assert "Set aside" in forms.send(boss, form, form.filled()).get_data(as_text=True)
    assert unhandled(till) == []


def test_a_letter_is_handled_again_with_what_stripe_knows(till: Till) -> None:
    boss = people.operator(till.app).client
    subscribed(till)
    (first,) = till.stripe.charges
    till.stripe.give_back(first)
    till.deliver()
    (letter,) = till.database.read(inbox.list_, only_unhandled=True)
    till.stripe.switches.error = True
    page = boss.post(f"/admin/inbox/{letter.id}", follow_redirects=True)
    assert "does not answer right now" in page.get_data(as_text=True)
    till.stripe.switches.error = False
    page = boss.post(f"/admin/inbox/{letter.id}", follow_redirects=True)
    assert "Handled again: applied" in page.get_data(as_text=True)


# ---- what a person holds, and has used -------------------------------------------------------


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
