"""One effect for one Idempotency-Key, however often and however concurrently a request is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
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


class Replayed(Exception):  # noqa: N818 - an answer, not an error
    """The request was answered before; `body` is that answer, `at` when it was given."""

    def __init__(self, body: bytes, at: float) -> None:
        super().__init__()
        self.body = body
        self.at = at


_GET: Final = db.Query(
    select(IdempotencyKey.request_hash, IdempotencyKey.answer, IdempotencyKey.created_at).where(
        IdempotencyKey.user_id == bindparam("user_id"),
        IdempotencyKey.key_hash == bindparam("key_hash"),
    )
)
_KEEP: Final = db.Query(insert(IdempotencyKey).on_conflict_do_nothing())


def key(caller: str, given: str, method: str, path: str, body: bytes) -> Key:
    """The key of a request. `caller` is a user_id or stands for somebody not signed in."""
    request = hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()
    return Key(caller, hashlib.sha256(given.encode()).hexdigest(), request)


def part(key: Key | None, name: str) -> Key | None:
    """The key of one of several effects that a request has, each kept on its own."""
    if key is None:
        return None
    return replace(key, key_hash=hashlib.sha256(f"{key.key_hash} {name}".encode()).hexdigest())


def check(session: db.Session, key: Key | None) -> None:
    """Whether a verb that costs much is worth running: raises as `once` would, before it runs."""
    if key is not None:
        _raise_if_kept(session, key)


def once(
    session: db.Session,
    key: Key | None,
    encode: Callable[[T], bytes],
    verb: Callable[Concatenate[db.Session, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> bytes:
    """Run a verb and keep its encoded answer under the key; returns that answer.

    Raises Replayed, which undoes the verb, when the key was used before or at the same time: a
    new key costs one statement that way. Failures are not kept: what failed may be tried again
    with the same key. Raises Conflict when the key came with another request before.
    """
    if key is None:
        return encode(verb(session, *args, **kwargs))
    try:
        body = encode(verb(session, *args, **kwargs))
    except errors.Failure:
        _raise_if_kept(session, key)  # the first one may be the very reason for this failure
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
        _raise_if_kept(session, key)
    return body


def forget(session: db.Session, before: float) -> int:
    """Drop keys that are older than their promised 90 days; returns how many."""
    return session.run(
        delete(IdempotencyKey).where(
            IdempotencyKey.created_at < before, IdempotencyKey.user_id != "system"
        )
    )


def _raise_if_kept(session: db.Session, key: Key) -> None:
    row = session.first(_GET, user_id=key.caller, key_hash=key.key_hash)
    if row is None:
        return
    if row.request_hash != key.request_hash:
        raise errors.Conflict(
            "This Idempotency-Key was used for another request; choose a new one.",
            code="idempotency_key_reused",
        )
    raise Replayed((row.answer or "").encode(), row.created_at)
