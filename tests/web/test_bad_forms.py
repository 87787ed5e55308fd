"""The shop's doors and forms take thousands of bad bodies: each is refused, and nothing is sold.

The JSON doors get what `test_bad_bodies` sends to all others, here with gateways behind them. The
forms get their own fields with values that nobody expects there. All of it comes from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from tests import people
from tests.conftest import Figure
from tests.people import KEY
from tests.tills import Till
from tests.web.doors import SHOP, Door
from tests.web.spoiling import SEED, TRICKS, bad_bodies, flaw
from whatworks.store import inbox, links

BULK: Final = 2000
SAMPLE: Final = 150
COUNTS: Final = [SAMPLE, pytest.param(BULK, marks=pytest.mark.drill)]
FORMS: Final = 3  # a form gets so many times fewer: there are more of them
DOORS: Final[dict[str, Door]] = {
    "order": Door(
        "POST",
        "/create_order",
        {"product": "pro", "coupon_code": "X", "email": "asha@example.com", "currency": "INR"},
        {"product": "id", "coupon_code": "id?", "email": "email?", "currency": "unit?"},
    ),
    "coupon": Door(
        "POST",
        "/validate_coupon",
        {"code": "X", "product": "pro", "currency": "INR"},
        {"code": "id", "coupon_code": "id?", "product": "id?", "currency": "unit?"},
    ),
    "checkout": Door(
        "POST",
        "/api/billing/create-checkout",
        {"product": "pro", "coupon_code": "X", "email": "asha@example.com", "currency": "INR"},
        {"product": "id", "coupon_code": "id?", "email": "email?", "currency": "unit?"},
    ),
}
VALUES: Final = [
    *("", " ", "0", "-1", "1e999", "NaN", "null", "[]", "{}", "x" * 101, "x" * 20_000, "é" * 300),
    *("\0", "a\0b", "a\r\nb: c", "\ud800", "\udfff", "\u202e", "%00", "../..", "' OR 1=1 --"),
    *("<script>", "{{7*7}}", "pro", "starter", "refund", "assign", "yes", "a@b.de", "@", "a@b"),
    *('{"order_id": 3}', '{"order_id": "\\u0000"}', "[" * 5000, '{"order_id": "x"}', *TRICKS),
]


def test_every_json_door_of_the_shop_is_here() -> None:
    assert {(door.method, door.path) for door in DOORS.values()} == SHOP


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", DOORS)
def test_bad_orders_sell_nothing(till: Till, name: str, count: int, figure: Figure) -> None:
    door, before = DOORS[name], people.everything(till.database)
    client, found = till.app.test_client(), []
    for number, body in enumerate(bad_bodies(name, door, count)):
        answer = client.post(door.path, data=body, content_type="application/json")
        told: Any = answer.get_json(silent=True)
        is_said = name == "coupon" and answer.status_code == 200 and told["valid"] is False
        if not is_said and (problem := flaw(door, answer.status_code, told)):
            found.append(f"{number}: {problem}: {body[:200]!r}")
    assert found == []
    assert people.everything(till.database) == before
    assert till.razorpay.calls == till.stripe.calls == []
    figure(f"{count} bad bodies to {door.path}: all refused, 0 orders")


def spoilt(fields: dict[str, str], dice: random.Random) -> Any:
    """A form with one to three of its fields wrong, missing or twice; or no form at all."""
    form: dict[str, Any] = dict(fields)
    for name in dice.sample(list(form), min(len(form), dice.randint(1, 3))):
        form[name] = dice.choice(VALUES)
        if dice.random() < 0.1:
            form[name] = [form[name], dice.choice(VALUES)]
        elif dice.random() < 0.15:
            del form[name]
    pairs = [
        (name, value.encode("utf-8", "surrogatepass"))
        for name, values in form.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    body = b"&".join(name.encode() + b"=" + quoted(value, dice) for name, value in pairs)
    return body[: dice.randrange(1, len(body) + 2)] if dice.random() < 0.05 else body


def quoted(value: bytes, dice: random.Random) -> bytes:
    """A value as in a form; now and then with signs that should have been escaped."""
    if dice.random() < 0.1:
        return value.replace(b"&", b"")
    return b"".join(b"%%%02X" % byte for byte in value)


def forms(order_id: str, gateway_id: str, letter_id: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Every form of the shop: who sends it, and fields that would do something."""
    key = links.order_key(KEY, order_id)
    act = {"action": "assign", "sure": "no", "email": "ravi@example.com"}
    back = dict.fromkeys(("order_id", "payment_id", "signature"), "x")
    return {
        "/buy": (
            "anybody",
            {"product": "gold", "email": "a@b.de", "coupon_code": "X", "currency": "INR"},
        ),
        "/order": ("anybody", {"email": "nobody@example.com"}),
        f"/order/{order_id}": ("anybody", {"email": "nobody@example.com", "key": "1.x"}),
        f"/order/{gateway_id}/check": ("anybody", {"key": key[:-1], "email": "nobody@example.com"}),
        f"/order/{order_id}/resend": ("anybody", {"key": key[1:], "email": "nobody@example.com"}),
        "/success": (
            "anybody",
            {
                **{f"razorpay_{name}": value for name, value in back.items()},
                "error[metadata]": "{}",
            },
        ),
        "/subscription": ("asha", {"action": "change", "product": "gold"}),
        "/library/export": ("asha", {"what": "nothing", "format": "pdf"}),
        f"/admin/orders/{order_id}": ("boss", act),
        f"/admin/orders/{order_id}?": ("asha", act),
        f"/admin/inbox/{letter_id}x": ("boss", {"again": "1"}),
    }


@pytest.mark.parametrize("count", COUNTS)
def test_bad_forms_sell_nothing(till: Till, count: int, figure: Figure) -> None:
    made = till.order()
    till.receive("razorpay", *till.razorpay.signed({"event": "x", "payload": {}, "id": "odd"}))
    letter_id = till.database.read(inbox.list_)[0].id
    asha, boss = people.sign_up(till.app), people.operator(till.app)
    clients: dict[str, Callable[..., TestResponse]] = {
        "anybody": till.app.test_client().post,
        "asha": asha.client.post,
        "boss": boss.client.post,
    }
    dice, sent, found = random.Random(SEED), 0, []
    for path, (who, fields) in forms(made["order_id"], made["id"], letter_id).items():
        for number in range(count // FORMS):
            body = spoilt(fields, dice)
            answer = clients[who](path, data=body, content_type="application/x-www-form-urlencoded")
            sent += 1
            if answer.status_code >= 500:
                found.append(f"{path} {number}: {answer.status_code}: {body[:200]!r}")
    assert found == []
    assert till.grants() == 0
    assert till.find(made["id"]).status == "created"
    figure(f"{sent} bad forms: 0 errors, 0 grants")
