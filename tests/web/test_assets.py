"""Static files: packed, kept for ever, announced ahead, and the same as when they were vendored."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from whatworks.web import assets

ROOT = Path(__file__).parents[2]
VENDORED = [ROOT / "whatworks" / "static" / "vendor", ROOT / "tests" / "browser" / "vendor"]


def test_files_go_out_packed_and_are_kept(client: FlaskClient) -> None:
    address = assets.address("js/outbox.js")
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    with client.get(address) as plain:
        assert packed.content_length != len(plain.data)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    for answer in (packed, plain):
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_type.startswith("text/javascript")
    head = client.head(address, headers={"Accept-Encoding": "gzip"})
    assert (head.status_code, head.data) == (200, b"")


def test_pages_go_out_packed_and_answers_to_programs_do_not(client: FlaskClient) -> None:
    page = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(page.data)
    answer = client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_what_a_module_imports_is_announced_before_it() -> None:
    tags = str(assets.scripts("js/app.js", "js/run.js"))
    files = re.findall(r'(?:href|src)="/static/[0-9a-f]{12}/([^"]+)"', tags)
    assert len(files) == len(set(files))
    assert files[-2:] == ["js/app.js", "js/run.js"]
    assert files.index("vendor/idb-8.0.4.js") < files.index("js/outbox.js")
    assert all((assets.STATIC / name).exists() for name in files)


def test_the_worker_keeps_what_is_there(client: FlaskClient) -> None:
    worker = client.get("/sw.js")
    named = re.findall(r'"(/static/[^"]+)"', worker.get_data(as_text=True))
    assert len(named) > 10
    for address in named:
        with client.get(address) as answer:
            assert answer.status_code == 200, address
    assert worker.headers["Cache-Control"].startswith("no-cache")
    assert assets.RELEASE in worker.get_data(as_text=True)


def test_the_offline_page_is_nobodys(client: FlaskClient) -> None:
    assert 'data-user=""' in client.get("/offline").get_data(as_text=True)


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: folder.parent.name)
def test_vendored_files_are_the_ones_that_were_taken(folder: Path) -> None:
    lines = (folder / "vendor.lock").read_text(encoding="utf-8").splitlines()
    taken = [line.split() for line in lines if not line.startswith("#")]
    for name, version, digest, _ in taken:
        file = folder / f"{name}-{version}.js"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
        assert file.with_suffix(".LICENSE").exists()
    assert {path.stem for path in folder.glob("*.js")} == {f"{n}-{v}" for n, v, *_ in taken}
