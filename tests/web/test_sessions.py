"""Sessions: listed, ended, never taken over; their cookies, and where one is led."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from tests import people
from tests.people import Person
from tests.web.challenges import ask, signed_in
from tests.web.conftest import on_sqlite
from whatworks import clock


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


# ---- sessions -------------------------------------------------------------------------------


@on_sqlite
def test_tokens_are_nowhere_in_the_database(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    ask(app, asha.email).client.get("/")
    secret = asha.token.partition(".")[2]
    file = make_url(people.platform(app).database.url).database
    stored = b"".join(p.read_bytes() for p in Path(str(file)).parent.glob("data.db*"))
    assert secret.encode() not in stored
    assert asha.token.encode() not in stored
    assert asha.user_id.encode() in stored  # so it was looked for in the right place


def test_sessions_are_listed_and_end_one_by_one(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    phone, laptop = (people.signed_in(app, asha.user_id) for _ in range(2))
    page = phone.get("/sessions").get_data(as_text=True)
    listed = re.findall(r"/sessions/(\w+)/revoke", page)
    ids = {session_id(browser): browser for browser in (asha.client, phone, laptop)}
    assert set(listed) <= set(ids)
    assert set(listed) >= {session_id(asha.client), session_id(laptop)}
    for ended in (laptop, asha.client):
        assert signed_in(ended)
        assert phone.post(f"/sessions/{session_id(ended)}/revoke").status_code == 303
        assert not signed_in(ended)
    assert signed_in(phone)


def session_id(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("whatworks_session")
    assert cookie is not None
    return hashlib.sha256(cookie.value.encode()).hexdigest()


def test_sign_out_everywhere_else(app: Flask, person: Callable[..., Person]) -> None:
    asha, ravi = person(), person()
    here, there = (people.signed_in(app, asha.user_id) for _ in range(2))
    assert here.post("/sessions/revoke").status_code == 303
    assert signed_in(here)
    assert not signed_in(there)
    assert (
        app.test_client().get(f"/api/profile/{asha.user_id}", headers=asha.bearer).status_code
        == 401
    )
    assert signed_in(ravi.client)


def test_sign_out_ends_the_session_itself(person: Callable[..., Person]) -> None:
    asha = person()
    answer = asha.client.post("/signout")
    assert "whatworks_session=;" in answer.headers["Set-Cookie"]
    copied = asha.app.test_client()
    copied.set_cookie("whatworks_session", asha.token)
    assert not signed_in(copied)
    assert copied.post("/signout").status_code == 303


def test_a_session_ends_by_itself(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    days = people.platform(app).settings.session_days
    with time_machine.travel(clock.timestamp() + days * 86_400 - 60):
        assert signed_in(asha.client)
    with time_machine.travel(clock.timestamp() + days * 86_400 + 1):
        assert not signed_in(asha.client)


def test_a_planted_session_is_not_taken_over(app: Flask, person: Callable[..., Person]) -> None:
    asha, attacker = person(), person()
    asked = ask(app, asha.email)
    asked.client.set_cookie("whatworks_session", attacker.token)
    answer = asked.client.post("/signin/link", data={"token": asked.mail.token})
    cookie = answer.headers["Set-Cookie"]
    assert attacker.token not in cookie
    assert asha.token not in cookie
    assert asked.client.get(f"/api/profile/{asha.user_id}").status_code == 200
    assert attacker.client.get(f"/api/profile/{asha.user_id}").status_code == 404


# ---- cookies and the way back ---------------------------------------------------------------


def cookies(app: Flask, base_url: str) -> list[str]:
    client = app.test_client()
    answer = client.post(
        "/api/profile",
        json={"email": f"{clock.new_id()}@example.com", **people.NEW},
        base_url=base_url,
    )
    return answer.headers.getlist("Set-Cookie")


def flags(cookie: str) -> set[str]:
    return {part.strip() for part in cookie.split(";")[1:]}


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "app.localhost"])
def test_cookie_on_this_machine(app: Flask, host: str) -> None:
    (cookie,) = cookies(app, f"http://{host}")
    assert cookie.startswith("whatworks_session=")
    assert flags(cookie) >= {"HttpOnly", "SameSite=Lax", "Path=/"}
    assert "Secure" not in flags(cookie)


@pytest.mark.parametrize("host", ["whatworks.example.com", "10.0.0.5:8000", "localhost.evil.com"])
def test_cookie_anywhere_else(app: Flask, host: str) -> None:
    (cookie,) = cookies(app, f"https://{host}")
    assert cookie.startswith("__Host-whatworks_session=")
    assert flags(cookie) >= {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"}
    assert "Domain" not in cookie


def test_the_secure_cookie_signs_in(app: Flask) -> None:
    client, base = app.test_client(), "https://whatworks.example.com"
    client.post("/signup", data={"email": "a@example.com", **people.NEW}, base_url=base)
    assert client.get("/dashboard", base_url=base).status_code == 200
    assert client.post("/signout", base_url=base).status_code == 303
    assert client.get("/dashboard", base_url=base).status_code == 303


ELSEWHERE = [
    *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
    *("javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "evil.example", "///evil"),
    *("/\r\nSet-Cookie: a=b", " //evil.example", "http:evil.example", "/\u2028//evil.example"),
]


@pytest.mark.parametrize("then", ELSEWHERE)
def test_nobody_is_led_elsewhere(app: Flask, person: Callable[..., Person], then: str) -> None:
    asha = person()
    asked = ask(app, asha.email, next=then)
    code, link = ask(app, asha.email), {"token": asked.mail.token, "next": then}
    form = {"challenge": code.challenge, "code": code.mail.code, "next": then}
    answers = [
        asked.client.post("/signin/link", data=link),
        code.client.post("/signin/code", data=form),
        asked.client.get("/signin", query_string={"next": then}),
        asked.client.get("/signup", query_string={"next": then}),
        app.test_client().post(
            "/signup", data={"email": f"{clock.new_id()}@example.com", "next": then, **people.NEW}
        ),
    ]
    for answer in answers:
        assert answer.status_code == 303
        assert answer.headers["Location"] in ("/dashboard", "/dashboard/next")


def test_one_is_led_back_to_where_one_was_going(app: Flask, person: Callable[..., Person]) -> None:
    asha, going = person(), "/executor/whatsapp_bot?recommendation=x"
    stopped = app.test_client().get("/profile?a=b&c=d")
    assert stopped.headers["Location"] == "/signin?next=/profile?a%3Db%26c%3Dd"
    asked = ask(app, asha.email, next=going)
    form = {"challenge": asked.challenge, "code": asked.mail.code, "next": going}
    assert asked.client.post("/signin/code", data=form).headers["Location"] == going
