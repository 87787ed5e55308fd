"""The API document (OpenAPI 3.1), made from the same declarations that the doors run on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from flask import Blueprint, Response
from werkzeug.wrappers import Response as Page

from whatworks import __doc__ as about
from whatworks.web import first_steps, http, pages
from whatworks.web.http import Door

site = Blueprint("openapi", __name__)

REASONS: Final = {
    400: "Not JSON, or a missing or wrong value; `fields` names every bad one.",
    401: "A credential was sent and is wrong or expired.",
    402: "A plan or purchase is needed; adds reason, plan, limit, used, upgrade_url, resets_at.",
    403: "A browser sent this from another site.",
    404: "It does not exist, it is not yours, or no credential was sent.",
    405: "The method is not taken at this address.",
    409: "A conflict with what is already there.",
    410: "The code was used, is older than ten minutes, or took too many tries.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests; see Retry-After.",
    503: "Not done, safe to try again; see Retry-After.",
    504: "Uncertain; repeat with the same Idempotency-Key.",
}
TAGS: Final = (  # in the order in which one meets them
    *("Profiles", "Signing in", "Workflows", "Executions", "Runs", "Outcomes", "Proofs"),
    *("Performance", "Recommendations", "Entitlements", "Shop", "Billing"),
)
ALWAYS: Final = (503,)
WRITES: Final = (403, 413, 504)


@site.get("/api/openapi.json")
def document() -> Response:
    """The document as JSON."""
    return Response(_encoded(), mimetype="application/json")


@site.get("/api/docs")
def docs() -> Page:
    """The document as a page."""
    return pages.render("api_docs.html", spec=build())


@functools.cache
def _encoded() -> bytes:
    return msgspec.json.format(msgspec.json.encode(build()), indent=1)


@functools.cache
def build() -> dict[str, Any]:
    """The whole document as plain data."""
    doors = sorted(http.DOORS.values(), key=lambda door: (TAGS.index(door.tag), door.path))
    kinds = {kind for door in doors for kind in (door.body, door.answer) if kind is not None}
    _, components = msgspec.json.schema_components(
        [http.ErrorAnswer, *sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__name__}")],
        ref_template="#/components/schemas/{name}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for door in doors:
        paths.setdefault(_template(door.path), {})[door.method.lower()] = _operation(door)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "whatworks",
            "version": "1",
            "description": (about or "").strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in TAGS],
        "x-first-steps": [{"title": title, "text": text} for title, text in first_steps.STEPS],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The access_token of POST /api/profile or of"
                    " POST /api/sign-in/code, or an operator's key.",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "whatworks_session"},
            },
        },
    }


def _operation(door: Door) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{door.method.lower()}{door.path}").strip("_"),
        "tags": [door.tag],
        "summary": door.summary,
        "parameters": [*_path_parameters(door), *_query_parameters(door), *_headers(door)],
        "responses": _responses(door),
        "security": [{"token": []}, {"cookie": []}] if door.private else [{}],
    }
    if door.body is not None:
        content = _content(door.body)
        if door.files:
            content["multipart/form-data"] = {"schema": _form(door.body, door.files)}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(door: Door) -> dict[str, Any]:
    wrong = {*door.errors, *ALWAYS, *(WRITES if door.method != "GET" else ())}
    answers: dict[str, Any] = {
        str(door.status): {
            "description": (door.answer.__doc__ or "").strip().split("\n")[0],
            "content": _content(door.answer),
        }
    }
    for status in sorted(wrong):
        answers[str(status)] = {
            "description": REASONS[status],
            "content": _content(http.ErrorAnswer),
        }
    return answers


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(kind)}"}}}


def _form(kind: type[msgspec.Struct], files: tuple[str, ...]) -> dict[str, Any]:
    """A body as a form, with its files."""
    parts = {name: {"type": "string", "format": "binary"} for name in files}
    return {
        "allOf": [
            {"$ref": f"#/components/schemas/{_name(kind)}"},
            {"type": "object", "properties": parts},
        ]
    }


def _name(kind: type[msgspec.Struct]) -> str:
    """The component's name: as msgspec gives it, which must be unique across doors."""
    return kind.__name__


def _path_parameters(door: Door) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"<(\w+)>", door.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(door: Door) -> Iterable[dict[str, Any]]:
    if door.query is None:
        return
    schema = msgspec.json.schema(door.query)["$defs"][door.query.__name__]
    required = set(schema.get("required", ()))
    for name, part in schema["properties"].items():
        options = [o for o in part.get("anyOf", [part]) if o.get("type") != "null"]
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": options[0] | {k: v for k, v in part.items() if k == "default" and v},
        }


def _headers(door: Door) -> Iterable[dict[str, Any]]:
    if door.method == "POST":
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key and body again: the first answer, no second effect.",
            "schema": {"type": "string", "minLength": 1, "maxLength": http.MAX_KEY},
        }


def _template(path: str) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", path)
