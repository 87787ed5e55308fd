"""A whole copy of a SQLite database, taken while it is in use."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from whatworks import db, errors
from whatworks.upgrades import migrations


class CannotCopy(errors.Failure):
    """A backup that was not made; the message says what to do."""

    code = "cannot_copy"


def take(url: str, target: Path) -> int:
    """Write the copy, look whether it is whole, and return its size in bytes.

    Raises CannotCopy, and Refused when the database or the copy is damaged.
    """
    if not url.startswith("sqlite"):
        raise CannotCopy("A PostgreSQL database is backed up with pg_dump.")
    if target.exists():
        raise CannotCopy(f"{target} is there already; choose another name.")
    migrations.check(url)
    if migrations.current(url) is None:
        raise CannotCopy("There is no database yet.")
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with db.engine(url).connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql("VACUUM INTO ?", (str(partial),))
    except DBAPIError as failure:
        raise CannotCopy(f"{target} could not be written: {failure.orig}.") from failure
    migrations.check(f"sqlite:///{partial}")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    return target.stat().st_size
