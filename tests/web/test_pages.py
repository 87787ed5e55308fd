"""The loop by forms alone, as a person does it, and every page for people of the old shop."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.conftest import Templates
from tests.people import Person
from tests.web import forms
from tests.web.forms import Form
from tests.web.old_shop import clean, dirty
from whatworks import clock, db
from whatworks.app import close
from whatworks.evidence import performance
from whatworks.models import WorkflowPerformance

ASHA = {"email": "asha@example.com", **people.NEW, "country": "IN"}


def text(page: TestResponse) -> str:
    """What stands on a page that answered well."""
    assert page.status_code == 200, page.request.path
    return re.sub(r"\s+", " ", page.get_data(as_text=True))


def path(page: TestResponse) -> str:
    return page.request.path


def joined(client: FlaskClient, next_: str = "") -> TestResponse:
    """Sign up by the form; the page one is led to."""
    form = forms.find(client.get("/signup", query_string={"next": next_}), "/signup")
    return forms.send(client, form, form.filled(**ASHA))


def begun(client: FlaskClient, workflow: str = "resume_generator") -> TestResponse:
    """Start a workflow from its guide; the page of the run."""
    form = forms.find(client.get(f"/executor/{workflow}"), f"/executor/{workflow}")
    page = forms.send(client, form, form.filled())
    assert path(page).startswith("/executor/")
    return page


def step(page: TestResponse, number: int) -> Form:
    """The form of one step of a run: its note, its checklist, its verdict."""
    (found,) = (
        form
        for form in forms.read(page)
        if form.fields.get("step") == str(number) and form.fields.get("kind") == "note"
    )
    return found


def progress(page: TestResponse) -> str:
    """The steps done of all, as the bar of a run says."""
    found = re.search(r"<progress[^>]*>(\d+ of \d+)</progress>", text(page))
    assert found is not None
    return found[1]


def worked(client: FlaskClient, page: TestResponse, number: int, note: str = "") -> TestResponse:
    form = step(page, number)
    return forms.send(client, form, form.filled(("result", "worked"), text=note))


def finished(client: FlaskClient, page: TestResponse, steps: int = 5) -> TestResponse:
    """Work through a run; the page that asks what it brought."""
    for number in range(1, steps + 1):
        page = worked(client, page, number)
    assert path(page).startswith("/outcome/")
    return page


def outcome_form(page: TestResponse) -> Form:
    return forms.find(page, path(page))


# ---- the loop -------------------------------------------------------------------------------


def test_the_loop(client: FlaskClient, app: Flask) -> None:
    assert "/signup" in text(client.get("/"))
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
    page = forms.send(client, form, form.filled(("result", "worked")))
    assert path(page) == run.replace("executor", "outcome")
    assert "Well done, you came to the end</strong>: 4 of 5 steps, 1 skipped." in text(page)
    assert "4 of 5 steps, 1 skipped" in text(client.get("/dashboard"))

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
    assert folded(app) == rebuilt(app)


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


def folded(app: Flask) -> dict[str, list[tuple[Any, ...]]]:
    return people.platform(app).database.read(people.read_model)


def rebuilt(app: Flask) -> dict[str, list[tuple[Any, ...]]]:
    people.platform(app).database.write(performance.rebuild)
    return folded(app)


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
    assert folded(app) == rebuilt(app)


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
    assert folded(app) == rebuilt(app)


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


# ---- people of the old shop -----------------------------------------------------------------


@pytest.fixture(
    params=itertools.product((clean, dirty), ("sqlite", "postgresql")),
    ids=lambda both: f"{both[0].__name__}-{both[1]}",
)
def old_app(
    request: pytest.FixtureRequest, templates: Templates, tmp_path: Path
) -> Iterator[Flask]:
    """The application on an old database that was upgraded, with or without dirty rows."""
    make, kind = request.param
    with templates.copied(kind, tmp_path, make) as url:
        app = people.build(url, tmp_path)
        yield app
        close(app)


def ids(app: Flask, query: str) -> list[str]:
    with db.engine(people.platform(app).database.url).connect() as connection:
        return [str(row[0]) for row in connection.exec_driver_sql(query)]


def test_every_page_renders_for_everybody(old_app: Flask) -> None:
    everybody = ids(old_app, "SELECT id FROM user_profiles ORDER BY created_at LIMIT 12")
    everybody += ids(old_app, "SELECT id FROM user_profiles WHERE id LIKE 'd_' OR id = ''")
    for user_id in everybody:
        client = people.signed_in(old_app, user_id)
        for place in ("/", "/dashboard", "/dashboard/next", "/profile", "/sessions", "/workflows",
                      "/executor/resume_generator", "/pricing", "/help"):  # fmt: skip
            assert "<h1" in text(client.get(place)), (user_id, place)
        for place in (f"/api/profile/{user_id}", f"/api/recommendations/{user_id}"):
            if user_id:
                assert client.get(place).get_json()["success"] is True, (user_id, place)
        for place in ("/api/execution", "/api/outcome"):
            if user_id:
                found = client.get(place, query_string={"user_id": user_id})
                assert found.get_json()["success"] is True, (user_id, place)


def test_every_old_run_renders_and_can_go_on(old_app: Flask) -> None:
    query = "SELECT id FROM workflow_executions WHERE user_id = '{}'"
    everybody = ids(
        old_app,
        "SELECT DISTINCT user_id FROM workflow_executions WHERE user_id IN"
        " (SELECT id FROM user_profiles WHERE id IN ('d1', 'd2', 'd6')"
        " UNION SELECT user_id FROM (SELECT user_id FROM outcomes ORDER BY id LIMIT 8) AS few)",
    )
    seen = 0
    for user_id in everybody:
        client = people.signed_in(old_app, user_id)
        for execution_id in ids(old_app, query.format(user_id)):
            run, outcome = f"/executor/{execution_id}", f"/outcome/{execution_id}"
            page = client.get(run)
            assert "<h1" in text(page), execution_id
            assert client.get(f"/api/execution/{execution_id}").status_code == 200
            ask = client.get(outcome)
            for way in re.findall(r'href="(/outcome/[^"]+corrects=[^"]+)"', text(ask)):
                assert "Correct" in text(client.get(way))
            form = outcome_form(ask)
            done = forms.send(client, form, form.filled(metric_type="customers", value="3"))
            assert "Thank you" in text(done), execution_id
            go_on(client, page)
            seen += 1
        assert "<h1" in text(client.get("/dashboard"))
    assert seen >= 8
    counted_cells = counted_only(folded(old_app))
    after = counted_only(rebuilt(old_app), cells=set(counted_cells))
    assert counted_cells == after


def counted_only(
    model: dict[str, list[tuple[Any, ...]]], cells: set[str] | None = None
) -> dict[str, object]:
    """Cells with counts behind them and their versions; of old cells only figures are known."""
    started = list(WorkflowPerformance.__table__.columns.keys()).index("started")
    found = {row[0]: row for row in model["cells"] if row[started] is not None}
    return {
        cell: (row, [value for value in model["versions"] if ":".join(value[:3]) == cell])
        for cell, row in found.items()
        if cells is None or cell in cells
    }


def go_on(client: FlaskClient, page: TestResponse) -> None:
    """Do one step, where there is one to do."""
    now = [form for form in forms.read(page) if form.fields.get("kind") == "note"]
    now = [form for form in now if ("result", "worked") in form.buttons]
    if now:
        after = forms.send(client, now[0], now[0].filled(("result", "worked"), text="going on"))
        assert after.status_code == 200


def test_old_figures_are_shown_until_there_are_new_ones(old_app: Flask) -> None:
    client = old_app.test_client()
    found = client.get("/api/performance/resume_generator").get_json()["performance"]
    assert found
    assert all(cell["method"] in ("carried over", "estimate") for cell in found)
    for name in ("resume_generator", "whatsapp_bot", "prompt_selling", "w", "no such", "🧪"):
        assert client.get(f"/api/performance/{name}").status_code == 200


NOBODY = ("no results yet", "Nobody has finished", "nobody done", "nobody like you", "stopped yet")


def test_older_runs_are_not_nobody(old_app: Flask) -> None:
    """Where they only wait to be counted, pages say so; once they are counted, no longer."""
    user_id = ids(old_app, "SELECT id FROM user_profiles WHERE market = 'student'")[0]
    client = people.signed_in(old_app, user_id)
    everybodys, own = (
        ("/", "/workflows", "/executor/whatsapp_bot"),
        ("/dashboard", "/dashboard/next"),
    )
    strange = old_app.test_client()
    for place in (*everybodys, *own):
        told = text((strange if place in everybodys else client).get(place))
        assert not [said for said in NOBODY if said in told], place
        assert "lder runs are not counted yet" in told, place
    page = begun(client, "prompt_selling")
    ask = client.get(path(page).replace("executor", "outcome"))
    done = text(forms.send(client, outcome_form(ask), outcome_form(ask).filled(value="5")))
    assert not [said for said in NOBODY if said in done]
    people.platform(old_app).database.write(performance.rebuild)
    for place in everybodys:
        assert "not counted yet" not in text(strange.get(place)), place


def test_old_people_sign_in_by_mail(old_app: Flask) -> None:
    client = old_app.test_client()
    page = client.post("/signin", data={"email": "Person1@Example.com"})
    platform = people.platform(old_app)
    platform.mailer.close()
    (mail,) = (platform.settings.data_dir / "outbox").iterdir()
    code = re.search(r"Subject: (\d{6}) ", mail.read_text())
    assert code is not None
    form = forms.find(page, "/signin/code")
    assert path(forms.send(client, form, form.filled(code=code[1]))) == "/dashboard"


def test_runs_of_long_ago_are_closed_and_resumed(person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    with time_machine.travel(clock.timestamp() + 40 * 86_400):
        assert progress(asha.client.get(f"/executor/{execution_id}")) == "0 of 5"
