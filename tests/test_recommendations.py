"""Recommendations: what may be run, drawn on purpose, with reasons that are true."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import time_machine
from sqlalchemy import select, update

from tests.test_performance import GUIDE, sign_up
from tests.test_plans import TERMS
from whatworks import catalogue, clock, db, errors
from whatworks.advice import choices, dismissals, policies, reasons, recommendations, slates
from whatworks.advice.slates import Impression
from whatworks.evidence import findings, performance, publications, upkeep
from whatworks.evidence.beliefs import Beliefs
from whatworks.evidence.sums import States
from whatworks.execution import executions
from whatworks.guides import parser
from whatworks.models import Email, Recommendation, Slate
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.results import outcomes
from whatworks.results.outcomes import Report
from whatworks.stats import estimates
from whatworks.store import entitlements
from whatworks.store.entitlements import Held, Terms
from whatworks.store.products import Catalogue, Product

_numbers = itertools.count(1000)


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """Three free workflows and one that needs pro."""
    texts = {name: GUIDE.format(name=name) for name in ("good_way", "bad_way", "new_way")}
    texts["paid_way"] = GUIDE.format(name="paid_way").replace("tier: free", "tier: pro")
    guides = [parser.parse(text, f"{name}.md") for name, text in texts.items()]
    database.write(catalogue.load, guides, source="test")
    return database


@pytest.fixture
def known() -> Beliefs:
    """What one process believes."""
    return Beliefs()


def runs(
    database: db.Database, name: str, finished: int, stopped: int, value: float = 4800.0
) -> None:
    """So many people finished and stopped a workflow; those who finished earned something."""
    for number in range(finished + stopped):
        person = sign_up(database, next(_numbers))
        begin = functools.partial(executions.start, terms=None)
        run = database.write(performance.folded, begin, person.id, name).after
        if number < finished:
            database.write(performance.folded, executions.record_progress, person.id, run.id, 3)
            report = Report("revenue", value * (1 + number % 5), "INR")
            database.write(performance.folded, outcomes.record, person.id, run.id, report)
        else:
            database.write(performance.folded, executions.abandon, person.id, run.id)


def names(shown: list[Impression]) -> list[str]:
    """The workflows of a slate, by rank."""
    return [one.workflow_name for one in shown]


def draw(
    database: db.Database, known: Beliefs, person: Profile, limit: int = 5
) -> list[Impression]:
    """The slate that holds, else a new one, as the doors do it."""
    found = database.read(slates.find_current, person.id, limit)
    if found is not None:
        return found
    publications.keep_up_lately(database, known)
    drawn = database.read(recommendations.draw, person.id, limit, known, TERMS)
    return database.write(slates.keep, drawn)


def firsts(database: db.Database, known: Beliefs, count: int = 40) -> Counter[str]:
    """What comes first, for so many people who have just arrived."""
    found: Counter[str] = Counter()
    for _ in range(count):
        drawn = database.read(recommendations.draw, sign_up(database, next(_numbers)).id, 3, known)
        found[drawn.shown[0].workflow_name] += 1
    return found


def test_what_works_comes_first_mostly(stocked: db.Database, known: Beliefs) -> None:
    """What most finished; now and then something else, because that is how one finds out."""
    runs(stocked, "good_way", 38, 2)
    runs(stocked, "bad_way", 2, 38)
    runs(stocked, "new_way", 10, 30)
    upkeep.run(stocked, known)
    first = firsts(stocked, known)
    assert first["good_way"] > 30
    assert first["bad_way"] < 5


def test_reasons_quote_the_counts_of_the_level_they_name(
    stocked: db.Database, known: Beliefs
) -> None:
    """Published counts, the middle half of what was reported, and whose they are."""
    runs(stocked, "good_way", 12, 4)
    reasons = {one.workflow_name: one.reason for one in draw(stocked, known, sign_up(stocked, 1))}
    assert reasons["good_way"] == (
        "too early to say: so far 12 of 16 beginner freelancers like you finished;"
        " half of those who report earned ₹6,700–20,000"
    )
    assert reasons["new_way"] == "new: nobody like you has tried it yet"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (9.0, 12.0, "most who finish do so 9 to 12 h after beginning"),
        (20.0, 70.0, "most who finish do so 20 h to about 3 days after beginning"),
        (48.0, 120.0, "most who finish do so about 2 to 5 days after beginning"),
        (70.0, 74.0, "most who finish do so within about 3 days of beginning"),
    ],
)
def test_time_from_beginning_to_end_is_not_told_as_work(low: float, high: float, said: str) -> None:
    """Long ones in days, and all of them as time since the beginning."""
    profile = Profile("", "", "earn_money", "freelancer", "beginner", "IN", None, None)
    found = findings.Evidence(
        market="freelancer",
        skill_level="beginner",
        states=States(people=26, finished=19, stopped=7),
        rate=estimates.rate([estimates.Count(19, 26)]),
        rate_level=("freelancer", "beginner"),
        hours=findings.Hours(low, (low + high) / 2, high),
        value=None,
        value_level=None,
        updated_at=None,
    )
    told = reasons.reason(found, profile, serves_goal=True)
    assert told.text == f"19 of 26 beginner freelancers like you finished, about 7 in 10; {said}"


def test_a_reason_climbs_to_the_level_that_has_enough(stocked: db.Database, known: Beliefs) -> None:
    """An advanced freelancer hears of freelancers, a student of beginners."""
    runs(stocked, "good_way", 5, 2)
    advanced = draw(stocked, known, sign_up(stocked, 1, skill_level="advanced"))
    student = draw(stocked, known, sign_up(stocked, 2, market="student"))
    expert = draw(stocked, known, sign_up(stocked, 3, market="student", skill_level="advanced"))
    found = [
        {one.workflow_name: one.reason for one in shown}["good_way"]
        for shown in (advanced, student, expert)
    ]
    assert found == [
        "too early to say: so far 5 of 7 freelancers finished",
        "too early to say: so far 5 of 7 beginners finished",
        "too early to say: so far 5 of 7 people finished",
    ]


def test_little_evidence_says_so(stocked: db.Database, known: Beliefs) -> None:
    """One of one is not quoted, not even as a count."""
    runs(stocked, "good_way", 1, 0)
    shown = draw(stocked, known, sign_up(stocked, 1))
    reasons = {one.workflow_name: one.reason for one in shown}
    assert reasons["good_way"] == "new: 1 person like you began it, too early to say how it ends"
    told = json.loads(next(o.evidence for o in shown if o.workflow_name == "good_way"))
    assert (told["level"], told["rate"], told["finished"]) == ("any workflow", None, 0)


def test_what_the_plan_does_not_cover_stands_last(stocked: db.Database, known: Beliefs) -> None:
    """Marked, with its reason, and never above what one may run; until the plan is there."""
    runs(stocked, "paid_way", 20, 0)
    person = sign_up(stocked, 1)
    shown = draw(stocked, known, person)
    assert names(shown)[-1] == "paid_way"
    assert shown[-1].reason.startswith("needs the Pro plan; all 20 beginner freelancers like you")
    assert shown[-1].propensity is None
    assert [one.rank for one in shown] == [1, 2, 3, 4]
    assert "paid_way" not in names(draw(stocked, known, sign_up(stocked, 2), 3))
    stocked.write(entitlements.grant, person.id, "pro", cause="test")
    now = {one.workflow_name: one.reason for one in draw(stocked, known, person)}
    assert now["paid_way"].startswith("all 20 beginner freelancers")


def test_a_slate_follows_what_one_holds(stocked: db.Database, known: Beliefs) -> None:
    """Bought by a guest whose address they prove later; until it runs out."""
    person = sign_up(stocked, 1)

    def locked() -> bool:
        return draw(stocked, known, person)[-1].propensity is None

    soon = clock.timestamp() + 3600
    holder = entitlements.email_holder(person.email)
    stocked.write(entitlements.grant, holder, "pro", cause="test", until=soon)
    assert locked()
    prove = update(Email).where(Email.user_id == person.id).values(verified_at=clock.timestamp())
    stocked.write(lambda session: session.run(prove))
    assert not locked()
    with time_machine.travel(soon + 1, tick=False):
        assert locked()


def test_a_single_product_opens_its_workflow(stocked: db.Database, known: Beliefs) -> None:
    """Who bought just this one is recommended it like any other; another paid one stays locked."""
    other = parser.parse(
        GUIDE.format(name="other_way").replace("tier: free", "tier: pro"), "other_way.md"
    )
    stocked.write(catalogue.load, [other], source="test")
    person = sign_up(stocked, 1)
    pack = Product("pack", "One way", workflows=("paid_way", "gone_way"))
    terms = Terms(TERMS.plans, Catalogue({"pack": pack}))
    held = Held(
        person.id, clock.new_id(), "pack", None, "order", "order-1", clock.timestamp(), None
    )
    stocked.write(entitlements.sync, "order-1", [held])
    known.sync(stocked)
    drawn = stocked.read(recommendations.draw, person.id, 5, known, terms)
    locked = {one.workflow_name: json.loads(one.evidence)["needs_plan"] for one in drawn.shown}
    assert locked == {
        **dict.fromkeys(("good_way", "bad_way", "new_way", "paid_way")),
        "other_way": "pro",
    }
    drawn_ones = {one.workflow_name for one in drawn.shown if one.propensity is not None}
    assert drawn_ones == locked.keys() - {"other_way"}
    assert (drawn.context["eligible"], drawn.context["unlocked"]) == (4, ["gone_way", "paid_way"])
    stocked.write(slates.keep, drawn)
    assert stocked.read(policies.report, known, np.random.default_rng(1))  # reads it back


def test_what_one_does_or_just_did_is_not_recommended(stocked: db.Database, known: Beliefs) -> None:
    """Open now or closed within a month; afterwards it may come back."""
    person = sign_up(stocked, 1)
    run = stocked.write(performance.folded, executions.start, person.id, "good_way").after
    assert "good_way" not in names(draw(stocked, known, person))
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    assert "good_way" not in names(draw(stocked, known, person))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=31), tick=False):
        assert "good_way" in names(draw(stocked, known, person))


def test_when_all_was_done_it_comes_back(stocked: db.Database, known: Beliefs) -> None:
    """Rather an old one than only what one may not run."""
    person = sign_up(stocked, 1)
    for name in ("good_way", "bad_way", "new_way"):
        run = stocked.write(performance.folded, executions.start, person.id, name).after
        stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    assert len(draw(stocked, known, person)) == 4


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
    for _ in range(400):
        one = stocked.read(recommendations.draw, person.id, 1, known).shown[0]
        first[one.workflow_name] += 1
        said[one.workflow_name] = one.propensity or 0.0
    for name, propensity in said.items():
        assert first[name] / 400 == pytest.approx(propensity, abs=0.08)


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


def rows(database: db.Database) -> dict[str, tuple[str, int, float | None]]:
    """Every impression as it is stored: its slate, place and probability."""
    columns = (Recommendation.slate_id, Recommendation.rank, Recommendation.propensity)
    query = select(Recommendation.id, *columns)
    return {row.id: tuple(row[1:]) for row in database.read(lambda session: session.all(query))}


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
    for _ in range(400):
        (one,) = stocked.read(recommendations.draw, person.id, 1, known).shown
        found[one.workflow_name] += 1
        said[one.workflow_name] = one.propensity or 0.0
        assert one.rank == 2
    assert unwanted.workflow_name not in found
    for name, propensity in said.items():
        assert found[name] / 400 == pytest.approx(propensity, abs=0.08)


def test_nobody_dismisses_for_somebody_else(stocked: db.Database, known: Beliefs) -> None:
    mine, theirs = sign_up(stocked, 1), sign_up(stocked, 2)
    shown = draw(stocked, known, theirs)[0]
    with pytest.raises(errors.NotFound):
        stocked.write(dismissals.record, mine.id, shown.id, "other")
    assert draw(stocked, known, theirs)[0] == shown


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


def test_own_history_moves_ones_chances(stocked: db.Database, known: Beliefs) -> None:
    """Somebody who stopped everything is expected to finish less than others."""
    runs(stocked, "good_way", 30, 30)
    runs(stocked, "bad_way", 30, 30)
    upkeep.run(stocked, known)
    quitter = sign_up(stocked, 1)
    for name in ("good_way", "bad_way"):
        run = stocked.write(performance.folded, executions.start, quitter.id, name).after
        stocked.write(performance.folded, executions.abandon, quitter.id, run.id)
    known.sync(stocked)
    assert stocked.read(choices.person_of, quitter, known, []).offset < 0
    assert stocked.read(choices.person_of, sign_up(stocked, 2), known, []).offset == 0.0


def test_what_is_taken_off_the_offer_is_no_longer_recommended(
    stocked: db.Database, known: Beliefs
) -> None:
    asha, ravi = sign_up(stocked, 1), sign_up(stocked, 2)
    first, _ = (draw(stocked, known, one) for one in (asha, ravi))
    name = first[0].workflow_name
    stocked.write(catalogue.retire, name)
    assert stocked.write(slates.withdraw, name) == 2
    assert stocked.write(slates.withdraw, name) == 0
    for one in (asha, ravi):
        assert stocked.read(slates.find_current, one.id, 1) is None
        assert name not in names(draw(stocked, known, one))


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
