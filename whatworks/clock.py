"""The only place that knows the time, and the identifiers that carry it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

import uuid_utils

_told: Final = ContextVar[float | None]("told", default=None)


def now() -> datetime:
    """The current time, aware, in UTC; inside `told_at` the time that is told of."""
    told = _told.get()
    return datetime.now(UTC) if told is None else datetime.fromtimestamp(told, UTC)


@contextlib.contextmanager
def told_at(seconds: float) -> Iterator[None]:
    """Inside it is that time, in this thread: for invented people, who did things long ago.

    Identifiers are made in the order of the telling all the same.

    >>> with told_at(1768176000.0):
    ...     rfc3339(timestamp())
    '2026-01-12T00:00:00Z'
    """
    token = _told.set(seconds)
    try:
        yield
    finally:
        _told.reset(token)


def timestamp() -> float:
    """The current time as epoch seconds, the form in which rows keep it."""
    told = _told.get()
    return time.time() if told is None else told


@functools.lru_cache(4096)
def rfc3339(seconds: float | None) -> str | None:
    """Epoch seconds as an RFC 3339 UTC string; None stays None, and so does a time no calendar has.

    >>> rfc3339(1768176000.0)
    '2026-01-12T00:00:00Z'
    """
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return None
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace(
        "+00:00", "Z"
    )


def new_id() -> str:
    """A UUIDv7 (RFC 9562): sortable by the time it was made, so newer rows have greater ids."""
    return str(uuid_utils.uuid7())


def first_id(seconds: float) -> str:
    """What every id made since a time is greater than.

    >>> first_id(1768176000.0)
    '019baf80-9c00-0000-0000-000000000000'
    """
    digits = f"{max(int(seconds * 1000), 0):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
