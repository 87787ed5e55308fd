"""Proofs as verbs: whose, how many, and where they were seen before."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from tests.followers import start
from tests.results.claims import DRAFT, add, claim, sign_up
from whatworks import clock, db, errors
from whatworks.evidence import performance
from whatworks.results import outcomes, proofs, reviews
from whatworks.results.outcomes import Report
from whatworks.results.proofs import Quota

pytestmark = pytest.mark.usefixtures("stocked")


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
