"""The ZIPs: the same bytes for the same order, another licence for another, whole at every byte."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from whatworks import catalogue
from whatworks.guides import parser
from whatworks.store import archives
from whatworks.store.archives import Archive, Content

TEXTS = [(path.name, path.read_text("utf-8")) for path in catalogue.BUNDLED.glob("*.md")]
GUIDES = tuple((parser.parse(text, name), text) for name, text in sorted(TEXTS))
ORDER = "0193a0f0-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def content() -> Content:
    return archives.from_guides("Premium pack", GUIDES)


def read(archive: Archive) -> zipfile.ZipFile:
    opened = zipfile.ZipFile(io.BytesIO(archive.read()))
    assert opened.testzip() is None
    return opened


def test_what_is_inside(content: Content) -> None:
    archive = archives.for_order(content, "Premium pack", ORDER)
    whole = read(archive)
    names = whole.namelist()
    for guide, text in GUIDES:
        assert whole.read(f"markdown/{guide.name}.md").decode() == text
        page = whole.read(f"guides/{guide.name}.html").decode()
        assert guide.steps[-1].title.replace("'", "&#39;") in page
        assert "<script" not in page
        list_ = whole.read(f"checklists/{guide.name}.html").decode()
        assert list_.count("<li>") == sum(len(step.checklist) + 1 for step in guide.steps)
    assert len(names) == len(set(names)) == 3 + 3 * len(GUIDES)
    assert ORDER in whole.read("YOUR-LICENCE.txt").decode()
    assert archive.size == len(archive.read())


def test_bytes_depend_on_the_order_and_on_nothing_else(content: Content) -> None:
    first, again, other = (
        archives.for_order(content, "Premium pack", number) for number in (ORDER, ORDER, "2")
    )
    assert (first.read(), first.tag) == (again.read(), again.tag)
    assert first.tag != other.tag
    assert first.read()[: first.cut] == other.read()[: other.cut]
    assert first.cut > 0.95 * first.size  # all but the licence is shared


def test_another_process_makes_the_same_bytes(content: Content) -> None:
    code = (
        "from tests.store import test_archives as t; from whatworks.store import archives as a;"
        " c = a.from_guides('Premium pack', t.GUIDES);"
        " print(c.digest, a.for_order(c, 'Premium pack', t.ORDER).tag)"
    )
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert said == [content.digest, archives.for_order(content, "Premium pack", ORDER).tag]


def test_reading_may_begin_anywhere(content: Content) -> None:
    archive = archives.for_order(content, "Premium pack", ORDER)
    whole = archive.read()
    for start in (0, 1, archive.cut - 1, archive.cut, archive.cut + 1, archive.size - 1):
        with archive.open() as file:
            file.seek(start)
            assert file.read(1000) == whole[start : start + 1000]
    with archive.open() as file:
        pieces = list(iter(lambda: file.read(777), b""))
    assert b"".join(pieces) == whole


def test_nobodys_number_is_in_what_is_free(content: Content) -> None:
    free = archives.for_everybody(content)
    assert "YOUR-LICENCE.txt" not in read(free).namelist()
    assert free.size == len(free.read())


def test_a_sellers_zip_is_delivered_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "course.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("film.bin", b"\0" * 3_000_000)
    before = path.read_bytes()
    archive = archives.for_order(archives.from_files("C", (), [path], tmp_path), "C", ORDER)
    assert read(archive).namelist() == ["film.bin", "YOUR-LICENCE.txt"]
    assert len(archive.tail) < 1000  # what is large is not held in memory
    assert path.read_bytes() == before


def test_a_sellers_files_go_in_beside_the_guides(tmp_path: Path) -> None:
    path = tmp_path / "notes.pdf"
    path.write_bytes(b"%PDF-1.7 not really")
    made = archives.from_files("Pack", GUIDES[:1], [path], tmp_path / "made")
    names = read(archives.for_order(made, "Pack", ORDER)).namelist()
    assert {"index.html", "files/notes.pdf", "YOUR-LICENCE.txt"} <= set(names)
    path.write_bytes(b"%PDF-1.7 another")
    changed = archives.from_files("Pack", GUIDES[:1], [path], tmp_path / "made")
    assert changed.digest != made.digest
    assert read(archives.for_order(changed, "Pack", ORDER)).read("files/notes.pdf")[-7:] == (
        b"another"
    )


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"this is no zip")
    with pytest.raises(zipfile.BadZipFile):
        archives.for_order(archives.from_files("C", (), [path], tmp_path), "C", ORDER)
    with pytest.raises(OSError, match="absent"):
        archives.from_files("C", (), [tmp_path / "absent.zip"], tmp_path)
