"""What every table is registered with."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

# On SQLite these small rows live in their primary key's own tree: one tree fewer to write.
CLUSTERED = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """The registry of all tables."""

    metadata = MetaData()
