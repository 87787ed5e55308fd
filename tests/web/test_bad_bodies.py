"""Bad bodies for every JSON door: each is refused in words, and nothing is written.

The bodies come from a seed, so that a failure can be repeated: the door and the number name one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people
from tests.people import Person
from tests.web.doors import NAMES, SHOP, Raw, doors
from tests.web.spoiling import encoded, flaws
from whatworks.web import http

BULK: Final = 2000
QUICK: Final = 250  # of them, in `make test`
SAMPLE: Final = 100


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
