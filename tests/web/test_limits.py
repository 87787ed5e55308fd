"""Limits: how often one may ask, whoever one says one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from tests import people
from tests.web.conftest import on_sqlite
from whatworks import clock


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


def statuses(send: Callable[[int], TestResponse], count: int) -> Counter[int]:
    return Counter(send(number).status_code for number in range(count))


def sign_in(app: Flask, address: str, **sent: str) -> TestResponse:
    return app.test_client().post("/signin", data={"email": address}, headers=sent)


def test_sign_in_is_limited_per_client(limited: Callable[..., Flask]) -> None:
    app = limited()
    now = clock.timestamp()
    with time_machine.travel(now, tick=False):
        found = statuses(lambda n: sign_in(app, f"a{n}@example.com"), 30)
        assert found == {200: 10, 429: 20}
        refused = sign_in(app, "late@example.com")
        wait = int(refused.headers["Retry-After"])
        assert 1 <= wait <= 62  # a minute, rounded up twice
    with time_machine.travel(now + wait, tick=False):
        assert sign_in(app, "late@example.com").status_code == 200


def test_mails_to_one_address_are_limited_wherever_from(limited: Callable[..., Flask]) -> None:
    app = limited(trusted_proxies=1)

    def ask(number: int) -> TestResponse:
        spelled = ["asha@example.com", "ASHA@example.com", " asha@example.com "][number % 3]
        return sign_in(app, spelled, **{"X-Forwarded-For": f"10.0.0.{number}"})

    assert statuses(ask, 12) == {200: 5, 429: 7}
    assert sign_in(app, "ravi@example.com").status_code == 200


def test_programs_and_pages_count_together(limited: Callable[..., Flask]) -> None:
    app = limited()

    def by_program(number: int) -> TestResponse:
        return app.test_client().post("/api/sign-in", json={"email": f"b{number}@example.com"})

    assert statuses(lambda n: sign_in(app, f"a{n}@example.com"), 6) == {200: 6}
    assert statuses(by_program, 6) == {202: 4, 429: 2}

    def guess(_: int) -> TestResponse:
        body = {"email": "b1@example.com", "code": "123456"}
        return app.test_client().post("/api/sign-in/code", json=body)

    assert statuses(guess, 12)[429] == 2


def test_mails_to_one_address_count_together(limited: Callable[..., Flask]) -> None:
    app = limited()
    assert statuses(lambda _: sign_in(app, "asha@example.com"), 3) == {200: 3}
    body = {"email": "ASHA@example.com"}
    found = statuses(lambda _: app.test_client().post("/api/sign-in", json=body), 4)
    assert found == {202: 2, 429: 2}


def test_guessing_codes_and_links_is_limited(limited: Callable[..., Flask]) -> None:
    app = limited()
    for path in ("/signin/code", "/signin/link", "/admin/claim"):
        found = statuses(lambda _, path=path: app.test_client().post(path), 15)  # type: ignore[misc]
        assert found[429] == 5, path


def test_sign_up_is_limited(limited: Callable[..., Flask]) -> None:
    app = limited()

    def by_program(_: int) -> TestResponse:
        body = {"email": f"{clock.new_id()}@example.com", **people.NEW}
        return app.test_client().post("/api/profile", json=body)

    assert statuses(by_program, 65) == {201: 60, 429: 5}
    assert statuses(lambda _: app.test_client().post("/signup"), 65) == {400: 60, 429: 5}


def test_limits_can_be_switched_off(app: Flask) -> None:
    found = statuses(lambda _: sign_in(app, "asha@example.com"), 30)
    assert found == {200: 30}


def test_a_forged_address_helps_nobody(limited: Callable[..., Flask]) -> None:
    app = limited()
    found = statuses(
        lambda n: sign_in(app, f"a{n}@example.com", **{"X-Forwarded-For": f"10.0.0.{n}"}), 30
    )
    assert found == {200: 10, 429: 20}


def test_a_trusted_proxy_tells_who_calls(limited: Callable[..., Flask]) -> None:
    app = limited(trusted_proxies=1)

    def behind(number: int, client: str) -> TestResponse:
        told = client.format(port=4000 + number)  # some proxies add the port of each connection
        forged = {"X-Forwarded-For": f"6.6.6.{number}, {told}"}  # the last hop is the proxy's
        return sign_in(app, f"a{number}.{len(client)}@example.com", **forged)

    for client in ("10.0.0.1", "10.0.0.22:{port}", "[2001:db8::1]:{port}"):
        found = statuses(lambda n, client=client: behind(n, client), 15)  # type: ignore[misc]
        assert found == {200: 10, 429: 5}


@on_sqlite
@pytest.mark.parametrize(
    ("caller", "believed"),
    [("127.0.0.1", True), ("::ffff:10.1.2.3", True), ("fd00::5", True), ("192.168.4.4", True),
     ("8.8.8.8", False), ("2001:db8::1", False), ("", False), ("not an address", False)],
)  # fmt: skip
def test_only_declared_proxies_are_believed(
    limited: Callable[..., Flask], caller: str, believed: bool
) -> None:
    app = limited(trusted_proxies=1)

    def ask(number: int) -> TestResponse:
        sent = {"X-Forwarded-For": f"20.0.0.{number}"}
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = caller
        return client.post("/signin", data={"email": f"b{number}@example.com"}, headers=sent)

    assert statuses(ask, 12) == ({200: 12} if believed else {200: 10, 429: 2})


def test_only_a_trusted_proxy_says_that_it_is_https(
    app: Flask, limited: Callable[..., Flask]
) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    direct = app.test_client().get("/", headers=headers)
    assert "Strict-Transport-Security" not in direct.headers
    proxied = limited(trusted_proxies=1).test_client().get("/", headers=headers)
    assert "Strict-Transport-Security" in proxied.headers
