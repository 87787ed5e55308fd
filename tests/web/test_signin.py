"""Signing in by mail: what works once, what never works, and what nobody can tell."""

from __future__ import annotations

import email
import email.policy
import hashlib
import html
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from tests import people
from tests.people import Person
from whatworks import clock, db
from whatworks.people import operators, signins

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Mail:
    """A mail of the outbox."""

    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        return self.subject[:6]

    @property
    def link(self) -> str:
        """The path and query of the link."""
        found = re.search(r"https?://[^/\s]+(/signin/link\S+)", self.text)
        assert found is not None
        return found[1]

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


def outbox(app: Flask) -> list[Path]:
    """The mails written, oldest first."""
    platform = people.platform(app)
    platform.mailer.close()  # sends what waits
    return sorted((platform.settings.data_dir / "outbox").glob("*.eml"))


def newest(app: Flask) -> Mail:
    """The last mail written."""
    path = outbox(app)[-1]
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body()
    assert body is not None
    return Mail(str(message["To"]), str(message["Subject"]), body.get_content())


@dataclass(frozen=True)
class Asked:
    """Somebody who asked for a mail, the mail, and the page they see meanwhile."""

    client: FlaskClient
    mail: Mail
    page: str

    @property
    def challenge(self) -> str:
        found = re.search(rf'name="challenge" value="({UUID})"', self.page)
        assert found is not None
        return found[1]

    def try_code(self, code: str, challenge: str | None = None) -> int:
        form = {"challenge": challenge or self.challenge, "code": code}
        return self.client.post("/signin/code", data=form).status_code


def ask(app: Flask, address: str, **form: str) -> Asked:
    client = app.test_client()
    page = client.post("/signin", data={"email": address, **form})
    assert page.status_code == 200
    return Asked(client, newest(app), html.unescape(page.get_data(as_text=True)))


def signed_in(client: FlaskClient) -> bool:
    return client.get("/dashboard").status_code == 200


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


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
@pytest.mark.parametrize("shared_app", ["sqlite"], indirect=True)
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
    before = len(outbox(app))
    answer = app.test_client().post("/signin", data={"email": address})
    assert answer.status_code == 400
    assert len(outbox(app)) == before


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
    asha, client, before = person(), app.test_client(), len(outbox(app))
    for _ in range(3):
        headers = {"Idempotency-Key": asha.user_id}
        answer = client.post("/api/sign-in", json={"email": asha.email}, headers=headers)
        assert answer.status_code == 202
    assert len(outbox(app)) == before + 1


# ---- sessions -------------------------------------------------------------------------------


@pytest.mark.parametrize("shared_app", ["sqlite"], indirect=True)
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
