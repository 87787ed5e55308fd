"""Requests in, answers out: typed bodies, kept answers, and the list of all JSON doors."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar, get_args, get_origin
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from flask import Blueprint, Response, current_app, request

from whatworks import clock, db, errors, idempotency
from whatworks.evidence.beliefs import Beliefs
from whatworks.mail import Mailer
from whatworks.results.pictures import Studio
from whatworks.settings import Settings
from whatworks.shop import Shop
from whatworks.storage import Store
from whatworks.store.tally import Tally

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
MAX_KEY: Final = 255
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
Check = Callable[[str], str | None]


@dataclass(frozen=True)
class Platform:
    """What every door stands on."""

    settings: Settings
    database: db.Database
    mailer: Mailer
    files: Store
    studio: Studio
    shop: Shop
    aside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    kept: dict[tuple[object, ...], tuple[object, Any]] = field(default_factory=dict)
    streams: threading.BoundedSemaphore = field(default_factory=threading.BoundedSemaphore)
    calls: Tally = field(default_factory=Tally)
    beliefs: Beliefs = field(default_factory=Beliefs)


@dataclass(frozen=True)
class Door:
    """A JSON endpoint as declared; the API document is made of these."""

    method: str
    path: str
    summary: str
    tag: str
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    answer: type[msgspec.Struct]
    status: int
    errors: tuple[int, ...]
    private: bool
    files: tuple[str, ...] = ()  # parts of a multipart form that the body may come as


DOORS: Final[dict[tuple[str, str], Door]] = {}


class ErrorAnswer(msgspec.Struct, omit_defaults=True):
    """Every failure, whatever went wrong."""

    success: Literal[False]
    error: str
    code: str
    fields: dict[str, str] = {}


def platform() -> Platform:
    """The platform this request is served by."""
    found: Platform = current_app.extensions["whatworks"]
    return found


def write(verb: Callable[Concatenate[db.Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a verb in a transaction."""
    return platform().database.write(verb, *args, **kwargs)


