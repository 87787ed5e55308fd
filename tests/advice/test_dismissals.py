"""What is dismissed goes, and its reason is used; nothing else moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.advice.draws import draw, names, rows
from tests.crowds import GUIDE, sign_up
from tests.shopping import TERMS
from whatworks import catalogue, db, errors
from whatworks.advice import choices, dismissals, recommendations, slates
from whatworks.evidence import performance
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import executions
from whatworks.guides import parser


def test_a_dismissed_one_goes_and_its_reason_is_used(stocked: db.Database, known: Beliefs) -> None:
    """Not again for a while; the others stay; twice is once."""
    person = sign_up(stocked, 1)
    first = draw(stocked, known, person)
    unwanted = first[0]
    for _ in range(2):
        said = stocked.write(dismissals.record, person.id, unwanted.id, "too_long", "no time")
        assert said == unwanted.workflow_name
    second = draw(stocked, known, person)
    assert [one.id for one in second] == [one.id for one in first[1:]]  # there is nothing else
    assert [one.rank for one in second] == [1, 2, 3]
    assert draw(stocked, known, person) == second
    assert [tuple(row) for row in stocked.read(dismissals.counts)] == [
        (unwanted.workflow_name, "too_long", 1)
    ]
    found = stocked.read(
        choices.person_of, person, known, stocked.read(dismissals.lately, person.id)
    )
    assert found.longest == 30  # what takes as long as that one now counts less
    with time_machine.travel(datetime.now(UTC) + timedelta(days=61), tick=False):
        assert unwanted.workflow_name in names(draw(stocked, known, person))


def test_a_dismissed_place_is_filled_and_nothing_else_moves(
    stocked: db.Database, known: Beliefs
) -> None:
    """The same rows with the same probabilities, then one more; what needs a plan stays last."""
    texts = (f"other_{number}" for number in range(6))
    others = [parser.parse(GUIDE.format(name=name), f"{name}.md") for name in texts]
    stocked.write(catalogue.load, others, source="test")
    known.sync(stocked)
    person = sign_up(stocked, 1)
    first = draw(stocked, known, person, 4)
    before = rows(stocked)
    for unwanted in (first[1], first[0]):
        stocked.write(dismissals.record, person.id, unwanted.id, "not_now")
    drawn = [stocked.read(recommendations.draw, person.id, 4, known, TERMS) for _ in range(2)]
    second, again = (stocked.write(slates.keep, one) for one in drawn)
    assert second == again == draw(stocked, known, person, 4)  # of two at once one is kept
    assert [one.id for one in second[:2]] == [one.id for one in first[2:]]
    assert [one.rank for one in second] == [1, 2, 3, 4]
    assert names(second)[2:] == names(drawn[0].shown)
    assert not set(names(second)) & {first[0].workflow_name, first[1].workflow_name}
    after = rows(stocked)
    assert before.items() <= after.items()
    assert sorted(rank for _, rank, _ in after.values()) == [1, 2, 3, 4, 5, 6]
    assert len({slate for slate, _, _ in after.values()}) == 1
    stocked.write(performance.folded, executions.start, person.id, names(second)[0])
    assert stocked.read(slates.find_current, person.id, 4) is None


def test_a_dismissal_brings_nothing_back(stocked: db.Database, known: Beliefs) -> None:
    """What one has just done is no filling, as long as something else stands in the list."""
    person = sign_up(stocked, 1)
    run = stocked.write(performance.folded, executions.start, person.id, "good_way").after
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    shown = draw(stocked, known, person)
    assert set(names(shown)) == {"bad_way", "new_way", "paid_way"}
    for left in (["new_way", "paid_way"], ["good_way", "paid_way"]):
        unwanted = next(one for one in shown if one.workflow_name not in left)
        stocked.write(dismissals.record, person.id, unwanted.id, "not_now")
        shown = draw(stocked, known, person)
        assert names(shown) == left


def test_nobody_dismisses_for_somebody_else(stocked: db.Database, known: Beliefs) -> None:
    mine, theirs = sign_up(stocked, 1), sign_up(stocked, 2)
    shown = draw(stocked, known, theirs)[0]
    with pytest.raises(errors.NotFound):
        stocked.write(dismissals.record, mine.id, shown.id, "other")
    assert draw(stocked, known, theirs)[0] == shown
