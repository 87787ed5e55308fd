"""Subscriptions at Stripe, and the one call that tells what a person may do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests import people, tills
from tests.people import Person
from tests.tills import Till
from whatworks import catalogue, checkout, errors, reconcile
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
    order = checkout.refund(till.shop, mine.order_id or "", "boss")
    assert order.status == "refunded"
    assert till.stripe.subscriptions[subscription]["status"] == "canceled"
    assert told(asha)["plan"] == "free"
    till.deliver()
    assert told(asha)["plan"] == "free"


def test_a_refund_is_sent_once(till: Till) -> None:
    made = till.order()
    till.razorpay.pay(made["id"])
    at_stripe = till.checkout()
    till.stripe.pay(at_stripe["session_id"])
    till.deliver()
    for order_id in (made["order_id"], at_stripe["order_id"]):
        for _ in range(2):
            assert checkout.refund(till.shop, order_id, "boss").status == "refunded"
        till.deliver()
        assert till.gives(order_id) == []
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert till.kinds(made["id"]).count("revoked") == 1


def of_each(till: Till) -> dict[str, str]:
    """A paid order at each gateway, and its payment."""
    at_razorpay, at_stripe = till.order(), till.checkout()
    payment = till.razorpay.pay(at_razorpay["id"])["id"]
    intent = till.stripe.pay(at_stripe["session_id"])["payment_intent"]
    till.deliver()
    return {at_razorpay["order_id"]: payment, at_stripe["order_id"]: intent}


def give_back(till: Till, paid: dict[str, str], amount: int | None = None) -> None:
    """Refunds in both dashboards, of all or of so much."""
    at_razorpay, at_stripe = paid.values()
    till.razorpay.give_back(at_razorpay, amount)
    till.stripe.give_back(at_stripe, amount)


def keys(till: Till) -> set[str]:
    """The keys under which refunds were asked for."""
    return {key for key in (*till.razorpay.answered, *till.stripe._kept) if "refund-" in key}


@pytest.mark.parametrize("way", ["refuse", "fail"])
def test_a_refund_that_was_refused_can_be_tried_again(till: Till, way: str) -> None:
    paid = of_each(till)
    for gateway in (till.razorpay, till.stripe):
        gateway.switches.no_refunds = way
    for order_id in paid:
        for _ in range(2):
            with pytest.raises(errors.Unavailable) as refused:
                checkout.refund(till.shop, order_id, "boss")
            assert refused.value.code == "refund_refused"
        assert (till.find(order_id).status, len(till.gives(order_id))) == ("fulfilled", 1)
    for gateway in (till.razorpay, till.stripe):
        gateway.switches.no_refunds = ""
    for order_id in paid:
        assert checkout.refund(till.shop, order_id, "boss").status == "refunded"
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert keys(till) == {f"refund-{payment}-{n}" for payment in paid.values() for n in range(3)}


def test_a_refund_of_which_nothing_was_heard_is_the_same_when_tried_again(till: Till) -> None:
    paid = of_each(till)
    for switches in (till.razorpay.switches, till.stripe.switches):
        switches.no_refunds = "lose"
    for order_id in paid:
        with pytest.raises(errors.Unavailable) as unheard:
            checkout.refund(till.shop, order_id, "boss")
        assert unheard.value.code == "gateway_unavailable"
        assert "it goes back once" in unheard.value.message
    for charge in till.stripe.charges.values():  # as if the bank had not got to it yet
        charge["amount_refunded"] = 0
    for switches in (till.razorpay.switches, till.stripe.switches):
        switches.no_refunds = ""
    for order_id in paid:
        checkout.refund(till.shop, order_id, "boss")
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert keys(till) == {f"refund-{payment}-0" for payment in paid.values()}
    till.deliver()
    assert [till.find(order_id).status for order_id in paid] == ["refunded"] * 2


def test_a_refund_that_does_not_arrive_is_told_to_the_seller_and_made_again(till: Till) -> None:
    boss = people.operator(till.app)
    paid = of_each(till)
    at_razorpay, at_stripe = paid.values()
    for order_id in paid:
        checkout.refund(till.shop, order_id, "boss")
    till.deliver()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        till.razorpay.bounce(at_razorpay)
        till.stripe.bounce(at_stripe)
        till.razorpay.switches.duplicate = till.stripe.switches.duplicate = 2
        till.deliver()
        assert [till.find(one).held for one in paid] == ["refund_failed"] * 2
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3, minutes=2)):
        reconcile.tick(till.shop)
        for order_id in paid:
            after = checkout.refund(till.shop, order_id, "boss")
            assert (after.status, after.held) == ("refunded", None)
        till.deliver()
    assert [till.find(one).held for one in paid] == [None] * 2
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (2, 2)
    assert len(refund_mails(till)) == 2  # they know that it is on its way
    outbox = people.platform(till.app).settings.data_dir / "outbox"
    alerts = [text for path in outbox.glob("*") if "is here again" in (text := path.read_text())]
    assert len(alerts) == 2
    assert all(f"To: {boss.email}" in text for text in alerts)


@pytest.mark.parametrize("before", [100, None])
def test_the_desk_sends_back_what_the_dashboard_left(till: Till, before: int | None) -> None:
    paid = of_each(till)
    give_back(till, paid, before)
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    for order_id in paid:
        assert checkout.refund(till.shop, order_id, "boss").status == "refunded"
        assert till.gives(order_id) == []
    given = [sum(r["amount"] for r in found.refunds) for found in (till.razorpay, till.stripe)]
    assert given == [49_900, 49_900]


# ---- what buyers are told of it -------------------------------------------------------------


def refund_mails(till: Till) -> list[str]:
    """What buyers were told of money that goes back."""
    platform = people.platform(till.app)
    platform.mailer.close()
    sent = (path.read_text() for path in (platform.settings.data_dir / "outbox").glob("*"))
    return [" ".join(text.split()) for text in sent if "your money is on its way back" in text]


def test_a_refund_from_the_dashboard_is_mailed_once(till: Till) -> None:
    paid = of_each(till)
    give_back(till, paid)
    till.razorpay.switches.duplicate = till.stripe.switches.duplicate = 3
    assert set(till.deliver()) == {200}
    reconcile.run(till.shop)
    for order_id in paid:
        checkout.refund(till.shop, order_id, "boss")
    told = refund_mails(till)
    assert len(told) == 2
    assert all("What it had opened is closed again" in text for text in told)


def test_a_refund_from_the_desk_is_mailed_once(till: Till) -> None:
    paid = of_each(till)
    for order_id in paid:
        checkout.refund(till.shop, order_id, "boss")
    till.deliver()
    reconcile.run(till.shop)
    assert len(refund_mails(till)) == 2


def test_of_a_refund_whose_letter_was_lost_the_buyer_hears_all_the_same(till: Till) -> None:
    paid = of_each(till)
    give_back(till, paid)
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    reconcile.run(till.shop)
    assert len(refund_mails(till)) == 2


def test_parts_that_go_back_are_told_as_what_they_are(till: Till) -> None:
    (order_id, payment), _ = of_each(till).items()
    for part in (100, 200):
        till.razorpay.give_back(payment, part)
    till.razorpay.letters.reverse()  # the sum of both comes first, the first part late
    till.deliver()
    (told,) = refund_mails(till)
    assert "₹3 of what you paid for Pro pack is on its way back" in told
    assert "stays paid and open" in told
    assert till.find(order_id).status == "fulfilled"


def test_those_who_refund_at_once_send_one_mail(till: Till) -> None:
    (order_id, _), _ = of_each(till).items()
    barrier = threading.Barrier(4)

    def refund() -> None:
        barrier.wait()
        checkout.refund(till.shop, order_id, "boss")

    threads = [threading.Thread(target=refund) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert till.find(order_id).status == "refunded"
    assert len(refund_mails(till)) == 1


def test_an_order_that_was_paid_twice_is_sent_back_twice(till: Till) -> None:
    made = till.order()
    payments = [till.razorpay.pay(made["id"])["id"] for _ in range(2)]
    till.deliver()
    assert till.find(made["id"]).held == "paid_twice"
    assert checkout.refund(till.shop, made["order_id"], None).status == "refunded"
    assert [till.razorpay.payments[one]["status"] for one in payments] == ["refunded"] * 2
    assert till.gives(made["id"]) == []


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
    checkout.refund(till.shop, made["order_id"], "boss")
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
