"""What protects every door: other sites change nothing, headers are everywhere, limits hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from whatworks import clock
from whatworks.app import close
from whatworks.web import guards, http

HOST = "http://localhost"
# Decided before a database is asked, or what is shown of a text whatever keeps it.
on_sqlite = pytest.mark.parametrize("shared_app", ["sqlite"], indirect=True)


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


# ---- other sites ----------------------------------------------------------------------------

FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": "cross-site", "Origin": HOST},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": f"{HOST}:8999"},
    {"Origin": f"{HOST}.evil.example"},
    {"Origin": "https://evil.example/localhost"},
    {"Origin": "https://localhost@evil.example"},
    # A browser sends a password of HTTP by itself, unlike a bearer's token.
    {"Sec-Fetch-Site": "cross-site", "Authorization": "Basic YTpi"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": HOST},
]


def changing(app: Flask) -> Iterator[tuple[str, str]]:
    """Every method and address that may change something."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
            yield method, rule.rule


def attack(
    asha: Person, method: str, rule: str, execution_id: str, headers: dict[str, str]
) -> TestResponse:
    """A request with everything right but where it comes from."""
    ids = {"user_id": asha.user_id, "execution_id": execution_id, "place": "whatsapp_bot"}
    path = re.sub(r"<(\w+)>", lambda found: ids.get(found[1], "x"), rule)
    body = {
        **people.NEW,
        "email": f"{clock.new_id()}@example.com",
        "user_id": asha.user_id,
        "execution_id": execution_id,
        "workflow_name": "whatsapp_bot",
        "steps_completed": 1,
        "step": 1,
        "result": "worked",
        "metric_type": "customers",
        "value": 1,
    }
    if rule.startswith("/api/"):
        return asha.client.open(path, method=method, json=body, headers=headers)
    return asha.client.open(path, method=method, data=body, headers=headers)


@on_sqlite
def test_other_sites_change_nothing(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    database = people.platform(app).database
    before = people.everything(database)
    for method, rule in changing(app):
        for headers in FOREIGN:
            answer = attack(asha, method, rule, execution_id, headers)
            if rule.startswith(guards.SIGNED_BY_SENDER):  # these ask for a signature instead
                assert answer.status_code in (303, 400, 503), (method, rule, headers)
            else:
                assert answer.status_code == 403, (method, rule, headers)
    assert people.everything(database) == before


@on_sqlite
@pytest.mark.parametrize("headers", OWN)
def test_ones_own_site_and_programs_pass(
    app: Flask, person: Callable[..., Person], headers: dict[str, str]
) -> None:
    for method, rule in changing(app):
        asha = person()
        answer = attack(asha, method, rule, asha.start(), headers)
        assert answer.status_code not in (403, 500), (method, rule)


@on_sqlite
def test_control_the_attack_would_work_from_here(app: Flask, person: Callable[..., Person]) -> None:
    worked = set()
    for method, rule in changing(app):
        asha = person()
        if attack(asha, method, rule, asha.start(), {}).status_code < 400:
            worked.add((method, rule))
    assert len(worked) >= 15


@pytest.mark.parametrize(
    ("kind", "status"),
    [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415)],
)
def test_json_in_disguise_changes_nothing(
    app: Flask, person: Callable[..., Person], kind: str, status: int
) -> None:
    asha = person()
    before = people.everything(people.platform(app).database)
    body = f'{{"user_id": "{asha.user_id}", "workflow_name": "whatsapp_bot"}}'
    answer = asha.client.post("/api/execution", data=body, content_type=kind)
    assert answer.status_code == status
    assert people.everything(people.platform(app).database) == before


