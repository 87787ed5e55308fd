"""The schema's way through time: look before touching, then change all or nothing under a lock.

`check` refuses a database that is damaged, foreign or newer, and leaves it byte for byte as it
was. `upgrade` may be run twice, or by four processes at once. `report` lists what of the old data
cannot be used.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from alembic import command
from sqlalchemy import Connection

from whatworks.upgrades import legacy, opening, revisions
from whatworks.upgrades.checking import check
from whatworks.upgrades.opening import Refused
from whatworks.upgrades.revisions import FIVE_TABLES, SHOP, Progress, head

__all__ = [
    "FIVE_TABLES",
    "SHOP",
    "Progress",
    "Refused",
    "check",
    "current",
    "downgrade",
    "head",
    "report",
    "transaction",
    "upgrade",
]

_one_at_a_time = threading.Lock()  # alembic keeps its context in module globals

# What alembic tells at INFO is for its own developers.
logging.getLogger("alembic").setLevel(logging.WARNING)


def upgrade(url: str, progress: Progress | None = None, *, revision: str | None = None) -> None:
    """Check the database, then bring it to the newest schema; build it when it is absent.

    `progress` is told the title of the revision at work, how many are done, and of how many.
    """
    target = revision or head()
    with _one_at_a_time, opening.locked(url):
        check(url)
        if current(url) == target:
            return
        with opening.changing(url) as connection:
            command.upgrade(revisions.config(connection, target, progress), target)


def downgrade(url: str, revision: str) -> None:
    """Check the database, then go back to an older schema; what has no room in it is lost."""
    with _one_at_a_time, opening.locked(url):
        check(url)
        with opening.changing(url) as connection:
            command.downgrade(revisions.config(connection), revision)


@contextlib.contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """The locked transaction in which the `alembic` command runs."""
    with opening.locked(url):
        check(url)
        with opening.changing(url) as connection:
            yield connection


def report(url: str) -> list[legacy.Finding]:
    """Check the database, then list what of the old data cannot be used and why."""
    check(url)
    path = opening.file_of(url)
    if path is None or path.exists():
        with opening.reading(url) as connection:
            return list(legacy.findings(connection))
    return []


def current(url: str) -> str | None:
    """The revision the database is stamped with; None when it is absent or has no tables yet."""
    path = opening.file_of(url)
    if path is not None and not path.exists():
        return None
    with opening.reading(url) as connection:
        stamps = revisions.stamps(connection)
    return stamps[0] if stamps else None
