"""Proofs through the doors: kept, shown, reviewed, told, shared, and nobody else's business."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests import hostile, people
from tests.conftest import Templates
from tests.people import Person
from tests.web import forms
from whatworks import clock, errors
from whatworks.app import close
from whatworks.execution import history
from whatworks.results import proof_files, proofs, reviews
from whatworks.web import review_pages

Sign = Callable[..., Person]


def png(seed: int = 1, side: int = 400) -> bytes:
    return hostile.encoded(hostile.picture(random.Random(seed), side), "PNG")


def upload(person: Person, content: bytes = b"", **fields: str) -> TestResponse:
    key = fields.pop("key", None)
    file = FileStorage(io.BytesIO(content or png()), filename="C:\\fakepath\\proof.png")
    boundary, body = encode_multipart({**fields, "file": file})
    return person.client.post(
        "/api/proof",
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"Idempotency-Key": key} if key else {},
    )


def kept_files(app: Flask) -> set[str]:
    """The ids of proofs that have files."""
    return {key.split("/")[2] for key in people.platform(app).files.list_keys("proofs")}


@dataclass
class Shown:
    """Somebody's result with a picture."""

    person: Person
    execution_id: str
    proof_id: str
    outcome_id: str


@pytest.fixture
def shown(person: Sign) -> Shown:
    asha = person()
    execution_id = asha.start()
    proof_id = people.made(upload(asha, execution_id=execution_id, step="1"))["proof_id"]
    return Shown(asha, execution_id, proof_id, asha.report(execution_id, proof_id=proof_id))


def case(client: FlaskClient) -> dict[str, str]:
    """What the queue's form holds."""
    return dict(forms.find(client.get("/admin/proofs"), "/admin/proofs/decide").fields)


# ---- adding ----------------------------------------------------------------------------------


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
    path = f"/executor/{execution_id}/proof"
    typed = {"text": "not sent before", "base_rev": "0", "checks": "1", "check": "0"}
    file = {"file": (io.BytesIO(png()), "x.png"), "step": "2", "idempotency_key": "k", **typed}
    answer = asha.client.post(path, data=file)
    assert answer.headers["Location"] == f"/executor/{execution_id}#step-2"
    step = asha.client.get(f"/api/execution/{execution_id}/state").get_json()["steps"][1]
    assert len(step["proofs"]) == 1
    assert (step["note"]["text"], step["checks"][0]) == ("not sent before", True)
    for bad in ({"file": (io.BytesIO(b"<svg/>"), "x.svg")}, {"file": (io.BytesIO(b""), "")}):
        answer = asha.client.post(path, data={**bad, "step": "2"})
        assert answer.headers["Location"] == f"/executor/{execution_id}#step-2"
        page = asha.client.get(f"/executor/{execution_id}").get_data(as_text=True)
        assert 'class="flash error"' in page


@pytest.mark.parametrize("header", ["form-data", 'form-data; name=""', "", 'x; name="a"'])
def test_parts_without_a_name_are_nobodys_fault(person: Sign, header: str) -> None:
    asha = person()
    parts = (f"--b\r\nContent-Disposition: {header}\r\n\r\n1\r\n" for _ in range(2))
    named = '--b\r\nContent-Disposition: form-data; name="step"\r\n\r\nnull\r\n--b--\r\n'
    for path in ("/api/proof", "/signin", f"/executor/{asha.start()}/proof"):
        answer = asha.client.post(
            path, data="".join(parts) + named, content_type="multipart/form-data; boundary=b"
        )
        assert answer.status_code < 500


# ---- looking at them -------------------------------------------------------------------------


def text(answer: TestResponse) -> str:
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_the_gallery_is_filtered_by_its_address(shown: Shown) -> None:
    asha = shown.person.client
    page = text(asha.get("/proofs"))
    assert f"/proofs/{shown.proof_id}/thumb" in page
    assert "₹4,800" in page
    for query, is_there in (
        ("workflow=resume_generator", True),
        ("workflow=resume_generator&metric=revenue", True),
        ("metric=customers", False),
        ("workflow=whatsapp_bot", False),
        ("page=2", False),
    ):
        found = f"/proofs/{shown.proof_id}/thumb" in text(asha.get(f"/proofs?{query}"))
        assert found == is_there, query
    assert asha.get("/proofs?metric=bananas").status_code == 400


