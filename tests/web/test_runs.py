"""The door to what happens in a run, and the form that means the same without a script."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from tests.races import at_once
from tests.web import forms
from tests.web.pages import path, text
from tests.web.test_races import statuses
from tests.web.walks import begun, joined, progress, step
from whatworks import catalogue, clock
from whatworks.guides import parser

HOUR: Final = 3600


def happen(person: Person, execution_id: str, **event: object) -> dict[str, Any]:
    """One event; the door's answer."""
    return people.made(person.post(f"/api/execution/{execution_id}/event", event))


def state(person: Person, execution_id: str) -> dict[str, Any]:
    answer = person.client.get(f"/api/execution/{execution_id}/state")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


# ---- the door -------------------------------------------------------------------------------


def test_everything_that_happens_is_in_the_state(asha: Person) -> None:
    run = asha.start()
    happen(asha, run, kind="timer", action="start")
    happen(asha, run, kind="check", step=1, item=2, checked=True)
    happen(asha, run, kind="note", step=1, text="what I saw", base_rev=0)
    failed = happen(
        asha, run, kind="verdict", step=1, result="failed", reason="too_long", note="hm"
    )
    assert (failed["status"], failed["progress"]) == ("started", "0/5")
    worked = happen(asha, run, kind="verdict", step=1, result="worked")
    assert (worked["status"], worked["progress"]) == ("in_progress", "1/5")
    happen(asha, run, kind="verdict", step=2, result="skipped", reason="later")
    found = state(asha, run)
    first, second, third = found["steps"][:3]
    assert first["note"] == {"rev": 1, "text": "what I saw", "kept": []}
    assert (first["result"], first["reason"], first["done"]) == ("worked", None, True)
    assert first["checks"] == [False, False, True, False]
    assert (second["result"], second["reason"]) == ("skipped", "later")
    assert (third["result"], third["done"]) == (None, False)
    assert (found["step"], found["workflow_version"], found["success"]) == (3, 1, True)
    timer = found["timer"]
    assert (timer["running"], timer["step"], timer["routine_seconds"]) == (True, 3, 2700)
    assert worked["state"]["steps"][0]["note"] == {"rev": 1}  # texts are not kept with answers
    history = asha.client.get(f"/api/execution/{run}").get_json()
    assert [note["text"] for note in history["notes"]] == ["what I saw", "hm"]
    kinds = [event["kind"] for event in history["events"]]
    assert kinds.count("logged") == 3
    assert {"started", "timed", "checked", "noted", "progressed"} <= set(kinds)


def test_two_devices_lose_no_note(asha: Person) -> None:
    run = asha.start()
    happen(asha, run, kind="note", step=2, text="from the phone", base_rev=0)
    late = happen(asha, run, kind="note", step=2, text="from the tablet", base_rev=0)
    assert (late["conflict"], late["rev"], late["text"]) == (True, 2, "from the tablet")
    (other,) = late["kept"]
    assert other["text"] == "from the phone"
    page = asha.client.get(f"/executor/{run}")
    assert "Another device wrote this meanwhile" in text(page)
    assert "from the phone" in text(page)
    seen = happen(asha, run, kind="kept", step=2, note_id=other["note_id"])
    assert (seen["text"], seen["kept"]) == ("from the tablet", [])
    assert "Another device wrote this" not in text(asha.client.get(f"/executor/{run}"))


