"""Answers given again before the framework: the same, the caller's own, and never a stale one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import time_machine
from flask import Flask, request_started
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from whatworks import clock, db
from whatworks.people import sessions
from whatworks.web import identity

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVIDENCE: Final = "/api/performance/resume_generator"
THE_LONG_WAY: Final = {"Range": "bytes=0-"}  # means nothing to the doors, and passes the shelf


@pytest.fixture(autouse=True)
def within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether another process has written: that second is not over."""
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)


def advice(person: Person) -> str:
    return f"/api/recommendations/{person.user_id}"


def ask(app: Flask, path: str, **headers: str) -> TestResponse:
    return app.test_client().get(path, headers=headers)


@contextmanager
def framework(app: Flask) -> Iterator[list[str]]:
    """The addresses that get as far as the framework."""
    seen: list[str] = []

    def note(_sender: Flask, **_more: Any) -> None:
        seen.append("")

    with request_started.connected_to(note, app):
        yield seen


def shown(answer: TestResponse) -> tuple[object, ...]:
    return answer.status, list(answer.headers), answer.get_data()


def test_it_is_the_same_to_the_byte_and_costs_no_framework(
    app: Flask, person: Callable[..., Person]
) -> None:
    asha = person()
    asha.finish(asha.start())
    cases: list[tuple[str, dict[str, str]]] = [(EVIDENCE, {}), (advice(asha), asha.bearer)]
    for path, headers in cases:
        ask(app, path, **headers)
        first = ask(app, path, **headers)  # by now what the first one wrote is settled
        with framework(app) as seen:
            again = ask(app, path, **headers)
            assert seen == []
            assert shown(ask(app, path, **headers, **THE_LONG_WAY)) == shown(again) == shown(first)
            assert len(seen) == 1
    tag = ask(app, EVIDENCE).headers["ETag"]
    assert ask(app, EVIDENCE, **{"If-None-Match": tag}).status_code == 304
    assert app.test_client().head(EVIDENCE).get_data() == b""


def test_it_is_never_somebody_elses(app: Flask, person: Callable[..., Person]) -> None:
    asha, ravi = person(), person()
    mine = asha.client.get(advice(asha))
    assert shown(asha.client.get(advice(asha))) == shown(mine)
    assert ask(app, advice(asha), **asha.bearer).status_code == 200
    for _ in range(2):  # what is refused is not kept either
        assert ask(app, advice(asha), **ravi.bearer).status_code == 404
        assert ravi.client.get(advice(asha)).status_code == 404
        assert ask(app, advice(asha)).status_code == 404
        assert ask(app, advice(asha), Authorization="Bearer no").status_code == 401
        both = asha.client.get(advice(asha), headers=ravi.bearer)  # the token counts, if any
        assert both.status_code == 404


def test_it_ends_with_the_session(
    app: Flask, person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    asha = person()
    here, there, elsewhere = (people.signed_in(app, asha.user_id) for _ in range(3))
    for browser in (here, there, elsewhere):
        assert [browser.get(advice(asha)).status_code for _ in range(3)] == [200] * 3
    copied = app.test_client()
    cookie = here.get_cookie(identity.COOKIE)
    assert cookie is not None
    copied.set_cookie(identity.COOKIE, cookie.value)
    assert here.post("/signout").status_code == 303
    assert copied.get(advice(asha)).status_code == 401
    with time_machine.travel(clock.timestamp() + 2 * 86_400, tick=False):
        assert there.get(advice(asha)).status_code == 401
    assert there.get(advice(asha)).status_code == 200
    other = db.Database(people.platform(app).database.url)  # a command, in another process
    other.write(sessions.revoke_all, asha.user_id)
    other.close()
    monkeypatch.setattr(time, "monotonic", lambda: 1.1)
    assert elsewhere.get(advice(asha)).status_code == 401
    assert ask(app, advice(asha), **asha.bearer).status_code == 401


def test_every_call_is_counted_as_before(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    asha.finish(asha.start())
    tally = people.platform(app).calls
    with framework(app) as seen:
        for path in (advice(asha), EVIDENCE) * 100:
            assert ask(app, path, **asha.bearer).status_code == 200
    assert len(seen) < 40  # every 25th call is written down, and does more than noting
    people.platform(app).database.write(lambda _session: None)  # after all that was handed over
    asked = ask(app, f"/api/entitlements/{asha.user_id}", **asha.bearer).get_json()
    assert asked["used"]["api_calls"] + tally._waiting.get(asha.user_id, 0) == 200


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_it_is_what_the_long_way_answers(
    app: Flask, person: Callable[..., Person], seed: int
) -> None:
    chance = random.Random(seed)
    asha, ravi = person(), person(market="student")
    runs = {one.user_id: [one.start()] for one in (asha, ravi)}
    key = people.operator_key(app)
    requests: list[tuple[str, dict[str, str]]] = [
        (EVIDENCE, {}),
        (f"{EVIDENCE}?market=student", {}),
        (f"{EVIDENCE}?market=nowhere", {}),
        (EVIDENCE, asha.bearer),
        (advice(asha), asha.bearer),
        (f"{advice(asha)}?limit=2", asha.bearer),
        (advice(asha), {"Authorization": f"Bearer {key}"}),
        (advice(ravi), ravi.bearer),
        (advice(ravi), {"Cookie": f"{identity.COOKIE}={ravi.token}"}),
        (advice(ravi), asha.bearer),
    ]

    def dismiss(one: Person) -> None:
        line = one.client.get(advice(one)).get_json()["recommendations"][0]
        path = f"/api/recommendations/{line['recommendation_id']}/dismiss"
        assert one.post(path, {"reason": "not_now"}).status_code == 200

    happenings: list[Callable[[Person], object]] = [
        lambda one: one.report(chance.choice(runs[one.user_id])),
        lambda one: one.finish(runs[one.user_id][0]),
        lambda one: runs[one.user_id].append(one.start("whatsapp_bot")),
        lambda one: one.client.patch(f"/api/profile/{one.user_id}", json={"goal": "save_time"}),
        dismiss,
    ]
    for happening in chance.choices(happenings, k=10):
        happening(chance.choice([asha, ravi]))
        for path, headers in chance.sample(requests, len(requests)) * 2:
            given = ask(app, path, **headers)
            assert shown(given) == shown(ask(app, path, **headers, **THE_LONG_WAY)), path
    asha.client.post("/sessions/revoke")
    for path, headers in requests:
        given = ask(app, path, **headers)
        assert shown(given) == shown(ask(app, path, **headers, **THE_LONG_WAY)), path
