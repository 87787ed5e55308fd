"""The API document as Markdown, for people who read files: `docs/api.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]


def markdown(spec: Spec) -> str:
    """The same text for the same document, ending in a newline."""
    return "\n".join(_lines(spec)).rstrip() + "\n"


def _lines(spec: Spec) -> Iterator[str]:
    yield from (
        "# API reference",
        "",
        "Made by `whatworks api-docs`; do not edit. A running server has the same at `/api/docs`,",
        "and as OpenAPI 3.1 at `/api/openapi.json`.",
        "",
        "## First steps",
        "",
    )
    for step in spec["x-first-steps"]:
        yield from (f"**{step['title']}.** {step['text']}", "")
    yield from (
        "Every failure has the shape [ErrorAnswer](#erroranswer):",
        "",
        "| status | when |",
        "| --- | --- |",
    )
    for status, when in sorted(_failures(spec).items()):
        yield f"| {status} | {_cell(when)} |"
    yield ""
    for tag in spec["tags"]:
        yield from (f"## {tag['name']}", "")
        for path, methods in spec["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(method, path, operation)
    yield from ("## Shapes", "")
    for name, shape in sorted(spec["components"]["schemas"].items()):
        yield from _shape(name, shape)


def _operation(method: str, path: str, operation: Spec) -> Iterator[str]:
    yield from (f"### {method.upper()} {path}", "", operation["summary"], "")
    if operation["security"] == [{}]:
        yield from ("Needs no sign-in.", "")
    asked = [p for p in operation["parameters"] if p["in"] != "header"]
    if asked:
        yield from ("| parameter | in | type | what |", "| --- | --- | --- | --- |")
        for one in asked:
            needed = "" if one["required"] else ", optional"
            what = _cell(_what(one["schema"]))
            yield f"| `{one['name']}` | {one['in']}{needed} | {_type(one['schema'])} | {what} |"
        yield ""
    if "requestBody" in operation:
        yield from (f"Body: {_content(operation['requestBody'])}", "")
    failures = [status for status in operation["responses"] if status >= "400"]
    for status, answer in operation["responses"].items():
        if status not in failures:
            yield from (f"Answers {status}: {_content(answer)}", "")
    yield from (f"Fails with {', '.join(failures)}.", "")


def _failures(spec: Spec) -> dict[str, str]:
    """What each status from 400 on means; it is the same at every address."""
    return {
        status: str(answer["description"])
        for methods in spec["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    }


def _content(part: Spec) -> str:
    kinds = part["content"]
    also = "".join(f", or {media}" for media in kinds if media != "application/json")
    return _type(kinds["application/json"]["schema"]) + also


def _shape(name: str, shape: Spec) -> Iterator[str]:
    yield from (f"### {name}", "")
    if shape.get("description"):
        # Python indents docstrings differently from 3.13 on.
        yield from (inspect.cleandoc(shape["description"]), "")
    if not shape.get("properties"):
        return
    required = set(shape.get("required", ()))
    yield from ("| field | type | what |", "| --- | --- | --- |")
    for field, kind in shape["properties"].items():
        needed = "" if field in required else ", optional"
        yield f"| `{field}`{needed} | {_type(kind)} | {_cell(_what(kind))} |"
    yield ""


def _what(kind: Spec) -> str:
    """What a value is, wherever the schema says it."""
    options = [kind, *kind.get("anyOf", ())]
    return next((str(o["description"]) for o in options if "description" in o), "")


def _type(kind: Spec) -> str:
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if "const" in kind:
        return f"`{kind['const']}`"
    if "anyOf" in kind:
        return " or ".join(map(_type, kind["anyOf"]))
    if kind.get("type") == "array":
        return f"list of {_type(kind.get('items') or {})}"
    return f"{kind.get('type', 'any')}{_limits(kind)}"


def _limits(kind: Spec) -> str:
    names = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "minLength": "{} or more characters",
        "maxLength": "{} or fewer characters",
        "default": "default {}",
    }
    said = [text.format(kind[key]) for key, text in names.items() if kind.get(key) is not None]
    return f" ({', '.join(said)})" if said else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
