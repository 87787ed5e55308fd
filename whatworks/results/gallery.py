"""A person's proofs with what they prove: the results that show them, and the workflows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import aliased

from whatworks import db, errors
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import Proof as ProofRow
from whatworks.models import WorkflowExecution
from whatworks.results import outcomes, proofs, shares
from whatworks.results.outcomes import Outcome
from whatworks.results.proofs import Proof
from whatworks.results.shares import Share

MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A result that a proof is shown for, and of which workflow."""

    outcome: Outcome
    workflow_name: str


@dataclass(frozen=True, slots=True)
class Item:
    """A proof in the gallery. `workflow_name` is of its run, or of what it is shown for."""

    proof: Proof
    workflow_name: str | None
    claims: tuple[Claim, ...]

    @property
    def workflows(self) -> set[str]:
        """All workflows it has to do with."""
        own = {self.workflow_name} if self.workflow_name else set()
        return own | {claim.workflow_name for claim in self.claims}

    @property
    def is_rejected(self) -> bool:
        """Whether reviewers rejected it for any of them."""
        return any(claim.outcome.review == "rejected" for claim in self.claims)

    @property
    def metrics(self) -> set[str]:
        """What it proves."""
        return {claim.outcome.metric_type for claim in self.claims}


_P, _O, _E = ProofRow, OutcomeRow, WorkflowExecution
_later = aliased(OutcomeRow)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_WORKFLOWS: Final = db.Query(
    select(_P.id, _E.workflow_name)
    .join(_E, (_E.user_id == _P.user_id) & (_E.id == _P.execution_id))
    .where(_P.user_id == bindparam("user_id"), _P.taken_back_at.is_(None))
)
_CLAIMS: Final = db.Query(
    select(*outcomes.COLUMNS, _E.workflow_name)
    .join(_E, (_E.user_id == _O.user_id) & (_E.id == _O.execution_id))
    .where(_O.user_id == bindparam("user_id"), _O.proof_id.is_not(None), _CURRENT)
    .order_by(_O.timestamp)
)
_WITHOUT: Final = db.Query(
    select(*outcomes.COLUMNS, _E.workflow_name)
    .join(_E, (_E.user_id == _O.user_id) & (_E.id == _O.execution_id))
    .where(
        _O.user_id == bindparam("user_id"),
        (_O.proof_id.is_(None)) | (_O.review == "rejected"),
        _CURRENT,
    )
    .order_by(_O.timestamp.desc())
    .limit(bindparam("limit"))
)


def list_for(session: db.Session, user_id: str) -> list[Item]:
    """Everything a person showed, the newest first."""
    workflows = {row.id: row.workflow_name for row in session.all(_WORKFLOWS, user_id=user_id)}
    claims = _claims(session, user_id)
    return [
        _item(proof, workflows.get(proof.id), claims[proof.id])
        for proof in proofs.list_for(session, user_id, MOST)
    ]


def get(session: db.Session, user_id: str, proof_id: str) -> Item:
    """One proof with what it proves. Raises NotFound."""
    proof = proofs.get(session, user_id, proof_id)
    workflows = {row.id: row.workflow_name for row in session.all(_WORKFLOWS, user_id=user_id)}
    return _item(proof, workflows.get(proof_id), _claims(session, user_id)[proof_id])


def claims_of(session: db.Session, user_id: str, proof_id: str) -> list[Claim]:
    """The results that a proof is shown for, also of one that was taken back just now."""
    return _claims(session, user_id).get(proof_id, [])


def share(session: db.Session, user_id: str, proof_id: str, *, is_listed: bool = False) -> Share:
    """Give a proof an address for anybody.

    Raises NotFound and Conflict (there is no result with it, or reviewers rejected it).
    """
    item = get(session, user_id, proof_id)
    if not item.claims:
        raise errors.Conflict("Log a result with this proof first; then it can be shared.")
    if item.is_rejected:
        raise errors.Conflict("This proof was rejected, so it cannot be shared.")
    return shares.share(session, user_id, proof_id, is_listed=is_listed)


def get_shared(session: db.Session, token: str) -> tuple[Share, Item]:
    """What an address shows. Raises NotFound: unknown, taken back, or rejected since."""
    shared = shares.find(session, token)
    item = get(session, shared.user_id, shared.proof_id) if shared else None
    if shared is None or item is None or not item.claims or item.is_rejected:
        raise errors.NotFound("Nothing is shared at this address, or not any more.")
    return shared, item


def list_unproved(session: db.Session, user_id: str, limit: int = 20) -> list[Claim]:
    """A person's results without a proof that holds, the newest first."""
    rows = session.all(_WITHOUT, user_id=user_id, limit=limit)
    return [Claim(outcomes.from_row(row), row.workflow_name or "") for row in rows]


def _claims(session: db.Session, user_id: str) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = defaultdict(list)
    for row in session.all(_CLAIMS, user_id=user_id):
        found[row.proof_id].append(Claim(outcomes.from_row(row), row.workflow_name or ""))
    return found


def _item(proof: Proof, workflow_name: str | None, claims: list[Claim]) -> Item:
    return Item(
        proof, workflow_name or next((c.workflow_name for c in claims), None), tuple(claims)
    )
