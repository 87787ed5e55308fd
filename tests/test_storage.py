"""The file store: a folder and a bucket of a real S3-speaking server promise the same."""

from __future__ import annotations

import io
import logging
import random
import stat
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests import hostile, people
from tests.conftest import Templates
from whatworks import errors, storage
from whatworks.app import close
from whatworks.storage import Folder, Store


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, with a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = urllib.request.Request(f"http://{host}:{port}/proofs-bucket", method="PUT")
    with urllib.request.urlopen(made):
        pass
    yield f"s3+http://KEY:SEC%2FRET@{host}:{port}/proofs-bucket"
    server.stop()


@pytest.fixture(params=["folder", "bucket", "bucket with a prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    if request.param == "folder":
        yield storage.open_("", tmp_path / "files")
        return
    url = request.getfixturevalue("s3")
    opened = storage.open_(url + ("/a/b" if "prefix" in request.param else ""), tmp_path)
    yield opened
    for key in opened.list_keys("proofs"):
        opened.remove(key)


def test_what_is_put_is_there_until_it_is_removed(store: Store) -> None:
    store.put("proofs/2026-11-22/x/1.webp", b"one")
    store.put("proofs/2026-11-22/x/thumb.webp", b"two")
    store.put("proofs/2026-11-23/y/1.webp", b"three")
    assert store.get("proofs/2026-11-22/x/1.webp") == b"one"
    assert store.list_keys("proofs/2026-11-22") == [
        "proofs/2026-11-22/x/1.webp",
        "proofs/2026-11-22/x/thumb.webp",
    ]
    store.put("proofs/2026-11-22/x/1.webp", b"another")
    assert store.get("proofs/2026-11-22/x/1.webp") == b"another"
    store.remove("proofs/2026-11-22/x/1.webp")
    store.remove("proofs/2026-11-22/x/1.webp")
    with pytest.raises(errors.NotFound):
        store.get("proofs/2026-11-22/x/1.webp")
    assert store.list_keys("proofs/2026-11-24") == []
    assert "SEC" not in store.describe()


def test_keys_are_paths_of_ours_only(store: Store) -> None:
    for key in ("../etc/passwd", "/etc/passwd", "a/../../b", "a//b", "A", "a\0b", "", ".x", "a/.x"):
        with pytest.raises(ValueError, match="no path of ours"):
            store.put(key, b"x")


def test_many_at_once(store: Store) -> None:
    def put(number: int) -> None:
        store.put(f"proofs/day/{number % 4}/{number}.webp", bytes([number]) * 9)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list_keys("proofs/day")) == 16


def test_a_folder_is_its_owners_alone_and_holds_nothing_half_written(tmp_path: Path) -> None:
    store = Folder(tmp_path / "files")
    store.put("proofs/day/x/1.webp", b"one")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    (path.parent / ".0123456789abcdef").write_bytes(b"half")  # what a power cut leaves
    assert store.list_keys("proofs") == ["proofs/day/x/1.webp"]


def test_a_store_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")
    with pytest.raises(errors.Unavailable, match="try again"):
        Folder(tmp_path / "files").put("proofs/x", b"one")
    away = storage.open_("s3+http://KEY:SECRET@127.0.0.1:9/bucket", tmp_path)
    with pytest.raises(errors.Unavailable, match="try again"):
        away.get("proofs/x")


def test_proofs_are_kept_in_a_bucket(s3: str, templates: Templates, tmp_path: Path) -> None:
    """The whole way, from the door to the bucket and back; nothing of a picture stays here."""
    app = people.build(templates.sqlite(tmp_path / "data.db"), tmp_path, storage_url=s3)
    try:
        asha = people.sign_up(app)
        picture = hostile.encoded(hostile.picture(random.Random(1)), "PNG")
        sent = {"file": (io.BytesIO(picture), "x.png")}
        made = people.made(asha.client.post("/api/proof", data=sent))
        page = asha.client.get(f"/proofs/{made['proof_id']}/page/1")
        assert (page.status_code, page.data[:4]) == (200, b"RIFF")
        assert len(people.platform(app).files.list_keys("proofs")) == 2
        assert not (tmp_path / "files").exists()
    finally:
        close(app)
