"""People of the old shop: every page renders, every run can go on."""

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
from tests.web.old_shop import clean, dirty
from tests.web.pages import path, text
from tests.web.walks import begun, outcome_form, progress
from whatworks import clock, db
from whatworks.app import close
from whatworks.evidence import performance
from whatworks.models import WorkflowPerformance


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
    database = people.platform(old_app).database
    counted_cells = counted_only(database.read(people.read_model))
    after = counted_only(people.rebuilt(database), cells=set(counted_cells))
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
