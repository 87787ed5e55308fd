"""Uploads made harmless: new pictures of what they show, made by a limited child process.

What a client says about a file, its name and its type, counts for nothing; its first bytes choose
the child (`picture_child`, `document_child`), and what that cannot make pixels of is refused.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any, Final

from whatworks import errors

SECONDS: Final = 30.0  # the child's own limit is processor time; this one is for a busy machine
WAIT: Final = 15.0
CHUNK: Final = 65_536
SIGNS: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp"),
    (re.compile(rb"%PDF-"), "pdf"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1|avif)", re.DOTALL), "heic"),
    (re.compile(rb"GIF8"), "gif"),
    (re.compile(rb"\s*(\xef\xbb\xbf)?\s*<(\?xml|!doctype|svg|html)", re.IGNORECASE), "markup"),
)
# What a browser or an archiver would find in a file that also is a picture.
MARKUP: Final = re.compile(rb"<script|<\?php|<!doctype|<iframe|<html[\s>]", re.IGNORECASE)
TYPES: Final = "a PNG, JPEG or WebP picture, or a PDF"
OTHER_TYPES: Final = {
    "heic": "This is a HEIC picture, which few programs can show; take a screenshot of it and"
    " send that, or set the phone’s camera to “Most compatible”.",
    "gif": "A GIF is not taken here; take a screenshot of it and send that.",
    "markup": "A drawing or page made of text (SVG, HTML) can carry programs and is not taken"
    " here; take a screenshot of it and send that.",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken: bytes of the upload, pixels of a picture, pages of a PDF."""

    bytes: int
    pixels: int
    pages: int


@dataclass(frozen=True, slots=True)
class Page:
    """One picture, WebP."""

    width: int
    height: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An upload after sanitising; `kind` is image or document, sha256 of its pixels in full."""

    kind: str
    sha256: str
    dhash: int | None
    pages: tuple[Page, ...]
    thumb: Page


class Studio:
    """Where uploads are made harmless, a few at a time, each by a child of its own.

    `aside()` is held while the child works: somebody else may run meanwhile.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        places: int = 2,
        aside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.limits = limits
        self._places = threading.Semaphore(places)
        self._aside = aside

    def clean(self, upload: IO[bytes]) -> Cleaned:
        """New pictures of what an upload shows.

        Raises Invalid, TooLarge and UnsupportedMedia, each with a remedy under `file`, and
        Unavailable when too many wait already.
        """
        with _room(), tempfile.TemporaryFile() as copy:
            self._copy(upload, copy)
            kind = _kind(copy)
            child, limit = ("picture", self.limits.pixels)
            if kind == "pdf":
                child, limit = ("document", self.limits.pages)
            with self._aside():
                if not self._places.acquire(timeout=WAIT):
                    raise errors.Unavailable(
                        "Many files are being looked at; try again shortly.", retry_after=10
                    )
                try:
                    header, content = _run(child, limit, copy)
                finally:
                    self._places.release()
        if "refused" in header:
            raise _refusal(header["refused"], self.limits)
        *pages, thumb = _pages(header["pages"], content)
        dhash = header["dhash"] and int(header["dhash"], 16)
        kind = "document" if kind == "pdf" else "image"
        return Cleaned(kind, header["sha256"], dhash, tuple(pages), thumb)

    def _copy(self, upload: IO[bytes], copy: IO[bytes]) -> None:
        size = 0
        while chunk := upload.read(CHUNK):
            size += len(chunk)
            if size > self.limits.bytes:
                raise _refusal("bytes", self.limits)
            copy.write(chunk)
        if not size:
            raise _refusal("empty", self.limits)
        copy.flush()


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Say in our own words that there is no place to work."""
    try:
        yield
    except OSError as failure:
        raise errors.Unavailable(
            "Files cannot be looked at right now; try again shortly.", retry_after=30
        ) from failure


def _kind(file: IO[bytes]) -> str:
    """What the file is by its own first bytes. Raises Invalid and UnsupportedMedia."""
    file.seek(0)
    content = file.read()
    kind = next((kind for sign, kind in SIGNS if sign.match(content)), "")
    if kind not in ("png", "jpeg", "webp", "pdf"):
        message = OTHER_TYPES.get(kind, f"This is not {TYPES}; take a screenshot of it instead.")
        raise errors.UnsupportedMedia(message, code="proof_type", fields={"file": f"send {TYPES}"})
    hides = zipfile.is_zipfile(file) or b"%PDF-" in content[5:1024]
    if hides or (kind != "pdf" and MARKUP.search(content)):
        raise _refusal("hidden")
    file.seek(0)
    return kind


def _run(child: str, limit: int, upload: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The child's answer. It inherits nothing: no environment, no open files, no folder."""
    command = [sys.executable, "-I", "-m", f"whatworks.results.{child}_child", str(limit)]
    with tempfile.TemporaryFile() as answer:
        process = subprocess.Popen(  # noqa: S603 - every word of the command is ours
            command, stdin=upload, stdout=answer, stderr=subprocess.DEVNULL, cwd="/", env={}
        )
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            return {"refused": "heavy"}, b""
        finally:
            process.kill()
            process.wait()
        if status:
            return {"refused": "heavy" if status < 0 else "unreadable"}, b""
        answer.seek(0)
        return json.loads(answer.readline()), answer.read()


def _pages(sizes: list[tuple[int, int, int]], content: bytes) -> list[Page]:
    pages, start = [], 0
    for width, height, length in sizes:
        pages.append(Page(width, height, content[start : start + length]))
        start += length
    return pages


def _refusal(reason: str, limits: Limits | None = None) -> errors.Failure:
    """Why an upload is not taken, and what to do about it."""
    most = limits or Limits(0, 0, 0)
    kind, message = {
        "empty": (errors.Invalid, "This file is empty; choose it again."),
        "slim": (errors.Invalid, "This picture is a line that shows nothing; send a whole one."),
        "unreadable": (
            errors.Invalid,
            "This file cannot be read, perhaps because it is cut short; take a screenshot of what"
            " it shows and send that.",
        ),
        "hidden": (
            errors.Invalid,
            "There is another file inside this one; take a screenshot of it and send that.",
        ),
        "heavy": (
            errors.Invalid,
            "This file takes too long or too much to open; take a screenshot of it and send that.",
        ),
        "locked": (
            errors.Invalid,
            "This PDF is locked with a password; save it without one, or send a screenshot.",
        ),
        "pages": (
            errors.TooLarge,
            f"This PDF has more than {most.pages} pages; send only those that show the result.",
        ),
        "pixels": (
            errors.TooLarge,
            f"This picture has more than {most.pixels / 1e6:g} million pixels; send a smaller one,"
            " or a screenshot of it.",
        ),
        "bytes": (
            errors.TooLarge,
            f"This file is larger than {most.bytes / 1e6:.3g} MB; send a screenshot of it.",
        ),
    }[reason]
    return kind(message, code=f"proof_{reason}", fields={"file": message})
