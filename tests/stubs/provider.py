"""What both stand-ins share: a server, a memory, letters on their way, and switches."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import Request, urlopen

Post = Callable[[bytes, dict[str, str]], int]
Answer = tuple[int, object]
BROKEN = {"error": {"code": "SERVER_ERROR", "message": "down", "description": "down"}}


@dataclass
class Switches:
    """What goes wrong: six of answers, the others of letters on their way."""

    hang: bool = False
    drip: bool = False
    error: bool = False
    garble: bool = False
    lose_answer: bool = False  # it is done, and nobody hears of it
    # refuse: an error; fail: answered as failed; lose: done, and unheard; break: a 500 and nothing
    # done; broken: a 500 and done all the same; race: somebody else is a moment faster
    no_refunds: str = ""
    duplicate: int = 1
    shuffle: bool = False
    corrupt: bool = False
    drop: bool = False
    delay: float = 0.0


class Failed(Exception):  # noqa: N818
    """An answer that is no success."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__()
        self.status = status
        self.body = body


class Provider:
    """A provider on a port of its own. `letters` wait until `deliver` or `send` posts them."""

    def __init__(self, secret: str, port: int = 0) -> None:
        self.secret = secret
        self.switches = Switches()
        self.calls: list[tuple[str, str]] = []
        self.letters: list[dict[str, Any]] = []
        self.lock = threading.RLock()
        self.released = threading.Event()
        self.webhook_url = ""  # letters go there by themselves, when set
        self._numbers = 0
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.provider = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Answer nobody any more."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def new_id(self, prefix: str) -> str:
        """A name that nothing else has."""
        with self.lock:
            self._numbers += 1
            return f"{prefix}_{random.getrandbits(40):010x}{self._numbers:04d}"

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> Answer:
        """What it says to a request."""
        raise NotImplementedError

    def signed(self, letter: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """A letter as it is posted."""
        raise NotImplementedError

    def write(self, letter: dict[str, Any]) -> None:
        """Put a letter on its way."""
        with self.lock:
            self.letters.append(letter)
        if self.webhook_url:
            threading.Thread(target=self._send_soon, args=(letter,), daemon=True).start()

    def parcels(
        self, letters: list[dict[str, Any]] | None = None
    ) -> list[tuple[bytes, dict[str, str]]]:
        """The letters as they will arrive: repeated, shuffled, spoilt or lost by the switches."""
        chosen = list(self.letters if letters is None else letters) * self.switches.duplicate
        if self.switches.drop:
            return []
        if self.switches.shuffle:
            random.Random(len(chosen)).shuffle(chosen)
        posts = [self.signed(letter) for letter in chosen]
        if self.switches.corrupt:
            posts = [(body.replace(b"e", b"E", 1), headers) for body, headers in posts]
        return posts

    def deliver(self, post: Post) -> list[int]:
        """Post all letters; returns the statuses they got."""
        statuses = []
        for body, headers in self.parcels():
            time.sleep(self.switches.delay)
            statuses.append(post(body, headers))
        self.letters.clear()
        return statuses

    def _send_soon(self, letter: dict[str, Any]) -> None:
        for body, headers in self.parcels([letter]):
            time.sleep(self.switches.delay)
            urlopen(Request(self.webhook_url, body, headers)).close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    provider: Provider

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that gave up waiting are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def respond(self) -> None:
        """Take a request to the provider, unless this is a bad day."""
        provider, bad = self.server.provider, self.server.provider.switches
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        provider.calls.append((self.command, split.path))
        if bad.hang:
            provider.released.wait(60)
            return
        if bad.error:
            self.reply(500, BROKEN)
            return
        headers = {name.title(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(split.query))
        try:
            status, found = provider.answer(self.command, split.path, query, body, headers)
        except Failed as failed:
            status, found = failed.status, failed.body
        is_lost = bad.no_refunds == "lose" and "refund" in split.path
        if bad.lose_answer or is_lost:
            self.close_connection = True
        else:
            self.reply(status, found)

    def reply(self, status: int, found: object) -> None:
        """Answer, perhaps byte by byte."""
        provider, bad = self.server.provider, self.server.provider.switches
        kind = "text/html" if isinstance(found, str) else "application/json"
        data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        if bad.garble:
            data = b"<html>502 Bad gateway</html>"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not bad.drip:
            self.wfile.write(data)
            return
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if provider.released.wait(1.0):
                return

    do_GET = do_POST = do_DELETE = respond  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Quiet."""
