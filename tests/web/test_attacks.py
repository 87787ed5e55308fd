"""Attempts to move public numbers, through the HTTP API, as somebody would try them.

Each says how far the number may move. The control of each is in `test_control_…`: the same attack
moves a plain mean, or a plain count, much further.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests import people
from tests.conftest import Make
from tests.people import Person
from whatworks.evidence import findings, fits, publications, upkeep

WORKFLOW: Final = "resume_generator"
_numbers = itertools.count(1)


def from_network(app: Flask, address: str, **profile: str) -> Person:
    """Somebody who signs up from an address."""
    client = app.test_client()
    body = {"email": f"net{next(_numbers)}@example.com", **people.NEW, **profile}
    answer: TestResponse = client.post(
        "/api/profile", json=body, environ_base={"REMOTE_ADDR": address}
    )
    found = people.made(answer)
    return Person(app, client, found["user_id"], found["email"], found["access_token"])


def honest(app: Flask, count: int, finish: float, seed: int = 3) -> list[float]:
    """So many people of a freelancers' cell, a share of whom finishes and reports."""
    draw = np.random.default_rng(seed)
    said = []
    for number in range(count):
        asha = from_network(app, f"{11 + number % 200}.{number % 250}.4.7")
        run = asha.start(WORKFLOW)
        if draw.random() < finish:
            asha.finish(run)
            said.append(float(f"{4000 * np.exp(draw.normal(0, 0.8)):.4g}"))
            asha.report(run, value=said[-1])
        else:
            asha.client.delete(f"/api/execution/{run}")
    return said


def shown(app: Flask) -> dict[str, Any]:
    """What the public sees of the freelancers' cell."""
    query = "?market=freelancer&skill_level=beginner"
    answer = app.test_client().get(f"/api/performance/{WORKFLOW}{query}").get_json()
    found: dict[str, Any] = answer["performance"][0]
    return found


def published_afresh(app: Flask) -> dict[str, Any]:
    """What would be published now, had nothing been before."""
    database = people.platform(app).database
    known = people.platform(app).beliefs
    known.sync(database)

    def value(session: Any) -> Any:
        levels = findings.levels_of(session, WORKFLOW)
        press = publications.press(session, WORKFLOW, levels, known)
        return press.publication(("freelancer", "beginner"), rate=True, value=True)

    found = database.read(value)
    assert found.rate is not None
    assert found.value is not None
    return {"rate": found.rate.mean, "value": found.value.median}


def lived_in(url: str) -> None:
    """Forty honest people have been here, and the model is fitted."""
    people.migrate_and_stock(url)
    with people.visiting(url) as app:
        honest(app, 40, 0.6)
        upkeep.fit(people.platform(app).database)
    assert fits.FIRST <= 40


@pytest.fixture
def content(request: pytest.FixtureRequest) -> Make:
    """What the test asks for."""
    return lived_in if "settled" in request.fixturenames else people.migrate_and_stock


@pytest.fixture
def settled(app: Flask) -> Flask:
    """The application where people have been."""
    return app


def off(before: float, after: float) -> float:
    """By which factor a number moved, either way."""
    return max(before / after, after / before)


def test_one_enormous_report(settled: Flask) -> None:
    before = published_afresh(settled)
    liar = from_network(settled, "8.8.8.8")
    run = liar.start(WORKFLOW)
    liar.finish(run)
    outcome = liar.report(run, value=9.9e11)
    assert off(before["value"], published_afresh(settled)["value"]) < 1.3
    page = liar.client.get(f"/outcome/{run}/done?outcome={outcome}")
    assert "You are among the top 25%" in page.get_data(as_text=True)


def test_one_person_reports_and_finishes_many_times(settled: Flask) -> None:
    before = published_afresh(settled)
    liar = from_network(settled, "8.8.8.8")
    for _ in range(15):
        run = liar.start(WORKFLOW)
        liar.finish(run)
        liar.report(run, value=9.9e11)
        liar.report(run, value=9.9e11)
    after = published_afresh(settled)
    assert off(before["value"], after["value"]) < 1.3
    assert abs(after["rate"] - before["rate"]) < 0.03
    assert shown(settled)["people"] <= 41


def test_many_accounts_from_one_network(settled: Flask) -> None:
    """Thirty accounts of one place, who all fail at once and report a fortune: few votes."""
    before = published_afresh(settled)
    for _ in range(30):
        liar = from_network(settled, "8.8.4.4")
        run = liar.start(WORKFLOW)
        liar.report(run, value=4e7)
        liar.client.delete(f"/api/execution/{run}")
    after = published_afresh(settled)
    assert off(before["value"], after["value"]) < 1.6
    assert before["rate"] - after["rate"] < 0.12


