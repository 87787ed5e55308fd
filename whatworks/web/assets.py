"""Static files: one folder name per release, packed once, kept by browsers for ever."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, request
from markupsafe import Markup
from whitenoise import WhiteNoise
from whitenoise.responders import Response as FileResponse
from whitenoise.responders import StaticFile

STATIC: Final = Path(__file__).parent.parent / "static"
FOR_EVER: Final = 31_536_000  # seconds; the address changes with the content
WORTH_PACKING: Final = 1024  # bytes; below it the headers weigh more
PAGE_LEVEL: Final = 5  # a page is packed on every request, a file once
TEXT: Final = frozenset({".js", ".css", ".svg", ".webmanifest"})
IMPORT: Final = re.compile(r'^import\b[^;(]*?["\'](\.[^"\']+)["\'];', re.MULTILINE)


def release(folder: Path = STATIC) -> str:
    """Changes whenever any static file does."""
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:12]


RELEASE: Final = release()
PREFIX: Final = f"/static/{RELEASE}/"


def register(app: Flask) -> None:
    """Serve the files, name them in templates, and pack pages."""
    app.jinja_env.globals.update(static=address, scripts=scripts)
    app.wsgi_app = _Files(  # type: ignore[method-assign]
        app.wsgi_app,
        root=STATIC,
        prefix=PREFIX,
        max_age=FOR_EVER,
        immutable_file_test=".*",
        allow_all_origins=False,
        add_headers_function=_harden,
    )
    app.after_request(_pack_page)


def address(name: str) -> str:
    """Where a static file is, by its name in static/."""
    return PREFIX + name


def scripts(*names: str) -> Markup:
    """The tags that load modules, with what they import announced first, each file once.

    Without that a browser learns of an import only when it has read the importing file.
    """
    needed = list(dict.fromkeys(part for name in names for part in imports(name)))
    ahead = [name for name in needed if name not in names]
    return Markup("\n").join(
        [Markup('<link rel="modulepreload" href="{}">').format(address(n)) for n in ahead]
        + [Markup('<script type="module" src="{}"></script>').format(address(n)) for n in names]
    )


def imports(name: str) -> list[str]:
    """A module and all that it imports at once, each before those that need it."""
    path = STATIC / name
    found: list[str] = []
    for other in IMPORT.findall(path.read_text(encoding="utf-8")):
        found += imports((path.parent / other).resolve().relative_to(STATIC).as_posix())
    return list(dict.fromkeys([*found, name]))


def for_offline() -> list[str]:
    """The addresses of what pages need where there is no connection."""
    names = (path.relative_to(STATIC).as_posix() for path in sorted(STATIC.rglob("*")))
    return [address(name) for name in names if name.endswith((".js", ".css", "favicon.svg"))]


class _Files(WhiteNoise):  # type: ignore[misc]  # it comes without types
    """WhiteNoise with text files packed in memory, so that no folder has to be written."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """A file, where the address is one of files."""
        handle = super().__call__ if environ["PATH_INFO"].startswith(PREFIX) else self.application
        found: Iterable[bytes] = handle(environ, start_response)
        return found

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> Any:
        plain = super().get_static_file(path, url, stat_cache)
        if Path(path).suffix not in TEXT:
            return plain
        return _Packed(plain, _packed(path))


@functools.cache
def _packed(path: str) -> bytes:
    """A file packed, once for all applications of a process."""
    return gzip.compress(Path(path).read_bytes(), mtime=0)


class _Packed:
    """A static file with a packed copy for those who take it."""

    def __init__(self, plain: StaticFile, packed: bytes) -> None:
        self._plain = plain
        self._packed = packed

    def get_response(self, method: str, headers: dict[str, str]) -> FileResponse:
        """The packed copy for a plain GET; everything else as WhiteNoise does it."""
        answer = self._plain.get_response(method, headers)
        names = [pair for pair in answer.headers if pair[0] != "Content-Length"]
        if answer.status != HTTPStatus.OK or not _takes_gzip(headers):
            return FileResponse(
                answer.status, [*answer.headers, ("Vary", "Accept-Encoding")], answer.file
            )
        if answer.file is not None:
            answer.file.close()
            answer.file = io.BytesIO(self._packed)
        length = ("Content-Length", str(len(self._packed)))
        packed = [*names, length, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        return FileResponse(answer.status, packed, answer.file)


def _takes_gzip(headers: dict[str, str]) -> bool:
    return "gzip" in headers.get("HTTP_ACCEPT_ENCODING", "")


def _pack_page(response: Response) -> Response:
    """Pages only: what programs are answered may hold a secret beside what a caller chose."""
    if response.mimetype != "text/html" or response.direct_passthrough:
        return response
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= WORTH_PACKING and request.accept_encodings.quality("gzip"):
        response.set_data(gzip.compress(body, PAGE_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _harden(headers: Any, path: str, url: str) -> None:
    del path, url
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
