"""What gateways did not tell is asked: nothing that is paid stays away from its buyer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner

from tests import outbox, people
from tests.conftest import Figure
from tests.tills import Till
from whatworks import checkout, clock, errors, reconcile
from whatworks.cli import main
from whatworks.gateways import line
from whatworks.store import duties, entitlements, inbox, ledger, orders, settlement


def test_all_webhooks_lost_and_every_paid_order_is_entitled(till: Till, figure: Figure) -> None:
    paid, unpaid = [], []
    for number in range(6):
        made = till.order()
        at_stripe = till.checkout("pro" if number % 2 else "pro_monthly")
        if number < 5:
            till.razorpay.pay(made["id"], status="authorized" if number == 3 else "captured")
            till.stripe.pay(at_stripe["session_id"])
            paid += [made["order_id"], at_stripe["order_id"]]
        else:
            till.razorpay.pay(made["id"], status="failed")
            unpaid += [made["order_id"], at_stripe["order_id"]]
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    assert till.grants() == 0  # the control: without the run nobody has anything
    report = reconcile.run(till.shop)
    assert [till.find(one).status for one in paid] == ["fulfilled"] * len(paid)
    assert not any(till.find(one).is_paid for one in unpaid)
    assert till.grants() == len(paid)
    assert (report.looked, report.unreachable) == (len(paid) + len(unpaid), 0)
    assert (report.paid, report.granted) == (len(paid), len(paid))
    figure(f"0 of {len(paid)} webhooks arrived, one run: {till.grants()} of {len(paid)} entitled")
    again = reconcile.run(till.shop)
    assert (again.paid, again.granted, till.grants()) == (0, 0, len(paid))


def test_lost_refunds_disputes_and_ends_are_found(till: Till) -> None:
    refunded, disputed = till.order(), till.order()
    payments = [till.razorpay.pay(made["id"]) for made in (refunded, disputed)]
    back, ended = till.checkout("pro"), till.checkout("pro_monthly")
    session = till.stripe.pay(back["session_id"])
    subscription = till.stripe.pay(ended["session_id"])["subscription"]
    till.deliver()
    till.razorpay.give_back(payments[0]["id"])
    till.razorpay.dispute(payments[1]["id"])
    till.stripe.give_back(session["payment_intent"])
    till.stripe.end(subscription)
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    reconcile.run(till.shop)
    names = (refunded, disputed, back)
    assert [till.find(n["order_id"]).status for n in names] == ["refunded", "disputed", "refunded"]
    holdings = [till.gives(n["order_id"]) for n in names]
    assert holdings == [[], [], []]
    plan = till.database.read(entitlements.list_of_cause, subscription)
    assert [one.revoked_at is not None for one in plan] == [True]


def test_a_bank_that_agrees_after_three_days_is_heard(till: Till) -> None:
    made = till.order()
    payment = till.razorpay.pay(made["id"], status="failed")
    till.deliver()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        till.razorpay.agree_late(payment["id"])
        till.razorpay.letters.clear()
        reconcile.run(till.shop)
    assert till.find(made["id"]).status == "fulfilled"


def test_renewals_that_nobody_told_us_of(till: Till) -> None:
    made = till.checkout("pro_monthly")
    subscription = till.stripe.pay(made["session_id"])["subscription"]
    till.deliver()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=40)):
        held = till.database.read(entitlements.list_of_cause, subscription)
        assert not any(entitlements.in_force(one, clock.timestamp()) for one in held)
        till.stripe.renew(subscription)
        till.stripe.events.clear()  # not even its list remembers
        till.stripe.letters.clear()
        reconcile.run(till.shop)
        held = till.database.read(entitlements.list_of_cause, subscription)
        assert all(entitlements.in_force(one, clock.timestamp()) for one in held)


def test_stripes_list_is_asked_for_page_by_page(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A week of a busy shop takes longer than one question may."""
    asked: list[object] = []
    ask = line.Line.ask

    def counted(self: line.Line, question: Callable[[], Any]) -> Any:
        asked.append(question)
        return ask(self, question)

    monkeypatch.setattr(line.Line, "ask", counted)
    told = [till.stripe.tell("charge.refunded", {"id": f"ch_{n}"})["id"] for n in range(230)]
    assert till.shop.stripe is not None
    found = till.shop.stripe.recent(clock.timestamp() - 60)
    assert ([one.id for one in found], len(asked)) == (told, 3)


def test_a_silent_gateway_is_asked_three_times_and_the_other_one_still(till: Till) -> None:
    for _ in range(6):
        till.razorpay.pay(till.order()["id"])
    made = till.checkout()
    till.stripe.pay(made["session_id"])
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    till.razorpay.switches.error = True
    report = reconcile.run(till.shop)
    assert report.unreachable == 3
    assert till.find(made["order_id"]).status == "fulfilled"
    till.razorpay.switches.error = False
    assert reconcile.run(till.shop).granted == 6


