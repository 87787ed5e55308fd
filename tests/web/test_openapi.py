"""The API document: valid, complete, and what the doors really do."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

import msgspec
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.people import Person
from tests.web.conftest import on_sqlite
from whatworks.web import http, openapi

SEED: Final = 20_261_122
CHECKS: Final = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
)
METHODS: Final = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application."""
    return shared_app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.build()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(part: object) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_document_is_served_and_readable(client: FlaskClient, document: dict[str, Any]) -> None:
    assert client.get("/api/openapi.json").get_json() == document
    page = html.unescape(client.get("/api/docs").get_data(as_text=True))
    for _, path, operation in operations(document):
        assert path in page
        assert operation["summary"].split("`")[0][:20] in page
    assert page.index("Get a token") < page.index("Sign up; answers") < page.index("Open a Stripe")
    assert "90 days" in page
    row = page[page.index("<code>time_zone</code>") :]
    assert "A time zone such as Asia/Kolkata" in row[: row.index("</tr>")]


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert max(ids.values()) == 1
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert method in METHODS, where
        assert operation["summary"], where
        assert operation["responses"], where
        assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}, where
        named = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert sorted(named) == sorted(re.findall(r"{(\w+)}", path)), where
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path"), where
        assert ("requestBody" in operation) <= (method not in ("get", "delete")), where
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[245]\d\d", status), where
            assert answer["description"], where
            assert "application/json" in answer["content"], where


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    there = {f"#/components/schemas/{name}" for name in schemas}
    found = set(references(document))
    assert found <= there
    assert found | {"#/components/schemas/ErrorAnswer"} == there  # and nothing lies about
    schemes = document["components"]["securitySchemes"]
    for _, path, operation in operations(document):
        for needed in operation["security"]:
            assert needed.keys() <= schemes.keys(), path


def test_every_door_is_in_the_document_and_the_other_way_round(
    app: Flask, document: dict[str, Any]
) -> None:
    routes = {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") or rule.rule in ("/create_order", "/validate_coupon")
    }
    ours = {("get", "/api/docs"), ("get", "/api/openapi.json")}
    ours |= {("get", "/api/billing/success"), ("get", "/api/billing/cancel")}  # ways back: pages
    assert {(method, path) for method, path, _ in operations(document)} == routes - ours


def test_one_name_means_one_thing() -> None:
    """A component is named after its type, so two types of one name would become one."""
    kinds = {
        kind
        for door in http.DOORS.values()
        for kind in (door.body, door.answer, door.query, http.ErrorAnswer)
        if kind is not None
    }
    everything = set(nested(kinds))
    names = Counter(kind.__name__ for kind in everything)
    assert [name for name, count in names.items() if count > 1] == []


def nested(kinds: set[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """The types and those inside them."""
    for kind in kinds:
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from nested({part for part in parts(field.type) if is_struct(part)})


def parts(kind: Any) -> Iterator[Any]:
    yield kind
    for inner in get_args(kind):
        yield from parts(inner)


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def test_private_doors_say_so(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        public = (method, path) in {
            ("post", "/api/profile"),
            ("get", "/api/workflows"),
            ("get", "/api/workflows/{workflow_name}"),
            ("post", "/api/sign-in"),
            ("post", "/api/sign-in/code"),
            ("get", "/api/performance/{workflow_name}"),
            ("post", "/create_order"),
            ("post", "/validate_coupon"),
            ("post", "/api/billing/create-checkout"),
        }
        assert ({} in operation["security"]) is public, path
        assert public or {"401", "404"} <= operation["responses"].keys(), path


# ---- what the doors really do ---------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("count", [120, pytest.param(2000, marks=pytest.mark.drill)])
def test_no_5xx_and_no_undeclared_answer(
    app: Flask, person: Callable[..., Person], count: int
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    results: Any = schema.get_all_operations()
    found = [result.ok() for result in results]
    seen = Counter[int]()
    for operation in found:
        try_operation(operation, person(), -(-count // len(found)), seen)
    assert seen.total() >= count
    rare = {201, 409} if count >= 2000 else set()  # few bodies drawn by chance fit a purpose
    assert seen.keys() >= {200, 400, 404} | rare
    assert max(seen.keys() - {503}) < 500


def try_operation(operation: Any, asha: Person, count: int, seen: Counter[int]) -> None:
    """Generated requests, right ones and wrong ones, half of them about things that are there."""
    execution_id = asha.start()
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()
    real = {
        "user_id": asha.user_id,
        "execution_id": execution_id,
        "workflow_name": "resume_generator",
        "recommendation_id": shown["recommendations"][0]["recommendation_id"],
        "email": "ravi@example.com",
    }
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @seed(SEED)
    @settings(
        max_examples=count,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
    )
    @given(cases, st.booleans(), st.booleans())
    def check(case: Case[Any], there: bool, signed_in: bool) -> None:
        if there:
            for given_values in (case.path_parameters, case.query, case.body):
                if isinstance(given_values, dict):
                    given_values.update({k: v for k, v in real.items() if k in given_values})
        headers = asha.bearer if signed_in else {}
        response = case.call(headers=headers)
        seen[response.status_code] += 1
        if response.status_code == 503:  # nothing is set up that could take money
            assert response.json()["code"] == "payment_gateway_not_configured"
            return
        case.validate_response(response, checks=list(CHECKS))

    check()
