"""The loop by forms alone, as a person does it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.web import forms
from tests.web.pages import path, text
from tests.web.walks import ASHA, begun, finished, joined, outcome_form, progress, step, worked
from whatworks import db


def test_the_loop(client: FlaskClient, app: Flask) -> None:
    front = text(client.get("/"))
    assert "/signup" in front
    assert "Nobody has finished anything here yet" in front
    guide = client.get("/executor/resume_generator")
    (way,) = set(re.findall(r'href="(/signup\?next=[^"]+)"', text(guide)))
    form = forms.find(client.get(way), "/signup")
    guide = forms.send(client, form, form.filled(**ASHA))
    assert path(guide) == "/executor/resume_generator"

    page = begun(client)
    run = path(page)
    assert progress(page) == "0 of 5"
    page = worked(client, page, 1, note="Wrote the first draft")
    assert progress(page) == "1 of 5"
    assert "Wrote the first draft" in text(page)

    form = step(page, 2)
    failed = form.filled(("result", "failed"), reason="no_access", text="No access yet")
    page = forms.send(client, form, failed)
    assert progress(page) == "1 of 5"
    assert "Failed so far" in text(page)
    assert "Write down what is missing" in text(page)  # the tip for that reason
    assert step(page, 2).fields["text"] == "No access yet"
    form = step(page, 2)
    page = forms.send(client, form, form.filled(("result", "skipped"), reason="later"))
    assert progress(page) == "2 of 5"
    form = step(page, 3)
    data = form.filled(("kind", "note"), text="Later") | {"check": ["0", "2"]}
    page = forms.send(client, form, data)
    assert progress(page) == "2 of 5"
    assert step(page, 3).fields["text"] == "Later"
    assert step(page, 3).ticked == {"check": ["0", "2"]}
    for number in (3, 4, 5):
        page = worked(client, page, number)
    assert path(page) == run  # step 2 waits, and it is asked first
    assert "you left <span data-later-said>step 2, “" in text(page)
    (form,) = (one for one in forms.read(page) if one.fields.get("finish"))
    page = forms.send(client, form, form.filled(("result", "worked"), text="After being asked"))
    assert path(page) == run.replace("executor", "outcome")
    assert "After being asked" in text(client.get(run))
    assert "Well done, you came to the end</strong>: 4 of 5 steps, 1 skipped." in text(page)
    assert "4 of 5 steps, 1 skipped" in text(client.get("/dashboard"))
    assert "Nobody has finished" not in text(client.get("/"))

    form = outcome_form(page)
    assert form.fields["currency"] == "INR"
    page = forms.send(client, form, form.filled(metric_type="revenue", value="a lot"))
    assert page.status_code == 400
    body = page.get_data(as_text=True)
    assert re.search(r'role="alert"|error-summary|aria-invalid="true"', body)
    assert 'value="a lot"' in body
    form = outcome_form(page)
    page = forms.send(client, form, form.filled(value="4800", note="First client"))
    assert path(page).endswith("/done")
    assert "₹4,800" in text(page)

    dashboard = text(client.get("/dashboard"))
    assert "₹4,800" in dashboard
    assert "You finished this" in text(client.get(run))
    following = client.get("/dashboard/next")
    assert any("/click" in form.action for form in forms.read(following))
    database = people.platform(app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_what_was_left_for_later_is_done_before_the_end(client: FlaskClient) -> None:
    """Without a script: the way back leads to a verdict, and then nothing is asked."""
    joined(client)
    page = begun(client)
    form = step(page, 1)
    page = forms.send(client, form, form.filled(("result", "skipped"), reason="later"))
    page = finished_from(client, page, 2, 5)
    assert 'href="#step-1">Go back to step 1</a>' in text(page)
    page = worked(client, page, 1)
    assert progress(page) == "4 of 5"
    page = worked(client, page, 5)
    assert path(page).startswith("/outcome/")
    assert "5 of 5 steps." in text(page)


def test_who_signs_up_is_told_of_every_mail(client: FlaskClient) -> None:
    """Also of those nobody asked for: about proofs, and for results."""
    said = text(client.get("/signup"))
    for occasion in ("sign in or buy", "a proof", "ask what a finished run brought", "turn off"):
        assert occasion in said


def test_a_recommendation_is_followed(client: FlaskClient, app: Flask) -> None:
    page = joined(client)
    assert path(page) == "/dashboard/next"
    form = next(form for form in forms.read(page) if form.action.endswith("/click"))
    guide = forms.send(client, form, form.filled())
    assert path(guide).startswith("/executor/")
    form = next(f for f in forms.read(guide) if f.action == path(guide))
    run = forms.send(client, form, form.filled())
    assert progress(run).startswith("0 of")
    with db.engine(people.platform(app).database.url).connect() as connection:
        query = "SELECT e.id FROM workflow_executions e JOIN recommendations r ON"
        query += " r.id = e.recommendation_id WHERE r.clicked = 1"
        assert len(connection.exec_driver_sql(query).fetchall()) == 1


def test_forms_sent_twice_have_one_effect(client: FlaskClient, app: Flask) -> None:
    joined(client)
    form = forms.find(client.get("/executor/whatsapp_bot"), "/executor/whatsapp_bot")
    pages = [forms.send(client, form, form.filled()) for _ in range(2)]
    assert path(pages[0]) == path(pages[1])
    verdict = step(pages[0], 1).filled(("result", "worked"), text="once")
    for _ in range(2):
        page = forms.send(client, step(pages[0], 1), verdict)
    assert progress(page) == "1 of 4"
    assert text(page).count("once</textarea>") == 1
    ask = finished_from(client, page, 2, 4)
    result = outcome_form(ask).filled(metric_type="revenue", value="100")
    pages = [forms.send(client, outcome_form(ask), result) for _ in range(2)]
    assert pages[0].request.full_path == pages[1].request.full_path
    counts = counted(app, "workflow_executions", "step_notes", "outcomes")
    assert counts == {"workflow_executions": 1, "step_notes": 1, "outcomes": 1}
    changed = {**result, "value": "200"}  # sent again, but with something else in it
    forms.send(client, outcome_form(ask), changed)
    assert counted(app, "outcomes") == {"outcomes": 2}


def finished_from(client: FlaskClient, page: TestResponse, first: int, last: int) -> TestResponse:
    for number in range(first, last + 1):
        page = worked(client, page, number)
    return page


def counted(app: Flask, *tables: str) -> dict[str, int]:
    with db.engine(people.platform(app).database.url).connect() as connection:
        return {
            table: int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
            for table in tables
        }


def test_a_result_is_corrected(client: FlaskClient, app: Flask) -> None:
    joined(client)
    ask = finished(client, begun(client))
    form = outcome_form(ask)
    forms.send(client, form, form.filled(metric_type="revenue", value="48000"))
    (way,) = re.findall(r'href="(/outcome/[^"]+corrects=[^"]+)"', text(client.get(path(ask))))
    page = client.get(way)
    form = forms.find(page, path(ask))
    assert "Correct your result" in text(page)
    assert form.fields["value"] == "48000"
    assert form.fields["supersedes_id"]
    done = forms.send(client, form, form.filled(value="4800"))
    assert "₹4,800" in text(done)
    dashboard = text(client.get("/dashboard"))
    assert "₹48,000" not in dashboard
    assert "₹4,800" in dashboard
    assert counted(app, "outcomes") == {"outcomes": 2}
    assert client.get(way).status_code == 200  # the old one is no longer to be corrected
    late = forms.send(client, form, form.filled(value="1"))
    assert late.status_code in (404, 409)
    database = people.platform(app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_nothing_yet_is_an_answer(client: FlaskClient) -> None:
    joined(client)
    form = outcome_form(finished(client, begun(client)))
    page = forms.send(client, form, form.filled(metric_type="nothing"))
    assert "Nothing yet" in text(page)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"metric_type": "revenue", "value": ""}, "value"),
        ({"metric_type": "revenue", "value": "-1"}, "value"),
        ({"metric_type": "revenue", "value": "1e400"}, "value"),
        ({"metric_type": "revenue", "value": "1", "currency": "QQQ"}, "currency"),
        ({"metric_type": "revenue", "value": "1", "proof_url": "javascript:x"}, "proof_url"),
        ({"metric_type": "revenue", "value": "1", "note": "x" * 10_001}, "note"),
        ({"metric_type": "fame", "value": "1"}, "metric_type"),
    ],
)
def test_mistakes_are_named_beside_their_field(
    shared_app: Flask, typed: dict[str, str], field: str
) -> None:
    asha = people.sign_up(shared_app)
    ask = asha.client.get(f"/outcome/{asha.start()}")
    page = forms.send(asha.client, outcome_form(ask), outcome_form(ask).filled(**typed))
    body = page.get_data(as_text=True)
    assert page.status_code == 400
    assert f'id="{field}-error"' in body
    assert 'class="problem"' in body


def test_an_abandoned_run_is_resumed(client: FlaskClient, app: Flask) -> None:
    joined(client)
    page = worked(client, begun(client), 1, note="kept")
    run = path(page)
    stopped = forms.send(client, forms.find(page, f"{run}/abandon"), {})
    assert "This run is stopped" in text(stopped)
    assert "Go on at step 2" in text(stopped)
    verdict = {"kind": "verdict", "step": 2, "result": "worked"}
    assert client.post(f"{run}/event", data=verdict).status_code == 409
    page = forms.send(client, forms.find(stopped, f"{run}/resume"), {})
    assert "Welcome back" in text(page)
    assert "Welcome back" not in text(client.get(run))
    assert "kept" in text(page)
    assert path(finished_from(client, page, 2, 5)) == run.replace("executor", "outcome")
    assert client.post(f"{run}/resume").status_code == 409
    assert client.post(f"{run}/abandon").status_code == 409
    database = people.platform(app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_answers_are_changed(client: FlaskClient) -> None:
    joined(client)
    form = forms.find(client.get("/profile"), "/profile")
    assert form.fields.items() >= {k: v for k, v in ASHA.items() if k != "email"}.items()
    page = forms.send(client, form, form.filled(market="agency", country="US"))
    assert "Saved." in text(page)
    assert forms.find(client.get("/profile"), "/profile").fields["market"] == "agency"


def test_a_guide_with_a_run_leads_to_it(client: FlaskClient) -> None:
    joined(client)
    run = path(begun(client))
    resumed = client.get("/executor/resume_generator")
    assert progress(resumed) == "0 of 5"
    assert step(resumed, 1).action == f"{run}/event"
    assert f'href="{run}"' in text(client.get("/executor/resume_generator?guide"))
    assert client.post("/executor/resume_generator").headers["Location"] == run
    finished(client, client.get(run))
    assert "Do it again" in text(client.get("/executor/resume_generator"))


def test_filters_of_the_catalogue(shared_app: Flask) -> None:
    client = shared_app.test_client()
    everything = set(re.findall(r'href="/executor/(\w+)"', text(client.get("/workflows"))))
    some = text(client.get("/workflows?goal=save_time&market=shop_owner&skill_level="))
    shown = set(re.findall(r'href="/executor/(\w+)"', some))
    assert len(everything) == 12
    assert shown < everything
    assert client.get("/workflows?goal=fame").status_code == 400