def test_what_says_nothing_new_has_no_event(asha: Person) -> None:
    run = asha.start()
    for event in (
        {"kind": "check", "step": 1, "item": 0, "checked": True},
        {"kind": "note", "step": 1, "text": "n", "base_rev": 0},
        {"kind": "verdict", "step": 1, "result": "worked"},
        {"kind": "timer", "action": "start"},
        {"kind": "timer", "action": "pause"},
    ):
        assert happen(asha, run, **event)["event_id"] is not None
        again = {**event, **({"base_rev": 1} if event["kind"] == "note" else {})}
        if event != {"kind": "timer", "action": "start"}:
            assert happen(asha, run, **again)["event_id"] is None, event


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ({"kind": "verdict"}, {"step", "result"}),
        ({"kind": "note", "step": 1}, {"text", "base_rev"}),
        ({"kind": "kept", "step": 1}, {"note_id"}),
        ({"kind": "check"}, {"step", "item", "checked"}),
        ({"kind": "timer"}, {"action"}),
        ({"kind": "timer", "action": "gap"}, {"gap_id", "keep"}),
        ({"kind": "proof", "step": 1}, {"proof_id"}),
        ({"kind": "dance"}, {"kind"}),
        ({"kind": "verdict", "step": 1, "result": "worked", "reason": "other"}, {"reason"}),
        ({"kind": "verdict", "step": 1, "result": "failed", "reason": "later"}, {"reason"}),
        ({"kind": "verdict", "step": 6, "result": "worked"}, {"step"}),
        ({"kind": "check", "step": 1, "item": 50, "checked": True}, {"item"}),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    shared_app: Flask, event: dict[str, object], fields: set[str]
) -> None:
    asha = people.sign_up(shared_app)
    answer = asha.post(f"/api/execution/{asha.start()}/event", event)
    assert answer.status_code == 400
    assert set(answer.get_json()["fields"]) == fields


def test_somebody_elses_proof_is_none(person: Callable[..., Person]) -> None:
    asha, ravi = person(), person()
    proof = people.made(ravi.post("/api/proof", {"text": "paid, thank you"}))["proof_id"]
    own = people.made(asha.post("/api/proof", {"text": "paid"}))["proof_id"]
    run = asha.start()
    body = {"kind": "proof", "step": 1, "proof_id": proof}
    assert asha.post(f"/api/execution/{run}/event", body).status_code == 404
    happen(asha, run, kind="proof", step=1, proof_id=own)
    assert state(asha, run)["steps"][0]["proofs"] == [own]


def test_the_gap_is_asked_about_on_every_device_and_once(asha: Person) -> None:
    tomorrow = clock.now() + timedelta(days=1)  # by day in India: what is shown is of today alone
    with time_machine.travel(tomorrow.replace(hour=6), tick=False) as now:
        run = asha.start()
        happen(asha, run, kind="timer", action="start")
        now.shift(3 * HOUR)
        gap = state(asha, run)["timer"]["gap"]
        assert gap["seconds"] == 3 * HOUR
        assert gap["from"] < gap["to"]
        assert gap["gap_id"] == state(asha, run)["timer"]["gap"]["gap_id"]
        page = asha.client.get(f"/executor/{run}")
        assert "Were you working on this?" in text(page)
        answer = next(f for f in forms.read(page) if ("keep", "true") in f.buttons)
        after = forms.send(asha.client, answer, answer.filled(("keep", "true")))
        assert re.search(r'<div id="gap"[^>]* hidden', text(after))
        happen(asha, run, kind="timer", action="gap", gap_id=gap["gap_id"], keep=False)
        found = state(asha, run)
        assert found["timer"]["gap"] is None
        assert found["timer"]["elapsed_seconds"] == 3 * HOUR
        happen(asha, run, kind="timer", action="pause")
        assert state(asha, run)["steps"][0]["seconds"] == 3 * HOUR


def test_the_same_key_again_gives_the_same_answer(asha: Person) -> None:
    run = asha.start()
    body = {"kind": "note", "step": 1, "text": "n", "base_rev": 0}
    place = f"/api/execution/{run}/event"

    def send(_: int) -> TestResponse:
        return asha.app.test_client().post(
            place, json=body, headers={**asha.bearer, "Idempotency-Key": "k"}
        )

    answers = at_once(8, send)
    assert statuses(answers) == {201: 8}
    assert len({answer.get_data() for answer in answers}) == 1
    assert asha.post(place, {**body, "text": "m"}, Idempotency_Key="k").status_code == 409
    assert state(asha, run)["steps"][0]["note"]["rev"] == 1


# ---- races ------------------------------------------------------------------------------------


