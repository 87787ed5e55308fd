"""What was read once and is served again while nothing has changed (docs/decisions/marks.md)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from wsgiref.types import WSGIEnvironment

import msgspec
from flask import Response, request

from whatworks import clock
from whatworks.web import http
from whatworks.web.shelf import TERMS, Terms

T = TypeVar("T")
MAX_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Watch:
    """A mark as it was before reading, and how to see whether it is still the same."""

    look: Callable[[], object]
    mark: object

    def still_stands(self) -> bool:
        """Whether what was read since then would be read again."""
        return self.look() == self.mark


def watch(*tables: str) -> Watch:
    """Its mark changes when one of the tables may have."""
    look = functools.partial(http.platform().database.mark, *tables)
    return Watch(look, look())


def watch_of(user_id: str, own: Iterable[str], everybodys: Iterable[str] = ()) -> Watch:
    """Its mark changes when this person's rows of the tables `own` may have, or any rows of
    `everybodys`; and every minute, for what holds for some time only.
    """
    database = http.platform().database

    def look() -> object:
        found = database.mark_of(user_id, *own)
        return found and (found, database.mark(*everybodys), int(clock.timestamp() // 60))

    return Watch(look, look())


def whole(watched: Watch) -> None:
    """The whole answer rests on `watched`, and on who calls where that was asked: it may be given
    again before the framework while they stand. Never for an answer that anything else is read for.
    """
    if watched.mark is not None:
        found = terms(request.environ)
        found.may_be_kept = True
        found.checks.append(watched.still_stands)


def terms(environ: WSGIEnvironment) -> Terms:
    """On what terms the answer to a request may be given again."""
    found: Terms | None = environ.get(TERMS)
    if found is None:
        found = environ[TERMS] = Terms()
    return found


def get(key: tuple[object, ...], mark: object, make: Callable[[], T]) -> T:
    """What was made before, until `mark` changes; then made anew. Nothing is kept under None.

    That there is nothing (None) is not kept either: anybody can ask for what there is not, under
    names without end.
    """
    if mark is None:
        return make()
    store = http.platform().kept
    found = store.get(key)
    if found is None or found[0] != mark:
        found = mark, make()
        if found[1] is not None:
            if len(store) >= MAX_KEPT:
                store.clear()
            store[key] = found
    value: T = found[1]
    return value


def reply(key: tuple[object, ...], mark: object, make: Callable[[], msgspec.Struct]) -> Response:
    """An answer that stays the same until `mark` changes: encoded once, with an ETag."""
    body, tag = get(key, mark, lambda: _tagged(make()))
    response = Response(body, headers=tag, content_type="application/json")
    if "If-None-Match" in request.headers:
        response.make_conditional(request)
    return response


def _tagged(answer: msgspec.Struct) -> tuple[bytes, list[tuple[str, str]]]:
    body = msgspec.json.encode(answer)
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return body, [("Cache-Control", "no-cache"), ("ETag", tag)]