def test_orders_that_a_gateway_does_not_know_keep_no_other_from_being_asked_about(
    till: Till,
) -> None:
    for _ in range(4):
        till.razorpay.orders.pop(till.order()["id"])
    made = till.order()
    till.razorpay.pay(made["id"])
    till.razorpay.letters.clear()
    report = reconcile.run(till.shop)
    assert (report.granted, report.unreachable) == (1, 4)


def test_the_minute_round_asks_when_it_is_time(till: Till) -> None:
    made = till.order()
    till.razorpay.pay(made["id"])
    till.razorpay.letters.clear()
    assert reconcile.tick(till.shop).looked == 0  # it is new; its letter may be on its way
    for minutes, looked in ((6, 1), (7, 0)):
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=minutes)):
            assert reconcile.tick(till.shop).looked == looked
    assert till.find(made["id"]).status == "fulfilled"


def test_rounds_are_done_by_one_process(till: Till) -> None:
    claims = [till.database.write(duties.claim_round, 7) for _ in range(3)]
    assert claims == [True, False, False]
    assert till.database.write(duties.claim_round, 8) is True


def test_the_seller_is_told_once_when_money_waits_for_a_minute(till: Till) -> None:
    boss = people.operator(till.app)
    made, fine = till.order(), till.order(email="fine@example.com")
    till.razorpay.pay(made["id"], amount=1_000)
    till.razorpay.pay(fine["id"])
    till.deliver()
    reconcile.tick(till.shop)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=90)):
        for _ in range(3):
            reconcile.tick(till.shop)
    sent = outbox.texts(till.app)
    alerts = [text for text in sent if f"To: {boss.email}" in text]
    assert len(alerts) == 1
    assert made["order_id"] in alerts[0]
    assert "@example.com" not in alerts[0].partition("\n\n")[2]  # who bought is nobody's business
    assert sum("To: fine@example.com" in text for text in sent) == 1


def test_each_buyer_gets_one_receipt(till: Till) -> None:
    made = till.order(email="once@example.com")
    till.razorpay.pay(made["id"])
    for _ in range(2):
        till.deliver()
        till.come_back(next(iter(till.razorpay.payments.values())))
        checkout.check(till.shop, made["order_id"])
        reconcile.run(till.shop)
    assert sum("To: once@example.com" in text for text in outbox.texts(till.app)) == 1


def test_letters_that_missed_each_other_are_brought_together(till: Till) -> None:
    made = till.checkout()
    session = till.stripe.pay(made["session_id"])
    paid = till.stripe.letters[:]
    till.stripe.letters.clear()
    till.stripe.dispute(session["payment_intent"])
    till.deliver()
    assert len(till.database.read(inbox.list_, only_unhandled=True)) == 1
    fact = till.stripe.signed(paid[0])
    till.receive("stripe", *fact)
    assert till.find(made["order_id"]).status == "disputed"
    assert till.database.read(inbox.list_, only_unhandled=True) == []


def test_letters_about_others_payments_keep_none_of_ours_waiting(till: Till) -> None:
    till.stripe.tell("payment_intent.payment_failed", {"id": "pi_of_another_shop"})
    made = till.checkout()
    intent = till.stripe.pay(made["session_id"])["payment_intent"]
    till.stripe.letters = [one for one in till.stripe.letters if "session" not in one["type"]]
    till.stripe.dispute(intent)
    till.deliver()
    paid = ledger.paid(intent, clock.timestamp(), 49_900, "INR")
    till.database.write(settlement.record, made["order_id"], [paid], "reconcile")
    assert till.database.write(inbox.retry, limit=1) == [made["order_id"]]
    assert till.find(made["order_id"]).status == "disputed"


def test_old_orders_are_left_alone(till: Till) -> None:
    till.order()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        assert reconcile.run(till.shop).looked == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command(till: Till, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = till.order()
    till.razorpay.pay(made["id"])
    values = {**till.razorpay.settings, **till.stripe.settings, "secret_key": people.KEY}
    for name, value in values.items():
        monkeypatch.setenv(f"WHATWORKS_{name.upper()}", value)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    said = CliRunner().invoke(main.main, ["reconcile"])
    assert said.exit_code == 0, said.output
    assert "1 granted" in said.output
    assert till.find(made["id"]).status == "fulfilled"


def test_search_finds_what_operators_look_for(till: Till) -> None:
    made = till.order(email="find@example.com")
    payment = till.razorpay.pay(made["id"])
    till.deliver()
    till.order()
    for text in (made["id"], made["order_id"], payment["id"], "Find@example.com"):
        (found,) = till.database.read(orders.search, text)
        assert found.id == made["order_id"], text
    assert len(till.database.read(orders.search)) == 2
    assert len(till.database.read(orders.search, status="fulfilled")) == 1
    assert till.database.read(orders.search, status="held") == []
    with pytest.raises(errors.NotFound):
        till.database.read(orders.get, "nothing")
