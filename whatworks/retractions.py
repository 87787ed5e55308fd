"""Proofs taken back: what people no longer want here goes; that it was here stays written."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from whatworks import db
from whatworks.evidence import performance
from whatworks.execution import runs
from whatworks.models import ExecutionStep
from whatworks.results import gallery, proofs, reviews, shares
from whatworks.results.proofs import Proof

_S: Final = ExecutionStep
_STEPS: Final = db.Query(
    select(_S.execution_id, _S.step)
    .where(_S.user_id == bindparam("user_id"), _S.proofs.contains(bindparam("proof_id")))
    .order_by(_S.execution_id, _S.step)
)


def take_back(session: db.Session, user_id: str, proof_id: str, *, actor: str = "owner") -> Proof:
    """Let go of a proof: nothing shows it any more, and results that rest on it are claims again.

    Its pictures are for the caller to remove, after the commit. Raises NotFound.
    """
    proof = proofs.take_back(session, user_id, proof_id)  # first: nobody can use it from here on
    shares.revoke(session, user_id, proof_id)
    for claim in gallery.claims_of(session, user_id, proof_id):
        performance.folded(session, reviews.detach, user_id, proof_id, claim.outcome.id)
    for row in session.all(_STEPS, user_id=user_id, proof_id=proof_id):
        runs.take_back_proof(
            session, user_id, row.execution_id, step=row.step, proof_id=proof_id, actor=actor
        )
    return proof
