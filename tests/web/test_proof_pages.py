"""A person's own proofs: looked at, filtered, used, and taken back."""

from __future__ import annotations

import pytest
from flask import Flask

from tests import people
from tests.web.exhibits import Shown, Sign, case, kept_files, upload
from tests.web.pages import text
from whatworks import errors
from whatworks.execution import history
from whatworks.results import proof_files

# ---- looking at them -------------------------------------------------------------------------


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