def test_an_unused_proof_can_be_shown_for_a_result(person: Sign) -> None:
    asha = person()
    execution_id = asha.start()
    outcome_id = asha.report(execution_id)
    proof_id = people.made(upload(asha))["proof_id"]
    path = f"/proofs/{proof_id}"
    assert outcome_id in text(asha.client.get(path))
    assert asha.client.post(f"{path}/attach", data={"outcome_id": outcome_id}).status_code == 303
    assert "Waiting for somebody to look at it" in text(asha.client.get(path))


# ---- reviews ---------------------------------------------------------------------------------


def test_approved_in_the_queue_and_counted(app: Flask, shown: Shown) -> None:
    boss = people.operator(app).client
    page = text(boss.get("/admin/proofs"))
    assert f"/proofs/{shown.proof_id}/page/1" in page
    assert boss.get(f"/proofs/{shown.proof_id}/page/1").status_code == 200
    given = case(boss)
    answer = boss.post("/admin/proofs/decide", data={**given, "decision": "approved"})
    assert answer.headers["Location"] == "/admin/proofs"
    again = boss.post("/admin/proofs/decide", data={**given, "decision": "approved"})
    assert again.status_code == 303  # the button pressed twice is once
    assert "Nothing waits for you" in text(boss.get("/admin/proofs"))
    found = shown.person.client.get("/api/performance/resume_generator").get_json()
    assert found["performance"][0]["verified"] == 1
    assert "Reviewed" in text(shown.person.client.get(f"/proofs/{shown.proof_id}"))


def test_rejected_told_and_answered(app: Flask, shown: Shown) -> None:
    boss, asha = people.operator(app).client, shown.person.client
    given = case(boss) | {"decision": "rejected", "text": "Which day was it?"}
    refused = boss.post("/admin/proofs/decide", data=given)
    assert refused.status_code == 400
    assert "Which day was it?" in refused.get_data(as_text=True)
    boss.post("/admin/proofs/decide", data=given | {"reason": "unreadable"})
    page = text(asha.get(f"/proofs/{shown.proof_id}"))
    assert reviews.REASONS["unreadable"] in page
    assert "Which day was it?" in page
    assert asha.post(f"/proofs/{shown.proof_id}/share", data={}).status_code == 409
    replaced = asha.post(
        f"/proofs/{shown.proof_id}/replace",
        data={"outcome_id": shown.outcome_id, "file": (io.BytesIO(png(9)), "x.png")},
    )
    assert replaced.status_code == 303
    new_id = replaced.headers["Location"].rpartition("/")[2]
    assert case(boss)["proof_id"] == new_id
    boss.post(
        "/admin/proofs/decide", data=case(boss) | {"decision": "rejected", "reason": "altered"}
    )
    answered = asha.post(
        f"/proofs/{new_id}/answer", data={"outcome_id": shown.outcome_id, "text": "It is cropped."}
    )
    assert answered.status_code == 303
    assert "It is cropped." in text(boss.get("/admin/proofs"))


def test_the_owner_gets_one_mail_when_it_can_no_longer_be_undone(
    app: Flask, shown: Shown, tmp_path: Path
) -> None:
    boss = people.operator(app).client
    boss.post(
        "/admin/proofs/decide", data=case(boss) | {"decision": "rejected", "reason": "altered"}
    )
    review_pages.keep_house(app)
    assert not (tmp_path / "outbox").exists()
    with time_machine.travel(time.time() + 60):
        review_pages.keep_house(app)
        review_pages.keep_house(app)
    people.platform(app).mailer.close()
    (mail,) = [path.read_text() for path in (tmp_path / "outbox").iterdir()]
    assert f"To: {shown.person.email}" in mail
    assert f"/proofs/{shown.proof_id}" in mail
    assert reviews.REASONS["altered"] in mail


