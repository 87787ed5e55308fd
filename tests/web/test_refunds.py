"""Money that goes back: once, whoever asks and whatever is heard of it."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests import outbox, people
from tests.races import at_once
from tests.stubs.provider import BROKEN, Failed
from tests.tills import Till
from tests.web.repayments import give_back, minutes, of_each, refund_mails, switch
from whatworks import checkout, clock, errors, reconcile, refunds
from whatworks.store import ledger, settlement


def test_a_refund_is_sent_once(till: Till) -> None:
    made = till.order()
    till.razorpay.pay(made["id"])
    at_stripe = till.checkout()
    till.stripe.pay(at_stripe["session_id"])
    till.deliver()
    for order_id in (made["order_id"], at_stripe["order_id"]):
        for _ in range(2):
            assert refunds.send_back(till.shop, order_id, "boss").status == "refunded"
        till.deliver()
        assert till.gives(order_id) == []
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert till.kinds(made["id"]).count("revoked") == 1


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
                refunds.send_back(till.shop, order_id, "boss")
            assert refused.value.code == "refund_refused"
        assert (till.find(order_id).status, len(till.gives(order_id))) == ("fulfilled", 1)
    for gateway in (till.razorpay, till.stripe):
        gateway.switches.no_refunds = ""
    for order_id in paid:
        assert refunds.send_back(till.shop, order_id, "boss").status == "refunded"
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert keys(till) == {f"refund-{payment}-{n}" for payment in paid.values() for n in range(3)}


def test_a_refund_of_which_nothing_was_heard_is_the_same_when_tried_again(till: Till) -> None:
    paid = of_each(till)
    for switches in (till.razorpay.switches, till.stripe.switches):
        switches.no_refunds = "lose"
    for order_id in paid:
        with pytest.raises(errors.Unavailable) as unheard:
            refunds.send_back(till.shop, order_id, "boss")
        assert unheard.value.code == "gateway_unavailable"
        assert "it goes back once" in unheard.value.message
    for charge in till.stripe.charges.values():  # as if the bank had not got to it yet
        charge["amount_refunded"] = 0
    for switches in (till.razorpay.switches, till.stripe.switches):
        switches.no_refunds = ""
    for order_id in paid:
        refunds.send_back(till.shop, order_id, "boss")
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert keys(till) == {f"refund-{payment}-0" for payment in paid.values()}
    till.deliver()
    assert [till.find(order_id).status for order_id in paid] == ["refunded"] * 2


def test_a_refund_that_does_not_arrive_is_told_to_the_seller_and_made_again(till: Till) -> None:
    boss = people.operator(till.app)
    paid = of_each(till)
    at_razorpay, at_stripe = paid.values()
    for order_id in paid:
        refunds.send_back(till.shop, order_id, "boss")
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
            after = refunds.send_back(till.shop, order_id, "boss")
            assert (after.status, after.held) == ("refunded", None)
        till.deliver()
    assert [till.find(one).held for one in paid] == [None] * 2
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (2, 2)
    assert len(refund_mails(till)) == 2  # they know that it is on its way
    alerts = outbox.about(till.app, "is here again")
    assert len(alerts) == 2
    assert all(f"To: {boss.email}" in text for text in alerts)


@pytest.mark.parametrize("before", [100, None])
def test_the_desk_sends_back_what_the_dashboard_left(till: Till, before: int | None) -> None:
    paid = of_each(till)
    give_back(till, paid, before)
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    for order_id in paid:
        assert refunds.send_back(till.shop, order_id, "boss").status == "refunded"
        assert till.gives(order_id) == []
    given = [sum(r["amount"] for r in found.refunds) for found in (till.razorpay, till.stripe)]
    assert given == [49_900, 49_900]


def refused(till: Till, order_id: str) -> str:
    """A refund that does not work; the code of why."""
    with pytest.raises(errors.Unavailable) as failure:
        refunds.send_back(till.shop, order_id, "boss")
    return failure.value.code


def test_a_refund_that_ends_in_a_500_is_asked_for_until_it_is_known_to_be_done(till: Till) -> None:
    """Both gateways repeat a 500 to the same key for a day."""
    people.operator(till.app)
    paid = of_each(till)
    switch(till, "break")
    assert {refused(till, order_id) for order_id in paid} == {"gateway_unavailable"}
    switch(till, "")
    calls = len(till.stripe.calls)
    assert reconcile.tick(till.shop).unreachable == 0
    assert len(till.stripe.calls) == calls  # whoever asked may still be waiting for the answer
    for later in (2, 4):
        with minutes(later):
            assert reconcile.tick(till.shop).unreachable == 2
    for order_id in paid:
        assert till.find(order_id).held == "refund_unheard"
        assert till.gives(order_id) == [("pro", "pro")]  # its money is here, as far as we know
    assert len(outbox.about(till.app, "has not answered to a refund")) == 2
    with minutes(25 * 60):
        till.razorpay.forget_keys()
        till.stripe.forget_keys()
        reconcile.run(till.shop)
    for order_id in paid:
        order = till.find(order_id)
        assert (order.status, order.held, till.gives(order_id)) == ("refunded", None, [])
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    assert keys(till) == {f"refund-{payment}-0" for payment in paid.values()}
    assert len(refund_mails(till)) == 2


@pytest.mark.parametrize("way", ["broken", "lose"])
def test_a_refund_that_was_done_unheard_is_found_out(till: Till, way: str) -> None:
    paid = of_each(till)
    switch(till, way)
    assert {refused(till, order_id) for order_id in paid} == {"gateway_unavailable"}
    switch(till, "")
    with minutes(2):
        reconcile.tick(till.shop)
    assert [till.find(one).status for one in paid] == ["refunded"] * 2
    assert [till.find(one).held for one in paid] == [None] * 2
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)
    till.deliver()
    assert len(refund_mails(till)) == 2


def test_a_server_that_dies_before_it_asks_sends_the_money_back_afterwards(till: Till) -> None:
    for order_id, payment in of_each(till).items():
        asked = ledger.refunding("refund_asked", payment, clock.timestamp())
        till.database.write(settlement.record, order_id, [asked], "operator")
        with minutes(2):
            reconcile.tick(till.shop)
        assert till.find(order_id).status == "refunded"


def test_a_refund_that_is_refused_later_is_told_to_the_seller(till: Till) -> None:
    boss = people.operator(till.app)
    paid = of_each(till)
    switch(till, "lose")
    for gateway in (till.razorpay, till.stripe):  # it never got there
        gateway.switches.error = True
    assert {refused(till, order_id) for order_id in paid} == {"gateway_unavailable"}
    for gateway in (till.razorpay, till.stripe):
        gateway.switches.error = False
    switch(till, "refuse")
    with minutes(2):
        reconcile.tick(till.shop)
        reconcile.tick(till.shop)
    for order_id in paid:
        order = till.find(order_id)
        assert (order.status, order.held) == ("fulfilled", None)
        (told,) = outbox.about(till.app, f"The refund of order {order_id} was refused")
        assert f"To: {boss.email}" in told
    switch(till, "")
    assert [refunds.send_back(till.shop, one, "boss").status for one in paid] == ["refunded"] * 2


def test_somebody_who_refunds_at_the_same_time_is_no_refusal(till: Till) -> None:
    paid = of_each(till)
    switch(till, "race")
    assert [refunds.send_back(till.shop, one, "boss").status for one in paid] == ["refunded"] * 2
    assert (len(till.razorpay.refunds), len(till.stripe.refunds)) == (1, 1)


def test_of_two_payments_both_are_asked_for_when_one_breaks(till: Till) -> None:
    made = till.order()
    payments = [till.razorpay.pay(made["id"])["id"] for _ in range(2)]
    till.deliver()
    first = min(payments)
    till.razorpay.answered[f"refund-{first}-0"] = Failed(500, BROKEN)
    assert refused(till, made["order_id"]) == "gateway_unavailable"
    assert [one["payment_id"] for one in till.razorpay.refunds] == [max(payments)]
    till.razorpay.forget_keys()
    with minutes(2):
        reconcile.tick(till.shop)
    assert len(till.razorpay.refunds) == 2
    assert till.find(made["id"]).status == "refunded"


def test_money_that_did_not_fit_is_not_asked_for_again_while_it_goes_back(till: Till) -> None:
    made = till.order(email="ravi@example.com")
    till.razorpay.pay(made["id"], amount=1_000)
    till.deliver()
    till.razorpay.switches.error = True
    assert refused(till, made["order_id"]) == "gateway_unavailable"
    address = {"email": "ravi@example.com"}
    seen = till.app.test_client().get(f"/order/{made['order_id']}", query_string=address)
    assert "something does not fit" in seen.get_data(as_text=True)


def test_the_key_of_another_account_sends_nothing_back_and_says_so(till: Till) -> None:
    paid = of_each(till)
    till.razorpay.payments.clear()
    till.stripe.sessions.clear()
    boss = people.operator(till.app).client
    for order_id in paid:
        sent = {"action": "refund", "sure": "yes"}
        page = boss.post(f"/admin/orders/{order_id}", data=sent, follow_redirects=True)
        assert "no money went back" in page.get_data(as_text=True)
        assert (till.find(order_id).status, till.find(order_id).held) == ("fulfilled", None)


def test_the_desk_says_what_is_known_of_a_refund(till: Till) -> None:
    order_id, _ = next(iter(of_each(till).items()))
    boss = people.operator(till.app).client
    switch(till, "lose")
    sent = {"action": "refund", "sure": "yes"}
    page = boss.post(f"/admin/orders/{order_id}", data=sent, follow_redirects=True)
    said = re.sub(r"\s+", " ", page.get_data(as_text=True))
    assert "it is not known whether the money went back" in said
    assert "A refund was asked for just now" in said
    switch(till, "")
    page = boss.post(f"/admin/orders/{order_id}", data=sent, follow_redirects=True)
    assert "the order is refunded" in page.get_data(as_text=True)


# ---- what banks undo later ------------------------------------------------------------------


def test_a_refund_that_came_back_weeks_ago_and_unheard_is_found(till: Till) -> None:
    (order_id, payment), _ = of_each(till).items()
    refunds.send_back(till.shop, order_id, "boss")
    till.deliver()
    with minutes(20 * 24 * 60):
        till.razorpay.bounce(payment)
        till.razorpay.letters.clear()
        reconcile.run(till.shop)
        assert till.find(order_id).held == "refund_failed"
        assert till.gives(order_id) == []
    with minutes(21 * 24 * 60):
        assert refunds.send_back(till.shop, order_id, "boss").held is None
        reconcile.run(till.shop)
        assert till.find(order_id).held is None
    assert len(till.razorpay.refunds) == 2


def test_a_refund_made_again_in_time_is_not_said_to_have_failed(till: Till) -> None:
    (order_id, payment), _ = of_each(till).items()
    refunds.send_back(till.shop, order_id, "boss")
    till.deliver()
    till.razorpay.bounce(payment)
    till.razorpay.give_back(payment)
    till.razorpay.letters.clear()
    reconcile.run(till.shop)
    order = till.find(order_id)
    assert (order.status, order.held) == ("refunded", None)


def test_a_dispute_that_is_won_weeks_later_and_unheard_opens_the_order_again(till: Till) -> None:
    (order_id, payment), _ = of_each(till).items()
    dispute = till.razorpay.dispute(payment)
    till.deliver()
    assert till.find(order_id).status == "disputed"
    with minutes(40 * 24 * 60):
        till.razorpay.dispute(payment, "won", dispute)
        till.razorpay.letters.clear()
        reconcile.run(till.shop)
    assert (till.find(order_id).status, len(till.gives(order_id))) == ("fulfilled", 1)


# ---- who pays and asks twice ----------------------------------------------------------------


def test_whoever_tells_and_asks_at_once_the_money_goes_back_once(till: Till) -> None:
    """Operators, the round of a minute, letters in threes, buyers who ask; answers are lost."""
    paid = of_each(till)
    people.operator(till.app)
    tasks = [(order_id, number) for order_id in paid for number in range(5)]

    def tell(task: int) -> None:
        order_id, number = tasks[task]
        with contextlib.suppress(errors.Unavailable):
            if number == 0:
                switch(till, "broken")
                till.deliver()
            elif number < 3:
                refunds.send_back(till.shop, order_id, "boss")
            elif number == 3:
                refunds.ask_again(till.shop, order_id)
            else:
                checkout.check(till.shop, order_id)

    till.razorpay.switches.duplicate = till.stripe.switches.duplicate = 3
    at_once(len(tasks), tell)
    switch(till, "")
    till.deliver()
    with minutes(2):
        reconcile.run(till.shop)
    for order_id in paid:
        order = till.find(order_id)
        assert (order.status, order.held, till.gives(order_id)) == ("refunded", None, [])
        assert till.kinds(order_id).count("revoked") == 1
    given = [[r["amount"] for r in found.refunds] for found in (till.razorpay, till.stripe)]
    assert given == [[49_900], [49_900]]
    assert len(refund_mails(till)) == 2


def test_an_order_that_was_paid_twice_is_sent_back_twice(till: Till) -> None:
    made = till.order()
    payments = [till.razorpay.pay(made["id"])["id"] for _ in range(2)]
    till.deliver()
    assert till.find(made["id"]).held == "paid_twice"
    assert refunds.send_back(till.shop, made["order_id"], None).status == "refunded"
    assert [till.razorpay.payments[one]["status"] for one in payments] == ["refunded"] * 2
    assert till.gives(made["id"]) == []