def test_methods_cannot_be_disguised(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    path = f"/api/execution/{asha.start()}"
    before = people.everything(people.platform(app).database)
    for method in ("GET", "POST"):
        for headers in (
            {"X-HTTP-Method-Override": "DELETE"},
            {"X-HTTP-Method": "DELETE"},
            {"X-Method-Override": "DELETE"},
        ):
            asha.client.open(path, method=method, headers=headers)
        asha.client.open(path, method=method, query_string={"_method": "DELETE"})
        asha.client.open(path, method=method, data={"_method": "DELETE"})
    assert people.everything(people.platform(app).database) == before


def test_safe_methods_are_for_everybody(client: FlaskClient) -> None:
    for headers in FOREIGN:
        assert client.get("/workflows", headers=headers).status_code == 200
        assert client.head("/", headers=headers).status_code == 200


def test_the_public_address_is_our_own_behind_a_proxy(app: Flask, tmp_path: Path) -> None:
    url = people.platform(app).database.url
    other = people.build(url, tmp_path, public_url="https://whatworks.example")
    body = {"email": f"{clock.new_id()}@example.com", **people.NEW}
    headers = {"Origin": "https://whatworks.example"}
    assert other.test_client().post("/api/profile", json=body, headers=headers).status_code == 201
    close(other)


# ---- headers --------------------------------------------------------------------------------


def answers(asha: Person) -> Iterator[tuple[str, TestResponse]]:
    """An answer of every route, and of what goes wrong."""
    client = asha.client
    execution_id = asha.start()
    ids = {
        "user_id": asha.user_id,
        "execution_id": execution_id,
        "place": execution_id,
        "workflow_name": "resume_generator",
        "product": "starter",
        "filename": "app.css",
    }
    for rule in asha.app.url_map.iter_rules():
        path = re.sub(r"<(?:path:)?(\w+)>", lambda found: ids.get(found[1], "x"), rule.rule)
        for method in sorted(rule.methods or set()):
            if path not in ("/signout", "/sessions/revoke", "/api/session"):
                yield f"{method} {path}", client.open(path, method=method, buffered=True)
    css = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").get_data(as_text=True))
    assert len(css) >= 2
    for path in ("/nothing", "/api/nothing", "/static/nothing", "/%00", *css):
        yield f"GET {path}", client.get(path, buffered=True)
    yield "405", client.delete("/")
    yield "415", client.post("/api/profile", data={"a": "b"})
    body = {"user_id": asha.user_id, "workflow_name": "whatsapp_bot"}
    yield "201", client.post("/api/execution", json=body)
    yield "403", client.post("/signup", headers={"Origin": "null"})
    yield "413", client.post("/signup", data={"email": "x" * 1_100_000})


@on_sqlite
def test_every_answer_has_the_headers(app: Flask, person: Callable[..., Person]) -> None:
    statuses = Counter[int]()
    for name, answer in answers(person()):
        statuses[answer.status_code] += 1
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert "default-src 'none'" in headers["Content-Security-Policy"], name
        assert "Strict-Transport-Security" not in headers, name
        if answer.mimetype == "text/html":
            assert "unsafe" not in headers["Content-Security-Policy"], name
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], name
            assert headers["Referrer-Policy"] == "same-origin", name
        for header in headers.keys():  # noqa: SIM118 - one header may be there twice
            assert header == "Set-Cookie" or len(headers.getlist(header)) == 1, (name, header)
    assert statuses.keys() >= {200, 201, 303, 400, 403, 404, 405, 413, 415}


