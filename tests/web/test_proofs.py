"""Proofs through the doors: kept, served, refused, and nobody else's business."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from PIL import Image

from tests import hostile, people
from tests.conftest import Templates
from tests.web.exhibits import Shown, Sign, kept_files, png, upload
from whatworks import clock, errors
from whatworks.app import close
from whatworks.results import proof_files, proofs


def test_the_only_file_is_the_proof_however_small_and_whatever_its_part_is_called(
    person: Sign,
) -> None:
    pixel = hostile.encoded(Image.new("RGB", (1, 1)), "PNG")
    for name in ("file", "proof", "screenshot"):
        sent = {name: (io.BytesIO(pixel), "proof.png")}
        assert people.made(person().client.post("/api/proof", data=sent))["proof_id"]


def test_a_picture_is_kept_and_belongs_to_its_step(shown: Shown) -> None:
    state = shown.person.client.get(f"/api/execution/{shown.execution_id}/state").get_json()
    assert state["steps"][0]["proofs"] == [shown.proof_id]
    assert kept_files(shown.person.app) == {shown.proof_id}
    listed = shown.person.client.get(f"/api/outcome?user_id={shown.person.user_id}").get_json()
    line = listed["outcomes"][0]
    assert (line["proof_id"], line["tier"], line["verified"]) == (shown.proof_id, "proof", False)


def test_a_text_is_kept(person: Sign) -> None:
    asha = person()
    made = people.made(asha.post("/api/proof", {"text": " Paid: 4,800 \r\n by Ravi "}))
    assert (made["kind"], made["width"]) == ("text", None)
    file = asha.client.get(f"/proofs/{made['proof_id']}/file")
    assert (file.mimetype, file.get_data(as_text=True)) == ("text/plain", "Paid: 4,800\n by Ravi")
    assert asha.client.get(f"/proofs/{made['proof_id']}/thumb").status_code == 404


@pytest.mark.parametrize("text", [" ", "\r\n\t", "\u200b\u202e", "\x07"])
def test_a_text_in_which_nothing_stands_proves_nothing(person: Sign, text: str) -> None:
    refused = person().post("/api/proof", {"text": text})
    assert (refused.status_code, list(refused.get_json()["fields"])) == (400, ["text"])


def test_the_same_key_is_the_same_proof_however_it_is_sent(app: Flask, person: Sign) -> None:
    asha = person()
    first = upload(asha, key="k", note="x")
    again = upload(asha, key="k", note="x")
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(kept_files(app)) == 1
    other = upload(asha, png(2), key="k", note="x")
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_key_reused")
    assert len(kept_files(app)) == 1


def test_pictures_are_served_so_that_no_browser_would_run_them(shown: Shown) -> None:
    base = f"/proofs/{shown.proof_id}"
    for path in ("thumb", "page/1", "file", "file/1"):
        answer = shown.person.client.get(f"{base}/{path}")
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    for path in ("page/2", "page/0", "file/9"):
        assert shown.person.client.get(f"{base}/{path}").status_code == 404


def test_a_proof_of_ours_may_be_named_by_its_address(person: Sign) -> None:
    asha, ravi = person(), person()
    execution_id = asha.start()
    made = people.made(upload(asha))
    asha.report(execution_id, proof_url=made["proof_url"])
    line = asha.client.get(f"/api/outcome?user_id={asha.user_id}").get_json()["outcomes"][0]
    assert (line["proof_id"], line["proof_url"]) == (made["proof_id"], None)
    body = {"execution_id": ravi.start(), "user_id": ravi.user_id, "metric_type": "revenue"}
    theirs = ravi.post("/api/outcome", {**body, "value": 1, "proof_url": made["proof_url"]})
    assert (theirs.status_code, list(theirs.get_json()["fields"])) == (400, ["proof_id"])
    elsewhere = f"http://127.0.0.1/proofs/{made['proof_id']}"
    refused = ravi.post("/api/outcome", {**body, "value": 1, "proof_url": elsewhere})
    assert (refused.status_code, list(refused.get_json()["fields"])) == (400, ["proof_url"])


def test_what_cannot_be_taken_is_refused_before_any_work(app: Flask, person: Sign) -> None:
    asha, ravi = person(), person()
    theirs = ravi.start()
    mine = asha.start()
    for answer, status in (
        (upload(asha, execution_id=theirs), 404),
        (upload(asha, execution_id=mine, step="99"), 400),
        (upload(asha, step="1"), 400),
        (upload(asha, execution_id=mine, step="one"), 400),
        (asha.post("/api/proof", {}), 400),
        (asha.post("/api/proof", {"text": ""}), 400),
        (asha.client.post("/api/proof", data={"text": "x"}), 415),
        (asha.client.post("/api/proof", data=b"x", content_type="image/png"), 415),
        (app.test_client().post("/api/proof", json={"text": "x"}), 404),
    ):
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert answer.get_json()["error"]
    assert kept_files(app) == set()


@pytest.fixture
def small(templates: Templates, tmp_path: Path) -> Iterator[Flask]:
    """The application with little room."""
    built = people.build(
        templates.sqlite(tmp_path / "data.db", people.migrate_and_stock),
        tmp_path,
        max_upload_bytes=200_000,
        max_upload_pixels=250_000,
        proofs_per_person=2,
    )
    yield built
    close(built)


def test_limits_and_quotas_name_the_remedy_and_leave_nothing(small: Flask) -> None:
    asha = people.sign_up(small)
    large = upload(asha, bytes(2_000_000))
    assert (large.status_code, large.get_json()["code"]) == (413, "proof_bytes")
    larger = upload(asha, b"\x89PNG\r\n\x1a\n" + bytes(230_000))
    assert (larger.status_code, larger.get_json()["code"]) == (413, "proof_bytes")
    wide = upload(
        asha, hostile.encoded(hostile.picture(random.Random(1), 900).resize((700, 700)), "PNG")
    )
    assert (wide.status_code, wide.get_json()["code"]) == (413, "proof_pixels")
    assert kept_files(small) == set()
    for seed in range(2):
        people.made(upload(asha, png(seed)))
    full = upload(asha, png(3))
    assert (full.status_code, full.get_json()["code"]) == (413, "proof_quota")
    assert full.get_json()["fields"]["file"]
    assert len(kept_files(small)) == 2
    people.made(upload(people.sign_up(small)))  # another person has room of their own


def test_a_row_that_cannot_be_written_leaves_no_files(
    app: Flask, person: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise errors.Unavailable("Not now.")

    asha = person()
    monkeypatch.setattr(proofs, "add", fails)
    assert upload(asha).status_code == 503
    assert kept_files(app) == set()


def test_files_without_a_row_are_swept_up_a_day_later(app: Flask, shown: Shown) -> None:
    """As after a power cut between the files and the row."""
    stands = people.platform(app)
    lost = clock.new_id()
    key = f"{proofs.folder(lost)}/1.webp"
    stands.files.put(key, b"RIFF")
    assert proof_files.sweep(stands.database, stands.files) == 0
    with time_machine.travel(time.time() + 2 * 86_400):
        assert proof_files.sweep(stands.database, stands.files) == 1
    assert kept_files(app) == {shown.proof_id}


def test_a_step_takes_a_file_without_script(person: Sign) -> None:
    asha = person()
    execution_id = asha.start()
    path = f"/executor/{execution_id}/event"
    typed = {"text": "not sent before", "base_rev": "0", "checks": "1", "check": "0"}
    file = {"file": (io.BytesIO(png()), "x.png"), "step": "2", "idempotency_key": "k", **typed}
    answer = asha.client.post(path, data=file)
    assert answer.headers["Location"] == f"/executor/{execution_id}#step-2"
    step = asha.client.get(f"/api/execution/{execution_id}/state").get_json()["steps"][1]
    assert len(step["proofs"]) == 1
    assert (step["note"]["text"], step["checks"][0]) == ("not sent before", True)
    for bad in ({"file": (io.BytesIO(b"<svg/>"), "x.svg")}, {"file": (io.BytesIO(b""), "")}):
        answer = asha.client.post(path, data={**bad, **typed, "step": "2", "add": "file"})
        assert answer.headers["Location"] == f"/executor/{execution_id}#step-2"
        page = asha.client.get(f"/executor/{execution_id}").get_data(as_text=True)
        assert 'class="flash error"' in page


def test_a_file_that_was_chosen_goes_along_with_a_verdict(person: Sign) -> None:
    """Without scripts, whichever button is pressed; what becomes of it stops no verdict."""
    asha = person()
    execution_id = asha.start()
    path = f"/executor/{execution_id}/event"
    verdict = {"base_rev": "0", "text": "", "checks": "1", "result": "worked"}
    for number, sent in ((1, png()), (2, b"<svg/>"), (3, b"")):
        file = (io.BytesIO(sent), "x.png" if sent else "")
        answer = asha.client.post(path, data={**verdict, "step": str(number), "file": file})
        assert answer.headers["Location"] == f"/executor/{execution_id}#step-{number + 1}"
        page = asha.client.get(f"/executor/{execution_id}").get_data(as_text=True)
        assert f"Step {number} is done." in page
        assert ("Your proof is kept" in page) is (number == 1)
        assert ('class="flash error"' in page) is (number == 2)
    steps = asha.client.get(f"/api/execution/{execution_id}/state").get_json()["steps"]
    assert [len(step["proofs"]) for step in steps[:3]] == [1, 0, 0]
    assert [step["result"] for step in steps[:3]] == ["worked"] * 3


@pytest.mark.parametrize("header", ["form-data", 'form-data; name=""', "", 'x; name="a"'])
def test_parts_without_a_name_are_nobodys_fault(person: Sign, header: str) -> None:
    asha = person()
    parts = (f"--b\r\nContent-Disposition: {header}\r\n\r\n1\r\n" for _ in range(2))
    named = '--b\r\nContent-Disposition: form-data; name="step"\r\n\r\nnull\r\n--b--\r\n'
    for path in ("/api/proof", "/signin", f"/executor/{asha.start()}/event"):
        answer = asha.client.post(
            path, data="".join(parts) + named, content_type="multipart/form-data; boundary=b"
        )
        assert answer.status_code < 500
