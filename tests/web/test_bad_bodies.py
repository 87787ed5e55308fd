"""Bad bodies for every JSON door: each is refused in words, and nothing is written.

The bodies come from a seed, so that a failure can be repeated: the door and the number name one.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people
from tests.people import Person
from whatworks.people import signins
from whatworks.web import http

BULK: Final = 2000
QUICK: Final = 250  # of them, in `make test`
SAMPLE: Final = 100
SEED: Final = 20_261_122


class Raw(str):
    """JSON as it is to stand in the body, valid or not."""

    __slots__ = ()


@dataclass(frozen=True)
class Door:
    """A door, a body it takes, and what kind of value each field is; `?` marks what may lack."""

    method: str
    path: str
    body: dict[str, object]
    kinds: dict[str, str]


def doors(asha: Person) -> dict[str, Door]:
    """Every door that takes a body, with bodies that would do something."""
    user_id, execution_id = asha.user_id, asha.start()
    profile = {"goal": "choice", "market": "choice", "skill_level": "choice", "country": "country?"}
    profile["time_zone"] = "zone?"
    event = f"/api/execution/{execution_id}/event"
    database, settings = people.platform(asha.app).database, people.platform(asha.app).settings
    mailed = database.write(signins.begin, asha.email, settings.secret_key)
    return {
        "profile": Door(
            "POST",
            "/api/profile",
            {"email": "ravi@example.com", **people.NEW, "country": "IN", "time_zone": "UTC"},
            {"email": "email", **profile},
        ),
        "change": Door(
            "PATCH",
            f"/api/profile/{user_id}",
            {**people.NEW, "goal": "save_time", "country": "US", "time_zone": "Asia/Tokyo"},
            {name: f"{kind.rstrip('?')}?" for name, kind in profile.items()},
        ),
        "proof": Door(
            "POST",
            "/api/proof",
            {"text": "Paid by Ravi", "execution_id": execution_id, "step": 1},
            {"text": "text", "execution_id": "id?", "step": "step?"},
        ),
        "execution": Door(
            "POST",
            "/api/execution",
            {"user_id": user_id, "workflow_name": "resume_generator", "total_steps": 5},
            {"user_id": "id", "workflow_name": "id", "total_steps": "total?"},
        ),
        "progress": Door(
            "PUT",
            f"/api/execution/{execution_id}/progress",
            {"steps_completed": 2, "notes": "done"},
            {"steps_completed": "step", "notes": "text0?"},
        ),
        "log": Door(
            "POST",
            f"/api/execution/{execution_id}/log",
            {"step": 1, "result": "worked", "note": "done", "seconds_spent": 60},
            {"step": "step", "result": "choice", "note": "text0?", "seconds_spent": "number?"},
        ),
        "verdict": Door(
            "POST",
            event,
            {
                "kind": "verdict",
                "step": 1,
                "result": "failed",
                "reason": "unclear",
                "note": "hm",
                "at": "2026-11-22T18:00:00+05:30",
            },
            {
                "kind": "choice",
                "step": "step",
                "result": "choice",
                "reason": "choice?",
                "note": "text0?",
                "at": "moment?",
            },
        ),
        "note": Door(
            "POST",
            event,
            {"kind": "note", "step": 1, "text": "done", "base_rev": 0},
            {"kind": "choice", "step": "step", "text": "text0", "base_rev": "rev"},
        ),
        "check": Door(
            "POST",
            event,
            {"kind": "check", "step": 1, "item": 0, "checked": True},
            {"kind": "choice", "step": "step", "item": "item", "checked": "boolean"},
        ),
        "timer": Door(
            "POST",
            event,
            {"kind": "timer", "action": "start", "step": 1, "at": "2026-11-22T12:30:00Z"},
            {"kind": "choice", "action": "choice", "step": "step?", "at": "moment?"},
        ),
        "gap": Door(
            "POST",
            event,
            {"kind": "timer", "action": "gap", "gap_id": "g", "keep": False},
            {"kind": "choice", "action": "choice", "gap_id": "text", "keep": "boolean"},
        ),
        "outcome": Door(
            "POST",
            "/api/outcome",
            {
                "execution_id": execution_id,
                "user_id": user_id,
                "metric_type": "revenue",
                "value": 4800,
                "currency": "INR",
                "proof_type": "none",
                "proof_url": "https://example.com/proof",
                "note": "paid",
            },
            {
                "execution_id": "id",
                "user_id": "id",
                "metric_type": "choice",
                "value": "number",
                "currency": "unit?",
                "proof_type": "choice?",
                "proof_url": "link?",
                "note": "text0?",
                "supersedes_id": "id?",
            },
        ),
        "dismiss": Door(
            "POST",
            f"/api/recommendations/{recommended(asha)}/dismiss",
            {"reason": "too_long", "note": "no time"},
            {"reason": "choice", "note": "text0?"},
        ),
        "sign in": Door("POST", "/api/sign-in", {"email": asha.email}, {"email": "email"}),
        "code": Door(  # the last, for it ends every credential made before
            "POST",
            "/api/sign-in/code",
            {"email": asha.email, "code": mailed.code},
            {"email": "email", "code": "code"},
        ),
    }


def recommended(asha: Person) -> str:
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()
    return str(shown["recommendations"][0]["recommendation_id"])


NAMES: Final = [
    *("profile", "change", "proof", "execution", "progress", "log"),
    *("verdict", "note", "check", "timer", "gap", "outcome", "dismiss"),
    *("sign in", "code"),
]
# Without a gateway these answer 503 before they look; test_bad_forms sends them bad bodies.
SHOP: Final = {
    ("POST", "/create_order"),
    ("POST", "/validate_coupon"),
    ("POST", "/api/billing/create-checkout"),
}
NO_TEXT: Final = [
    *(Raw('"\\u0000"'), Raw('"a\\u0000b"'), Raw('"\\ud800"'), Raw('"x\\udfff\\ud800"')),
    *(Raw('"\\udc00\\ud800"'), Raw('"\x01"'), Raw('"\\x41"'), Raw('"tab\there\n"'), Raw('"open')),
    *("", 3, -0.0, True, [], {}, ["a"], {"a": "b"}, [None]),
]
NO_NUMBER: Final = [
    *(Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e999"), Raw("-1e999"), Raw("1e308")),
    *(Raw("0x10"), Raw("01"), Raw("1."), Raw(".5"), Raw("+1"), Raw("1e"), Raw("--1"), Raw("1_000")),
    *(Raw("9" * 400), Raw("-" + "9" * 400), Raw("9" * 5000), Raw("1e-"), Raw("١")),
    *("3", "", "NaN", "1e3", True, False, [], [1], {}, -1, -1e-9, 1e12, 10**30, -(2**63) - 1),
]
TRICKS: Final = [
    "\u202e",
    "\u200b",
    "\ufeff",
    "é",
    "e\u0301",
    "😀",
    "ﬀ",
    "İ",
    "ß",
    "\x7f",
    "\u2028",
]
BAD: Final[dict[str, list[object]]] = {
    "email": [
        *(
            "asha",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b@c.de",
            "a b@c.de",
            "a@c..de",
            "a@-c.de",
            "a\n@c.de",
        ),
        *(
            "a@c.de\r\nBcc: x@y.de",
            "<a@c.de>",
            '"a"@c.de',
            "a@[127.0.0.1]",
            "a@localhost",
            "a" * 300,
        ),
        *(
            "é" * 130 + "@c.de",
            "a@" + "b" * 64 + ".de",
            "a,b@c.de",
            ".a@c.de",
            "a..b@c.de",
            "\u202ea@c",
        ),
    ],
    "choice": ["", "EARN_MONEY", "earn money", "freelancer ", "\ufeffstudent", "null", "x" * 9999],
    "country": ["India", "I", "QQ", "ZZ", "EU", "1N", "İN", "ＩＮ", "IN\n", "in ", "x" * 999],
    "unit": ["rupees!", "€", "₹", "1NR", "ABCDEFGHIJKLMNOPQ", "QQQ", "XXQ", "IN\nR", " INR", "İNR"],
    "link": [
        *(
            "http://example.com",
            "javascript:alert(1)",
            "https://",
            "https://localhost",
            "ftp://a.de",
        ),
        *(
            "https://10.0.0.1",
            "https://a b.de",
            "//example.com",
            "https://[::1]/",
            "data:text/html,x",
        ),
        *("https://user@example.com", "https://example.com:port", "https://a.de/" + "x" * 3000),
    ],
    "code": ["12345", "1234567", "12 34 56", "abcdef", "1234-56", "x" * 999],
    "text": ["x" * 10_001, "é" * 20_000],
    "text0": ["x" * 10_001, "é" * 20_000],  # may be empty
    "id": ["x" * 101, "nobody", "..", "%00", "' OR 1=1 --", "../../etc/passwd", "0"],
    "step": [201, 2**31, 2**63, 2**64, 2.5, 1.0000001, 6, 199],
    "total": [0, 201, 2**31, 2**63, 2**64, 2.5, 1.0000001],
    "rev": [2**31, 2**63, 2**64, 2.5],
    "item": [101, 2**31, 2**64, 2.5, 99],
    "boolean": [0, 1, 2, 1.0, "true", "on"],
    "zone": ["Mars/Olympus", "GMT+25:00", "../etc/passwd", "asia/kolkata", "IST5", "x" * 65, " "],
    "moment": [
        *("now", "2026-11-22", "2026-11-22T12:00:00", "2026-13-01T00:00:00Z", "12:00"),
        *("2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "2026-11-22T25:00:00Z", "x" * 999),
    ],
    "number": [31_536_001 * 10**6],
}


NUMBERS: Final = frozenset({"step", "total", "number", "rev", "item"})


def bad_value(kind: str, dice: random.Random) -> object:
    """A value that a field of this kind must not take."""
    kind, optional = kind.rstrip("?"), kind.endswith("?")
    choices = [*BAD[kind], *(NO_NUMBER if kind in NUMBERS else NO_TEXT)]
    if kind == "boolean":
        choices = [one for one in choices if one is not True]
    if kind == "text0":
        choices.remove("")
    if not optional:
        choices.append(None)
    if kind == "choice" and dice.random() < 0.4:
        return "".join(dice.choices(string.printable + "".join(TRICKS), k=dice.randint(1, 40)))
    return dice.choice(choices)


def encoded(body: dict[str, object]) -> str:
    """JSON, with raw parts as they are."""
    parts = (
        f"{json.dumps(name)}: {value if isinstance(value, Raw) else json.dumps(value)}"
        for name, value in body.items()
    )
    return "{" + ", ".join(parts) + "}"


def spoil_fields(door: Door, dice: random.Random) -> bytes:
    """One or more fields wrong, in a body that may have more in it than asked for."""
    body: dict[str, object] = dict(door.body)
    for name in dice.sample(list(door.kinds), dice.randint(1, min(3, len(door.kinds)))):
        body[name] = bad_value(door.kinds[name], dice)
    if dice.random() < 0.2:
        body[dice.choice(["__proto__", "admin", "é\u202e", "success", "id", ""])] = dice.random()
    return encoded(body).encode("utf-8", "surrogatepass")


def leave_out(door: Door, dice: random.Random) -> bytes:
    """A field that is needed is not there, or only there under a name like it."""
    needed = [name for name, kind in door.kinds.items() if not kind.endswith("?")]
    if not needed:
        return spoil_fields(door, dice)
    body = dict(door.body)
    name = dice.choice(needed)
    value = body.pop(name)
    body[dice.choice([name.upper(), f" {name}", f"{name}\0", f"{name}[]", "x"])] = value
    return encoded(body).encode()


def repeat_a_key(door: Door, dice: random.Random) -> bytes:
    """The same key twice; the last one counts, and it is wrong."""
    name = dice.choice(list(door.kinds))
    value = bad_value(door.kinds[name], dice)
    last = encoded({name: value})[1:]
    return (encoded(dict(door.body))[:-1] + ", " + last).encode("utf-8", "surrogatepass")


def no_object(door: Door, dice: random.Random) -> bytes:
    """JSON, but no object."""
    whole = encoded(dict(door.body))
    scalars = ["null", "true", "3", '"text"', "[]", f"[{whole}]", json.dumps(whole), "[[{}]]"]
    return dice.choice(scalars).encode()


def cut_off(door: Door, dice: random.Random) -> bytes:
    """As when a connection breaks."""
    whole = encoded(dict(door.body)).encode()
    return whole[: dice.randrange(len(whole))]


def damage(door: Door, dice: random.Random) -> bytes:
    """A value with a byte that cannot stand there."""
    whole = encoded(dict(door.body)).encode()
    where = dice.choice([found.end() for found in re.finditer(rb': "?', whole)])
    return whole[:where] + dice.choice([b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80"]) + whole[where:]


def other_encoding(door: Door, dice: random.Random) -> bytes:
    """Another encoding than UTF-8, or another notation than JSON."""
    whole = encoded(dict(door.body))
    return dice.choice(
        [
            *(whole.encode("utf-16"), whole.encode("utf-32"), whole.encode("utf-16-be")),
            *(b"\xef\xbb\xbf" + whole.encode(), b"\x1f\x8b\x08" + whole.encode(), b"", b" \n"),
            *(whole.replace('"', "'").encode(), (whole[:-1] + ",}").encode(), b"a=1&b=2"),
            *((whole + whole).encode(), ("// c\n" + whole).encode(), b"<a/>", b"--x\r\n\r\n"),
        ]
    )


def nest(door: Door, dice: random.Random) -> bytes:
    """Ten thousand levels where a value should be."""
    opening, closing = dice.choice([("[", "]"), ('{"a":', "}")])
    core = "1" if closing == "}" else ""
    deep = Raw(opening * 10_000 + core + closing * dice.choice([10_000, 9_999, 0]))
    return encoded({**door.body, dice.choice(list(door.kinds)): deep}).encode()


WAYS: Final[list[tuple[Callable[[Door, random.Random], bytes], int]]] = [
    (spoil_fields, 60),
    (leave_out, 8),
    (repeat_a_key, 8),
    (no_object, 4),
    (cut_off, 7),
    (damage, 6),
    (other_encoding, 5),
    (nest, 2),
]


def bad_bodies(name: str, door: Door, count: int) -> Iterator[bytes]:
    """The bad bodies of a door, always the same."""
    dice = random.Random(f"{SEED} {name}")
    ways, weights = zip(*WAYS, strict=True)
    for way in dice.choices(ways, weights, k=count):
        yield way(door, dice)


def flaws(asha: Person, name: str, count: int) -> list[str]:
    """What is wrong with how a door takes bad bodies."""
    door = doors(asha)[name]
    database = people.platform(asha.app).database
    before, found = people.everything(database), []
    for number, body in enumerate(bad_bodies(name, door, count)):
        answer = asha.client.open(
            door.path, method=door.method, data=body, content_type="application/json"
        )
        problem = flaw(door, answer.status_code, answer.get_json(silent=True))
        if problem:
            found.append(f"{name} {number}: {problem}: {body[:300]!r}")
    if people.everything(database) != before:
        found.append(f"{name}: rows changed")
    return found


def flaw(door: Door, status: int, answer: Any) -> str | None:
    """What is wrong with an answer to a bad body."""
    if status not in (400, 404, 413):
        return f"answered {status}"
    if not isinstance(answer, dict) or answer.get("success") is not False:
        return "not the one shape"
    if not answer.get("code") or not answer.get("error"):
        return "no code, or no word"
    if answer["code"] == "invalid_request" and not answer.get("fields"):
        return "no field is named"
    unknown = answer.get("fields", {}).keys() - door.kinds.keys()
    return f"names {unknown}" if unknown else None


def test_every_door_with_a_body_is_here(person: Callable[..., Person]) -> None:
    there = {(door.method, door.path) for door in http.DOORS.values() if door.body is not None}
    there -= SHOP
    here = {(door.method, pattern(door.path)) for door in doors(person()).values()}
    assert here == there
    assert list(doors(person())) == NAMES


def pattern(path: str) -> str:
    """The route of a path with an id in it."""
    parts = path.split("/")
    name = {
        "profile": "<user_id>",
        "execution": "<execution_id>",
        "recommendations": "<recommendation_id>",
    }.get(parts[2], "".join(parts[3:4]))
    return "/".join([*parts[:3], *([name] if parts[3:] else []), *parts[4:]])


def test_the_bodies_would_do_without_the_flaw(person: Callable[..., Person]) -> None:
    asha = person()
    for name in NAMES:
        door = doors(asha)[name]  # made now: a code is good for the newest mail only
        client = asha.app.test_client()
        answer = client.open(door.path, method=door.method, json=door.body, headers=asha.bearer)
        assert answer.status_code in (200, 201, 202), (name, answer.get_json())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [QUICK, pytest.param(BULK, marks=pytest.mark.drill)])
def test_bad_bodies_are_refused_and_write_nothing(
    person: Callable[..., Person], name: str, count: int
) -> None:
    assert flaws(person(), name, count) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_sample_on_postgresql(person: Callable[..., Person]) -> None:
    asha = person()
    assert [flaw for name in NAMES for flaw in flaws(asha, name, SAMPLE)] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_control_unchecked_text_is_found(
    person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_is_text", lambda _text: True)
    found = "\n".join(flaws(person(), "progress", 400))
    assert "answered 200" in found
    assert "rows changed" in found


def test_an_empty_body_is_told_apart(client: FlaskClient) -> None:
    answer = client.post("/api/profile", data=b"", content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "not_json")
    assert answer.get_json()["error"] == "The body is empty; send JSON."


def test_odd_but_right_bodies_are_taken(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    path = f"/api/execution/{execution_id}/progress"
    for text in (
        "\u202eabc",
        "e\u0301",
        "😀" * 100,
        "<script>",
        "'; DROP TABLE outcomes; --",
        "%s%n",
    ):
        answer = asha.client.put(path, json={"steps_completed": 1, "notes": text, "more": {"a": 1}})
        assert answer.status_code == 200, text
    answer = asha.client.put(path, data=b'{"steps_completed": 4, "steps_completed": 2}')
    assert answer.get_json()["progress"] == "2/5"
    found = asha.client.get(f"/api/execution/{execution_id}").get_json()
    assert found["notes"][-1]["text"] == "%s%n"
    body = {"execution_id": execution_id, "user_id": asha.user_id, "metric_type": "revenue"}
    for value, kept in (
        ("-0", 0.0),
        ("-0.0", 0.0),
        ("5e-324", 5e-324),
        ("999999999999.99", 999999999999.99),
    ):
        raw = encoded({**body, "value": Raw(value)})
        answer = asha.client.post("/api/outcome", data=raw, content_type="application/json")
        assert str(people.made(answer)["value"]) == str(kept)