def test_undo_in_the_queue(app: Flask, shown: Shown) -> None:
    boss = people.operator(app).client
    boss.post(
        "/admin/proofs/decide", data=case(boss) | {"decision": "rejected", "reason": "altered"}
    )
    undo = forms.find(boss.get("/admin/proofs"), "/admin/proofs/undo")
    assert boss.post("/admin/proofs/undo", data=undo.fields).status_code == 303
    assert case(boss)["outcome_id"] == shown.outcome_id
    assert "Waiting for somebody" in text(shown.person.client.get(f"/proofs/{shown.proof_id}"))


def test_operators_own_proofs_wait_for_another(app: Flask) -> None:
    boss, other = people.operator(app), people.operator(app)
    execution_id = boss.start()
    proof_id = people.made(upload(boss, execution_id=execution_id))["proof_id"]
    outcome_id = boss.report(execution_id, proof_id=proof_id)
    mine = text(boss.client.get("/admin/proofs"))
    assert outcome_id not in mine
    path = f"/admin/proofs?user={boss.user_id}&outcome={outcome_id}"
    assert boss.client.get(path).status_code == 404
    given: dict[str, Any] = {
        "user_id": boss.user_id,
        "outcome_id": outcome_id,
        "proof_id": proof_id,
        "seen": "0",
        "decision": "approved",
    }
    boss.client.post("/admin/proofs/decide", data=given)
    assert "another operator" in text(boss.client.get("/admin/proofs")).lower()
    line = boss.client.get(f"/api/outcome?user_id={boss.user_id}").get_json()["outcomes"][0]
    assert line["review"] is None
    assert outcome_id in text(other.client.get("/admin/proofs"))


def test_reuse_by_another_person_is_shown_to_reviewers_only(app: Flask, shown: Shown) -> None:
    ravi = people.sign_up(app)
    execution_id = ravi.start()
    copied = people.made(upload(ravi, execution_id=execution_id))["proof_id"]
    ravi.report(execution_id, proof_id=copied)
    page = text(people.operator(app).client.get("/admin/proofs?skip=1"))
    assert "The same picture is used by somebody else" in page
    for who, proof_id in ((ravi, copied), (shown.person, shown.proof_id)):
        assert "same picture" not in text(who.client.get(f"/proofs/{proof_id}"))
    again = shown.person.start("whatsapp_bot")
    own = people.made(upload(shown.person, execution_id=again))["proof_id"]
    assert "You use the same picture for" in text(shown.person.client.get(f"/proofs/{own}"))


# ---- sharing ---------------------------------------------------------------------------------

NOINDEX: Final = "noindex, nofollow"


def test_sharing_is_a_second_yes_that_can_be_taken_back(app: Flask, shown: Shown) -> None:
    asha, nobody = shown.person.client, app.test_client()
    path = f"/proofs/{shown.proof_id}"
    assert "data-copy" not in text(asha.get(path))
    assert "/shared/" not in text(asha.get(path))
    asha.post(f"{path}/share", data={})
    address = "/shared/" + text(asha.get(path)).partition("/shared/")[2].partition('"')[0]
    assert f'{address}" hidden>' in text(asha.get(path)).partition("data-copy=")[2]
    page = nobody.get(address)
    assert page.headers["X-Robots-Tag"] == NOINDEX
    assert "₹4,800" in text(page)
    assert "What is typical" in text(page)
    for secret in (shown.person.email, shown.person.user_id, shown.execution_id, shown.proof_id):
        assert secret not in text(page)
    picture = nobody.get(f"{address}/page/1")
    assert (picture.status_code, picture.mimetype) == (200, "image/webp")
    assert picture.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert nobody.get(f"{path}/page/1").status_code == 303  # the rest stays closed
    asha.post(f"{path}/unshare")
    for gone in (address, f"{address}/page/1"):
        assert nobody.get(gone).status_code == 404


def test_search_engines_may_know_only_what_was_reviewed_and_said_so(
    app: Flask, shown: Shown
) -> None:
    asha, nobody = shown.person.client, app.test_client()
    path = f"/proofs/{shown.proof_id}"
    asha.post(f"{path}/share", data={"listed": "on"})
    address = "/shared/" + text(asha.get(path)).partition("/shared/")[2].partition('"')[0]
    assert nobody.get(address).headers["X-Robots-Tag"] == NOINDEX
    boss = people.operator(app).client
    boss.post("/admin/proofs/decide", data=case(boss) | {"decision": "approved"})
    page = nobody.get(address)
    assert "X-Robots-Tag" not in page.headers
    assert "noindex" not in text(page)
    asha.post(f"{path}/share", data={})
    assert nobody.get(address).headers["X-Robots-Tag"] == NOINDEX


