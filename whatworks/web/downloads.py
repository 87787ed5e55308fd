"""The door to what was bought."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from flask import Blueprint, Response, request
from werkzeug.wsgi import FileWrapper

from whatworks import catalogue, errors
from whatworks.store import deliveries, links
from whatworks.store.archives import Archive
from whatworks.store.deliveries import Right
from whatworks.store.products import Product
from whatworks.web import guards, http, identity
from whatworks.web.turnstile import WHOLE

logger = logging.getLogger(__name__)
site = Blueprint("downloads", __name__)
CHUNK: Final = 65_536
BUSY_SECONDS: Final = 10


@site.get("/download/<product>")
@guards.limiter.limit(guards.DOWNLOAD)
def download(product: str) -> Response:
    """A product's ZIP, for whoever has a right to it; resumable."""
    platform = http.platform()
    found = platform.shop.products.get(product)
    token = request.args.get("token")
    person = identity.person()
    given = http.read(
        deliveries.right,
        found,
        person.id if person else None,
        links.read(platform.settings.link_keys, token, found.key) if token else None,
    )
    folder = platform.settings.data_dir / deliveries.FOLDER
    offered = http.read(catalogue.list_current)
    archive = deliveries.archive(found, offered, given, folder)
    response = _answer(archive, f"{found.key}.zip", folder)
    if request.method == "GET" and response.status_code in (200, 206):
        _record(found, given, response.content_range.start or 0, archive.size)
    return response


def _record(product: Product, given: Right, first: int, size: int) -> None:
    """Keep that it was delivered; a database that cannot write is no reason not to deliver."""
    try:
        http.write(deliveries.record, product, given, first=first, size=size)
    except errors.Failure as failure:
        logger.error("a delivery of %s was not recorded: %s", product.key, failure.code)


def _answer(archive: Archive, name: str, folder: Path) -> Response:
    """The bytes that were asked for: at once, by the front server, or piece by piece."""
    if archive.size <= WHOLE:
        return _conditional(Response(archive.read()), archive, name)
    prefix = http.platform().settings.accel_redirect
    if prefix:
        response = _named(Response(), archive, name)
        path = deliveries.place(archive, folder)
        response.headers["X-Accel-Redirect"] = f"{prefix.rstrip('/')}/{path.name}"
        return response
    return _streamed(archive, name)


def _streamed(archive: Archive, name: str) -> Response:
    """Piece by piece, in one of the places for large downloads. Raises Unavailable when none is."""
    release = _place()
    try:
        body = _Stream(archive.open(), release)
    except BaseException:
        release()
        raise
    response = Response(body, direct_passthrough=True)
    try:
        return _conditional(response, archive, name)
    except BaseException:
        response.close()
        raise


class _Stream(FileWrapper):
    """A file that gives its place back when it is closed, however the download ends."""

    def __init__(self, file: IO[bytes], release: Callable[[], None]) -> None:
        super().__init__(file, CHUNK)
        self._release = release

    def close(self) -> None:
        """The client has all of it, or has gone."""
        super().close()
        self._release()


def _place() -> Callable[[], None]:
    """Take one of the places; returns what gives it back, which may be called again."""
    streams = http.platform().streams
    if not streams.acquire(blocking=False):
        raise errors.Unavailable(
            "Many people are downloading just now; try again in a moment. Nothing is lost.",
            code="downloads_busy",
            retry_after=BUSY_SECONDS,
        )
    held = [streams]

    def release() -> None:
        while held:
            held.pop().release()

    return release


def _conditional(response: Response, archive: Archive, name: str) -> Response:
    """The whole, a part (206), nothing new (304) or no such part (416)."""
    _named(response, archive, name)
    ranges = "bytes" if _asks_for_one_part() else False
    response.make_conditional(request, accept_ranges=ranges, complete_length=archive.size)
    response.accept_ranges = "bytes"
    return response


def _asks_for_one_part() -> bool:
    """Whether there is a Range that can be met or refused; any other is as good as none."""
    asked = request.range
    return asked is not None and asked.units == "bytes" and len(asked.ranges) == 1


def _named(response: Response, archive: Archive, name: str) -> Response:
    response.mimetype = "application/zip"
    response.set_etag(archive.tag)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
