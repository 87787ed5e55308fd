"""Coupons: who gets the discount, counted exactly, whoever races or fails to pay."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests import people, tills
from tests.races import at_once
from tests.tills import Till
from whatworks import checkout, reconcile, refunds
from whatworks.store import coupons, duties


def test_a_coupon_counts_whatever_its_capitals(till: Till) -> None:
    till.database.write(coupons.create, "Launch50", 50, max_uses=100)
    told = till.post("/validate_coupon", {"code": "lAUNCH50", "product": "pro"}).get_json()
    assert (told["valid"], told["discount_percent"], told["amount"]) == (True, 50, 24950)
    made = till.order("pro", coupon_code="launch50")
    assert made["amount"] == till.razorpay.orders[made["id"]]["amount"] == 24950
    found = till.database.read(coupons.find, "LAUNCH50")
    assert found is not None
    assert found.uses == 1


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"expires_at": 1.0}, "expired"), ({"max_uses": 0}, "used_up"), (None, "unknown")],
)
def test_coupons_that_cannot_be_used_say_why(
    till: Till, limits: dict[str, Any] | None, reason: str
) -> None:
    if limits is not None:
        till.database.write(coupons.create, "C", 10, **limits)
    told = till.post("/validate_coupon", {"coupon_code": "c"}).get_json()
    assert (told["valid"], told["reason"]) == (False, reason)
    refused = till.post("/create_order", {"product": "pro", "coupon_code": "c"})
    assert (refused.status_code, refused.get_json()["code"]) == (400, f"coupon_{reason}")


def test_what_no_gateway_would_take_is_let_go() -> None:
    coupon = coupons.Coupon("C", 99, "", None, None, 0, is_active=True)
    assert [coupon.reduced(price) for price in (49_900, 10_000, 5_000)] == [499, 100, 0]


def race(till: Till, code: str, runners: int) -> int:
    """How many of those who order at once get the discount."""

    def run(number: int) -> int:
        body = {"product": "pro", "email": f"r{number}@example.com", "coupon_code": code}
        return till.post("/create_order", body).status_code

    statuses = at_once(runners, run)
    assert set(statuses) <= {200, 400}
    return statuses.count(200)


def test_a_coupon_is_counted_exactly_by_those_who_race(till: Till) -> None:
    till.database.write(coupons.create, "FIVE", 20, max_uses=5)
    assert race(till, "five", 12) == 5
    found = till.database.read(coupons.find, "FIVE")
    assert found is not None
    assert found.uses == 5


def uses(till: Till, code: str) -> int:
    found = till.database.read(coupons.find, code)
    assert found is not None
    return found.uses


def later(minutes: int) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) + timedelta(minutes=minutes))


def test_an_unpaid_order_gives_its_use_back_and_takes_it_again_to_be_paid(till: Till) -> None:
    till.database.write(coupons.create, "ONE", 20, max_uses=1)
    order = till.find(till.order(coupon_code="one")["id"])
    for minutes, left in ((61, 1), (76, 0)):  # what was paid in the hour may be told after it
        with later(minutes):
            reconcile.tick(till.shop)
            assert uses(till, "ONE") == left
    with later(80):
        assert checkout.payment_step(till.shop, order).method == "POST"
        assert uses(till, "ONE") == 1
        refused = till.post("/create_order", {"product": "pro", "coupon_code": "one"})
        assert refused.get_json()["code"] == "coupon_used_up"
        till.razorpay.pay(order.gateway_id or "")
        till.deliver()
    with later(300):
        reconcile.tick(till.shop)
    assert till.database.write(duties.release_use, "ONE", order.id) is False  # it is paid
    assert (till.find(order.id).status, uses(till, "ONE")) == ("fulfilled", 1)
    assert "coupon_over" not in till.kinds(order.id)


def test_who_pays_too_late_is_granted_and_the_seller_hears_that_it_was_once_too_often(
    till: Till,
) -> None:
    boss = people.operator(till.app)
    till.database.write(coupons.create, "ONE", 20, max_uses=1)
    slow = till.find(till.order(email=tills.WHO, coupon_code="one")["id"])
    with later(76):
        reconcile.tick(till.shop)
        till.razorpay.pay(till.order(coupon_code="one")["id"])
        till.deliver()
        page = till.app.test_client().get(f"/order/{slow.id}?email={tills.WHO}")
        assert "used as often as it may be" in page.get_data(as_text=True)
        assert till.razorpay.url not in page.get_data(as_text=True)  # nor can it be paid from here
        till.razorpay.pay(slow.gateway_id or "")
        till.razorpay.switches.duplicate = 3
        till.deliver()
        reconcile.tick(till.shop)
    assert (till.find(slow.id).status, uses(till, "ONE")) == ("fulfilled", 2)
    assert till.kinds(slow.id).count("coupon_over") == 1
    platform = people.platform(till.app)
    platform.mailer.close()
    sent = [path.read_text() for path in (platform.settings.data_dir / "outbox").glob("*")]
    alerts = [text for text in sent if "Coupon ONE was used once too often" in text]
    assert len(alerts) == 1
    assert f"To: {boss.email}" in alerts[0]


def test_a_use_stays_taken_while_a_bank_has_yet_to_answer(till: Till) -> None:
    till.database.write(coupons.create, "ONE", 20, max_uses=1)
    made = till.checkout(coupon_code="one")
    session = till.stripe.sessions[made["session_id"]]
    assert 3_540 <= session["expires_at"] - time.time() <= 3_600  # it cannot be paid after that
    till.stripe.pay(made["session_id"], later=True)
    till.deliver()
    with later(2 * 1_440):
        reconcile.tick(till.shop)
        assert uses(till, "ONE") == 1
        till.stripe.agree(made["session_id"])
        till.deliver()
    assert till.find(made["order_id"]).status == "fulfilled"
    assert "coupon_over" not in till.kinds(made["order_id"])


def test_a_coupon_is_known_however_its_letters_are_typed(till: Till) -> None:
    till.database.write(coupons.create, "e\u0301te\u0301 straße", 20)
    for typed in ("ÉTÉ STRASSE", "été straße", " E\u0301T\u00e9 Straße "):
        assert till.post("/validate_coupon", {"code": typed}).get_json()["valid"] is True


def test_a_coupon_ends_with_its_second(till: Till) -> None:
    with time_machine.travel(1_800_000_000, tick=False):
        for code, ends in (("OVER", 1_800_000_000.0), ("OPEN", 1_800_000_001.0)):
            till.database.write(coupons.create, code, 20, expires_at=ends)
        told = [till.post("/validate_coupon", {"code": code}) for code in ("over", "open")]
    assert [answer.get_json()["valid"] for answer in told] == [False, True]


def test_a_repeated_order_uses_its_coupon_once(till: Till) -> None:
    till.database.write(coupons.create, "ONE", 20, max_uses=1)
    body = {"product": "pro", "email": "a@example.com", "coupon_code": "one"}
    answers = [till.post("/create_order", body, Idempotency_Key="k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def repeated_at_once(till: Till, code: str) -> set[tuple[int, str | None]]:
    """What six get who send the same order together: statuses and orders."""

    def post(_: int) -> tuple[int, str | None]:
        body = {"product": "pro", "email": "a@example.com", "coupon_code": code}
        answer = till.post("/create_order", body, Idempotency_Key=code)
        return answer.status_code, answer.get_json().get("order_id")

    return set(at_once(6, post))


def test_an_order_that_is_repeated_at_once_uses_its_coupon_once(till: Till) -> None:
    for number in range(5):
        till.database.write(coupons.create, f"ONE{number}", 20, max_uses=1)
        made = repeated_at_once(till, f"one{number}")
        assert [status for status, _ in made] == [200]
        assert uses(till, f"ONE{number}") == 1


def test_nothing_to_pay_is_paid_at_once(till: Till) -> None:
    till.database.write(coupons.create, "GIFT", 100)
    made = till.order("pro", email=tills.WHO, coupon_code="gift")
    assert (made["amount"], made["status"], made["pay"]) == (0, "fulfilled", None)
    assert till.gives(made["id"]) == [("pro", "pro")]
    assert till.razorpay.orders == {}
    nobody = till.post("/create_order", {"product": "pro", "coupon_code": "gift"})
    assert (nobody.status_code, list(nobody.get_json()["fields"])) == (400, ["email"])
    assert refunds.send_back(till.shop, made["id"], None).status == "refunded"
    assert till.gives(made["id"]) == []
