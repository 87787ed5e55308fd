"""Whole answers that are given again, before the framework, while what they rest on still stands.

A door says that its answer may be kept, and everything that was read for it says how to see whether
it still stands (`kept.py`). The answer is kept as it was sent, so it is the same again to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

TERMS: Final = "whatworks.terms"
MOST: Final = 10_000
# An answer to one of these differs from the plain one, or something has to be received first.
UNUSUAL: Final = ("HTTP_IF_NONE_MATCH", "HTTP_TRANSFER_ENCODING", "HTTP_RANGE")
CALLER: Final = ("HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_COOKIE")  # who calls, as far as told
Check = Callable[[], bool]
Key = tuple[str, ...]


class Caller(Enum):
    """Whether an answer may depend on who asks."""

    NOT_ASKED = 0
    NOBODY = 1
    KNOWN = 2


@dataclass(slots=True)
class Terms:
    """On what terms the answer to this request may be given again.

    `checks` say whether everything that it rests on still stands. `count` notes one more call of
    its caller, or says that this one needs more than noting.
    """

    may_be_kept: bool = False
    caller: Caller = Caller.NOT_ASKED
    checks: list[Check] = field(default_factory=list)
    count: Check | None = None


class _Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: list[bytes]
    terms: Terms


class Shelf:
    """WSGI middleware: gives answers again, and keeps those whose door allows it.

    What everybody is answered alike is found by its address, everything else by all that tells the
    caller; so it is never somebody else's.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._answers: dict[Key, _Answer] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer from the shelf, or the application's."""
        if environ["REQUEST_METHOD"] != "GET" or not _is_usual(environ):
            return self._app(environ, start_response)
        address = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        personal = address + tuple([environ.get(name, "") for name in CALLER])
        answers = self._answers
        found = answers.get(personal)
        if found is None and "HTTP_AUTHORIZATION" not in environ:  # else the call is counted
            found = answers.get(address)
        if found is not None and _stands(found.terms):
            start_response(found.status, list(found.headers))
            return found.body
        return self._ask(environ, start_response, address, personal)

    def _ask(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        address: Key,
        personal: Key,
    ) -> Iterable[bytes]:
        """What the application answers, kept where its door and its size allow that."""
        terms = environ[TERMS] = Terms()
        status, headers = "", list[tuple[str, str]]()

        def start(line: str, given: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status, headers
            status, headers = line, list(given)
            return start_response(line, given, exc_info)

        body = self._app(environ, start)
        if terms.may_be_kept and isinstance(body, list) and status.startswith("200 "):
            if terms.caller is Caller.KNOWN:
                self._keep(personal, _Answer(status, headers, body, terms))
            elif terms.caller is Caller.NOT_ASKED:
                self._keep(address, _Answer(status, headers, body, terms))
        return body

    def _keep(self, key: Key, answer: _Answer) -> None:
        if len(self._answers) >= MOST and key not in self._answers:
            self._answers.clear()
        self._answers[key] = answer


def _is_usual(environ: WSGIEnvironment) -> bool:
    for name in UNUSUAL:
        if name in environ:
            return False
    return environ.get("CONTENT_LENGTH") in (None, "", "0")


def _stands(terms: Terms) -> bool:
    for still_stands in terms.checks:
        if not still_stands():
            return False
    return terms.count is None or terms.count()
