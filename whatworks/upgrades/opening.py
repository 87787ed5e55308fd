"""Opening a database to look at it without a trace, or to change all of it or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, exc, make_url
from sqlalchemy.pool import NullPool

from whatworks import db, errors
from whatworks.upgrades import revisions

ADVICE: Final = (
    "It was not touched. Copy it to a safe place before anything else, then restore a backup or"
    " choose another database with DATABASE_URL or DATA_DIR."
)
LOCK_KEY: Final = 0x77776B73  # of the advisory lock on PostgreSQL: "wwks"
BUSY_SECONDS: Final = 60


class Refused(errors.Failure):
    """A database we do not touch, or could not change; the message says what to do."""

    code = "database_refused"


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; None for a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in {None, "", ":memory:"}:
        raise Refused("A database in memory cannot be kept; name a file: sqlite:///data/data.db.")
    return Path(str(parsed.database)).absolute()


def name_of(url: str) -> str:
    """What the database is called in a sentence."""
    return str(file_of(url) or f"The database {make_url(url).database}")


@contextlib.contextmanager
def reading(url: str) -> Iterator[Connection]:
    """A connection that leaves no trace."""
    path = file_of(url)
    if path is None:
        engine = db.engine(url)
    else:
        engine = create_engine(
            "sqlite://",
            module=db.sqlite_driver,
            poolclass=NullPool,
            creator=lambda: _open_to_read(path),
        )
    with _refusing(f"{name_of(url)} cannot be read"), engine.connect() as connection:
        if path is None:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        yield connection


def _open_to_read(path: Path) -> Any:
    """Read-only, in the one way that makes no -wal and -shm files where there are none."""
    if beside(path, "-wal").exists():
        mode = "mode=ro"
    elif beside(path, "-journal").exists():  # somebody is writing or died so: SQLite knows which
        mode = "mode=rw"
    else:  # with a write-ahead log switched on but not there, nobody has the file open
        mode = "mode=ro&immutable=1" if header(path)[18:19] == b"\x02" else "mode=ro"
    connection = db.sqlite_driver.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS)
    connection.text_factory = _text
    return connection


@contextlib.contextmanager
def changing(url: str) -> Iterator[Connection]:
    """One transaction for the whole change. A new SQLite file appears only when it is complete."""
    path = file_of(url)
    with _refusing(f"{name_of(url)} could not be changed, and is as it was before"):
        if path is None:
            with db.engine(url).begin() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
                yield connection
        elif path.exists():
            with _sqlite_transaction(path) as connection:
                yield connection
        else:
            building = beside(path, ".building")
            building.unlink(missing_ok=True)
            beside(building, "-journal").unlink(missing_ok=True)
            with _sqlite_transaction(building) as connection:
                yield connection
            building.replace(path)
            with _opened(path.parent) as folder:
                os.fsync(folder)  # so that the new name outlives a power cut


@contextlib.contextmanager
def _sqlite_transaction(path: Path) -> Iterator[Connection]:
    engine = db.engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        yield connection
        stamps = revisions.stamps(connection)
        ours = db.APPLICATION_ID if stamps == [revisions.head()] else 0
        connection.exec_driver_sql(f"PRAGMA application_id = {ours}")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Leave transactions to us, and other people's views, triggers and references alone."""
    connection.isolation_level = None
    connection.text_factory = _text
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA legacy_alter_table = ON")


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """One process at a time: on SQLite by a lock on the folder, which leaves no file behind.

    On PostgreSQL the transaction itself takes an advisory lock.
    """
    path = file_of(url)
    if path is None or not path.parent.is_dir():
        yield
        return
    with _opened(path.parent) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turn the database's own complaints into one sentence."""
    try:
        yield
    except exc.DBAPIError as failure:
        cause = str(failure.orig).strip().partition("\n")[0]
        if any(sign in cause for sign in ("malformed", "not a database")):
            raise Refused(f"{what}: the file is damaged ({cause}). {ADVICE}") from failure
        raise Refused(f"{what}: {cause}.") from failure
    except CommandError as failure:
        raise Refused(f"{what}: {failure}.") from failure


def _text(raw: bytes) -> str:
    """Old text may hold bytes that are no UTF-8."""
    return raw.decode(errors="replace")


def beside(path: Path, ending: str) -> Path:
    """The file that SQLite keeps next to another."""
    return path.with_name(path.name + ending)


def header(path: Path) -> bytes:
    """The first hundred bytes."""
    with path.open("rb") as file:
        return file.read(100)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
