"""Reviewers and owners: decided in the queue, told, answered, undone."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import time_machine
from flask import Flask

from tests import people
from tests.web import forms
from tests.web.exhibits import Shown, case, png, upload
from tests.web.pages import text
from whatworks.results import reviews
from whatworks.web import review_pages


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