# ---- taking back -----------------------------------------------------------------------------


def test_taken_back_it_is_nowhere_and_the_result_is_a_claim(app: Flask, shown: Shown) -> None:
    boss, asha = people.operator(app).client, shown.person.client
    path = f"/proofs/{shown.proof_id}"
    assert asha.post(f"{path}/share").status_code == 303
    token = text(asha.get(path)).split('href="/shared/')[1].split('"')[0]
    boss.post("/admin/proofs/decide", data={**case(boss), "decision": "approved"})
    unsure = asha.post(f"{path}/take-back")
    assert (unsure.status_code, kept_files(app)) == (400, {shown.proof_id})
    assert asha.post(f"{path}/take-back", data={"sure": "on"}).status_code == 303
    assert kept_files(app) == set()
    for address in (path, f"{path}/thumb", f"{path}/file", f"/shared/{token}"):
        assert asha.get(address).status_code == 404, address
        assert boss.get(address).status_code == 404, address
    assert shown.proof_id not in text(asha.get("/proofs"))
    assert shown.proof_id not in text(asha.get(f"/executor/{shown.execution_id}"))
    assert shown.proof_id not in text(boss.get("/admin/proofs"))
    state = asha.get(f"/api/execution/{shown.execution_id}/state").get_json()
    assert state["steps"][0]["proofs"] == []
    listed = asha.get(f"/api/outcome?user_id={shown.person.user_id}").get_json()
    line = listed["outcomes"][0]
    assert (line["proof_id"], line["tier"], line["verified"]) == (None, "claimed", False)
    found = asha.get("/api/performance/resume_generator").get_json()
    assert found["performance"][0]["verified"] == 0


def test_the_history_keeps_that_it_was_there(app: Flask, shown: Shown) -> None:
    assert shown.person.client.delete(f"/api/proof/{shown.proof_id}").status_code == 200
    assert shown.person.client.delete(f"/api/proof/{shown.proof_id}").status_code == 404
    events = people.platform(app).database.read(
        history.list_events, shown.person.user_id, shown.execution_id
    )
    said = [(event.kind, event.reference_id) for event in events if "proof" in event.kind]
    assert said == [("proof", shown.proof_id), ("proof_gone", shown.proof_id)]


def test_waiting_for_review_it_leaves_the_queue_and_makes_room(
    app: Flask, shown: Shown, person: Sign
) -> None:
    boss = people.operator(app).client
    given = case(boss)
    assert person().client.delete(f"/api/proof/{shown.proof_id}").status_code == 404
    assert shown.proof_id in text(boss.get("/admin/proofs"))
    shown.person.client.delete(f"/api/proof/{shown.proof_id}")
    assert "Nothing waits for you" in text(boss.get("/admin/proofs"))
    late = boss.post("/admin/proofs/decide", data={**given, "decision": "approved"})
    assert late.status_code in (303, 409)
    listed = shown.person.client.get(f"/api/outcome?user_id={shown.person.user_id}").get_json()
    assert listed["outcomes"][0]["tier"] == "claimed"
    again = upload(shown.person, execution_id=shown.execution_id, step="1")
    page = text(shown.person.client.get(f"/proofs/{people.made(again)['proof_id']}"))
    assert "You use the same picture" not in page


def test_pictures_that_could_not_be_removed_go_with_the_sweep(
    app: Flask, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(files: object, proof_id: str) -> int:
        raise errors.Unavailable("Not now.")

    with monkeypatch.context() as away:
        away.setattr(proof_files, "remove", unreachable)
        assert shown.person.client.delete(f"/api/proof/{shown.proof_id}").status_code == 200
    assert kept_files(app) == {shown.proof_id}
    platform = people.platform(app)
    assert proof_files.sweep(platform.database, platform.files) > 0
    assert kept_files(app) == set()
