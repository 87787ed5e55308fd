"""A slate is kept, served again, and says how likely each place was."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from tests.advice.draws import draw, names
from tests.crowds import runs, sign_up
from whatworks import db, errors
from whatworks.advice import dismissals, recommendations, slates
from whatworks.evidence import performance, upkeep
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import executions
from whatworks.models import Recommendation, Slate
from whatworks.people import profiles

DRAWS = 400
FAR = 0.125  # five standard errors of a share of so many draws


def test_a_slate_is_served_again_until_something_changes(
    stocked: db.Database, known: Beliefs
) -> None:
    """The same impressions for a day; a new slate after an event, a changed profile or a day."""
    person = sign_up(stocked, 1)
    first = draw(stocked, known, person)
    assert draw(stocked, known, person) == first
    assert names(draw(stocked, known, person, 1)) == names(first)[:1]
    stocked.write(profiles.change, person.id, {"market": "student"})
    second = draw(stocked, known, person)
    assert {one.id for one in second}.isdisjoint({one.id for one in first})
    stocked.write(performance.folded, executions.start, person.id, "bad_way")
    assert "bad_way" not in names(draw(stocked, known, person))
    third = draw(stocked, known, person)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, minutes=1), tick=False):
        assert draw(stocked, known, person) != third


def test_a_longer_list_is_drawn_when_asked_for(stocked: db.Database, known: Beliefs) -> None:
    """Somebody who saw one and asks for three gets three."""
    person = sign_up(stocked, 1)
    assert len(draw(stocked, known, person, 1)) == 1
    assert len(draw(stocked, known, person, 3)) == 3


def test_of_two_drawn_at_once_one_is_kept(stocked: db.Database, known: Beliefs) -> None:
    """Drawing happens outside of the writer, so two may; both then show the same."""
    person = sign_up(stocked, 1)
    drawn = [stocked.read(recommendations.draw, person.id, 3, known) for _ in range(2)]
    kept = [stocked.write(slates.keep, one) for one in drawn]
    assert kept[0] == kept[1] == drawn[0].shown


def test_a_slate_is_kept_with_all_that_judging_it_needs(
    stocked: db.Database, known: Beliefs
) -> None:
    """Propensities that add up, the policy, the model, the context and what was passed over."""
    runs(stocked, "good_way", 20, 5)
    upkeep.run(stocked, known)
    person = sign_up(stocked, 1)
    stocked.write(performance.folded, executions.start, person.id, "bad_way")
    shown = draw(stocked, known, person, 2)
    row = stocked.read(lambda session: session.first(select(Slate)))
    assert row is not None
    context = json.loads(row.context)
    assert (row.policy, row.model) == (slates.POLICY, known.fit_id)
    assert (context["eligible"], context["passed_over"]) == (2, ["bad_way"])
    assert (context["market"], context["goal"]) == ("freelancer", "earn_money")
    assert all(one.propensity and 0 < one.propensity <= 1 for one in shown)
    assert shown[1].propensity == pytest.approx(1.0)  # there was nothing else left


def test_propensities_are_how_often_it_happens(stocked: db.Database, known: Beliefs) -> None:
    """What is logged for a first place is the share of draws that show it there."""
    runs(stocked, "good_way", 6, 6)
    runs(stocked, "bad_way", 5, 7)
    upkeep.run(stocked, known)
    person = sign_up(stocked, 1)
    first: Counter[str] = Counter()
    said: dict[str, float] = {}
    for _ in range(DRAWS):
        one = stocked.read(recommendations.draw, person.id, 1, known).shown[0]
        first[one.workflow_name] += 1
        said[one.workflow_name] = one.propensity or 0.0
    for name, propensity in said.items():
        assert first[name] / DRAWS == pytest.approx(propensity, abs=FAR)


def test_a_filled_place_says_how_likely_it_was(stocked: db.Database, known: Beliefs) -> None:
    """What is logged for the place that a dismissal left is the share of draws that fill it so."""
    runs(stocked, "good_way", 6, 6)
    runs(stocked, "bad_way", 5, 7)
    upkeep.run(stocked, known)
    person = sign_up(stocked, 1)
    unwanted = draw(stocked, known, person, 1)[0]
    stocked.write(dismissals.record, person.id, unwanted.id, "not_now")
    found: Counter[str] = Counter()
    said: dict[str, float] = {}
    for _ in range(DRAWS):
        (one,) = stocked.read(recommendations.draw, person.id, 1, known).shown
        found[one.workflow_name] += 1
        said[one.workflow_name] = one.propensity or 0.0
        assert one.rank == 2
    assert unwanted.workflow_name not in found
    for name, propensity in said.items():
        assert found[name] / DRAWS == pytest.approx(propensity, abs=FAR)


def test_what_became_of_it_comes_from_the_execution(stocked: db.Database, known: Beliefs) -> None:
    """Clicked, then started, then finished: the impression knows, and nobody told it."""
    person = sign_up(stocked, 1)
    shown = draw(stocked, known, person)[0]
    assert stocked.write(slates.click, person.id, shown.id) == shown.workflow_name
    name = shown.workflow_name
    run = stocked.write(performance.folded, executions.start, person.id, name).after
    assert run.recommendation_id == shown.id
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    row = stocked.read(
        lambda session: session.first(select(Recommendation).where(Recommendation.id == shown.id))
    )
    assert row is not None
    assert (row.clicked, row.outcome) == (1, "completed")


def test_a_click_on_somebody_elses_is_not_found(stocked: db.Database, known: Beliefs) -> None:
    """Nor does it change anything."""
    mine, theirs = sign_up(stocked, 1), sign_up(stocked, 2)
    shown = draw(stocked, known, theirs)[0]
    with pytest.raises(errors.NotFound):
        stocked.write(slates.click, mine.id, shown.id)
    assert not draw(stocked, known, theirs)[0].clicked


def test_a_day_has_room_for_so_many_slates(
    stocked: db.Database, known: Beliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changes their state back and forth fills no disk; what holds is shown all the same."""
    monkeypatch.setattr(slates, "MOST_A_DAY", 2)
    asha = sign_up(stocked, 1)
    for limit in (1, 2):
        shown = draw(stocked, known, asha, limit)
    with pytest.raises(errors.TooManyRequests, match="2 times since yesterday"):
        draw(stocked, known, asha, 3)
    assert draw(stocked, known, asha, 2) == shown
    assert draw(stocked, known, sign_up(stocked, 2), 3)
