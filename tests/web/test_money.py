"""Money that does not fit is held, never granted; letters do not say who bought what."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conftest import Figure
from tests.tills import Till
from whatworks import refunds
from whatworks.store import settlement


def tampered(till: Till) -> Iterator[tuple[str, str]]:
    """Payments that are not the ones asked for; each is signed as it should be."""
    for amount, currency in ((100, None), (49_901, None), (49_900, "USD"), (None, "JPY")):
        made = till.order()
        till.razorpay.pay(made["id"], amount=amount, currency=currency)
        yield made["id"], "amount" if currency is None else "currency"
        at_stripe = till.checkout()
        till.stripe.pay(at_stripe["session_id"], amount=amount, currency=currency)
        yield at_stripe["order_id"], "amount" if currency is None else "currency"


def test_money_that_does_not_fit_is_held_and_never_granted(till: Till, figure: Figure) -> None:
    held = list(tampered(till))
    till.deliver()
    for order_id, reason in held:
        order = till.find(order_id)
        assert (order.status, order.held) == ("created", reason)
        assert till.gives(order_id) == []
        assert "held" in till.kinds(order_id)
    assert till.grants() == 0
    figure(f"{len(held)} tampered payments: {till.grants()} grants, {len(held)} held")


def test_who_bought_what_is_never_read_from_a_letter(till: Till) -> None:
    cheap, dear, other = till.order("pro"), till.order("premium"), till.checkout("pro")
    payment = till.razorpay.pay(cheap["id"])
    till.razorpay.letters.clear()
    payment["notes"] = {"product": "premium", "user_id": "somebody", "order": dear["order_id"]}
    payment["email"] = "thief@example.com"
    till.razorpay.tell("payment.captured", payment=payment)
    session = till.stripe.sessions[other["session_id"]]
    till.stripe.pay(session["id"])
    forged = {**session, "id": "cs_forged", "metadata": {"order": dear["order_id"]}}
    till.stripe.letters.clear()
    till.stripe.tell("checkout.session.completed", forged)
    assert set(till.deliver()) == {200}
    assert till.gives(cheap["id"]) == [("pro", "pro")]
    assert till.find(cheap["id"]).email != "thief@example.com"
    assert till.gives(dear["id"]) == []
    assert till.gives(other["order_id"]) == []


def test_a_plan_costs_what_its_name_says(till: Till) -> None:
    made = till.checkout("pro_monthly")
    till.stripe.pay(made["session_id"])
    till.stripe.letters.clear()
    (subscription,) = till.stripe.subscriptions.values()
    price = subscription["items"]["data"][0]["price"]
    price["lookup_key"] = price["lookup_key"].replace("pro", "scale").replace("19900", "39900")
    till.stripe.tell("customer.subscription.created", subscription)
    till.deliver()
    assert till.grants() == 0


def test_an_operator_may_take_held_money_or_send_it_back(till: Till) -> None:
    first, second = till.order(), till.order()
    for made in (first, second):
        till.razorpay.pay(made["id"], amount=49_000)
    till.deliver()
    till.database.write(settlement.accept, first["order_id"], "boss")
    assert till.find(first["id"]).held is None
    assert till.gives(first["id"]) == [("pro", "pro")]
    refunds.send_back(till.shop, second["order_id"], "boss")
    assert (till.find(second["id"]).held, till.gives(second["id"])) == (None, [])


def test_paid_twice_is_granted_once_and_shown(till: Till) -> None:
    made = till.order()
    for _ in range(2):
        till.razorpay.pay(made["id"])
    till.deliver()
    order = till.find(made["id"])
    assert (order.status, order.held) == ("fulfilled", "paid_twice")
    assert till.grants() == 1
    till.razorpay.give_back(next(iter(till.razorpay.payments)))
    till.deliver()
    order = till.find(made["id"])
    assert (order.status, order.held) == ("fulfilled", None)
    assert till.gives(made["id"]) == [("pro", "pro")]