def read(verb: Callable[Concatenate[db.Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a verb that only reads."""
    return platform().database.read(verb, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Answer:
    """An encoded body, and whether it is one that was kept."""

    body: bytes
    replayed: bool
    at: float = 0.0  # when a kept one was given


def once(
    caller: str,
    encode: Callable[[T], bytes],
    verb: Callable[Concatenate[db.Session, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Answer:
    """Write a verb's effect at most once per Idempotency-Key of this caller."""
    try:
        key = request_key(caller)
        return Answer(write(idempotency.once, key, encode, verb, *args, **kwargs), replayed=False)
    except idempotency.Replayed as earlier:
        return Answer(earlier.body, replayed=True, at=earlier.at)


def look(verb: Callable[Concatenate[db.Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a verb that is a single query."""
    return platform().database.look(verb, *args, **kwargs)


def request_key(caller: str) -> idempotency.Key | None:
    """The request's Idempotency-Key, if it has one. Raises Invalid.

    A form's own key stands for what is in it: sent again changed, it is another request.
    """
    given = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    is_form = request.mimetype in FORMS
    if given is None and is_form:
        form_key = f"{request.form.get('idempotency_key', clock.new_id())} {_form_content()!r}"
        return idempotency.key(caller, form_key, request.method, request.path, b"")
    if given is None:
        return None
    if not 0 < len(given) <= MAX_KEY or not given.isprintable():
        raise errors.Invalid(
            f"Idempotency-Key takes 1 to {MAX_KEY} printable characters.",
            fields={"Idempotency-Key": f"1 to {MAX_KEY} printable characters"},
        )
    content = _form_content() if is_form else request.get_data()
    return idempotency.key(caller, given, request.method, request.path, content)


def _form_content() -> bytes:
    """What a form says, however it is put on the wire: a boundary is another one each time."""
    digests = []
    for name, file in request.files.items(multi=True):
        digests.append((name, hashlib.file_digest(file.stream, "sha256").hexdigest()))  # type: ignore[arg-type]
        file.stream.seek(0)
    parts = [*request.form.items(multi=True), *digests]
    return "\n".join(sorted(map(repr, parts))).encode()  # a part may come without a name


def encoder(present: Callable[[T], msgspec.Struct]) -> Callable[[T], bytes]:
    """From a verb's result to the bytes of its answer."""
    return lambda result: msgspec.json.encode(present(result))


class Json(Response):
    """A whole JSON body. Its headers say all there is to say, so they are sent as they stand."""

    default_mimetype = "application/json"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer; what else a header may need, and HEAD, is the framework's."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        body: list[bytes] = self.response  # type: ignore[assignment]  # of a body given as bytes
        return body


def reply(answer: msgspec.Struct | Answer, status: int = 200) -> Response:
    """A JSON response."""
    if isinstance(answer, Answer):
        response = Json(answer.body, status)
        if answer.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response
    return Json(msgspec.json.encode(answer), status)


class Doors:
    """The JSON doors of one noun: declares them to Flask and to the API document."""

    def __init__(self, tag: str) -> None:
        self.blueprint = Blueprint(f"api_{tag.lower()}", __name__)
        self._tag = tag

    def door(
        self,
        method: str,
        path: str,
        *,
        answer: type[msgspec.Struct],
        body: type[msgspec.Struct] | None = None,
        query: type[msgspec.Struct] | None = None,
        status: int = 200,
        errors: tuple[int, ...] = (),
        private: bool = True,
        files: tuple[str, ...] = (),
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a door. The function gets path parts, then `body` and `query` as declared.

        With `files` the body may come as a multipart form, which brings them in `request.files`.
        """

        def declare(function: Callable[..., Any]) -> Callable[..., Any]:
            summary = (function.__doc__ or "").strip()
            DOORS[method, path] = Door(
                method,
                path,
                summary,
                self._tag,
                body,
                query,
                answer,
                status,
                errors,
                private,
                files,
            )

            @functools.wraps(function)
            def handle(**parts: str) -> Response:
                if body is not None:
                    parts["body"] = read_body(body, files)  # type: ignore[assignment]  # typed below
                if query is not None:
                    parts["query"] = read_query(query)  # type: ignore[assignment]
                result = function(**parts)
                return result if isinstance(result, Response) else reply(result, status)

            self.blueprint.add_url_rule(
                path, endpoint=function.__name__, view_func=handle, methods=[method]
            )
            return handle

        return declare


def read_body(kind: type[S], files: tuple[str, ...] = ()) -> S:
    """The JSON body as a typed value; with `files`, a multipart form's other parts as well.

    Raises Invalid (all bad fields at once) and UnsupportedMedia.
    """
    if files and request.mimetype == "multipart/form-data":
        given = {name: value for name, value in request.form.items() if value}
        return convert(given, kind, strict=False)
    mimetype = request.mimetype
    if mimetype not in ("application/json", "") and not mimetype.endswith("+json"):
        raise errors.UnsupportedMedia("Send JSON, with Content-Type: application/json.")
    data = request.get_data()
    if not data.strip():
        raise errors.Invalid("The body is empty; send JSON.", code="not_json")
    try:
        return _checked(msgspec.json.decode(data, type=kind))
    except msgspec.ValidationError:
        return convert(_parse(data), kind, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise _not_json(failure) from failure


def read_query(kind: type[S]) -> S:
    """The query string as a typed value. Raises Invalid."""
    given = request.args.to_dict() if request.query_string else {}
    return convert(given, kind, strict=False) if given else _nothing_given(kind)


@functools.cache
def _nothing_given(kind: type[S]) -> S:
    return convert({}, kind, strict=False)


def _parse(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise _not_json(failure) from failure


def _not_json(failure: Exception) -> errors.Invalid:
    where = (
        str(failure)
        if isinstance(failure, msgspec.DecodeError)
        else "nested too deeply or not UTF-8"
    )
    return errors.Invalid(f"The body is not JSON: {where}.", code="not_json")


def convert(values: object, kind: type[S], *, strict: bool) -> S:
    """Field by field, so that every bad one is named with its remedy."""
    if not isinstance(values, dict):
        raise errors.Invalid("The body is not a JSON object.", code="not_json")
    wrong: dict[str, str] = {}
    good: dict[str, Any] = {}
    for declared in _fields(kind):
        name = declared.encode_name
        if name not in values:
            if declared.required:
                wrong[name] = f"is missing; give {remedy(declared.type)}"
            continue
        try:
            value = good[declared.name] = msgspec.convert(
                values[name], declared.type, strict=strict
            )
        except (msgspec.ValidationError, RecursionError):
            wrong[name] = f"give {remedy(declared.type)}"
        else:
            wrong |= _problem(name, value, _check_of(declared.type))
    if wrong:
        raise _invalid(wrong)
    return kind(**good)  # what else was sent, under whatever name, does not matter


def _checked(value: S) -> S:
    """What types alone do not say: that text is text, that an address is one."""
    wrong: dict[str, str] = {}
    for name, check in _checks(type(value)):
        if isinstance(text := getattr(value, name), str):
            wrong |= _problem(name, text, check)
    if wrong:
        raise _invalid(wrong)
    return value


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


@functools.cache
def _checks(kind: type[msgspec.Struct]) -> list[tuple[str, Check | None]]:
    return [(field.name, _check_of(field.type)) for field in _fields(kind)]


def _problem(name: str, value: object, check: Check | None) -> dict[str, str]:
    """Refuse what no database keeps (NUL, lone surrogates), then what the field refuses."""
    if not isinstance(value, str):
        return {}
    if not _is_text(value):
        return {name: "remove the characters that are not text"}
    problem = check(value) if check is not None else None
    return {name: problem} if problem else {}


def _check_of(kind: Any) -> Check | None:
    for part in _alternatives(kind):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.extra:
                found: Check = meta.extra["check"]
                return found
    return None


def _is_text(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _invalid(wrong: dict[str, str]) -> errors.Invalid:
    names = ", ".join(wrong)
    return errors.Invalid(f"Please check: {names}.", fields=wrong)


def remedy(kind: Any) -> str:
    """What a field takes, in words.

    >>> remedy(Literal["revenue", "customers"] | None)
    'one of revenue, customers'
    """
    for part in _alternatives(kind):
        if get_origin(part) is Literal:
            return "one of " + ", ".join(map(str, get_args(part)))
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(
        _alternatives(kind)[0], "a value of the documented type"
    )


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if hasattr(kind, "__metadata__") or get_origin(kind) is Literal:
        return (kind,)
    arguments = tuple(a for a in get_args(kind) if a is not type(None))
    return arguments or (kind,)
