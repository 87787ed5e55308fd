"""Recommendations: what may be run, drawn on purpose, with reasons that are true."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import time_machine
from sqlalchemy import update

from tests.advice.draws import draw, firsts, names
from tests.crowds import GUIDE, runs, sign_up
from tests.shopping import TERMS
from whatworks import catalogue, clock, db
from whatworks.advice import choices, policies, reasons, recommendations, slates
from whatworks.evidence import findings, performance, upkeep
from whatworks.evidence.beliefs import Beliefs
from whatworks.evidence.sums import States
from whatworks.execution import executions
from whatworks.guides import parser
from whatworks.models import Email
from whatworks.people.profiles import Profile
from whatworks.stats import estimates
from whatworks.store import entitlements
from whatworks.store.entitlements import Held, Terms
from whatworks.store.products import Catalogue, Product


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
    assert told.text == f"19 of 26 beginner freelancers like you finished; {said}"


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
