"""Who may run now: many threads wait for clients and commits, few run Python at once.

Threads that compete for the interpreter's lock gain nothing, and a client that stops half-way
through its body must not hold up the others. So a request receives its body whole, then takes one
of a few places, and gives it back while it waits for a commit. What it answers is handed to the
server whole, unless it is large: then no thread waits for a client that reads slowly.

A body that is too large is received as well and thrown away, or the client, still sending, would
see a broken connection instead of the reason. Where that goes too far, the answer says that the
connection ends.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import queue
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

WAIT: Final = 2.0
IN_MEMORY: Final = 1_048_576
CHUNK: Final = 65_536
LINGER: Final = 1 << 26  # of a body that is too large, so much is received before it is refused
WHOLE: Final = 1 << 20  # larger answers are sent piece by piece, by the thread that made them
BUSY: Final = (
    b'{"success": false, "code": "unavailable",'
    b' "error": "Too many requests are still being sent; try again shortly."}'
)


class Received(io.BytesIO):
    """A whole body in memory, no larger than is taken at its path."""


def _nothing(_environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    raise NotImplementedError("the turnstile stands before no application yet")


class Places:
    """As a threading.Semaphore, all of it in C: those that wait cost no interpreter time."""

    def __init__(self, count: int) -> None:
        self._free = queue.SimpleQueue[None]()
        for _ in range(count):
            self._free.put(None)

    def acquire(self, timeout: float | None = None) -> bool:
        """Take one; False when none was given back in time."""
        try:
            self._free.get(timeout=timeout)
        except queue.Empty:
            return False
        return True

    def release(self) -> None:
        """Give one back."""
        self._free.put(None)

    def __enter__(self) -> None:
        self._free.get()

    def __exit__(self, *_: object) -> None:
        self._free.put(None)


class Turnstile:
    """WSGI middleware with `places` for running requests.

    At most three eighths of the threads wait for bodies that are still on their way: however many
    clients send slowly or stop half-way, the others are answered. Half of the threads may be busy
    with slow downloads at the same time.
    """

    def __init__(self, places: int, threads: int, largest: Callable[[str], int]) -> None:
        self._places = Places(places)
        self._bodies = Places(max(1, threads * 3 // 8))
        self._largest = largest  # the most bytes that are taken at a path
        self._local = threading.local()
        self.app: WSGIApplication = _nothing

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Receive the body, wait for a place, run."""
        source = environ.setdefault("wsgi.input", io.BytesIO())
        body, is_whole = self._receive(environ, source)
        if not is_whole:
            start_response = _last(start_response)
        if body is None:
            headers = [("Content-Type", "application/json"), ("Retry-After", "5")]
            start_response("503 SERVICE UNAVAILABLE", headers)
            return [BUSY]
        environ["wsgi.input"] = body
        try:
            with self._places:
                self._local.inside = True
                return _gathered(self.app(environ, start_response))
        finally:
            self._local.inside = False
            if body is not source:
                body.close()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Give the place back while waiting for something that needs no interpreter."""
        if not getattr(self._local, "inside", False):
            yield
            return
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()

    def _receive(
        self, environ: WSGIEnvironment, source: IO[bytes]
    ) -> tuple[IO[bytes] | None, bool]:
        """The body, or None when it cannot be had now; and whether nothing of it is left to come.
        Of one that is larger than what is taken there is nothing, or too much: it will be refused.
        """
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ  # then nobody knows how long it will be
        length = environ.get("CONTENT_LENGTH") or "0"
        if not is_chunked and (not length.isdecimal() or int(length) == 0):
            return source, True
        largest = self._largest(environ.get("PATH_INFO", ""))
        is_refused = not is_chunked and int(length) > largest
        if is_refused and (int(length) > LINGER or "HTTP_EXPECT" in environ):
            return source, False  # whoever asks first has not sent anything yet
        if not self._bodies.acquire(timeout=WAIT):
            return None, False
        try:
            body, is_whole = source, True
            if is_chunked:
                body = _received_chunks(environ, source, largest)
            elif not is_refused:
                body = _received(source, int(length))
            if is_chunked or is_refused:
                is_whole = _skipped(source)
            return body, is_whole
        except OSError:  # no room for a large one, or the client has gone
            return None, False
        finally:
            self._bodies.release()


def _last(start_response: StartResponse) -> StartResponse:
    """Say that the connection ends with this answer: what follows on it is no request."""

    def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *failure)

    return start


def _skipped(source: IO[bytes]) -> bool:
    """Throw away what is still coming; returns whether that is all of it."""
    left = LINGER
    while left > 0 and (chunk := source.read(CHUNK)):
        left -= len(chunk)
    return left > 0


def _received(source: IO[bytes], length: int) -> IO[bytes]:
    """The whole body: in memory, or in a file without a name when it is as large as files are."""
    if length <= IN_MEMORY:
        return Received(source.read(length))
    body = tempfile.TemporaryFile()  # noqa: SIM115 - the framework reads it later, then it goes
    _copy(source, body, length)
    return body


def _received_chunks(environ: WSGIEnvironment, source: IO[bytes], largest: int) -> IO[bytes]:
    """A whole body that came without its length, and from here on has one. Of a larger one than is
    taken there is a byte too much, so that it is refused.
    """
    body: Any = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - as above
    environ["CONTENT_LENGTH"] = str(_copy(source, body, largest + 1))
    del environ["HTTP_TRANSFER_ENCODING"]
    found: IO[bytes] = body
    return found


def _copy(source: IO[bytes], body: IO[bytes], most: int) -> int:
    """At most so many bytes, to be read from the start; returns how many."""
    left = most
    while left and (chunk := source.read(min(left, CHUNK))):
        body.write(chunk)
        left -= len(chunk)
    body.seek(0)
    return most - left


def _gathered(body: Iterable[bytes]) -> Iterable[bytes]:
    """The answer as a list where it is small; what does not fit in memory goes on in pieces."""
    if type(body) is list and len(body) == 1 and len(body[0]) <= WHOLE:
        return body
    parts: list[bytes] = []
    size = 0
    rest = iter(body)
    try:
        for part in rest:
            parts.append(part)
            size += len(part)
            if size > WHOLE:
                return _Rest(parts, rest, body)
    except BaseException:
        _close(body)
        raise
    _close(body)
    return parts


class _Rest:
    """A large answer, the first pieces of which have been taken already."""

    def __init__(self, first: list[bytes], rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._parts = itertools.chain(first, rest)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        """The client has all of it, or has gone."""
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    if close := getattr(body, "close", None):
        close()
