"""The schema's way through time: look before touching, then change all or nothing under a lock.

`check` refuses a database that is damaged, foreign or newer, and leaves it byte for byte as it
was. `upgrade` may be run twice, or by four processes at once. `report` lists what of the old data
cannot be used.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, exc, inspect, make_url
from sqlalchemy.pool import NullPool

from whatworks import db, errors, legacy, models

Progress = Callable[[str, int, int], None]

SHOP: Final = "a27bd4c9f5a9"
FIVE_TABLES: Final = "d27fa85d1bf4"
ADVICE: Final = (
    "It was not touched. Copy it to a safe place before anything else, then restore a backup or"
    " choose another database with DATABASE_URL or DATA_DIR."
)
SQLITE_HEADER: Final = b"SQLite format 3\x00"
LOCK_KEY: Final = 0x77776B73  # of the advisory lock on PostgreSQL: "wwks"
BUSY_SECONDS: Final = 60
LOOKS: Final = 5

_one_at_a_time = threading.Lock()  # alembic keeps its context in module globals
_package = Path(__file__).parent

# What alembic tells at INFO is for its own developers.
logging.getLogger("alembic").setLevel(logging.WARNING)


class Refused(errors.Failure):
    """A database we do not touch, or could not change; the message says what to do."""

    code = "database_refused"


def check(url: str) -> None:
    """Raise Refused unless the database is absent, without tables, or one of ours."""
    path = _path(url)
    if path is None:
        with _reading(url) as connection:
            _check_schema(connection, _name(url))
    elif os.path.lexists(path):
        _check_quiet_file(path)
    elif not path.parent.is_dir():
        raise Refused(f"The folder {path.parent} does not exist; make it, or choose another one.")


def upgrade(url: str, progress: Progress | None = None, *, revision: str | None = None) -> None:
    """Check the database, then bring it to the newest schema; build it when it is absent.

    `progress` is told the title of the revision at work, how many are done, and of how many.
    """
    target = revision or head()
    with _one_at_a_time, _locked(url):
        check(url)
        if current(url) == target:
            return
        with _changing(url) as connection:
            command.upgrade(_config(connection, target, progress), target)


def downgrade(url: str, revision: str) -> None:
    """Check the database, then go back to an older schema; what has no room in it is lost."""
    with _one_at_a_time, _locked(url):
        check(url)
        with _changing(url) as connection:
            command.downgrade(_config(connection), revision)


@contextlib.contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """The locked transaction in which the `alembic` command runs."""
    with _locked(url):
        check(url)
        with _changing(url) as connection:
            yield connection


def report(url: str) -> list[legacy.Finding]:
    """Check the database, then list what of the old data cannot be used and why."""
    check(url)
    path = _path(url)
    if path is None or path.exists():
        with _reading(url) as connection:
            return list(legacy.findings(connection))
    return []


def current(url: str) -> str | None:
    """The revision the database is stamped with; None when it is absent or has no tables yet."""
    path = _path(url)
    if path is not None and not path.exists():
        return None
    with _reading(url) as connection:
        stamps = _stamps(connection)
    return stamps[0] if stamps else None


def head() -> str:
    """The newest revision there is."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


# Where things are


def _path(url: str) -> Path | None:
    """The file of a SQLite database; None for a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in {None, "", ":memory:"}:
        raise Refused("A database in memory cannot be kept; name a file: sqlite:///data/data.db.")
    return Path(str(parsed.database)).absolute()


def _name(url: str) -> str:
    return str(_path(url) or f"The database {make_url(url).database}")


def _config(
    connection: Connection | None = None, target: str = "head", progress: Progress | None = None
) -> Config:
    installed = _package / "_alembic"
    scripts = installed if installed.is_dir() else _package.parent / "alembic"
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    if connection is not None and progress is not None:
        config.attributes["applied"] = _reporter(config, _stamps(connection), target, progress)
    return config


def _reporter(
    config: Config, stamps: list[str], target: str, progress: Progress
) -> Callable[..., None]:
    """Tell `progress` what is to be done; the answer tells it of each revision that is done."""
    way = ScriptDirectory.from_config(config).iterate_revisions(target, *(stamps or ["base"]))
    titles = [str(revision.doc) for revision in way][::-1]
    if titles:  # another process may have been faster
        progress(titles[0], 0, len(titles))

    def applied(*, step: Any, **_: Any) -> None:
        done = titles.index(str(step.up_revision.doc)) + 1
        progress(titles[min(done, len(titles) - 1)], done, len(titles))

    return applied


# Opening a database, to look or to change


@contextlib.contextmanager
def _reading(url: str) -> Iterator[Connection]:
    """A connection that leaves no trace."""
    path = _path(url)
    if path is None:
        engine = db.engine(url)
    else:
        engine = create_engine(
            "sqlite://",
            module=db.sqlite_driver,
            poolclass=NullPool,
            creator=lambda: _open_to_read(path),
        )
    with _refusing(f"{_name(url)} cannot be read"), engine.connect() as connection:
        if path is None:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        yield connection


def _open_to_read(path: Path) -> Any:
    """Read-only, in the one way that makes no -wal and -shm files where there are none."""
    if _beside(path, "-wal").exists():
        mode = "mode=ro"
    elif _beside(path, "-journal").exists():  # somebody is writing or died so: SQLite knows which
        mode = "mode=rw"
    else:  # with a write-ahead log switched on but not there, nobody has the file open
        mode = "mode=ro&immutable=1" if _header(path)[18:19] == b"\x02" else "mode=ro"
    connection = db.sqlite_driver.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS)
    connection.text_factory = _text
    return connection


@contextlib.contextmanager
def _changing(url: str) -> Iterator[Connection]:
    """One transaction for the whole change. A new SQLite file appears only when it is complete."""
    path = _path(url)
    with _refusing(f"{_name(url)} could not be changed, and is as it was before"):
        if path is None:
            with db.engine(url).begin() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
                yield connection
        elif path.exists():
            with _sqlite_transaction(path) as connection:
                yield connection
        else:
            building = _beside(path, ".building")
            building.unlink(missing_ok=True)
            _beside(building, "-journal").unlink(missing_ok=True)
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
        stamps = _stamps(connection)
        ours = db.APPLICATION_ID if stamps == [head()] else 0
        connection.exec_driver_sql(f"PRAGMA application_id = {ours}")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Leave transactions to us, and other people's views, triggers and references alone."""
    connection.isolation_level = None
    connection.text_factory = _text
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA legacy_alter_table = ON")


