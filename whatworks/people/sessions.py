"""Credentials: browser sessions, access tokens and operators' API keys.

A token is `base64url(user_id).base64url(32 random bytes)`: it names its owner, so that the row is
found by person, and only its SHA-256 is stored. 256 random bits need no salt and no slow hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Email, Operator, Session
from whatworks.people import profiles
from whatworks.people.profiles import Profile

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as found or listed; times are epoch seconds."""

    user_id: str
    id: str
    kind: str  # browser | token | key
    label: str
    created_at: float
    last_seen_at: float
    expires_at: float
    is_operator: bool = False


_INSERT: Final = db.Query(insert(Session).on_conflict_do_nothing())
OWN_TABLES: Final = ("sessions",)  # what a credential is read from: rows of its owner,
TABLES: Final = ("operators",)  # and of everybody
_FIND: Final = db.Query(
    select(
        Session.user_id,
        Session.id,
        Session.kind,
        Session.label,
        Session.created_at,
        Session.last_seen_at,
        Session.expires_at,
        Session.revoked_at,
        Operator.user_id.label("operator_id"),
    )
    .outerjoin(Operator, Operator.user_id == Session.user_id)
    .where(Session.user_id == bindparam("user_id"), Session.id == bindparam("id"))
)
_PROVE: Final = db.Query(
    update(Email)
    .where(Email.user_id == bindparam("the_user"), Email.verified_at.is_(None))
    .values(verified_at=bindparam("now"))
)
_LIST: Final = db.Query(
    select(
        Session.user_id,
        Session.id,
        Session.kind,
        Session.label,
        Session.created_at,
        Session.last_seen_at,
        Session.expires_at,
    )
    .where(
        Session.user_id == bindparam("user_id"),
        Session.revoked_at.is_(None),
        Session.expires_at > bindparam("now"),
    )
    .order_by(Session.last_seen_at.desc())
)
_SEEN: Final = db.Query(
    update(Session)
    .where(Session.user_id == bindparam("the_user"), Session.id == bindparam("the_id"))
    .values(last_seen_at=bindparam("now"))
)


def new_secret() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(32)


def token_of(user_id: str, secret: bytes) -> str:
    """The token that a person and a secret make."""
    return f"{_encode(user_id.encode())}.{_encode(secret)}"


def open_(
    session: db.Session,
    user_id: str,
    *,
    kind: str,
    label: str,
    days: int,
    secret: bytes | None = None,
) -> str:
    """A new credential; returns its token, which is never to be seen again.

    `secret` lets a repeated request with the same Idempotency-Key get the same token again.
    """
    now = clock.timestamp()
    token = token_of(user_id, secret or new_secret())
    session.run(
        _INSERT,
        user_id=user_id,
        id=_digest(token),
        kind=kind,
        label=label[:120],
        created_at=now,
        last_seen_at=now,
        expires_at=now + days * DAY,
        revoked_at=None,
    )
    return token


def sign_up(
    session: db.Session,
    secret: bytes,
    *,
    kind: str,
    label: str,
    days: int,
    email: str,
    goal: str,
    market: str,
    skill_level: str,
    country: str,
    time_zone: str = "",
    source: str | None = None,
) -> Profile:
    """A new person with a first credential. Raises Conflict when the address is taken."""
    profile = profiles.create(
        session,
        email=email,
        goal=goal,
        market=market,
        skill_level=skill_level,
        country=country,
        time_zone=time_zone,
        source=source,
    )
    open_(session, profile.id, kind=kind, label=label, days=days, secret=secret)
    return profile


def find(session: db.Session, token: str) -> Credential | None:
    """The credential of a token; None when it is malformed, unknown, expired or revoked."""
    owner = owner_of(token)
    if owner is None:
        return None
    row = session.first(_FIND, user_id=owner, id=_digest(token))
    if row is None or row.revoked_at is not None or row.expires_at <= clock.timestamp():
        return None
    return _credential(row, is_operator=row.operator_id is not None)


def prove_address(session: db.Session, user_id: str) -> None:
    """The person has shown that the address is theirs.

    The first time, every credential made before ends: whoever signed up with somebody else's
    address must not stay signed in once its owner arrives.
    """
    if session.run(_PROVE, the_user=user_id, now=clock.timestamp()):
        revoke_all(session, user_id)


def list_(session: db.Session, user_id: str) -> list[Credential]:
    """The person's live credentials, the last used first."""
    return [_credential(row) for row in session.all(_LIST, user_id=user_id, now=clock.timestamp())]


def touch(session: db.Session, user_id: str, session_id: str) -> None:
    """Remember that the credential was used now."""
    session.run(_SEEN, the_user=user_id, the_id=session_id, now=clock.timestamp())


def revoke(session: db.Session, user_id: str, session_id: str) -> None:
    """End one credential. Raises NotFound when it is not the person's."""
    changed = session.run(
        update(Session)
        .where(Session.user_id == user_id, Session.id == session_id, Session.revoked_at.is_(None))
        .values(revoked_at=clock.timestamp())
    )
    if not changed:
        raise errors.NotFound("There is no such session.")


def revoke_all(session: db.Session, user_id: str, *, keep: str | None = None) -> int:
    """Sign out everywhere, but for the session `keep`; returns how many ended."""
    return session.run(
        update(Session)
        .where(Session.user_id == user_id, Session.id != (keep or ""), Session.revoked_at.is_(None))
        .values(revoked_at=clock.timestamp())
    )


def _credential(row: Any, *, is_operator: bool = False) -> Credential:
    return Credential(
        user_id=row.user_id,
        id=row.id,
        kind=row.kind,
        label=row.label,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        is_operator=is_operator,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def owner_of(token: str) -> str | None:
    """Whose a token says it is, known or not; None when it is malformed."""
    head, dot, _ = token.partition(".")
    if not dot or len(token) > 600 or not token.isascii():
        return None
    try:
        owner = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    return owner if owner.isprintable() else None
