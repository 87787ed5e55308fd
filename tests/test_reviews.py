"""Proofs, reviews and shares as verbs: whose, how many, in which order, and what adds up."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
import time_machine
from sqlalchemy import exc, func, select, text

from tests import people
from tests.test_executions import GUIDE, start
from tests.test_executions import sign_up as sign_up_as
from whatworks import catalogue, clock, db, errors
from whatworks.evidence import performance
from whatworks.models import WorkflowPerformance
from whatworks.results import gallery, outcomes, proofs, reviews, shares
from whatworks.results.outcomes import Outcome, Report
from whatworks.results.proofs import Draft, Proof, Quota

MUCH: Final = Quota(100, 10**9)
DRAFT: Final = Draft("image", 1000, "a" * 64, None, 1, 600, 400, 0x0123456789ABCDEF)

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def stocked(database: db.Database) -> None:
    database.write(catalogue.load, [GUIDE], source="bundled")


def sign_up(database: db.Database) -> str:
    return sign_up_as(database, f"person{next(_numbers)}@example.com")


def add(database: db.Database, user_id: str, **more: Any) -> Proof:
    where = {name: more.pop(name) for name in ("execution_id", "step") if name in more}
    draft = replace(DRAFT, **{"sha256": clock.new_id(), **more})
    return database.write(proofs.add, user_id, clock.new_id(), draft, MUCH, **where)


def claim(database: db.Database, user_id: str) -> tuple[str, Proof, Outcome]:
    """A run with a result of 4800 rupees and a proof."""
    execution_id = start(database, user_id)
    proof = add(database, user_id, execution_id=execution_id)
    report = Report("revenue", 4800.0, "INR", proof_id=proof.id)
    change = database.write(performance.folded, outcomes.record, user_id, execution_id, report)
    return execution_id, proof, change.after


def decide(
    database: db.Database, by: str, user_id: str, outcome: Outcome, decision: str, **more: Any
) -> Outcome:
    given = {"proof_id": outcome.proof_id, "seen": 0, **more}
    if decision == "rejected":
        given.setdefault("reason", "unreadable")
    verb = functools.partial(reviews.decide, **given)
    return database.write(
        lambda session: performance.folded(session, verb, by, user_id, outcome.id, decision)
    ).after


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


# ---- proofs ----------------------------------------------------------------------------------


def test_a_proof_is_its_owners(database: db.Database) -> None:
    asha, ravi = sign_up(database), sign_up(database)
    proof = add(database, asha)
    assert database.read(proofs.get, asha, proof.id) == proof
    assert database.read(proofs.list_for, asha) == [proof]
    assert database.read(proofs.find_owner, proof.id) == asha
    with pytest.raises(errors.NotFound):
        database.read(proofs.get, ravi, proof.id)
    with pytest.raises(errors.NotFound):
        add(database, ravi, execution_id=start(database, asha))
    with pytest.raises(errors.Invalid):
        add(database, asha, execution_id=start(database, asha), step=99)
    with pytest.raises(errors.Invalid):
        add(database, asha, step=1)


def test_quotas_hold_when_many_come_at_once(database: db.Database) -> None:
    asha = sign_up(database)
    refused: list[str] = []

    def one(number: int) -> None:
        try:
            draft = replace(DRAFT, bytes=100)
            database.write(proofs.add, asha, clock.new_id(), draft, Quota(5, 10**9))
        except errors.TooLarge as told:
            refused.append(told.code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.read(proofs.list_for, asha)) == 5
    assert refused == ["proof_quota"] * 7
    with pytest.raises(errors.TooLarge, match="MB"):
        database.write(proofs.add, asha, clock.new_id(), DRAFT, Quota(100, 1_400))


def test_reuse_is_found_whoever_it_is_of(database: db.Database) -> None:
    asha, ravi = sign_up(database), sign_up(database)
    first = add(database, asha, sha256="b" * 64)
    same = add(database, ravi, sha256="b" * 64)
    near = add(database, ravi, dhash=(DRAFT.dhash or 0) ^ 0b111)
    far = add(database, ravi, dhash=(DRAFT.dhash or 0) ^ 0b1111_0001_0001_0001_0001)
    words = add(database, ravi, kind="text", dhash=None, sha256="c" * 64)
    found = database.read(proofs.list_alike, first)
    assert [(alike.proof.id, alike.is_same) for alike in found] == [
        (same.id, True),
        (near.id, False),
    ]
    assert far.id not in {alike.proof.id for alike in found}
    assert database.read(proofs.list_alike, words) == []


def test_an_outcome_shows_a_proof_of_its_owner_only(database: db.Database) -> None:
    asha, ravi = sign_up(database), sign_up(database)
    _, proof, outcome = claim(database, asha)
    assert (outcome.tier, outcome.proof_type) == ("proof", "screenshot")
    execution_id = start(database, ravi)
    report = Report("revenue", 1.0, proof_id=proof.id)
    with pytest.raises(errors.Invalid) as told:
        database.write(performance.folded, outcomes.record, ravi, execution_id, report)
    assert told.value.fields["proof_id"]
    bare = database.write(
        performance.folded, outcomes.record, ravi, execution_id, Report("revenue", 1.0)
    )
    assert bare.after.tier == "claimed"
    with pytest.raises(errors.NotFound):
        database.write(performance.folded, reviews.attach, ravi, proof.id, bare.after.id)


# ---- reviews ---------------------------------------------------------------------------------


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
    gate = threading.Barrier(len(bosses))
    told: list[str] = []

    def one(boss: str, decision: str) -> None:
        gate.wait()
        try:
            decide(database, boss, asha, outcome, decision)
            told.append(decision)
        except errors.Conflict as passed:
            told.append(passed.code)

    threads = [
        threading.Thread(target=one, args=(boss, reviews.DECISIONS[number % 2]))
        for number, boss in enumerate(bosses)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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


# ---- gallery and shares ----------------------------------------------------------------------


def test_the_gallery_says_what_each_proof_is_for(database: db.Database) -> None:
    asha = sign_up(database)
    _, proof, outcome = claim(database, asha)
    loose = add(database, asha)
    first, second = database.read(gallery.list_for, asha)
    assert (first.proof.id, first.claims, first.workflows) == (loose.id, (), set())
    assert (second.proof.id, second.metrics) == (proof.id, {"revenue"})
    assert second.workflow_name == GUIDE.name
    assert second.claims[0].outcome == outcome


Change = Callable[[db.Database, str, str, Outcome], None]


def take_back(database: db.Database, asha: str, boss: str, outcome: Outcome) -> None:
    assert database.write(shares.revoke, asha, outcome.proof_id or "")


def reject(database: db.Database, asha: str, boss: str, outcome: Outcome) -> None:
    decide(database, boss, asha, outcome, "rejected")


@pytest.mark.parametrize("ending", [take_back, reject])
def test_what_is_shared_can_be_seen_until_it_ends(database: db.Database, ending: Change) -> None:
    asha, boss = sign_up(database), sign_up(database)
    _, proof, outcome = claim(database, asha)
    shared = database.write(gallery.share, asha, proof.id)
    assert database.write(gallery.share, asha, proof.id, is_listed=True).token == shared.token
    found, item = database.read(gallery.get_shared, shared.token)
    assert (found.is_listed, item.proof.id) == (True, proof.id)
    ending(database, asha, boss, outcome)
    with pytest.raises(errors.NotFound):
        database.read(gallery.get_shared, shared.token)
    if ending is take_back:
        again = database.write(gallery.share, asha, proof.id)
        assert again.token != shared.token
    else:
        with pytest.raises(errors.Conflict):
            database.write(gallery.share, asha, proof.id)


def test_a_yes_is_for_the_results_there_were(database: db.Database) -> None:
    """Shown for one more result, by whichever door, a proof waits for another yes."""
    asha = sign_up(database)
    execution_id, proof, outcome = claim(database, asha)
    other = database.write(outcomes.record, asha, execution_id, Report("customers", 3.0)).after

    def is_shared() -> bool:
        return bool(database.read(shares.open_for, asha))

    database.write(gallery.share, asha, proof.id)
    same = Report("revenue", 1.0, proof_id=proof.id, supersedes_id=outcome.id)
    database.write(outcomes.record, asha, execution_id, same)
    assert is_shared()
    database.write(outcomes.record, asha, execution_id, Report("revenue", 2.0, proof_id=proof.id))
    assert not is_shared()
    database.write(gallery.share, asha, proof.id)
    database.write(reviews.attach, asha, proof.id, other.id)
    assert not is_shared()


def test_only_what_proves_something_of_ones_own_is_shared(database: db.Database) -> None:
    asha, ravi = sign_up(database), sign_up(database)
    _, proof, _ = claim(database, asha)
    with pytest.raises(errors.NotFound):
        database.write(gallery.share, ravi, proof.id)
    with pytest.raises(errors.Conflict):
        database.write(gallery.share, asha, add(database, asha).id)
    assert not database.write(shares.revoke, ravi, proof.id)
