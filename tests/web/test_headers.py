"""Headers that protect are everywhere, and nothing of a page is inline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import Person
from tests.web.conftest import on_sqlite
from whatworks.web import http


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


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
