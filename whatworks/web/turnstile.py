"""Who may run now: many threads wait for clients and commits, few run Python at once.

Threads that compete for the interpreter's lock gain nothing, and a client that stops half-way
through its body must not hold up the others. So a request receives its body whole, then takes one
of a few places, and gives it back while it waits for a commit.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterable, Iterator
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

WAIT: Final = 2.0
BUSY: Final = (
    b'{"success": false, "code": "unavailable",'
    b' "error": "Too many requests are still being sent; try again shortly."}'
)


def _nothing(_environ: WSGIEnvironment, _start: StartResponse) -> Iterable[bytes]:
    raise NotImplementedError("the turnstile stands before no application yet")


class Turnstile:
    """WSGI middleware with `places` for running requests.

    At most half of the threads wait for bodies that are still on their way: however many clients
    send slowly or stop half-way, the others are answered.
    """

    def __init__(self, places: int, threads: int, largest: int) -> None:
        self._places = threading.Semaphore(places)
        self._bodies = threading.Semaphore(max(1, threads // 2))
        self._largest = largest
        self._local = threading.local()
        self.app: WSGIApplication = _nothing

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Receive the body, wait for a place, run."""
        if not self._receive(environ):
            headers = [("Content-Type", "application/json"), ("Retry-After", "5")]
            start_response("503 SERVICE UNAVAILABLE", headers)
            return [BUSY]
        with self._places:
            self._local.inside = True
            try:
                return self.app(environ, start_response)
            finally:
                self._local.inside = False

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

    def _receive(self, environ: WSGIEnvironment) -> bool:
        """Read the body into memory; larger ones than are taken are left to be refused."""
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or not 0 < int(length) <= self._largest:
            return True
        if not self._bodies.acquire(timeout=WAIT):
            return False
        try:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
        finally:
            self._bodies.release()
        return True