def test_notes_of_many_devices_at_once_are_all_kept(asha: Person) -> None:
    run = asha.start()

    def send(number: int) -> TestResponse:
        body = {"kind": "note", "step": 1, "text": f"<{number}>", "base_rev": 0}
        client = asha.app.test_client()
        return client.post(f"/api/execution/{run}/event", json=body, headers=asha.bearer)

    answers = at_once(6, send)
    assert statuses(answers) == {201: 6}
    note = state(asha, run)["steps"][0]["note"]
    assert {note["text"], *(kept["text"] for kept in note["kept"])} == {f"<{n}>" for n in range(6)}
    assert note["rev"] == 6
    assert [answer.get_json()["conflict"] for answer in answers].count(False) == 1


def test_verdicts_of_two_tabs_at_once_finish_once(asha: Person) -> None:
    run = asha.start()
    for number in range(1, 6):

        def send(_: int, number: int = number) -> TestResponse:
            body = {"kind": "verdict", "step": number, "result": "worked"}
            client = asha.app.test_client()
            return client.post(f"/api/execution/{run}/event", json=body, headers=asha.bearer)

        answers = at_once(2, send)
        assert statuses(answers) == {201: 2}
    found = asha.client.get(f"/api/execution/{run}").get_json()
    kinds = [event["kind"] for event in found["events"]]
    assert (kinds.count("completed"), kinds.count("logged")) == (1, 5)
    database = people.platform(asha.app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_the_timer_of_two_runs_at_once_is_one(asha: Person) -> None:
    runs = [asha.start(), asha.start("whatsapp_bot")]

    def send(number: int) -> TestResponse:
        client = asha.app.test_client()
        place = f"/api/execution/{runs[number % 2]}/event"
        body = {"kind": "timer", "action": ("start", "pause")[number // 6]}
        return client.post(place, json=body, headers=asha.bearer)

    assert statuses(at_once(8, send)) == {201: 8}
    running = [state(asha, run)["timer"]["running"] for run in runs]
    assert sum(running) <= 1


# ---- the form ---------------------------------------------------------------------------------


def test_a_verdict_by_form_takes_note_and_ticks_along(client: FlaskClient) -> None:
    joined(client)
    page = begun(client)
    form = step(page, 1)
    data = form.filled(("result", "failed"), text="two\nlines", reason="later") | {"check": ["1"]}
    page = forms.send(client, form, data)  # "later" is a reason to skip, and forgotten here
    assert "Failed so far" in text(page)
    again = step(page, 1)
    assert again.ticked == {"check": ["1"]}
    assert again.fields["text"] == "two\nlines"
    run = path(page).removeprefix("/executor/")
    found = client.get(f"/api/execution/{run}/state").get_json()["steps"][0]
    assert (found["result"], found["reason"], found["note"]["rev"]) == ("failed", None, 1)


def test_an_old_page_in_another_tab_overwrites_nothing(client: FlaskClient) -> None:
    joined(client)
    page = begun(client)
    old = step(page, 1)
    forms.send(client, old, old.filled(("kind", "note"), text="first tab"))
    late = forms.send(client, old, old.filled(("kind", "note"), text="second tab"))
    assert "Both texts are kept" in text(late)
    assert "first tab" in text(late)
    assert step(late, 1).fields["text"] == "second tab"
    form = step(late, 1)
    seen = next(button for button in form.buttons if button[0] == "note_id")
    done = forms.send(client, form, form.filled(seen, text="second tab, and more"))
    assert "first tab" not in text(done)
    assert step(done, 1).fields["text"] == "second tab, and more"


def test_the_timer_works_by_forms(client: FlaskClient) -> None:
    joined(client)
    page = begun(client)  # whoever begins has begun the 45 minutes
    pause = next(f for f in forms.read(page) if ("action", "pause") in f.buttons)
    assert 'data-running="true"' in text(page)
    page = forms.send(client, pause, pause.filled(("action", "pause"), text="typed meanwhile"))
    assert 'data-running="false"' in text(page)
    assert step(page, 1).fields["text"] == "typed meanwhile"


def test_a_mistake_keeps_what_was_typed(client: FlaskClient) -> None:
    joined(client)
    form = step(begun(client), 1)
    page = forms.send(client, form, form.filled(("kind", "note"), text="x" * 10_001))
    assert page.status_code == 400
    assert "x" * 10_001 in page.get_data(as_text=True)
    assert 'id="note-1-error"' in page.get_data(as_text=True)


GOOD: Final = {
    "step": ("1", "2", "5", "9"),
    "result": ("worked", "failed", "skipped"),
    "reason": ("unclear", "later", "other"),
    "text": ("a", "ab", ""),
    "base_rev": ("0", "1"),
    "item": ("0", "3", "30"),
    "checked": ("true", "false"),
    "action": ("start", "pause", "resume", "gap"),
    "gap_id": ("g",),
    "keep": ("true", "false"),
    "note_id": ("x",),
    "proof_id": ("p",),
    "checks": ("1",),
    "check": ("0", "99", "-5"),
    "at": ("2026-11-22T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
}
ODD: Final = ("null", "", "-1", "9" * 30, "1.5", "\0", "١", "[1]", "{}", " 1 ", "1e3", "x" * 10_001)


def test_no_form_breaks_the_page(shared_app: Flask) -> None:
    asha, dice = people.sign_up(shared_app), random.Random(20_261_122)
    run, seen = asha.start(), set[int]()
    for number in range(400):
        form = {
            name: dice.choice(GOOD[name] if dice.random() < 0.95 else ODD)
            for name in dice.sample(list(GOOD), dice.randint(0, len(GOOD)))
        }
        form["kind"] = dice.choice(("verdict", "note", "check", "timer", "kept", "proof", "x"))
        answer = asha.client.post(f"/executor/{run}/event", data=form)
        assert answer.status_code < 500, form
        seen.add(answer.status_code)
        if number % 50 == 49:
            assert asha.client.get(f"/executor/{run}").status_code == 200
            run = asha.start()
    assert seen == {303, 400, 404, 409}


# ---- the page -----------------------------------------------------------------------------------


def test_a_new_version_says_what_changed_since_the_last_run(
    client: FlaskClient, app: Flask
) -> None:
    joined(client)
    page = begun(client)
    assert "since your last run" not in text(page)
    forms.send(client, forms.find(page, f"{path(page)}/abandon"), {})
    source = (catalogue.BUNDLED / "resume_generator.md").read_text(encoding="utf-8")
    newer = source.replace("Pick one kind of client", "Pick one kind of client today")
    guides = [parser.parse(newer, "resume_generator.md")]
    people.platform(app).database.write(catalogue.load, guides, source="bundled")
    page = begun(client)
    assert "Version 2 since your last run: what changed" in text(page)
    assert "was called “Pick one kind of client” before" in text(page)


def test_tips_quote_others_with_their_number(person: Callable[..., Person]) -> None:
    for _ in range(5):
        other = person()
        run_of_other = other.start()
        for number, result in ((1, "skipped"), (2, "failed")):
            happen(other, run_of_other, kind="verdict", step=number, result=result)
    asha = person()
    run = asha.start()
    happen(asha, run, kind="verdict", step=1, result="skipped", reason="not_for_me")
    page = text(asha.client.get(f"/executor/{run}"))
    assert "People who failed here mostly skipped step 1" in page
    assert "5 of 5 had." in page
    assert "n&nbsp;=&nbsp;5" in page
    ravi = text(other.client.get(f"/executor/{run_of_other}"))
    assert "mostly skipped step 1" not in ravi  # of the others there are but four


def test_the_page_stands_where_the_person_is(asha: Person) -> None:
    run = asha.start()
    happen(asha, run, kind="verdict", step=1, result="worked")
    page = asha.client.get(f"/executor/{run}")
    body = text(page)
    assert body.count('class="step now"') == 1
    assert re.search(r'<section class="step now" id="step-2"', body)
    assert "Step <span data-shown-step>2</span> of 5" in body
    assert progress(page) == "1 of 5"
    assert f'data-user="{asha.user_id}"' in body
    for number in range(1, 6):
        assert f'id="note-{number}"' in body  # all of them are there, for when no connection is
