"""What protects every door: from other sites nothing can be changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from tests.web.conftest import on_sqlite
from whatworks import clock
from whatworks.app import close
from whatworks.web import guards

HOST = "http://localhost"


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


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
