"""Who may do what, for every route there is: a new one fails here until it is classified."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import bindparam, select
from werkzeug.test import TestResponse

from tests import people, shopping
from tests.people import Person
from tests.web.conftest import on_sqlite
from tests.web.rights import OPERATORS, OWN, PUBLIC, RULES, SIGNED_IN, Own
from whatworks import db, models
from whatworks.people import sessions
from whatworks.web import identity

OWNED_ROWS: Final = {
    name: db.Query(select(table).where(owner == bindparam("owner")))
    for name, table in models.Base.metadata.tables.items()
    if (owner := table.c.id if name == "user_profiles" else table.c.get("user_id")) is not None
}
Ids = dict[str, str]


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """Nobody minds the others here; that is the point."""
    return shared_app


def ids_of(person: Person, state: str) -> Ids:
    """Things of a person, new ones each time."""
    database = people.platform(person.app).database
    execution_id = person.start()
    proof_id = people.proof(person, execution_id)
    outcome_id = person.report(execution_id, proof_id=proof_id)
    if state == "rejected":
        people.reject(person, outcome_id, proof_id)
    if state == "abandoned":
        person.client.delete(f"/api/execution/{execution_id}")
    shown = person.client.get(f"/api/recommendations/{person.user_id}").get_json()
    token = database.write(sessions.open_, person.user_id, kind="browser", label="", days=1)
    found = database.read(sessions.find, token)
    assert found is not None
    return {
        "user_id": person.user_id,
        "execution_id": execution_id,
        "place": execution_id,
        "workflow_name": "prompt_selling" if state == "open" else "whatsapp_bot",
        "outcome_id": outcome_id,
        "proof_id": proof_id,
        "recommendation_id": shown["recommendations"][0]["recommendation_id"],
        "session_id": found.id,
    }


def call(client: FlaskClient, route: Own, ids: Ids, **headers: str) -> TestResponse:
    """One request with these ids in their places."""
    path = re.sub(r"<(\w+)>", lambda found: ids[found[1]], route.rule)
    body = {name: fill(value, ids) for name, value in (route.body or {}).items()}
    query = {name: fill(value, ids) for name, value in route.query.items()}
    return client.open(
        path,
        method=route.method,
        query_string=query,
        headers=headers,
        json=body if route.is_api and route.body is not None else None,
        data=None if route.is_api or route.body is None else body,
    )


def fill(value: Any, ids: Ids) -> Any:
    return ids.get(value[1:-1], value) if isinstance(value, str) else value


def made_up(name: str) -> str:
    """An id like the real one that nobody has."""
    return uuid.uuid4().hex * 2 if name == "session_id" else str(uuid.uuid4())


def seen(response: TestResponse, hidden: str) -> tuple[int, bytes, dict[str, str]]:
    """All that a caller sees, but for the time and for the id they asked with."""
    headers = {
        name: value.replace(hidden, "ID")
        for name, value in response.headers.items()
        if name != "Date"
    }
    return response.status_code, response.get_data().replace(hidden.encode(), b"ID"), headers


def rows_of(database: db.Database, user_id: str) -> dict[str, list[str]]:
    """Everything stored about a person."""
    return database.read(
        lambda session: {
            name: sorted(map(repr, session.all(query, owner=user_id)))
            for name, query in OWNED_ROWS.items()
        }
    )


def leaks(app: Flask) -> list[str]:
    """Every way in which somebody gets at, changes, or learns of what is not theirs."""
    owner, other = (people.sign_up(app) for _ in range(2))
    database = people.platform(app).database
    boss = people.operator(app)  # a browser of theirs is not a key
    nobody = (app.test_client(), ids_of(other, "open"))
    callers = {
        "anonymous": nobody,
        "other": (other.client, ids_of(other, "open")),
        "operator's browser": (boss.client, ids_of(boss, "open")),
    }
    found = []
    for route in OWN:
        theirs = ids_of(owner, route.state)
        before = rows_of(database, owner.user_id)
        for who, (client, mine) in callers.items():
            if route.reviewed and who == "operator's browser":
                continue
            refused = 303 if who == "anonymous" and not route.is_api else 404
            leaked = _leaks_of(client, route, theirs, mine, refused)
            found += [f"{who}: {route.method} {route.rule} {what}" for what in leaked]
        if rows_of(database, owner.user_id) != before:
            found.append(f"{route.method} {route.rule} changed rows")
    return found


def _leaks_of(
    client: FlaskClient, route: Own, theirs: Ids, mine: Ids, refused: int
) -> Iterator[str]:
    for name in set(route.ids) - {"workflow_name"}:
        real = {**mine, name: theirs[name]}
        absent = {**mine, name: made_up(name)}
        got = seen(call(client, route, real), real[name])
        expected = seen(call(client, route, absent), absent[name])
        if got != expected:
            yield f"with {name}: {got} is not what nothing gives: {expected}"
        if got[0] != refused:
            yield f"with {name} answered {got[0]}"


def test_every_route_is_classified(app: Flask) -> None:
    there = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    own = {(route.method, RULES.get(route.rule, route.rule)) for route in OWN}
    assert there == PUBLIC | SIGNED_IN | OPERATORS | own
    assert len(PUBLIC) + len(SIGNED_IN) + len(OPERATORS) + len(own) == len(there)


def test_nobody_gets_at_what_is_not_theirs(app: Flask) -> None:
    assert leaks(app) == []


@on_sqlite
def test_control_leaks_are_found(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "acting_for", lambda user_id: user_id)
    found = "\n".join(leaks(app))
    for method, rule in (("GET", "/api/profile/"), ("PATCH", "/api/profile/"), ("GET", "/api/ou")):
        assert f"other: {method} {rule}" in found
    assert "changed rows" in found


def test_owners_get_in(app: Flask) -> None:
    for route in OWN:
        asha = people.sign_up(app)
        browser = people.signed_in(app, asha.user_id)
        answer = call(browser, route, ids_of(asha, route.state))
        assert answer.status_code < 400, f"{route}: {answer.get_data(as_text=True)}"
        assert "/signin" not in answer.headers.get("Location", "")
        if route.is_api:
            by_token = call(app.test_client(), route, ids_of(asha, route.state), **asha.bearer)
            assert by_token.status_code < 400, f"{route}: {by_token.get_data(as_text=True)}"


def test_operators_key_acts_for_anybody(app: Flask) -> None:
    asha = people.sign_up(app)
    key = {"Authorization": f"Bearer {people.operator_key(app)}"}
    for route in OWN:
        if route.is_api:
            answer = call(app.test_client(), route, ids_of(asha, route.state), **key)
            assert answer.status_code < 400, f"{route}: {answer.get_data(as_text=True)}"
    execution_id = asha.start()
    path = f"/api/execution/{execution_id}"
    app.test_client().put(f"{path}/progress", json={"steps_completed": 1}, headers=key)
    assert asha.client.get(path).get_json()["events"][-1]["actor"] == "operator"


def test_key_of_somebody_who_is_no_operator_any_more(app: Flask) -> None:
    asha, ravi = people.sign_up(app), people.sign_up(app)
    key = people.platform(app).database.write(
        sessions.open_, ravi.user_id, kind="key", label="", days=1
    )
    answer = app.test_client().get(
        f"/api/profile/{asha.user_id}", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 404


def test_anonymous_people_are_led_to_sign_in_and_back(app: Flask) -> None:
    asha = people.sign_up(app)
    for route in OWN:
        ids = ids_of(asha, route.state)
        answer = call(app.test_client(), route, ids)
        if route.is_api:
            assert answer.status_code == 404, route
            continue
        assert answer.status_code == 303, route
        back = "/dashboard" if route.method == "POST" else route.rule.split("<", maxsplit=1)[0]
        assert answer.headers["Location"].startswith("/signin?next=")
        assert back.replace("/", "%2F") in answer.headers["Location"].replace("/", "%2F")


def bad_bearers(asha: Person) -> dict[str, str]:
    """Tokens that were never good, or are so no more."""
    database = people.platform(asha.app).database
    expired = database.write(sessions.open_, asha.user_id, kind="token", label="", days=0)
    revoked = database.write(sessions.open_, asha.user_id, kind="token", label="", days=1)
    found = database.read(sessions.find, revoked)
    assert found is not None
    database.write(sessions.revoke, asha.user_id, found.id)
    owner, _, secret = asha.token.partition(".")
    return {
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
        "of nobody": f"Bearer {'A' * 20}.{secret}",
        "of another secret": f"Bearer {owner}.{secret[::-1]}",
        "no dot": f"Bearer {owner}",
        "not base64": "Bearer !!!.???",
        "a NUL inside": f"Bearer AAAA.{secret}",
        "not UTF-8": f"Bearer __8.{secret}",
        "not ASCII": "Bearer é.é",
        "long": f"Bearer {'A' * 5000}.x",
        "empty": "Bearer ",
        "another scheme": f"Basic {asha.token}",
    }


def test_wrong_expired_and_revoked_tokens_are_refused(app: Flask) -> None:
    asha = people.sign_up(app)
    ids = {state: ids_of(asha, state) for state in ("open", "abandoned", "rejected")}
    for what, header in bad_bearers(asha).items():
        for route in OWN:
            answer = call(app.test_client(), route, ids[route.state], Authorization=header)
            if route.is_api:
                assert answer.status_code == 401, (what, route)
                assert answer.get_json()["code"] == "bad_credential"
            else:
                assert answer.headers["Location"].startswith("/signin"), (what, route)


def test_stale_cookie_is_refused_by_doors_and_ignored_by_pages(app: Flask) -> None:
    asha = people.sign_up(app)
    database = people.platform(app).database
    database.write(sessions.revoke_all, asha.user_id)
    assert asha.client.get(f"/api/profile/{asha.user_id}").status_code == 401
    assert asha.client.get("/dashboard").headers["Location"].startswith("/signin")
    assert asha.client.get("/workflows").status_code == 200


def test_operators_pages(app: Flask, person: Callable[..., Person]) -> None:
    asha, boss = person(), people.operator(app)
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    ids = {"order_id": order.id, "letter_id": "evt_1", "workflow_name": "resume_generator"}
    before = people.everything(people.platform(app).database)
    for method, rule in OPERATORS:
        path = re.sub(r"<(\w+)>", lambda found: ids[found[1]], rule)
        for caller in (asha.client, people.signed_in(app, asha.user_id)):
            absent = seen(caller.open(f"{path}-absent", method=method), f"{path}-absent")
            got = seen(caller.open(path, method=method), path)
            assert got[0] == 404, (method, rule)
            if method == "GET":
                assert got[:2] == absent[:2]
        anonymous = app.test_client().open(path, method=method)
        assert anonymous.headers["Location"].startswith("/signin?next=")
        if method == "GET" and "letter" not in rule:
            assert boss.client.open(path, method=method).status_code == 200
        elif method == "POST" and rule.startswith("/admin/proofs"):
            assert boss.client.open(path, method=method).status_code == 400
    after = people.everything(people.platform(app).database)
    assert {k: v for k, v in after.items() if k != "sessions"} == {
        k: v for k, v in before.items() if k != "sessions"
    }
