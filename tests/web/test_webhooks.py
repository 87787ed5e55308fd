"""Letters of gateways: one effect however often they come, in whatever order, whatever crashes."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import time_machine
from sqlalchemy import insert

from tests import people
from tests.conftest import Figure
from tests.races import at_once
from tests.stubs.razorpay import WEBHOOK_SECRET, hmac_sha256
from tests.tills import Till
from tests.web.letters import Parcel, effects, paid_letter, parcels
from whatworks import checkout, clock, db, notices, reconcile
from whatworks.models import Webhook
from whatworks.store import inbox, settlement

REPEATS: Final = 10


# ---- once -----------------------------------------------------------------------------------


def everything_that_happens(till: Till) -> list[str]:
    """One order for each thing that gateways write about; returns the orders."""
    names = []
    for late in (None, "failed", "refunded", "partly", "disputed", "won", "lost", "agreed"):
        made = till.order()
        names.append(made["order_id"])
        status = "failed" if late in ("failed", "agreed") else "captured"
        payment = till.razorpay.pay(made["id"], status=status)
        _happen_razorpay(till, payment["id"], late)
        session = till.checkout("pro" if late != "partly" else "pro_monthly")
        names.append(session["order_id"])
        paid = till.stripe.pay(session["session_id"], later=late in ("failed", "agreed"))
        _happen_stripe(till, paid, late)
    return names


def _happen_razorpay(till: Till, payment_id: str, late: str | None) -> None:
    if late == "agreed":
        till.razorpay.agree_late(payment_id)
        till.razorpay.capture(payment_id)
    if late in ("refunded", "partly"):
        till.razorpay.give_back(payment_id, 100 if late == "partly" else None)
    if late in ("disputed", "won", "lost"):
        found = till.razorpay.dispute(payment_id)
        if late != "disputed":
            till.razorpay.dispute(payment_id, late, found)


def _happen_stripe(till: Till, session: dict[str, Any], late: str | None) -> None:
    intent = session["payment_intent"]
    if late == "agreed":
        till.stripe.agree(session["id"])
    if late == "failed":
        till.stripe.refuse(session["id"])
    if late == "refunded":
        till.stripe.give_back(intent)
    if late == "partly":
        till.stripe.renew(session["subscription"])
    if late in ("disputed", "won", "lost"):
        found = till.stripe.dispute(intent)
        if late != "disputed":
            till.stripe.dispute(intent, late, found)


def statuses(till: Till, names: list[str]) -> list[str]:
    return [till.find(name).status for name in names]


EXPECTED: Final = {
    None: "fulfilled",
    "failed": "failed",
    "refunded": "refunded",
    "partly": "fulfilled",
    "disputed": "disputed",
    "won": "fulfilled",
    "lost": "disputed",
    "agreed": "fulfilled",
}


def deliver_at_once(till: Till, sent: list[Parcel]) -> list[int]:
    """Every letter ten times, shuffled, by ten threads that begin together."""
    chance = random.Random(7)
    piles = [chance.sample(sent, len(sent)) for _ in range(REPEATS)]
    got = at_once(REPEATS, lambda n: [till.receive(*parcel) for parcel in piles[n]])
    return [status for some in got for status in some]


def test_every_letter_ten_times_at_once_and_shuffled_has_one_effect(
    till: Till, figure: Figure
) -> None:
    names = everything_that_happens(till)
    sent = parcels(till)
    got = deliver_at_once(till, sent)
    till.database.write(inbox.retry)  # two that came at the same instant may have missed each other
    assert set(got) == {200}
    expected = [status for status in EXPECTED.values() for _ in range(2)]
    assert statuses(till, names) == expected
    rows = people.everything(till.database)
    assert len(rows["webhooks"]) == len(sent)
    paid = sum(status in ("fulfilled", "refunded", "disputed") for status in expected)
    assert till.grants() == paid
    facts = [event for name in names for event in till.kinds(name) if event == "paid"]
    assert len(facts) == paid
    waiting = till.database.read(inbox.list_, only_unhandled=True)
    assert waiting == []
    figure(f"{len(got)} deliveries of {len(sent)} letters: {paid} payments, {till.grants()} grants")


def test_control_without_unique_keys_effects_are_many(
    till: Till, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """The same drill when nothing makes a letter one: each delivery leaves an effect."""
    monkeypatch.setattr(inbox, "receive", _receive_carelessly)
    made = [till.order() for _ in range(5)]
    for order in made:
        till.razorpay.pay(order["id"])
    sent = [parcel for parcel in parcels(till) if b'"payment.captured"' in parcel[1]]
    deliver_at_once(till, sent)
    found = len(people.everything(till.database)["webhooks"])
    figure(f"control: {found} effects of {len(sent)} letters")
    assert found > len(sent)


def _receive_carelessly(session: db.Session, incoming: inbox.Incoming) -> inbox.Letter:
    careless = f"{incoming.id}:{clock.new_id()}"
    empty = dict.fromkeys(column.name for column in Webhook.__table__.columns)
    session.run(insert(Webhook), **{**empty, "id": careless, "gateway": incoming.gateway})
    return inbox.get(session, careless)


def test_any_order_gives_the_same_answer(till: Till) -> None:
    names = everything_that_happens(till)
    sent = parcels(till)
    for parcel in reversed(sent):  # refunds and disputes before their payments
        assert till.receive(*parcel) == 200
    assert statuses(till, names) == [s for s in EXPECTED.values() for _ in range(2)]
    assert till.database.read(inbox.list_, only_unhandled=True) == []


def test_the_number_of_a_letter_is_not_signed_and_is_not_trusted(till: Till) -> None:
    first, body, headers = paid_letter(till)
    second, other, _ = paid_letter(till)
    assert till.receive("razorpay", body, headers) == 200
    stolen = {**headers, "X-Razorpay-Signature": hmac_sha256(WEBHOOK_SECRET, other)}
    assert till.receive("razorpay", other, stolen) == 200  # under the number of the first
    assert till.receive("razorpay", body, {**headers, "X-Razorpay-Event-Id": "new"}) == 200
    assert [till.find(one).status for one in (first, second)] == ["fulfilled"] * 2
    assert till.grants() == 2


def test_late_success_after_failure_counts_and_late_failure_does_not(till: Till) -> None:
    made = till.order()
    till.razorpay.pay(made["id"], status="failed")
    till.deliver()
    assert till.find(made["id"]).status == "failed"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        till.razorpay.pay(made["id"])
        till.deliver()
    assert till.find(made["id"]).status == "fulfilled"
    till.razorpay.pay(made["id"], status="failed")
    till.deliver()
    assert till.find(made["id"]).status == "fulfilled"


def test_letters_nobody_asked_for_are_kept_and_do_nothing(till: Till) -> None:
    before = effects(till)
    till.razorpay.tell("payment.captured", payment={"id": 7})
    till.razorpay.tell("payment.captured")
    till.razorpay.tell("virtual_account.created", virtual_account={"id": "va"})
    till.razorpay.tell("subscription.charged", subscription={"id": "sub_x", "status": "active"})
    till.stripe.tell("checkout.session.completed", {"id": "cs"})
    till.stripe.tell("customer.created", {"id": "cus"})
    strange = {"id": "cs_other", "created": 1, "payment_status": "paid", "amount_total": 1}
    till.stripe.tell("checkout.session.completed", {**strange, "currency": "inr"})
    assert set(till.deliver()) == {200}
    assert effects(till) == before
    found = sorted(str(letter.result) for letter in till.database.read(inbox.list_))
    assert found == [*["ignored"] * 3, *["unreadable"] * 3, "waiting"]


# ---- crashes and replays --------------------------------------------------------------------


def test_a_crash_before_the_commit_leaves_nothing_and_the_next_delivery_does_it(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, body, headers = paid_letter(till)
    for point in ("settle", "_due", "_after"):
        with monkeypatch.context() as patched:
            patched.setattr(settlement, point, _crash)
            assert till.receive("razorpay", body, headers) == 500
        assert people.everything(till.database)["webhooks"] == []
        assert till.find(order_id).status == "created"
    assert till.receive("razorpay", body, headers) == 200
    assert till.gives(order_id) == [("pro", "pro")]


def test_a_crash_between_commit_and_reply_changes_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    crashes = 0
    for room, point in ((checkout, "settled"), (notices, "tell"), (notices, "send_receipt")):
        order_id, body, headers = paid_letter(till)
        with monkeypatch.context() as patched:
            patched.setattr(room, point, _crash)
            assert till.receive("razorpay", body, headers) == 500
        crashes += 1
        assert till.gives(order_id) == [("pro", "pro")]  # it was done, and nobody was told
        for _ in range(2):
            assert till.receive("razorpay", body, headers) == 200
        assert till.kinds(order_id).count("granted") == 1
    assert till.grants() == crashes
    figure(f"{crashes} crashes after the commit: {till.grants()} grants of {crashes} payments")


def _crash(*_: object, **__: object) -> None:
    raise MemoryError("power cut")


def test_letters_can_be_replayed_and_do_nothing_twice(till: Till) -> None:
    order_id, body, headers = paid_letter(till)
    made = till.checkout()
    till.stripe.pay(made["session_id"])
    till.receive("razorpay", body, headers)
    till.deliver()
    before = effects(till)
    for letter in till.database.read(inbox.list_):
        after = checkout.replay(till.shop, letter.id)
        assert after.result == "applied"
    assert effects(till) == before
    assert till.gives(order_id) == till.gives(made["order_id"]) == [("pro", "pro")]


def test_addresses_of_payers_are_used_only_where_there_is_none(till: Till) -> None:
    answer = till.post("/create_order", {"product": "pro"})
    nameless = answer.get_json()["id"]
    till.razorpay.pay(nameless, email="Payer@Example.com")
    till.deliver()
    assert till.find(nameless).email == "payer@example.com"
    assert till.gives(nameless) == [("pro", "pro")]
    silent = till.post("/create_order", {"product": "pro"}).get_json()["id"]
    till.razorpay.pay(silent, email="")
    till.deliver()
    assert (till.find(silent).status, till.find(silent).held) == ("paid", "no_buyer")
    till.database.write(settlement.assign, silent_id(till, silent), "found@example.com", "boss")
    assert till.gives(silent) == [("pro", "pro")]


def silent_id(till: Till, gateway_id: str) -> str:
    return till.find(gateway_id).id


def test_mixed_up_letters_of_two_orders_stay_apart(till: Till) -> None:
    made = [till.order(product) for product in ("pro", "premium", "pro")]
    for order in made:
        till.razorpay.pay(order["id"])
    sent = parcels(till)
    for one, other in itertools.pairwise(sent):
        till.receive(*other)
        till.receive(*one)
    assert [till.gives(o["id"]) for o in made] == [
        [("pro", "pro")],
        [("premium", "scale")],
        [("pro", "pro")],
    ]


def test_a_bank_that_only_asks_closes_nothing_until_it_takes_the_money(till: Till) -> None:
    made, at_stripe = till.order(), till.checkout()
    payment = till.razorpay.pay(made["id"])["id"]
    intent = till.stripe.pay(at_stripe["session_id"])["payment_intent"]
    asks = till.razorpay.dispute(payment, phase="retrieval")
    inquiry = till.stripe.dispute(intent, "warning_needs_response")
    till.deliver()
    reconcile.run(till.shop)
    ours = (made["order_id"], at_stripe["order_id"])
    assert [till.find(one).status for one in ours] == ["fulfilled"] * 2
    till.razorpay.dispute(payment, "open", asks)
    till.stripe.dispute(intent, "needs_response", inquiry)
    till.deliver()
    assert [till.find(one).status for one in ours] == ["disputed"] * 2
    assert [till.gives(one) for one in ours] == [[], []]


def test_the_address_that_razorpay_writes_for_nobody_is_nobodys(till: Till) -> None:
    made = till.post("/create_order", {"product": "pro"}).get_json()
    till.razorpay.pay(made["id"], email="void@razorpay.com")
    till.deliver()
    order = till.find(made["id"])
    assert (order.email, order.status, order.held) == (None, "paid", "no_buyer")
