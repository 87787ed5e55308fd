"""What buyers are told of money that goes back: once, whoever sent it."""

from __future__ import annotations

from tests.races import at_once
from tests.tills import Till
from tests.web.repayments import give_back, of_each, refund_mails
from whatworks import reconcile, refunds


def test_a_refund_from_the_dashboard_is_mailed_once(till: Till) -> None:
    paid = of_each(till)
    give_back(till, paid)
    till.razorpay.switches.duplicate = till.stripe.switches.duplicate = 3
    assert set(till.deliver()) == {200}
    reconcile.run(till.shop)
    for order_id in paid:
        refunds.send_back(till.shop, order_id, "boss")
    told = refund_mails(till)
    assert len(told) == 2
    assert all("What it had opened is closed again" in text for text in told)


def test_a_refund_from_the_desk_is_mailed_once(till: Till) -> None:
    paid = of_each(till)
    for order_id in paid:
        refunds.send_back(till.shop, order_id, "boss")
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
    at_once(4, lambda _: refunds.send_back(till.shop, order_id, "boss"))
    assert till.find(order_id).status == "refunded"
    assert len(refund_mails(till)) == 1
