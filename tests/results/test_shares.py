"""What is shared, and for how long; what the gallery says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.followers import GUIDE
from tests.results.claims import add, claim, decide, sign_up
from whatworks import db, errors
from whatworks.results import gallery, outcomes, reviews, shares
from whatworks.results.outcomes import Outcome, Report

pytestmark = pytest.mark.usefixtures("stocked")


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
