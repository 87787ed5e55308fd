"""Results, and the proofs that are shown for them."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any, Final

from tests import followers
from whatworks import clock, db
from whatworks.evidence import performance
from whatworks.results import outcomes, proofs, reviews
from whatworks.results.outcomes import Outcome, Report
from whatworks.results.proofs import Draft, Proof, Quota

MUCH: Final = Quota(100, 10**9)
DRAFT: Final = Draft("image", 1000, "a" * 64, None, 1, 600, 400, 0x0123456789ABCDEF)

_numbers = itertools.count(1)


def sign_up(database: db.Database) -> str:
    """One more person."""
    return followers.sign_up(database, f"person{next(_numbers)}@example.com")


def add(database: db.Database, user_id: str, **more: Any) -> Proof:
    """A proof of somebody, unlike any other."""
    where = {name: more.pop(name) for name in ("execution_id", "step") if name in more}
    draft = replace(DRAFT, **{"sha256": clock.new_id(), **more})
    return database.write(proofs.add, user_id, clock.new_id(), draft, MUCH, **where)


def claim(database: db.Database, user_id: str) -> tuple[str, Proof, Outcome]:
    """A run with a result of 4800 rupees and a proof."""
    execution_id = followers.start(database, user_id)
    proof = add(database, user_id, execution_id=execution_id)
    report = Report("revenue", 4800.0, "INR", proof_id=proof.id)
    change = database.write(performance.folded, outcomes.record, user_id, execution_id, report)
    return execution_id, proof, change.after


def decide(
    database: db.Database, by: str, user_id: str, outcome: Outcome, decision: str, **more: Any
) -> Outcome:
    """Somebody approves or rejects what a result shows; the result then."""
    given = {"proof_id": outcome.proof_id, "seen": 0, **more}
    if decision == "rejected":
        given.setdefault("reason", "unreadable")
    verb = functools.partial(reviews.decide, **given)
    return database.write(
        lambda session: performance.folded(session, verb, by, user_id, outcome.id, decision)
    ).after
