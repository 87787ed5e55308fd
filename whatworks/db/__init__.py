"""The database: `write(verb, …)`, `read(verb, …)`, and the only commit.

A *verb* is a function that takes a `Session` first and returns plain values. On SQLite one writer
thread runs the verbs of all threads and commits waiting ones together, a savepoint each, so that
each waits for a durable commit but they share its cost. On PostgreSQL, which groups commits by
itself, every verb is its own transaction. A verb may run twice (a deadlock, a commit that has to
be repeated alone), so it must have no side effects but its rows.

Statements are SQLAlchemy Core. A `Query` compiles its statement once per dialect; rows come from
the bare driver as named tuples, which `models` allows by using core types only.
"""

from __future__ import annotations

from typing import Final

from whatworks.db import limits
from whatworks.db.changes import Mark
from whatworks.db.database import Database, Verb, engine
from whatworks.db.listing import Listing
from whatworks.db.query import Query, Repeat, Session
from whatworks.db.sqlite import SAFE as SAFE_SQLITE
from whatworks.db.sqlite import driver as sqlite_driver
from whatworks.db.sqlite import version as sqlite_version

# The magic number in a SQLite file's header that says whose it is: "wwks".
APPLICATION_ID: Final = 0x77776B73

__all__ = [
    "APPLICATION_ID",
    "SAFE_SQLITE",
    "Database",
    "Listing",
    "Mark",
    "Query",
    "Repeat",
    "Session",
    "Verb",
    "engine",
    "limits",
    "sqlite_driver",
    "sqlite_version",
]
