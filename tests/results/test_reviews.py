"""Reviews as verbs: by whom, in which order, and what adds up."""

from __future__ import annotations

import pytest
import time_machine
from sqlalchemy import exc, func, select, text

from tests import people
from tests.races import at_once
from tests.results.claims import add, claim, decide, sign_up
from whatworks import db, errors
from whatworks.evidence import performance
from whatworks.models import WorkflowPerformance
from whatworks.results import outcomes, reviews
from whatworks.results.outcomes import Report

pytestmark = pytest.mark.usefixtures("stocked")


def sums(database: db.Database) -> tuple[int, int]:
    """Outcomes with a proof, and people with a reviewed one, counted; a rebuild gives the same."""
    folded = database.read(people.read_model)
    reviewed = select(func.sum(WorkflowPerformance.verified))
    verified = database.read(lambda session: session.value(reviewed))
    rows = database.read(lambda session: session.all(select(*outcomes.COLUMNS)))
    known = [outcomes.from_row(row) for row in rows]
    gone = {one.supersedes_id for one in known}
    proofs_now = sum(one.has_proof for one in known if one.id not in gone)
    database.write(performance.rebuild)
    assert database.read(people.read_model) == folded
    return proofs_now, int(verified or 0)


def test_approval_makes_it_reviewed_and_counts(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    assert sums(database) == (1, 0)
    after = decide(database, boss, asha, outcome, "approved")
    assert (after.tier, after.verified) == ("reviewed", True)
    assert database.read(outcomes.get, asha, outcome.id) == after
    assert sums(database) == (1, 1)


def test_a_rejected_proof_is_a_claim_until_it_is_settled(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    execution_id, _, outcome = claim(database, asha)
    after = decide(database, boss, asha, outcome, "rejected", text="The date is missing.")
    assert (after.tier, after.has_proof) == ("claimed", False)
    assert sums(database) == (0, 0)
    last = database.read(reviews.last_for, asha)[outcome.id]
    assert (last.why, last.text) == (reviews.REASONS["unreadable"], "The date is missing.")
    answered = database.write(
        performance.folded, reviews.answer, asha, outcome.id, "It is at the top."
    )
    assert answered.after.tier == "proof"
    assert sums(database) == (1, 0)
    assert database.read(reviews.count_waiting, boss) == 1
    decide(database, boss, asha, outcome, "rejected", seen=2, reason="does_not_show")
    other = add(database, asha, execution_id=execution_id)
    shown = database.write(performance.folded, reviews.attach, asha, other.id, outcome.id)
    assert (shown.after.proof_id, shown.after.review) == (other.id, None)
    assert database.read(reviews.count_waiting, boss) == 1
    decide(database, boss, asha, shown.after, "approved", seen=3)
    assert sums(database) == (1, 1)
    with pytest.raises(errors.Conflict):
        database.write(performance.folded, reviews.attach, asha, other.id, outcome.id)


def test_a_rejection_says_why(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    for given in ({"reason": None}, {"reason": "because"}, {"reason": "other"}):
        with pytest.raises(errors.Invalid):
            decide(database, boss, asha, outcome, "rejected", **given)
    decide(database, boss, asha, outcome, "rejected", reason="other", text="Upside down.")


def test_nobody_reviews_their_own(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    assert database.read(reviews.list_waiting, asha) == []
    assert [one.outcome.id for one in database.read(reviews.list_waiting, boss)] == [outcome.id]
    for decision in reviews.DECISIONS:
        with pytest.raises(errors.Conflict) as told:
            decide(database, asha, asha, outcome, decision)
        assert told.value.code == "own_proof"
    assert database.read(outcomes.get, asha, outcome.id).review is None


def test_undo_is_a_new_row_for_some_seconds(database: db.Database) -> None:
    asha, boss, other = (sign_up(database) for _ in range(3))
    _, _, outcome = claim(database, asha)
    with time_machine.travel(1_800_000_000, tick=False) as now:
        decide(database, boss, asha, outcome, "approved")
        with pytest.raises(errors.Conflict):
            database.write(performance.folded, reviews.undo, other, asha, outcome.id, 1)
        now.shift(9)
        undone = database.write(performance.folded, reviews.undo, boss, asha, outcome.id, 1)
        assert undone.after.tier == "proof"
        assert sums(database) == (1, 0)
        with pytest.raises(errors.Conflict):
            database.write(performance.folded, reviews.undo, boss, asha, outcome.id, 2)
        decide(database, boss, asha, outcome, "approved", seen=2)
        now.shift(60)
        with pytest.raises(errors.Conflict):
            database.write(performance.folded, reviews.undo, boss, asha, outcome.id, 3)
    said = database.read(reviews.list_for_outcome, asha, outcome.id)
    assert [review.decision for review in said] == ["approved", "undone", "approved"]


def test_undoing_a_change_of_mind_brings_back_what_stood_before(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    decide(database, boss, asha, outcome, "rejected")
    decide(database, boss, asha, outcome, "approved", seen=1)
    after = database.write(performance.folded, reviews.undo, boss, asha, outcome.id, 2).after
    assert after.review == "rejected"
    assert sums(database) == (0, 0)


def test_of_two_reviewers_at_once_one_is_told(database: db.Database) -> None:
    asha, *bosses = (sign_up(database) for _ in range(9))
    _, _, outcome = claim(database, asha)

    def review_it(number: int) -> str:
        decision = reviews.DECISIONS[number % 2]
        try:
            decide(database, bosses[number], asha, outcome, decision)
        except errors.Conflict as passed:
            return passed.code
        return decision

    told = at_once(len(bosses), review_it)
    assert told.count("review_passed_by") == len(bosses) - 1
    (review,) = database.read(reviews.list_for_outcome, asha, outcome.id)
    assert database.read(outcomes.get, asha, outcome.id).review == review.decision
    assert sums(database) == ((1, 1) if review.decision == "approved" else (0, 0))


def test_a_decision_is_about_the_proof_that_was_seen(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    other = add(database, asha)
    database.write(performance.folded, reviews.attach, asha, other.id, outcome.id)
    with pytest.raises(errors.Conflict):
        decide(database, boss, asha, outcome, "approved")


def test_what_was_corrected_is_not_reviewed(database: db.Database) -> None:
    asha, boss = sign_up(database), sign_up(database)
    execution_id, proof, outcome = claim(database, asha)
    decide(database, boss, asha, outcome, "approved")
    report = Report("revenue", 9.0, "INR", proof_id=proof.id, supersedes_id=outcome.id)
    newer = database.write(performance.folded, outcomes.record, asha, execution_id, report).after
    assert newer.tier == "proof"
    assert sums(database) == (1, 0)
    assert [one.outcome.id for one in database.read(reviews.list_waiting, boss)] == [newer.id]
    with pytest.raises(errors.Conflict):
        decide(database, boss, asha, outcome, "rejected", seen=1)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE reviews SET decision = 'approved'", "DELETE FROM reviews"],
)
def test_the_database_keeps_reviews_as_they_were(database: db.Database, statement: str) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, outcome = claim(database, asha)
    decide(database, boss, asha, outcome, "rejected")
    with (
        pytest.raises(exc.DBAPIError),
        db.engine(database.url).begin() as connection,
    ):
        connection.execute(text(statement))
    assert len(database.read(reviews.list_for_outcome, asha, outcome.id)) == 1


def test_an_owner_is_told_once_and_not_before_it_can_no_longer_be_undone(
    database: db.Database,
) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, _, first = claim(database, asha)
    _, _, second = claim(database, asha)
    with time_machine.travel(1_800_000_000, tick=False) as now:
        decide(database, boss, asha, first, "rejected")
        decide(database, boss, asha, second, "rejected")
        database.write(performance.folded, reviews.undo, boss, asha, second.id, 1)
        assert database.read(reviews.list_untold) == []
        now.shift(20)
        (untold,) = database.read(reviews.list_untold)
        assert untold.outcome_id == first.id
        assert database.write(reviews.claim_notice, untold)
        assert not database.write(reviews.claim_notice, untold)
        assert database.read(reviews.list_untold) == []
