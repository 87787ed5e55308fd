"""Pages of evidence: the funnel, rare finds, why this one, not for me, and what operators see."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests import people
from tests.conftest import Make
from tests.people import Person
from tests.web import forms
from tests.web.pages import text
from whatworks.evidence import publications, recount, upkeep

Sign = Callable[..., Person]


def freelancers(url: str) -> None:
    """Sixteen have been through one workflow, most successfully, and two are at it."""
    people.migrate_and_stock(url)
    with people.visiting(url) as app:
        follow(app)
        upkeep.fit(people.platform(app).database)


def follow(app: Flask) -> None:
    for number in range(18):
        asha = people.sign_up(app)
        run = asha.start("resume_generator")
        if number < 12:
            asha.finish(run)
            if number < 11:
                asha.report(run, value=0 if number == 10 else 1000 * (number + 1))
        elif number < 16:
            asha.client.post(
                f"/api/execution/{run}/log", json={"step": 2, "result": "failed", "note": "stuck"}
            )
            asha.finish(run, 1)
            asha.client.delete(f"/api/execution/{run}")


@pytest.fixture
def content(request: pytest.FixtureRequest) -> Make:
    """What the test asks for."""
    return freelancers if "lived_in" in request.fixturenames else people.migrate_and_stock


@pytest.fixture
def lived_in(app: Flask) -> Flask:
    """The application where the freelancers have been."""
    return app


def test_the_public_page_shows_the_funnel_and_its_bounds(lived_in: Flask) -> None:
    """18 began, 12 finished, 11 reported, 10 got something; 7 are silent."""
    page = text(lived_in.test_client().get("/executor/resume_generator"))
    assert "Of 18 people who began" in page
    assert "7 people did not say what it brought" in page
    assert "<strong>56%</strong> of those who began got something" in page  # 10 of 18
    assert "<strong>94%</strong>" in page  # 17 of 18
    assert "12 of 16 people finished this" in page


def test_who_earned_in_money_without_a_rate_is_neither_silent_nor_nothing(lived_in: Flask) -> None:
    """Two more report, in taka: what they got is not known here, so the range has room for it."""
    for _ in range(2):
        nila = people.sign_up(lived_in)
        run = nila.start("resume_generator")
        nila.finish(run)
        nila.report(run, value=9000, currency="BDT")
    platform = people.platform(lived_in)
    upkeep.fit(platform.database)
    publications.keep_up_all(platform.database, platform.beliefs)
    page = text(lived_in.test_client().get("/executor/resume_generator"))
    assert "9 people did not say what it brought, or said something that is not counted" in page
    assert "<strong>95%</strong>" in page  # 10 and 9 of 20
    assert "11 people whose results are counted here" in page


def test_a_page_without_enough_people_shows_no_funnel(app: Flask, person: Sign) -> None:
    """The control: three people are not a funnel."""
    for _ in range(3):
        asha = person()
        asha.finish(asha.start("resume_generator"))
    page = text(app.test_client().get("/executor/resume_generator"))
    assert "who began" not in page
    assert "Too early to say" in page
    assert "3 people began it so far" in page


def test_rare_finds_are_found_by_what_one_needs(lived_in: Flask) -> None:
    """Filters live in the address; what is unknown is no find."""
    client = lived_in.test_client()
    found = text(client.get("/workflows/rare?market=freelancer&success=50&value=2000"))
    assert "1 find" in found
    assert "Write resumes" in found
    for unfit in ("success=99", "value=90000", "goal=save_time", "hours=0.001"):
        assert "Nothing like that yet" in text(client.get(f"/workflows/rare?{unfit}"))
    assert client.get("/workflows/rare?success=lots").status_code == 400


def test_why_this_one_and_not_for_me(lived_in: Flask, person: Sign) -> None:
    """The sentences, the table, and a form that takes the answer and it away."""
    asha = person()
    page = text(asha.client.get("/dashboard/next"))
    assert "12 of the 16 beginner freelancers whose end we know finished it; 4 stopped." in page
    assert "2 more are still at it." in page
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()["recommendations"]
    unwanted = shown[0]
    path = f"/recommendations/{unwanted['recommendation_id']}/dismiss"
    form = forms.find(asha.client.get("/dashboard"), path)
    answer = asha.client.post(path, data=form.filled(reason="not_my_field"))
    assert answer.headers["Location"].endswith("/dashboard")  # where it was said
    again = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()["recommendations"]
    assert unwanted["workflow_name"] not in {one["workflow_name"] for one in again}


def test_not_for_me_by_the_api(lived_in: Flask, person: Sign) -> None:
    """The same by a program, with the answer repeated for the same key."""
    asha = person()
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()["recommendations"]
    path = f"/api/recommendations/{shown[0]['recommendation_id']}/dismiss"
    for replayed in (None, "true"):
        answer = asha.post(path, {"reason": "too_hard"}, Idempotency_Key="k")
        assert answer.get_json()["dismissed"] is True
        assert answer.headers.get("Idempotency-Replayed") == replayed
    assert asha.post(path, {"reason": "because"}).status_code == 400


def test_the_reason_names_its_level_and_counts(lived_in: Flask, person: Sign) -> None:
    """In the API as on the card."""
    asha = person()
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}?limit=12").get_json()
    lines = {one["workflow_name"]: one for one in shown["recommendations"]}
    line = lines["resume_generator"]
    assert line["evidence"]["level"] == "cell"
    assert (line["evidence"]["finished"], line["evidence"]["stopped"]) == (12, 4)
    assert line["reason"].startswith(
        "too early to say: so far 12 of 16 beginner freelancers like you finished"
    )
    new = lines["whatsapp_bot"]
    assert (new["evidence"]["level"], new["evidence"]["rate"]) == ("any workflow", None)
    assert "new: nobody like you" in new["reason"]
    locked = [one for one in shown["recommendations"] if one["evidence"]["needs_plan"]]
    assert locked == shown["recommendations"][-len(locked) :]
    assert all("needs the" in one["reason"] for one in locked)


def test_operators_see_every_cell_and_where_people_stop(lived_in: Flask) -> None:
    boss = people.operator(lived_in)
    page = text(boss.client.get("/admin/evidence/resume_generator"))
    assert "12 of 16" in page
    assert "18 people, 2 open, 11 reported" in page
    assert "No reason given: 4" in page
    assert 'href="/executor/resume_generator?guide"' in page
    for place in ("/admin", "/executor/resume_generator?guide"):
        assert 'href="/admin/evidence/resume_generator"' in text(boss.client.get(place))
    anybody = text(lived_in.test_client().get("/executor/resume_generator"))
    assert "/admin/" not in anybody
    overview = text(boss.client.get("/admin/evidence"))
    assert "known ends of 1 workflow" in overview
    assert "nothing was logged" in overview
    assert boss.client.get("/admin/evidence/never_heard_of").status_code == 404


def test_operators_see_why_people_pass(lived_in: Flask) -> None:
    boss, asha = people.operator(lived_in), people.sign_up(lived_in)
    run = asha.start("whatsapp_bot")
    skipped = {"kind": "verdict", "step": 1, "result": "skipped", "reason": "done_already"}
    people.made(asha.post(f"/api/execution/{run}/event", skipped))
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()["recommendations"]
    asha.client.post(
        f"/recommendations/{shown[0]['recommendation_id']}/dismiss", data={"reason": "too_hard"}
    )
    page = text(boss.client.get("/admin"))
    assert "It is too hard for me</span><strong>1<" in page
    assert "I had done it before</span><strong>1<" in page
    assert "No reason given</span><strong>4<" in page


def test_operators_have_no_plan_and_are_told_so(lived_in: Flask) -> None:
    boss = people.operator(lived_in)
    for path in ("/pricing", "/library"):
        page = text(boss.client.get(path))
        assert "open to you, without a plan" in page
        assert "Scale plan</h2>" not in page
        assert "Your plan" not in page


def test_operators_take_it_all_along(lived_in: Flask, tmp_path: Path) -> None:
    """As CSV and as Parquet, with the same rows."""
    boss = people.operator(lived_in)
    table = boss.client.get("/admin/evidence.csv")
    assert table.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.get_data(as_text=True))))
    own = next(r for r in rows if (r["market"], r["skill_level"]) == ("freelancer", "beginner"))
    assert (own["people"], own["finished"], own["raw_success_rate"]) == ("18", "12", "75.0")
    parquet = tmp_path / "evidence.parquet"
    parquet.write_bytes(boss.client.get("/admin/evidence.parquet").get_data())
    with recount.connected() as connection:
        counted = connection.execute(f"SELECT count(*), max(people) FROM '{parquet}'").fetchone()
    assert counted == (len(rows), 18)


def test_pages_say_what_is_counted(lived_in: Flask) -> None:
    """Help explains the rules in plain words."""
    page = text(lived_in.test_client().get("/help"))
    for words in ("Everybody counts once", "How we recommend", "Those who keep silent"):
        assert words in page