@contextlib.contextmanager
def _locked(url: str) -> Iterator[None]:
    """One process at a time: on SQLite by a lock on the folder, which leaves no file behind.

    On PostgreSQL the transaction itself takes an advisory lock.
    """
    path = _path(url)
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


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# What a database is


def _check_quiet_file(path: Path) -> None:
    """Judge a file only by a look during which nobody wrote to it."""
    for _ in range(LOOKS):
        before = _state(path)
        try:
            _check_file(path)
            with _reading(f"sqlite:///{path}") as connection:
                _check_pages(connection, str(path))
                _check_schema(connection, str(path))
        except Refused:
            if _state(path) == before:
                raise
        else:
            return
    raise Refused(f"{path} is being changed all the time by another program; stop that first.")


def _state(path: Path) -> tuple[float, int, bool]:
    found = path.lstat()
    return found.st_mtime, found.st_size, _beside(path, "-wal").exists()


def _check_file(path: Path) -> None:
    """Refuse what is not a whole SQLite file, before SQLite sees it."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise Refused(f"{path} is a folder, not a database file. {ADVICE}")
        if _beside(path, "-wal").exists():
            return  # in use: closing a file that SQLite has open too would lose its locks
        header = _header(path)
    except OSError as failure:
        raise Refused(f"{path} cannot be read: {failure.strerror}. {ADVICE}") from failure
    if not found.st_size:
        raise Refused(
            f"{path} is empty: a database was here and is lost, or was never made. {ADVICE}"
            " To begin anew, remove the empty file."
        )
    if not header.startswith(SQLITE_HEADER):
        raise Refused(f"{path} is not a database: it does not begin as SQLite files do. {ADVICE}")
    if found.st_size < (expected := _expected_size(header)):
        short = f"{path} is cut short: {found.st_size} of {expected} bytes are there."
        raise Refused(f"{short} {ADVICE}")


def _expected_size(header: bytes) -> int:
    """The size a SQLite file says it has, where what it says is up to date."""
    if len(header) < 100 or header[24:28] != header[92:96]:
        return 100
    page_size = int.from_bytes(header[16:18], "big")
    return (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")


def _check_pages(connection: Connection, name: str) -> None:
    """Refuse scrambled pages; a value that breaks a rule of its column is only dirty."""
    for (finding,) in connection.exec_driver_sql("PRAGMA quick_check(100)"):
        if finding != "ok" and not re.search(r" value in |CHECK constraint", finding):
            raise Refused(f"{name} is damaged ({finding.splitlines()[-1]}). {ADVICE}")


def _check_schema(connection: Connection, name: str) -> None:
    """Refuse a database of somebody else, or of a newer version."""
    tables = set(inspect(connection).get_table_names())
    stamps = _stamps(connection)
    if not stamps and tables <= {"alembic_version"} and _application_id(connection) == 0:
        return
    if not stamps or _application_id(connection) not in {0, db.APPLICATION_ID}:
        known = ", ".join(sorted(tables)[:3]) or "none"
        raise Refused(f"{name} is a database of another program (its tables: {known}). {ADVICE}")
    script = ScriptDirectory.from_config(_config())
    unknown = set(stamps) - {revision.revision for revision in script.walk_revisions()}
    if unknown or len(stamps) > 1:
        raise Refused(
            f"{name} was made by a newer version of whatworks (its revision"
            f" {', '.join(sorted(unknown or stamps))} is unknown here); install that one. {ADVICE}"
        )
    if taken := sorted(tables & _still_to_come(stamps[0])):
        raise Refused(
            f"{name} already has tables of the names {', '.join(taken)} that are not ours; rename"
            f" them first. {ADVICE}"
        )


def _still_to_come(revision: str) -> set[str]:
    """Tables that later revisions make, seen from one of the old shop's revisions."""
    if revision not in {SHOP, FIVE_TABLES}:
        return set()
    return set(models.Base.metadata.tables).difference(
        legacy.TABLES if revision == FIVE_TABLES else ()
    )


def _application_id(connection: Connection) -> int:
    if connection.dialect.name != "sqlite":
        return 0
    return int(connection.exec_driver_sql("PRAGMA application_id").scalar_one())


def _stamps(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return [
        str(stamp)
        for stamp in connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
    ]
