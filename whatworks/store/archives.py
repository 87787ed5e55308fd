"""The ZIPs that deliver a product: the same bytes for the same content and the same order.

Everything but the licence is alike for all buyers and is made once. A buyer's archive is that
common head and a tail of their own, the licence and the table of contents, so that a large file
is neither copied nor held in memory, and a download can be resumed at any byte.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import secrets
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from whatworks.guides.guide import Guide
from whatworks.store import layers

EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # one fixed date: the same content gives the same bytes
LICENCE: Final = "YOUR-LICENCE.txt"  # a name that no seller has in theirs
CHUNK: Final = 65_536
Guides = tuple[tuple[Guide, str], ...]  # each with its Markdown, or ""
FOLDER: Final = Path(__file__).parent.parent / "templates" / "pack"
_pages: Final = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Content:
    """What is alike for all buyers: a finished ZIP, in memory or as a file, and its SHA-256."""

    source: bytes | Path
    digest: str

    def open(self) -> IO[bytes]:
        """The ZIP for reading. Raises OSError."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@dataclass(frozen=True, slots=True)
class Archive:
    """One buyer's ZIP: the first `cut` bytes of the content, then the tail."""

    content: Content
    cut: int
    tail: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.cut + len(self.tail)

    @property
    def tag(self) -> str:
        """Changes with every byte of it, and with nothing else."""
        whole = hashlib.sha256(self.tail)
        whole.update(f"{self.content.digest} {self.cut}".encode())
        return whole.hexdigest()[:32]

    def open(self) -> IO[bytes]:
        """The whole of it for reading, seekable. Raises OSError."""
        return io.BufferedReader(layers.Layers(self.content.open(), self.cut, self.tail), CHUNK)

    def read(self) -> bytes:
        """All bytes, for one that is small."""
        with self.open() as file:
            return file.read()


@functools.cache
def from_guides(title: str, guides: Guides) -> Content:
    """A ZIP of guides: to read, to tick off, to edit."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in _texts(title, guides):
            _add(archive, name, text.encode())
    return Content(whole.getvalue(), hashlib.sha256(whole.getbuffer()).hexdigest())


def from_files(title: str, guides: Guides, files: Sequence[Path], folder: Path) -> Content:
    """A ZIP of guides and of the seller's files, put together once as a file of `folder`.

    A single ZIP alone is delivered as it is. Raises OSError when a file cannot be read.
    """
    if not guides and len(files) == 1 and files[0].suffix.lower() == ".zip":
        return Content(files[0], _digest_of(*_mark(files[0])))
    texts = _texts(title, guides)
    digest = hashlib.sha256("\0".join(part for text in texts for part in text).encode())
    for path in files:
        digest.update(f"\0{path.name}\0{_digest_of(*_mark(path))}".encode())
    whole = folder / f"content-{digest.hexdigest()[:32]}"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = whole.with_name(f"{whole.name}.{secrets.token_hex(4)}.part")
        with zipfile.ZipFile(draft, "w") as archive:
            for name, text in texts:
                _add(archive, name, text.encode())
            for path in files:
                _add_file(archive, path)
        draft.replace(whole)
    return Content(whole, digest.hexdigest())


def for_order(content: Content, title: str, number: str) -> Archive:
    """The archive of one order; `number` goes into its licence file.

    Raises zipfile.BadZipFile, OSError where the seller's file is no ZIP.
    """
    licence = _page("licence.txt", title=title, number=number)
    with content.open() as file:
        if not zipfile.is_zipfile(file):  # appending to anything else would work, and be nonsense
            raise zipfile.BadZipFile("the seller's file is no ZIP")
        both = layers.Layers(file)
        with zipfile.ZipFile(both, "a") as archive:
            cut = archive.start_dir
            _add(archive, LICENCE, licence.encode(), zipfile.ZIP_STORED)
        return Archive(content, cut, both.added)


def for_everybody(content: Content) -> Archive:
    """The archive of what is free: nobody's number is in it. Raises OSError."""
    with content.open() as file:
        return Archive(content, file.seek(0, os.SEEK_END), b"")


def _texts(title: str, guides: Guides) -> list[tuple[str, str]]:
    found = [guide for guide, _ in guides]
    texts = [
        ("README.txt", _page("readme.txt", title=title, guides=found)),
        ("index.html", _page("index.html", title=title, guides=found)),
    ]
    for guide, markdown in guides:
        texts.append((f"guides/{guide.name}.html", _page("guide.html", guide=guide)))
        texts.append((f"checklists/{guide.name}.html", _page("checklist.html", guide=guide)))
        if markdown:
            texts.append((f"markdown/{guide.name}.md", markdown))
    return texts


def _mark(path: Path) -> tuple[Path, int, int]:
    found = path.stat()
    return path, found.st_size, found.st_mtime_ns


@functools.lru_cache(64)
def _digest_of(path: Path, size: int, modified: int) -> str:
    del size, modified  # they say whether the file is still the one that was read
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(
    archive: zipfile.ZipFile, name: str, data: bytes, packing: int = zipfile.ZIP_DEFLATED
) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = packing
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _add_file(archive: zipfile.ZipFile, path: Path) -> None:
    """As it is: what sellers deliver is mostly compressed already."""
    entry = zipfile.ZipInfo(f"files/{path.name}", EPOCH)
    entry.external_attr = 0o644 << 16
    entry.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _page(template: str, **context: object) -> str:
    return _pages.get_template(template).render(**context)
