"""The people who run the place, and the one-time link that makes the first of them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import IdempotencyKey, Operator, UserProfile
from whatworks.people import profiles, sessions

KEY_DAYS: Final = 365

_INSERT: Final = db.Query(insert(Operator).on_conflict_do_nothing())
# One row that only one claim can write, however many race.
_SPEND: Final = db.Query(
    insert(IdempotencyKey)
    .values(
        user_id="system",
        key_hash="first operator",
        request_hash="",
        status=None,
        answer=None,
        created_at=bindparam("now"),
    )
    .on_conflict_do_nothing()
)
_COUNT: Final = db.Query(select(func.count()).select_from(Operator))
_IS: Final = db.Query(select(Operator.user_id).where(Operator.user_id == bindparam("user_id")))
_LIST: Final = db.Query(
    select(Operator.user_id, UserProfile.email, Operator.granted_at, Operator.granted_by)
    .join(UserProfile, UserProfile.id == Operator.user_id)
    .order_by(Operator.granted_at)
)


def first_token(key: str) -> str:
    """The secret of the first operator's link: derived from the key, so that no file holds it."""
    return hmac.new(key.encode(), b"first operator", hashlib.sha256).hexdigest()


def any_exist(session: db.Session) -> bool:
    """Whether the first operator has been made."""
    return bool(session.value(_COUNT))


def claim(session: db.Session, email: str, token: str, key: str) -> str:
    """Make the person with this address the first operator; returns their user_id.

    Somebody not known yet gets a profile to begin with. Raises Gone when there is an operator
    already or the link is wrong.
    """
    right = hmac.compare_digest(token.encode(errors="surrogateescape"), first_token(key).encode())
    if not right or any_exist(session) or not session.run(_SPEND, now=clock.timestamp()):
        raise errors.Gone("This link has been used already, or is not the one that was printed.")
    profile = profiles.find_by_email(session, email) or profiles.create(
        session,
        email=email,
        goal="scale_business",
        market="agency",
        skill_level="advanced",
        country="IN",
    )
    sessions.prove_address(session, profile.id)  # the printed link proves more than a mail would
    grant(session, profile.id, by="first start")
    return profile.id


def grant(session: db.Session, user_id: str, *, by: str) -> None:
    """Make a person an operator; doing it twice changes nothing. Raises NotFound.

    Credentials made before their address was proved end, and they sign in by mail.
    """
    profiles.get(session, user_id)
    sessions.prove_address(session, user_id)
    session.run(_INSERT, user_id=user_id, granted_at=clock.timestamp(), granted_by=by)


def is_operator(session: db.Session, user_id: str) -> bool:
    """Whether this person is an operator."""
    return session.value(_IS, user_id=user_id) is not None


def list_(session: db.Session) -> list[tuple[str, str, float, str]]:
    """All operators: user_id, e-mail, since when, by whom."""
    return [tuple(row) for row in session.all(_LIST)]


def new_key(session: db.Session, user_id: str, label: str) -> str:
    """An API key that may act for any user. Raises NotFound when the person is no operator."""
    if not is_operator(session, user_id):
        raise errors.NotFound("Only an operator can have an API key.")
    return sessions.open_(session, user_id, kind="key", label=label, days=KEY_DAYS)