def test_control_many_accounts_from_many_networks_would_move_it(settled: Flask) -> None:
    """The same thirty from everywhere are heard: nobody can tell them from people."""
    before = published_afresh(settled)
    for number in range(30):
        liar = from_network(settled, f"{60 + number}.9.4.4")
        run = liar.start(WORKFLOW)
        liar.report(run, value=4e7)
        liar.client.delete(f"/api/execution/{run}")
    after = published_afresh(settled)
    assert off(before["value"], after["value"]) > 1.6
    assert before["rate"] - after["rate"] > 0.12


def test_accounts_of_one_network_alone_publish_nothing(app: Flask) -> None:
    """Five of one place are fewer than five people; five of five places are five."""
    for _ in range(5):
        asha = from_network(app, "8.8.4.4")
        asha.finish(asha.start(WORKFLOW))
    assert shown(app)["level"] == "any workflow"
    asha = from_network(app, "9.9.9.9")
    asha.finish(asha.start(WORKFLOW))
    assert shown(app)["level"] == "cell"


def test_a_shorter_run_is_not_the_workflow(settled: Flask) -> None:
    """Finishing one step of one shows nothing about a guide of five."""
    before, counted = published_afresh(settled), shown(settled)["people"]
    for number in range(20):
        asha = from_network(settled, f"{60 + number}.9.4.4")
        body = {"user_id": asha.user_id, "workflow_name": WORKFLOW, "total_steps": 1}
        run = people.made(asha.post("/api/execution", body))["execution_id"]
        asha.finish(run, 1)
        asha.report(run, value=1e9)
    assert published_afresh(settled) == before
    assert shown(settled)["people"] == counted


def test_control_whole_runs_are_counted(settled: Flask) -> None:
    before = published_afresh(settled)
    for number in range(20):
        asha = from_network(settled, f"{60 + number}.9.4.4")
        run = asha.start(WORKFLOW)
        asha.finish(run)
        asha.report(run, value=1e9)
    assert published_afresh(settled) != before


def test_ticking_everything_off_at_once_says_nothing_about_time(settled: Flask) -> None:
    """All of these finished within milliseconds of a guide of hours: no time is published."""
    assert shown(settled)["completion_time_hours"] is None


def test_looking_twice_does_not_give_the_newest_away(settled: Flask) -> None:
    """After one more person, and after two, the public sees the very same."""
    before = shown(settled)
    for number in range(2):
        asha = from_network(settled, f"{90 + number}.9.4.4")
        run = asha.start(WORKFLOW)
        asha.finish(run)
        asha.report(run, value=123_456)
        after = shown(settled)
        same = set(before) - {"updated_at"}
        assert {k: after[k] for k in same} == {k: before[k] for k in same}


def test_control_enough_new_people_change_it(settled: Flask) -> None:
    before = shown(settled)
    honest(settled, 12, 1.0, seed=9)
    after = shown(settled)
    assert after["data_points"] > before["data_points"]
    assert after["success_rate"] > before["success_rate"]


def test_correcting_oneself_changes_nothing_public(settled: Flask) -> None:
    """A correction is no new person."""
    asha = from_network(settled, "8.8.8.8")
    run = asha.start(WORKFLOW)
    first = asha.report(run, value=10)
    before = shown(settled)
    asha.report(run, value=1e9, supersedes_id=first)
    assert shown(settled) == before


def test_other_currencies_count_in_one(app: Flask) -> None:
    """Half report dollars of the same worth; the typical value is that of all, in one currency."""
    for number in range(14):
        asha = from_network(app, f"{60 + number}.9.4.4")
        run = asha.start(WORKFLOW)
        asha.finish(run)
        if number % 3 == 0:
            asha.report(run, value=60, currency="USD")
        else:
            asha.report(run, value=5000, currency="INR")
    found = shown(app)
    assert (found["currency"], found["outcomes"]) == ("INR", 14)
    assert 4500 <= found["avg_outcome_value"] <= 5600


def test_hours_are_never_mixed_with_money(app: Flask) -> None:
    for number in range(16):
        asha = from_network(app, f"{60 + number}.9.4.4")
        run = asha.start(WORKFLOW)
        asha.finish(run)
        if number < 11:
            asha.report(run, metric_type="time_saved", value=2.0)
        else:
            asha.report(run, value=1e6)
    found = shown(app)
    assert (found["metric_type"], found["currency"]) == ("time_saved", "hours")
    assert found["avg_outcome_value"] == 2.0
