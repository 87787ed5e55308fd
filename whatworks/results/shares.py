"""Proofs that their owners show to others, one at a time, by an address that can be taken back.

The yes is for the results that a proof is shown for: one more result, and it has to be said anew.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.models import ProofShare


@dataclass(frozen=True, slots=True)
class Share:
    """A proof's public address. `is_listed`: search engines may know it, once it is reviewed."""

    user_id: str
    id: str
    proof_id: str
    token: str
    is_listed: bool
    created_at: float


_S = ProofShare
_OPEN: Final = select(_S.user_id, _S.id, _S.proof_id, _S.token, _S.listed, _S.created_at).where(
    _S.revoked_at.is_(None)
)
_OF_PERSON: Final = db.Query(_OPEN.where(_S.user_id == bindparam("user_id")))
_BY_TOKEN: Final = db.Query(_OPEN.where(_S.token == bindparam("token")))
_INSERT: Final = db.Query(insert(_S).on_conflict_do_nothing())
_LIST: Final = db.Query(
    update(_S)
    .where(
        _S.user_id == bindparam("the_user"),
        _S.proof_id == bindparam("the_proof"),
        _S.revoked_at.is_(None),
    )
    .values(listed=bindparam("new_listed"))
)
_REVOKE: Final = db.Query(
    update(_S)
    .where(
        _S.user_id == bindparam("the_user"),
        _S.proof_id == bindparam("the_proof"),
        _S.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now"))
)


def share(session: db.Session, user_id: str, proof_id: str, *, is_listed: bool = False) -> Share:
    """Give a proof an address for anybody; shared already, it keeps the one it has.

    Whether it may be shared is `gallery.share`'s to say.
    """
    session.run(
        _INSERT,
        user_id=user_id,
        id=clock.new_id(),
        proof_id=proof_id,
        token=secrets.token_urlsafe(18),
        listed=int(is_listed),
        created_at=clock.timestamp(),
        revoked_at=None,
    )
    session.run(_LIST, the_user=user_id, the_proof=proof_id, new_listed=int(is_listed))
    return open_for(session, user_id)[proof_id]


def revoke(session: db.Session, user_id: str, proof_id: str) -> bool:
    """Take the address back, for ever: sharing again makes another. False when there was none."""
    now = clock.timestamp()
    return bool(session.run(_REVOKE, the_user=user_id, the_proof=proof_id, now=now))


def open_for(session: db.Session, user_id: str) -> dict[str, Share]:
    """What a person shares now, by proof id."""
    rows = session.all(_OF_PERSON, user_id=user_id)
    return {row.proof_id: _share(row) for row in rows}


def find(session: db.Session, token: str) -> Share | None:
    """What is shared at an address; None: unknown, or taken back."""
    row = session.first(_BY_TOKEN, token=token)
    return None if row is None else _share(row)


def _share(row: Any) -> Share:
    return Share(row.user_id, row.id, row.proof_id, row.token, bool(row.listed), row.created_at)
