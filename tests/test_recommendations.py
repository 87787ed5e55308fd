"""Recommendations: what may be run, ranked by evidence, with reasons that are true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.test_performance import GUIDE, sign_up
from whatworks import (
    catalogue,
    db,
    errors,
    executions,
    guide_parser,
    outcomes,
    performance,
    profiles,
    recommendations,
)
from whatworks.outcomes import Report
from whatworks.profiles import Profile
from whatworks.recommendations import Impression
from whatworks.store import entitlements


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """Three free workflows and one that needs pro."""
    texts = {name: GUIDE.format(name=name) for name in ("good_way", "bad_way", "new_way")}
    texts["paid_way"] = GUIDE.format(name="paid_way").replace("tier: free", "tier: pro")
    guides = [guide_parser.parse(text, f"{name}.md") for name, text in texts.items()]
    database.write(catalogue.load, guides, source="test")
    return database


def runs(database: db.Database, name: str, first: int, finished: int, stopped: int) -> None:
    """So many people finished and stopped a workflow; those who finished earned 4,800."""
    for number in range(finished + stopped):
        person = sign_up(database, first + number)
        run = database.write(performance.folded, executions.start, person.id, name).after
        if number < finished:
            database.write(performance.folded, executions.record_progress, person.id, run.id, 3)
            report = Report("revenue", 4800.0, "INR")
            database.write(performance.folded, outcomes.record, person.id, run.id, report)
        else:
            database.write(performance.folded, executions.abandon, person.id, run.id)


def names(shown: list[Impression]) -> list[str]:
    """The workflows of a slate, by rank."""
    return [one.workflow_name for one in shown]


def draw(database: db.Database, person: Profile, limit: int = 5) -> list[Impression]:
    """The slate that holds, else a new one, as the doors do it."""
    found = database.read(recommendations.find_current, person.id, limit)
    return database.write(recommendations.draw, person.id, limit) if found is None else found


def test_evidence_decides_the_order_and_reasons_quote_it(stocked: db.Database) -> None:
    """What most finished comes first; the counts in the reason are the counts of the level."""
    runs(stocked, "good_way", 100, 9, 1)
    runs(stocked, "bad_way", 200, 1, 9)
    shown = draw(stocked, sign_up(stocked, 1))
    assert names(shown) == ["good_way", "new_way", "bad_way"]
    assert shown[0].reason.startswith("9 of 10 beginner freelancers finished this; typical ₹4,800")
    assert shown[0].reason.endswith("fits your goal")
    assert shown[1].reason == "new: no results yet, fits your goal"
    assert [one.rank for one in shown] == [1, 2, 3]


def test_a_reason_climbs_to_the_level_that_has_enough(stocked: db.Database) -> None:
    """An advanced freelancer hears of freelancers, a student of people."""
    runs(stocked, "good_way", 100, 5, 2)
    advanced = draw(stocked, sign_up(stocked, 1, skill_level="advanced"))
    student = draw(stocked, sign_up(stocked, 2, market="student"))
    reasons = {one.workflow_name: one.reason for one in advanced}
    assert reasons["good_way"].startswith("5 of 7 freelancers finished this")
    reasons = {one.workflow_name: one.reason for one in student}
    assert reasons["good_way"].startswith("5 of 7 people finished this")


def test_little_evidence_says_so(stocked: db.Database) -> None:
    """One of one is not quoted as a success rate."""
    runs(stocked, "good_way", 100, 1, 0)
    reasons = {one.workflow_name: one.reason for one in draw(stocked, sign_up(stocked, 1))}
    assert reasons["good_way"] == (
        "1 of 1 person finished this so far, too early to say, fits your goal"
    )


def test_what_the_plan_does_not_cover_is_not_recommended(stocked: db.Database) -> None:
    """Until the plan is there."""
    person = sign_up(stocked, 1)
    assert "paid_way" not in names(draw(stocked, person))
    stocked.write(entitlements.grant, person.id, "pro", cause="test")
    assert "paid_way" in names(draw(stocked, person))


def test_what_one_does_or_just_did_is_not_recommended(stocked: db.Database) -> None:
    """Open now or closed within a month; afterwards it may come back."""
    person = sign_up(stocked, 1)
    run = stocked.write(performance.folded, executions.start, person.id, "good_way").after
    assert "good_way" not in names(draw(stocked, person))
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    assert "good_way" not in names(draw(stocked, person))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=31), tick=False):
        assert "good_way" in names(draw(stocked, person))


def test_when_all_was_done_it_comes_back(stocked: db.Database) -> None:
    """Rather an old one than an empty page."""
    person = sign_up(stocked, 1)
    for name in ("good_way", "bad_way", "new_way"):
        run = stocked.write(performance.folded, executions.start, person.id, name).after
        stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    assert len(draw(stocked, person)) == 3


def test_a_slate_is_served_again_until_something_changes(stocked: db.Database) -> None:
    """The same impressions for a day; a new slate after an event, a changed profile or a day."""
    person = sign_up(stocked, 1)
    first = draw(stocked, person)
    assert draw(stocked, person) == first
    assert names(draw(stocked, person, 1)) == names(first)[:1]
    stocked.write(profiles.change, person.id, {"market": "student"})
    second = draw(stocked, person)
    assert {one.id for one in second}.isdisjoint({one.id for one in first})
    stocked.write(performance.folded, executions.start, person.id, "bad_way")
    assert "bad_way" not in names(draw(stocked, person))
    third = draw(stocked, person)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, minutes=1), tick=False):
        assert draw(stocked, person) != third


def test_a_longer_list_is_drawn_when_asked_for(stocked: db.Database) -> None:
    """Somebody who saw one and asks for three gets three."""
    person = sign_up(stocked, 1)
    assert len(draw(stocked, person, 1)) == 1
    assert len(draw(stocked, person, 3)) == 3


def test_what_became_of_it_comes_from_the_execution(stocked: db.Database) -> None:
    """Clicked, then started, then finished: the impression knows, and nobody told it."""
    person = sign_up(stocked, 1)
    shown = draw(stocked, person)[0]
    assert stocked.write(recommendations.click, person.id, shown.id) == shown.workflow_name
    name = shown.workflow_name
    run = stocked.write(performance.folded, executions.start, person.id, name).after
    assert run.recommendation_id == shown.id


def test_a_click_on_somebody_elses_is_not_found(stocked: db.Database) -> None:
    """Nor does it change anything."""
    mine, theirs = sign_up(stocked, 1), sign_up(stocked, 2)
    shown = draw(stocked, theirs)[0]
    with pytest.raises(errors.NotFound):
        stocked.write(recommendations.click, mine.id, shown.id)
    assert not draw(stocked, theirs)[0].clicked
