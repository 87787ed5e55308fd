"""Letters that are signed and make no sense: whatever stands in them, no 5xx and nothing given.

A gateway's own mistake, or a secret that leaked, is no reason to fall over. The letters come from a
seed: genuine ones, with one or two values replaced by what nobody expects there.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.conftest import Figure
from tests.stubs import razorpay as razorpay_stub
from tests.stubs import stripe as stripe_stub
from tests.stubs.provider import Provider
from tests.tills import Till
from tests.web.doors import Raw

SEED: Final = 20_261_122
BULK: Final = 2000
SAMPLE: Final = 300
ODD: Final[list[object]] = [
    *(None, True, False, 0, 1, -1, 2.5, 10**12, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(10**30, 10**400, -(10**400), 1e300, -1e300, Raw("NaN"), Raw("Infinity"), Raw("1e999")),
    *(Raw("1e308"), Raw("-0"), Raw("-0.0"), Raw("1.0"), Raw("9" * 5000), Raw("0.1e-400")),
    *(
        "",
        " ",
        "x",
        "0",
        "1",
        "49900",
        "NaN",
        "null",
        "\0",
        "a\0b",
        "é",
        "\u202e",
        "😀",
        "x" * 9999,
    ),
    *(Raw('"\\ud800"'), Raw('"\\u0000"'), Raw('"\\udfff\\ud800"'), "' OR 1=1 --", "../../x"),
    *([], {}, [None], [[]], [{}], {"a": "b"}, {"entity": None}, {"entity": []}, {"id": 3}),
    *({"entity": {"id": 1}}, {"entity": {"id": "\0"}}, {"data": None}, {"data": [3]}),
    *(
        Raw("[" * 900 + "]" * 900),
        Raw("[" * 9000 + "]" * 9000),
        Raw('{"a":' * 900 + "1" + "}" * 900),
    ),
]


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every value of a JSON document."""
    if path:
        yield path
    inside: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    for name, one in list(enumerate(value)) if isinstance(value, list) else inside:
        yield from places(one, (*path, name))


def encoded(value: object) -> str:
    """JSON, with raw parts as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(n)}:{encoded(v)}" for n, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encoded, value)) + "]"
    return json.dumps(value)


def spoilt(letter: dict[str, Any], dice: random.Random) -> bytes:
    """A letter with something in it that nobody expects there."""
    found = copy.deepcopy(letter)
    for _ in range(dice.randint(1, 2)):
        *way, last = dice.choice(list(places(found)))
        inside: Any = found
        for name in way:
            inside = inside[name]
        if dice.random() < 0.15 and isinstance(inside, dict):
            del inside[last]
        else:
            inside[last] = dice.choice(ODD)
        if not found:
            break
    whole = encoded(found).encode("utf-8", "surrogatepass")
    fate = dice.random()
    if fate < 0.05:
        return whole[: dice.randrange(len(whole))]
    if fate < 0.08:
        where = dice.randrange(len(whole))
        return whole[:where] + dice.choice([b"\xff", b"\0", b"\xed\xa0\x80"]) + whole[where:]
    return whole


def genuine(till: Till, provider: Provider) -> list[dict[str, Any]]:
    """A letter of every kind, about orders that nobody has paid at our side."""
    if provider is till.razorpay:
        payment = till.razorpay.pay(till.order()["id"])
        till.razorpay.pay(till.order()["id"], status="failed")
        till.razorpay.give_back(payment["id"], 100)
        till.razorpay.dispute(payment["id"])
        now = payment["created_at"]
        entity = {"id": "sub_1", "status": "active", "current_end": now, "ended_at": None}
        till.razorpay.tell("subscription.charged", subscription=entity)
    else:
        till.stripe.pay(till.checkout()["session_id"])
        made = till.checkout("pro_monthly")
        till.stripe.pay(made["session_id"])
    found = list(provider.letters)
    provider.letters.clear()
    return found


def faults(till: Till, provider: Provider, count: int) -> tuple[int, list[str]]:
    """Spoilt letters of a gateway arrive; how many were refused, and what was wrong about it."""
    dice = random.Random(f"{SEED} {type(provider).__name__}")
    letters, refused, found = genuine(till, provider), 0, []
    for number in range(count):
        body = spoilt(dice.choice(letters), dice)
        _, headers = provider.signed({"id": f"odd{number}"})
        gateway = "razorpay" if provider is till.razorpay else "stripe"
        if gateway == "razorpay":
            headers["X-Razorpay-Signature"] = razorpay_stub.hmac_sha256(provider.secret, body)
        else:
            headers["Stripe-Signature"] = stripe_stub.sign(body, provider.secret, int(time.time()))
        status = till.receive(gateway, body, headers)
        refused += status == 400
        if status not in (200, 400):
            found.append(f"{gateway} {number}: {status}: {body[:2000]!r}")
    return refused, found


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(BULK, marks=pytest.mark.drill)])
@pytest.mark.parametrize("gateway", ["razorpay", "stripe"])
def test_letters_that_make_no_sense(till: Till, gateway: str, count: int, figure: Figure) -> None:
    provider: Provider = till.razorpay if gateway == "razorpay" else till.stripe
    refused, found = faults(till, provider, count)
    assert found == []
    figure(f"{count} senseless letters of {gateway}: {refused} refused, 0 errors")
