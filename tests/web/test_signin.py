"""Signing in by mail: what works once, what never works, and what nobody can tell."""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from flask import Flask

from tests import outbox, people
from tests.people import Person
from tests.web.challenges import UUID, Asked, ask, newest, signed_in, wrong
from tests.web.conftest import on_sqlite
from whatworks import clock, db
from whatworks.people import operators, signins


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


# ---- the link -------------------------------------------------------------------------------


def test_looking_at_the_link_spends_nothing(app: Flask, person: Callable[..., Person]) -> None:
    asked = ask(app, person().email)
    scanner = app.test_client()
    for _ in range(100):
        assert scanner.get(asked.mail.link).status_code == 200
        assert scanner.head(asked.mail.link).status_code == 200
    assert not signed_in(scanner)
    answer = asked.client.post("/signin/link", data={"token": asked.mail.token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert signed_in(asked.client)


def test_the_link_works_once_in_any_browser(app: Flask, person: Callable[..., Person]) -> None:
    asked = ask(app, person().email)
    form = {"token": asked.mail.token}
    phone, thief = app.test_client(), app.test_client()
    assert phone.post("/signin/link", data=form).status_code == 303
    for _ in range(2):
        late = thief.post("/signin/link", data=form)
        assert late.status_code == 410
        assert "no longer works" in late.get_data(as_text=True)
    assert not signed_in(thief)
    assert asked.try_code(asked.mail.code) == 410


def test_ten_at_once_with_one_link_make_one_session(
    app: Flask, person: Callable[..., Person]
) -> None:
    asha = person()
    form = {"token": ask(app, asha.email).mail.token}
    before = sessions_of(asha)
    with ThreadPoolExecutor(10) as pool:
        posts = [pool.submit(app.test_client().post, "/signin/link", data=form) for _ in range(10)]
        answers = Counter(post.result().status_code for post in posts)
    assert answers == {303: 1, 410: 9}
    assert sessions_of(asha) == before + 1


def sessions_of(asha: Person) -> int:
    engine = db.engine(people.platform(asha.app).database.url)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM sessions"
        return int(connection.exec_driver_sql(query).scalar_one())


@pytest.mark.parametrize(
    "change", ["wrong secret", "wrong challenge", "short", "none", "nul", "long"]
)
def test_a_link_that_was_never_sent(app: Flask, person: Callable[..., Person], change: str) -> None:
    token = ask(app, person().email).mail.token
    challenge, _, secret = token.partition(".")
    bent = {
        "wrong secret": f"{challenge}.{secret[::-1]}",
        "wrong challenge": f"{clock.new_id()}.{secret}",
        "short": challenge,
        "none": "",
        "nul": f"\0{token}",
        "long": token * 50,
    }[change]
    client = app.test_client()
    assert client.post("/signin/link", data={"token": bent}).status_code == 410
    assert not signed_in(client)


# ---- the code -------------------------------------------------------------------------------


def test_the_code_signs_in_where_it_was_asked_for(
    app: Flask, person: Callable[..., Person]
) -> None:
    asked = ask(app, person().email)
    spaced = f" {asked.mail.code[:3]} {asked.mail.code[3:]} "
    assert asked.try_code(spaced) == 303
    assert signed_in(asked.client)
    assert asked.try_code(asked.mail.code) == 410


def test_five_wrong_codes_are_all_there_are(app: Flask, person: Callable[..., Person]) -> None:
    asked = ask(app, person().email)
    tried = [asked.try_code(wrong(asked.mail.code)) for _ in range(5)]
    assert tried == [400] * 5
    assert asked.try_code(asked.mail.code) == 410
    assert not signed_in(asked.client)


def test_guessing_at_once_gets_no_more_tries(app: Flask, person: Callable[..., Person]) -> None:
    asked = ask(app, person().email)
    guess = Asked(app.test_client(), asked.mail, asked.page)
    with ThreadPoolExecutor(20) as pool:
        code = wrong(asked.mail.code)
        found = Counter(pool.map(lambda _: guess.try_code(code), range(20)))
    assert found == {400: 5, 410: 15}


def test_a_code_belongs_to_its_challenge(app: Flask, person: Callable[..., Person]) -> None:
    first, second = (ask(app, person().email) for _ in range(2))
    assert first.mail.code != second.mail.code
    assert first.try_code(second.mail.code) == 400
    assert first.try_code(first.mail.code, challenge=second.challenge) == 400
    assert first.try_code(first.mail.code, challenge=clock.new_id()) == 410


@pytest.mark.parametrize("bad", ["", "12345", "1234567", "abcdef", "12 34 56", "１２３４５６x"])
def test_what_is_no_code_costs_no_try(app: Flask, person: Callable[..., Person], bad: str) -> None:
    asked = ask(app, person().email)
    assert [asked.try_code(bad) for _ in range(6)] == [400] * 6
    assert asked.try_code(asked.mail.code) == 303


@pytest.mark.parametrize(("seconds", "status"), [(599, 303), (601, 410)])
def test_both_end_after_ten_minutes(
    app: Flask, person: Callable[..., Person], seconds: int, status: int
) -> None:
    by_link, by_code = (ask(app, person().email) for _ in range(2))
    with time_machine.travel(clock.timestamp() + seconds):
        answer = by_link.client.post("/signin/link", data={"token": by_link.mail.token})
        assert answer.status_code == status
        assert by_code.try_code(by_code.mail.code) == status


def test_tables_keep_neither_code_nor_secret(app: Flask, person: Callable[..., Person]) -> None:
    mail = ask(app, person().email).mail
    engine = db.engine(people.platform(app).database.url)
    with engine.connect() as connection:
        stored = repr(connection.exec_driver_sql("SELECT * FROM sign_ins").fetchall())
    assert mail.token.partition(".")[2] not in stored
    assert not re.search(rf"\b{mail.code}\b", stored)


# ---- what nobody can tell -------------------------------------------------------------------


def test_known_and_unknown_addresses_look_alike(app: Flask, person: Callable[..., Person]) -> None:
    known, unknown = person("known@example.com").email, "never@example.com"
    seen = []
    for address in (known, unknown):
        asked = ask(app, address)
        client = app.test_client()
        answer = client.post("/signin", data={"email": address})
        headers = {k: v for k, v in answer.headers.items() if k not in ("Date", "Content-Length")}
        text = re.sub(UUID, "ID", answer.get_data(as_text=True)).replace(address, "ADDRESS")
        seen.append((answer.status_code, headers, text))
        assert asked.try_code(wrong("000000")) == 400
        assert not signed_in(asked.client)
    assert seen[0] == seen[1]


def test_no_account_means_no_sign_in(app: Flask) -> None:
    asked = ask(app, "never@example.com")
    assert "No whatworks account" in asked.mail.subject
    assert "signin/link" not in asked.mail.text
    assert not re.search(r"\b\d{6}\b", asked.mail.text)
    assert "/signup" in asked.mail.text


def test_signing_up_again_does_not_sign_in(app: Flask, person: Callable[..., Person]) -> None:
    asha, client = person(), app.test_client()
    answer = client.post("/signup", data={"email": asha.email, **people.NEW})
    assert answer.status_code == 409
    assert not signed_in(client)


@pytest.mark.drill
@on_sqlite
def test_known_and_unknown_addresses_take_the_same_time(
    app: Flask, person: Callable[..., Person]
) -> None:
    known, client = person().email, app.test_client()
    times: dict[str, list[float]] = {known: [], "never@example.com": []}
    for _ in range(400):
        for address, taken in times.items():
            begin = time.perf_counter()
            client.post("/signin", data={"email": address})
            taken.append(time.perf_counter() - begin)
    first, second = (statistics.median(taken) for taken in times.values())
    assert abs(first - second) < 0.1 * first, (first, second)


@pytest.mark.parametrize(
    "address",
    ["asha@example.com\r\nBcc: x@example.com", "asha@example.com\nx", "a\0@example.com", "no"],
)
def test_an_address_that_is_none_gets_no_mail(app: Flask, address: str) -> None:
    before = len(outbox.files(app))
    answer = app.test_client().post("/signin", data={"email": address})
    assert answer.status_code == 400
    assert len(outbox.files(app)) == before


# ---- programs -------------------------------------------------------------------------------


def test_a_program_gets_a_token_again_by_mail(app: Flask, person: Callable[..., Person]) -> None:
    asha, client = person(), app.test_client()
    mine = f"/api/profile/{asha.user_id}"
    asked = [
        client.post("/api/sign-in", json={"email": address})
        for address in ("never@example.com", asha.email)
    ]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].get_data() == asked[1].get_data()
    code, again = newest(app).code, {"Idempotency-Key": clock.new_id()}
    body = {"email": asha.email.upper(), "code": wrong(code)}
    refused = client.post("/api/sign-in/code", json=body)
    assert (refused.status_code, [*refused.get_json()["fields"]]) == (400, ["code"])
    body["code"] = code
    given = client.post("/api/sign-in/code", json=body, headers=again)
    assert given.status_code == 200
    assert given.get_json()["user_id"] == asha.user_id
    assert given.get_json()["expires_at"] > (clock.rfc3339(clock.timestamp() + 89 * 86_400) or "")
    assert "Set-Cookie" not in given.headers
    repeated = client.post("/api/sign-in/code", json=body, headers=again)
    assert repeated.get_json() == given.get_json()
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert client.post("/api/sign-in/code", json=body).status_code == 410
    bearer = {"Authorization": f"Bearer {given.get_json()['access_token']}"}
    assert client.get(mine, headers=bearer).status_code == 200
    assert client.get(mine, headers=asha.bearer).status_code == 401  # from before the proof
    assert client.delete("/api/session").status_code == 404
    assert client.delete("/api/session", headers=bearer).status_code == 200
    assert client.get(mine, headers=bearer).status_code == 401


@pytest.mark.parametrize("address", ["known", "never@example.com"])
def test_programs_have_five_tries_too(
    app: Flask, person: Callable[..., Person], address: str
) -> None:
    address = person().email if address == "known" else f"{clock.new_id()}@example.com"
    client = app.test_client()
    never_asked = client.post("/api/sign-in/code", json={"email": address, "code": "123456"})
    assert never_asked.status_code == 410
    client.post("/api/sign-in", json={"email": address})
    code = newest(app).code if address in newest(app).to else "000000"
    code = code if code.isdigit() else "000000"
    found = [
        client.post("/api/sign-in/code", json={"email": address, "code": given}).status_code
        for given in [*[wrong(code)] * 5, code]
    ]
    assert found == [400] * 5 + [410]


def test_a_repeated_request_sends_one_mail(app: Flask, person: Callable[..., Person]) -> None:
    asha, client, before = person(), app.test_client(), len(outbox.files(app))
    for _ in range(3):
        headers = {"Idempotency-Key": asha.user_id}
        answer = client.post("/api/sign-in", json={"email": asha.email}, headers=headers)
        assert answer.status_code == 202
    assert len(outbox.files(app)) == before + 1


# ---- the first operator ---------------------------------------------------------------------


def test_the_first_operators_link(app: Flask) -> None:
    token = operators.first_token(people.platform(app).settings.secret_key)
    client, form = app.test_client(), {"token": token, "email": "boss@example.com"}
    for _ in range(5):
        assert client.get(f"/admin/claim?token={token}").status_code == 200
    assert client.post("/admin/claim", data={**form, "token": "x"}).status_code == 410
    assert client.post("/admin/claim", data={**form, "email": "x"}).status_code == 400
    assert client.post("/admin/claim", data=form).headers["Location"] == "/admin"
    assert client.get("/admin").status_code == 200
    assert app.test_client().post("/admin/claim", data=form).status_code == 410


def test_challenges_of_the_past_are_dropped(app: Flask, person: Callable[..., Person]) -> None:
    ask(app, person().email)
    database = people.platform(app).database
    assert database.write(signins.forget, clock.timestamp()) == 0
    assert database.write(signins.forget, clock.timestamp() + signins.LIFETIME + 1) >= 1
