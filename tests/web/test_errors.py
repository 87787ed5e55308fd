"""Whatever goes wrong, programs get the one error shape and people get a page."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from tests.web.conftest import on_sqlite
from whatworks import clock, db, errors
from whatworks.web import http

SECRETS = ("sesame", "asha@example.com", "4800")
KINDS = [errors.Failure, *errors.Failure.__subclasses__()]


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """Failures leave nothing behind, so all can share one application."""
    return shared_app


def new() -> dict[str, str]:
    """The body of a sign-up."""
    return {"email": f"{clock.new_id()}@example.com", **people.NEW}


def failed(response: TestResponse, status: int) -> dict[str, Any]:
    """The body of a failure, held against the one shape."""
    body = response.get_json()
    assert response.status_code == status, body
    assert response.mimetype == "application/json"
    assert body["success"] is False
    assert body["error"].endswith((".", "?"))
    assert body["code"].replace("_", "").isalnum()
    assert body["code"].islower()
    assert body.keys() <= {
        *("success", "error", "code", "fields", "close_matches"),
        *("reason", "plan", "limit", "used", "upgrade_url"),
    }
    found: dict[str, Any] = body
    return found


def test_unknown_address(client: FlaskClient) -> None:
    for path in ("/api/nothing", "/api/", "/api/profile/a/b", "/api/profile/%00"):
        assert failed(client.get(path), 404)["code"] == "not_found"


def test_wrong_method_says_which_are_taken(client: FlaskClient) -> None:
    answer = client.delete("/api/profile")
    assert failed(answer, 405)["code"] == "method_not_allowed"
    assert "POST" in answer.headers["Allow"]


def test_an_address_cannot_be_changed_and_that_is_said(person: Callable[..., Person]) -> None:
    """Nothing of the change is taken; a whole profile sent back as it was is."""
    asha = person()
    place = f"/api/profile/{asha.user_id}"
    known = asha.client.get(place).get_json()
    answer = asha.client.patch(place, json={"email": "new@example.com", "market": "student"})
    assert failed(answer, 400)["fields"]["email"].startswith("cannot be changed; leave it out")
    assert asha.client.get(place).get_json() == known
    known["market"] = "student"
    assert asha.client.patch(place, json=known).get_json()["market"] == "student"
    assert "email" in failed(asha.client.patch(place, json={"email": 3}), 400)["fields"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'a': 1}", b"\xff\xfe", b"nul", b'{"a": NaN}', b"[" * 100_000]
)
def test_what_is_not_json(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/profile", data=body, content_type="application/json")
    assert failed(answer, 400)["code"] == "not_json"


@pytest.mark.parametrize("body", [b"[]", b"3", b'"text"', b"null", b"true"])
def test_json_that_is_no_object(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/profile", data=body, content_type="application/json")
    assert failed(answer, 400)["code"] == "not_json"


def test_every_bad_field_is_named_at_once(client: FlaskClient) -> None:
    body = {"email": "x", "goal": "win", "market": 3, "skill_level": None, "country": "QQ"}
    found = failed(client.post("/api/profile", json=body), 400)
    assert found["code"] == "invalid_request"
    assert found["fields"].keys() == body.keys()
    assert "earn_money" in found["fields"]["goal"]


def test_numbers_are_numbers(person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    body = {"execution_id": execution_id, "user_id": asha.user_id, "metric_type": "revenue"}
    values: tuple[object, ...] = ("3", True, False, None, [], {}, "1e3", -1, 1e12, -0.5)
    for value in values:
        found = failed(asha.post("/api/outcome", {**body, "value": value}), 400)
        assert found["fields"].keys() == {"value"}, value
    for text in ("1e999", "-1e999", "1e308"):
        raw = json.dumps({**body, "value": 0}).replace("0}", f"{text}}}").encode()
        answer = asha.client.post("/api/outcome", data=raw, content_type="application/json")
        failed(answer, 400)


def test_too_large_is_413(client: FlaskClient) -> None:
    body = {**new(), "email": "a" * 1_100_000}
    assert failed(client.post("/api/profile", json=body), 413)["code"] == "too_large"
    answer = client.post("/signup", data=body)
    assert answer.status_code == 413
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b"],
)
def test_another_media_type_is_415(client: FlaskClient, kind: str) -> None:
    body = json.dumps(new())
    answer = client.post("/api/profile", data=body, content_type=kind)
    assert failed(answer, 415)["code"] == "unsupported_media_type"
    assert client.post("/api/profile", data=body, content_type="").status_code == 201


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/recommendations/{}?limit=0", "limit"),
        ("/api/recommendations/{}?limit=51", "limit"),
        ("/api/recommendations/{}?limit=many", "limit"),
        ("/api/performance/resume_generator?market=moon", "market"),
        ("/api/performance/resume_generator?skill_level=", "skill_level"),
        ("/api/execution", "user_id"),
        ("/api/outcome?user_id=%00", "user_id"),
    ],
)
def test_bad_query(person: Callable[..., Person], path: str, field: str) -> None:
    asha = person()
    assert failed(asha.client.get(path.format(asha.user_id)), 400)["fields"].keys() == {field}


def test_unknown_workflow_names_close_matches(person: Callable[..., Person]) -> None:
    asha = person()
    body = {"user_id": asha.user_id, "workflow_name": "resume-generatr"}
    found = failed(asha.post("/api/execution", body), 404)
    assert found["code"] == "workflow_not_found"
    assert found["close_matches"][0] == "resume_generator"


def test_a_plan_that_is_needed(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    body = {"user_id": asha.user_id, "workflow_name": _paid_workflow(app)}
    found = failed(asha.post("/api/execution", body), 402)
    assert found.keys() >= {"reason", "plan", "limit", "used", "upgrade_url"}


def _paid_workflow(app: Flask) -> str:
    query = "SELECT name FROM workflows WHERE tier <> 'free'"
    with db.engine(people.platform(app).database.url).connect() as connection:
        return str(connection.exec_driver_sql(query).scalar())


@on_sqlite
def test_too_many_requests_say_when_to_come_back(limited: Callable[..., Flask]) -> None:
    client = limited().test_client()
    answers = [client.post("/api/profile", json={}) for _ in range(3)]
    answers += [client.post("/api/profile", json=new()) for _ in range(70)]
    last = answers[-1]
    assert failed(last, 429)["code"] == "rate_limited"
    assert 1 <= int(last.headers["Retry-After"]) <= 86_400


def busy(*_args: object, **_kwargs: object) -> None:
    raise errors.Unavailable("The database is busy; nothing was changed.", retry_after=5)


def test_a_busy_database_is_503(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people.platform(app).database, "write", busy)
    answer = client.post("/api/profile", json=new())
    assert failed(answer, 503)["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "5"
    page = client.post("/signup", data=new())
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "<h1" in page.get_data(as_text=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_expected_failure_has_the_shape(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, kind: type[errors.Failure]
) -> None:
    def fail(*_args: object) -> None:
        raise kind("This is why.", fields={"a": "b"}, retry_after=7)

    for name in ("read", "look"):
        monkeypatch.setattr(http, name, fail)
    answer = client.get("/api/performance/resume_generator")
    found = failed(answer, kind.status)
    assert (found["error"], found["fields"]) == ("This is why.", {"a": "b"})
    tells_when = kind.status in (429, 503, 504)
    assert answer.headers.get("Retry-After") == ("7" if tells_when else None)
    page = client.get("/")
    assert (page.status_code, page.mimetype) == (kind.status, "text/html")
    assert "This is why." in page.get_data(as_text=True)


def bug(*_args: object, **_kwargs: object) -> None:
    """What a bug may carry: text that nobody else should read."""
    secret = "-".join(SECRETS)
    raise ValueError(f"row {secret} is broken")


@pytest.mark.parametrize("path", ["/api/performance/resume_generator", "/"])
def test_a_bug_tells_nobody_what_it_saw(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    for name in ("read", "look"):
        monkeypatch.setattr(http, name, bug)
    with caplog.at_level(logging.DEBUG):
        answer = client.get(path, headers={"Authorization": "Bearer sesame"})
    assert answer.status_code == 500
    if path.startswith("/api"):
        assert failed(answer, 500)["code"] == "internal_error"
    told = answer.get_data(as_text=True) + caplog.text
    assert "ValueError" in caplog.text
    assert "in bug" in caplog.text
    assert "ValueError" not in answer.get_data(as_text=True)
    assert not [secret for secret in SECRETS if secret in told]


def test_people_get_pages(client: FlaskClient, person: Callable[..., Person]) -> None:
    asha = person()
    for browser, path, status in (
        (client, "/nothing", 404),
        (client, "/executor/nothing/at/all", 404),
        (asha.client, "/executor/nothing", 404),
        (asha.client, "/outcome/nothing", 404),
        (client, "/workflows?goal=x", 400),
        (client, "/download/pro", 402),
    ):
        answer = browser.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path
        assert answer.get_data(as_text=True).count("<h1") == 1
    assert client.put("/signup").status_code == 405


def test_programs_get_json_from_pages_when_they_ask(client: FlaskClient) -> None:
    failed(client.get("/nothing", headers={"Accept": "application/json"}), 404)


def test_forms_name_what_is_wrong_and_keep_what_was_typed(client: FlaskClient) -> None:
    answer = client.post("/signup", data={**new(), "email": "not <an> address"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "not &lt;an&gt; address" in text
    assert 'aria-invalid="true"' in text


@pytest.mark.parametrize("path", ["/executor/%00", "/outcome/%00", "/download/%00", "/%ff%fe"])
def test_addresses_that_nothing_has(person: Callable[..., Person], path: str) -> None:
    assert person().client.get(path).status_code == 404


FIELDS = ("step", "result", "reason", "note", "value", "metric_type", "email", "code", "token")
ODD = ("", "abc", "\0", "-1", "1e99", "9" * 400, "é\u202e", "<b>", "%s", "NaN")


@pytest.mark.parametrize(
    "path",
    [
        *("/signup", "/signin", "/signin/code", "/signin/link", "/admin/claim", "/profile"),
        *("/sessions/x/revoke", "/recommendations/x/click", "/executor/{}", "/outcome/{}"),
        *("/executor/{}/event", "/executor/x/event", "/executor/x/resume"),
    ],
)
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.drill)])
def test_forms_never_break(person: Callable[..., Person], path: str, stride: int) -> None:
    """Every field with every odd text; in `make test` each seventh of these pairs."""
    asha = person()
    address = path.format(asha.start())
    pairs = itertools.product(ODD, (*FIELDS, "idempotency_key", "next", "challenge"))
    first = sum(path.encode()) % stride  # every form begins elsewhere
    for odd, field in itertools.islice(pairs, first, None, stride):
        answer = asha.client.post(address, data={"step": "1", field: odd})
        assert answer.status_code < 500, (field, odd)
