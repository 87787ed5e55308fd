"""Signing in without a password: an e-mailed link and a six-digit code, ten minutes, used once.

The link's secret has 256 bits, so its SHA-256 is kept. The code has twenty, so it is kept as an
HMAC under the server's key, which the database does not hold, and takes five tries.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import SignIn
from whatworks.people import profiles, sessions

LIFETIME: Final = 600.0
TRIES: Final = 5
HOUR: Final = 3600.0
TRIES_AN_HOUR: Final = 20  # of one address, over all its codes


@dataclass(frozen=True, slots=True)
class Challenge:
    """What goes into the mail (`secret`, `code`) and into the page (`id`)."""

    id: str
    secret: str
    code: str
    known: bool

    @property
    def token(self) -> str:
        """What the link carries."""
        return f"{self.id}.{self.secret}"


_INSERT: Final = db.Query(insert(SignIn))
_WRONG: Final = db.Query(
    select(func.sum(SignIn.tries)).where(
        SignIn.email == bindparam("email"), SignIn.created_at > bindparam("since")
    )
)
_GET: Final = db.Query(
    select(
        SignIn.id,
        SignIn.email,
        SignIn.link_hash,
        SignIn.code_hash,
        SignIn.tries,
        SignIn.expires_at,
        SignIn.used_at,
    )
    .where(SignIn.id == bindparam("id"))
    .with_for_update()
)

_NEWEST: Final = db.Query(
    select(SignIn.id)
    .where(SignIn.email == bindparam("email"))
    .order_by(SignIn.created_at.desc(), SignIn.id.desc())
    .limit(1)
)


def begin(session: db.Session, email: str, key: str) -> Challenge:
    """A new challenge for a normalised address, made alike whether or not anybody has it."""
    now = clock.timestamp()
    challenge = Challenge(
        id=clock.new_id(),
        secret=secrets.token_urlsafe(32),
        code=f"{secrets.randbelow(1_000_000):06d}",
        known=profiles.find_by_email(session, email) is not None,
    )
    session.run(
        _INSERT,
        id=challenge.id,
        email=email,
        link_hash=hashlib.sha256(challenge.secret.encode()).hexdigest(),
        code_hash=_code_hash(key, challenge.id, challenge.code),
        tries=0,
        created_at=now,
        expires_at=now + LIFETIME,
        used_at=None,
    )
    return challenge


def spend_link(session: db.Session, challenge_id: str, secret: str) -> str:
    """Use a link up and return the user_id. Raises Gone when it is used, old, wrong or nobody's."""
    row = session.first(_GET, id=challenge_id)
    given = hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
    if row is None or not hmac.compare_digest(row.link_hash, given) or not _is_open(row):
        raise gone()
    return _spend(session, row.id, row.email)


def spend_code(session: db.Session, challenge_id: str, code: str, key: str) -> str | None:
    """Use a code up and return the user_id; None for a wrong code (which costs one of five tries).

    Raises Gone when nothing is left to try. The wrong try has to be committed, so it is an answer
    and not an error.
    """
    row = session.first(_GET, id=challenge_id)
    if row is None or not _is_open(row):
        raise gone()
    recent = session.value(_WRONG, email=row.email, since=clock.timestamp() - HOUR) or 0
    if row.tries >= TRIES or recent >= TRIES_AN_HOUR:
        raise errors.Gone("Too many wrong codes; ask for a new mail.", code="too_many_wrong_codes")
    given = _code_hash(key, row.id, "".join(c for c in code if c.isdigit()))
    if not hmac.compare_digest(row.code_hash, given):
        session.run(update(SignIn).where(SignIn.id == row.id).values(tries=SignIn.tries + 1))
        return None
    return _spend(session, row.id, row.email)


def spend_newest(session: db.Session, email: str, code: str, key: str) -> str | None:
    """Use up the code of the newest mail to a normalised address; as `spend_code`."""
    return spend_code(session, session.value(_NEWEST, email=email) or "", code, key)


def forget(session: db.Session, before: float) -> int:
    """Drop challenges that ended before a time; returns how many."""
    return session.run(delete(SignIn).where(SignIn.expires_at < before))


def _spend(session: db.Session, challenge_id: str, email: str) -> str:
    profile = profiles.find_by_email(session, email)
    if profile is None:
        raise gone()
    sessions.prove_address(session, profile.id)
    session.run(update(SignIn).where(SignIn.id == challenge_id).values(used_at=clock.timestamp()))
    return profile.id


def _is_open(row: SignIn) -> bool:
    return row.used_at is None and row.expires_at > clock.timestamp()


def _code_hash(key: str, challenge_id: str, code: str) -> str:
    message = f"{challenge_id}|{code}".encode(errors="surrogateescape")
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def gone() -> errors.Gone:
    """What is told of a link or code that is worth nothing any more."""
    return errors.Gone(
        "This link or code has been used or is older than ten minutes; ask for a new one.",
        code="sign_in_expired",
    )
