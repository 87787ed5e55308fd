"""Hostile uploads: refused with a remedy, or kept as new pixels and nothing else; never a 5xx."""

from __future__ import annotations

import functools
import io
import itertools
import multiprocessing
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests import hostile, people
from tests.conftest import Templates
from tests.hostile import MARK, Upload
from tests.people import Person
from whatworks.app import close
from whatworks.models import Proof
from whatworks.results import pictures
from whatworks.results.pictures import Cleaned, Page, Studio

QUICK: Final = len(hostile.MAKERS)
ALL: Final = 1_000


@pytest.fixture
def place(templates: Templates, tmp_path: Path) -> Iterator[Flask]:
    """The application with small limits; what is refused never gets as far as a database."""
    built = people.build(
        templates.sqlite(tmp_path / "data.db", people.migrate_and_stock),
        tmp_path,
        max_upload_bytes=2_000_000,
        proofs_per_person=100_000,
    )
    yield built
    close(built)


@dataclass
class Tally:
    """What became of uploads."""

    unsanitised: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)


def send(person: Person, upload: Upload) -> tuple[int, dict[str, object]]:
    """One upload, as a client that says anything would send it."""
    file = FileStorage(
        io.BytesIO(upload.content), filename=upload.name, content_type=upload.content_type
    )
    boundary, form = encode_multipart({"file": file})
    kind = f"multipart/form-data; boundary={boundary}"
    client = person.app.test_client()
    answer = client.post("/api/proof", data=form, content_type=kind, headers=person.bearer)
    body: dict[str, object] = answer.get_json()
    return answer.status_code, body


def judge(tally: Tally, person: Person, seed: int, upload: Upload) -> None:
    """Send a hostile file, and look at what is answered and what is kept."""
    began = time.monotonic()
    status, body = send(person, upload)
    tally.seconds.append(time.monotonic() - began)
    what = f"{seed} {upload.kind}: {status} {body}"
    tally.fates[f"{upload.kind} {status}"] += 1
    if status >= 500:
        tally.crashes.append(what)
    elif status == 201:
        if upload.fate == hostile.REFUSED:
            tally.wrong.append(f"taken: {what}")
        if not is_sanitised(person.app, str(body["proof_id"])):
            tally.unsanitised.append(what)
    else:
        fields = body.get("fields")
        told = isinstance(fields, dict) and fields.get("file") and body.get("error")
        if upload.fate == hostile.CLEANED or status not in (400, 413, 415) or not told:
            tally.wrong.append(f"refused: {what}")


def is_sanitised(app: Flask, proof_id: str) -> bool:
    """Whether all that is kept of a proof are plain still pictures, new from the first byte on."""
    files = people.platform(app).files
    kept = [files.get(key) for key in files.list_keys("proofs") if proof_id in key]
    return bool(kept) and all(map(is_plain, kept))


def is_plain(content: bytes) -> bool:
    """A WebP of pixels only: no metadata, no profile, no second picture, nothing behind its end."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or MARK in content:
        return False
    if int.from_bytes(content[4:8], "little") + 8 != len(content):
        return False
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
            image.load()
            extras = {"exif", "xmp", "icc_profile", "comment"} & image.info.keys()
    except (OSError, ValueError, SyntaxError):
        return False
    return content[12:16] in (b"VP8 ", b"VP8L") and not extras


def run(app: Flask, seeds: Iterable[int]) -> Tally:
    """All of them, two at a time; they are made elsewhere, so that memory here is the server's."""
    tally = Tally()
    person = people.sign_up(app)
    elsewhere = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with elsewhere as makers, ThreadPoolExecutor(2) as senders:
        for some in batches(seeds):
            made = makers.map(hostile.upload, some)
            list(senders.map(functools.partial(judge, tally, person), some, made))
    return tally


def batches(seeds: Iterable[int], size: int = 26) -> Iterator[list[int]]:
    """So many at a time."""
    left = iter(seeds)
    while some := list(itertools.islice(left, size)):
        yield some


def memory() -> float:
    """How much this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def rows(app: Flask) -> int:
    """How many proofs there are."""
    found = people.platform(app).database.read(lambda s: s.value(select(func.count(Proof.id))))
    return int(found)


def check(app: Flask, count: int) -> None:
    """Send so many hostile files and print the figures."""
    before = memory()
    tally = run(app, range(count))
    median, slow = (statistics.quantiles(tally.seconds, n=100)[at] for at in (49, 98))
    sys.stdout.write(
        f"\n{count} hostile uploads: stored unsanitised {len(tally.unsanitised)},"
        f" 5xx {len(tally.crashes)}, wrongly answered {len(tally.wrong)};"
        f" median {median:.2f} s, p99 {slow:.2f} s, memory +{memory() - before:.0f} MB\n"
    )
    assert tally.unsanitised == []
    assert tally.crashes == []
    assert tally.wrong == []
    # What was refused left nothing behind: every folder of files has its row, and the reverse.
    keys = people.platform(app).files.list_keys("proofs")
    assert len({key.split("/")[2] for key in keys}) == rows(app)
    folder = people.platform(app).settings.data_dir / "files"
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_a_hostile_upload_of_every_kind(place: Flask) -> None:
    check(place, QUICK)


@pytest.mark.drill
def test_a_thousand_hostile_uploads(place: Flask) -> None:
    check(place, ALL)


def test_control_without_sanitising_hostile_files_are_kept(
    place: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_it_is(studio: Studio, upload: io.BytesIO) -> Cleaned:
        page = Page(1, 1, upload.read())
        return Cleaned("image", "0" * 64, None, (page,), replace(page))

    monkeypatch.setattr(pictures.Studio, "clean", as_it_is)
    tally = run(place, range(len(hostile.MAKERS)))
    assert len(tally.unsanitised) > len(hostile.MAKERS) // 2
    assert tally.wrong
