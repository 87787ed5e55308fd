"""Ways to spoil a JSON body, and what is wrong with the answer to it."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests import people
from tests.people import Person
from tests.web.doors import Door, Raw, doors

SEED: Final = 20_261_122
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
