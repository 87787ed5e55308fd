"""One effect for one Idempotency-Key, however often and however concurrently a request is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import IdempotencyKey

P = ParamSpec("P")
T = TypeVar("T")
KEPT: Final = 90 * 86_400.0  # phones come back late


@dataclass(frozen=True, slots=True)
class Key:
    """Who sends which key with which request; the key itself is stored only as a hash."""

    caller: str
    key_hash: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The encoded body, and whether it is a stored one."""

    body: bytes
    replayed: bool


_GET: Final = db.Query(
    select(IdempotencyKey.request_hash, IdempotencyKey.answer).where(
        IdempotencyKey.user_id == bindparam("user_id"),
        IdempotencyKey.key_hash == bindparam("key_hash"),
    )
)
_KEEP: Final = db.Query(insert(IdempotencyKey).on_conflict_do_nothing())


def key(caller: str, given: str, method: str, path: str, body: bytes) -> Key:
    """The key of a request. `caller` is a user_id or stands for somebody not signed in."""
    request = hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()
    return Key(caller, hashlib.sha256(given.encode()).hexdigest(), request)


def once(
    session: db.Session,
    key: Key | None,
    encode: Callable[[T], bytes],
    verb: Callable[Concatenate[db.Session, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Answer:
    """Run a verb and keep its encoded answer, or return the answer kept before.

    Failures are not kept: what failed may be tried again with the same key. Raises Conflict when
    the key came with another request before.
    """
    if key is None:
        return Answer(encode(verb(session, *args, **kwargs)), replayed=False)
    stored = _find(session, key)
    if stored is not None:
        return stored
    try:
        body = encode(verb(session, *args, **kwargs))
    except errors.Failure:
        if _find(session, key) is not None:  # the same request got ahead and is the reason
            raise db.Repeat from None
        raise
    kept = session.run(
        _KEEP,
        user_id=key.caller,
        key_hash=key.key_hash,
        request_hash=key.request_hash,
        status=None,
        answer=body.decode(),
        created_at=clock.timestamp(),
    )
    if not kept:
        raise db.Repeat
    return Answer(body, replayed=False)


def forget(session: db.Session, before: float) -> int:
    """Drop keys that are older than their promised 90 days; returns how many."""
    return session.run(
        delete(IdempotencyKey).where(
            IdempotencyKey.created_at < before, IdempotencyKey.user_id != "system"
        )
    )


def _find(session: db.Session, key: Key) -> Answer | None:
    row = session.first(_GET, user_id=key.caller, key_hash=key.key_hash)
    if row is None:
        return None
    if row.request_hash != key.request_hash:
        raise errors.Conflict(
            "This Idempotency-Key was used for another request; choose a new one.",
            code="idempotency_key_reused",
        )
    return Answer((row.answer or "").encode(), replayed=True)