def test_a_bug_has_the_headers_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError

    for name in ("read", "look"):
        monkeypatch.setattr(http, name, fail)
    for path in ("/", "/api/performance/x"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


@on_sqlite
def test_only_what_is_public_may_be_kept(app: Flask, person: Callable[..., Person]) -> None:
    public = ("/static/", "/sw.js", "/api/performance/", "/download/")
    for name, answer in answers(person()):
        path = name.partition(" ")[2]
        if not path.startswith(public):
            assert answer.headers["Cache-Control"] == "no-store", name


def test_static_files_are_kept_for_ever(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = client.get(path, buffered=True)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


def test_https_stays_https(client: FlaskClient) -> None:
    for path in ("/", "/api/nothing", "/download/starter"):
        answer = client.get(path, base_url="https://whatworks.example")
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_a_zip_can_be_resumed(client: FlaskClient) -> None:
    whole = client.get("/download/starter").get_data()
    part = client.get("/download/starter", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.get_data()) == (206, whole[100:200])
    rest = client.get("/download/starter", headers={"Range": f"bytes={len(whole)}-"})
    assert (rest.status_code, rest.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


@on_sqlite
def test_nothing_of_a_page_is_inline(app: Flask, person: Callable[..., Person]) -> None:
    for name, answer in answers(person()):
        if answer.mimetype == "text/html":
            text = answer.get_data(as_text=True)
            assert not re.search(r"<script(?![^>]*\bsrc=)", text), name
            assert not re.search(r"<[^>]*\s(style|on\w+)=", text), name
            assert not re.search(r'(src|href|action)="(https?:)?//', text), name


# ---- limits ---------------------------------------------------------------------------------


@pytest.fixture
def limited(app: Flask, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Builds applications with limits on; the limiter is one per process, so it is put back."""
    built: list[Flask] = []

    def build(**settings: object) -> Flask:
        url = people.platform(app).database.url
        built.append(people.build(url, tmp_path, rate_limits=True, **settings))
        return built[-1]

    yield build
    for one in built:
        close(one)
    guards.limiter.enabled = False


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
        assert 1 <= wait <= 61
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


# ---- what people type -----------------------------------------------------------------------

PAYLOADS = [
    "<probe>",
    "<script>probe()</script>",
    '"><probe onprobe=1>',
    "'><probe onprobe='1'>",
    '" onprobe="1',
    "' onprobe='1' x='",
    "</textarea><probe>",
    "</title><probe>",
    "</script><probe>",
    "<img src=x onprobe=1>",
    "<svg/onprobe=1>",
    "javascript:probe()",
    "{{ 7 * 7 }}<probe>{% raw %}",
    "<!--<probe>",
    "&lt;probe&gt;<probe>",
    "\u2028<probe>\u202e",
    "<probe\n>",
    "＜probe＞<probe>",
    "[x](javascript:probe())<probe>",
    "![](x)<probe>",
]


TYPED = ("email", "goal", "value", "note", "proof_url", "unit", "code", "challenge")


class Probe(HTMLParser):
    """Collects what a browser would make of a payload."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements and attributes that only a payload can have made."""
        if tag == "probe":
            self.found.append(tag)
        for name, value in attrs:
            leads = (value or "").strip().lower().startswith("javascript:") and name != "value"
            if leads or name == "onprobe":
                self.found.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        """Text is only dangerous inside a script."""
        if "probe()" in data and self.get_starttag_text() == "<script>":
            self.found.append("script")


def probed(text: str) -> list[str]:
    probe = Probe()
    probe.feed(text)
    return probe.found


def test_control_the_probe_finds() -> None:
    for payload in PAYLOADS[:3]:
        assert probed(f'<p title="{payload}">{payload}</p>'), payload


@on_sqlite
def test_what_people_type_is_text(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    run, outcome = f"/executor/{execution_id}", f"/outcome/{execution_id}"
    for number, payload in enumerate(PAYLOADS):
        step = str(1 + number % 5)  # beside one note there is room for some texts only
        for form in (
            {"kind": "note", "text": payload},
            {"kind": "verdict", "result": "failed", "note": payload},
        ):
            answer = asha.client.post(f"{run}/event", data={"step": step, **form})
            assert answer.status_code == 303
        answer = asha.client.post(
            outcome, data={"metric_type": "custom", "value": "1", "unit": "pages", "note": payload}
        )
        assert answer.status_code == 303
        assert probed(asha.client.get(answer.headers["Location"]).get_data(as_text=True)) == []
        typed = dict.fromkeys(TYPED, payload)
        for path in ("/signup", "/signin", "/signin/code", "/profile", outcome, f"{run}/event"):
            answer = asha.client.post(path, data={**typed, "next": payload, "step": payload})
            assert probed(answer.get_data(as_text=True)) == [], (path, payload)
        query = dict.fromkeys(
            ("goal", "market", "next", "token", "recommendation", "corrects", "outcome"), payload
        )
        for client in (asha.client, app.test_client()):
            for path in (
                *("/workflows", "/signin", "/signup", "/signin/link", "/admin/claim", outcome),
                *(
                    "/executor/whatsapp_bot",
                    f"{outcome}/done",
                    f"/{payload}",
                    f"/executor/{payload}",
                ),
            ):
                answer = client.get(path, query_string=query)
                assert answer.status_code < 500
                assert probed(answer.get_data(as_text=True)) == [], (path, payload)
    for path in ("/dashboard", run, outcome, "/dashboard/next", "/sessions"):
        answer = asha.client.get(path)
        assert answer.status_code == 200
        assert probed(answer.get_data(as_text=True)) == [], path


def test_the_name_of_a_program_is_text(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    for payload in PAYLOADS[:7]:
        app.test_client().post(
            "/signup",
            data={"email": f"{clock.new_id()}@example.com", **people.NEW},
            headers={"User-Agent": payload},
        )
    client = app.test_client()
    client.post(
        "/signup",
        data={"email": f"{clock.new_id()}@example.com", **people.NEW},
        headers={"User-Agent": "<probe>"},
    )
    page = client.get("/sessions").get_data(as_text=True)
    assert probed(page) == []
    assert "&lt;probe&gt;" in page
    assert asha.client.get("/sessions").status_code == 200
