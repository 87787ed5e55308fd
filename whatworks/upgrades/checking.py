"""What a database is: ours, nobody's, or one that must not be touched."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from whatworks import db, models
from whatworks.upgrades import legacy, opening, revisions
from whatworks.upgrades.opening import ADVICE, Refused

SQLITE_HEADER: Final = b"SQLite format 3\x00"
LOOKS: Final = 5


def check(url: str) -> None:
    """Raise Refused unless the database is absent, without tables, or one of ours."""
    path = opening.file_of(url)
    if path is None:
        with opening.reading(url) as connection:
            _check_schema(connection, opening.name_of(url))
    elif os.path.lexists(path):
        _check_quiet_file(path)
    elif not path.parent.is_dir():
        raise Refused(f"The folder {path.parent} does not exist; make it, or name it: --data-dir.")


def _check_quiet_file(path: Path) -> None:
    """Judge a file only by a look during which nobody wrote to it."""
    for _ in range(LOOKS):
        before = _state(path)
        try:
            _check_file(path)
            with opening.reading(f"sqlite:///{path}") as connection:
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
    return found.st_mtime, found.st_size, opening.beside(path, "-wal").exists()


def _check_file(path: Path) -> None:
    """Refuse what is not a whole SQLite file, before SQLite sees it."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise Refused(f"{path} is a folder, not a database file. {ADVICE}")
        if opening.beside(path, "-wal").exists():
            return  # in use: closing a file that SQLite has open too would lose its locks
        header = opening.header(path)
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
    stamps = revisions.stamps(connection)
    if not stamps and tables <= {"alembic_version"} and _application_id(connection) == 0:
        return
    if not stamps or _application_id(connection) not in {0, db.APPLICATION_ID}:
        known = ", ".join(sorted(tables)[:3]) or "none"
        raise Refused(f"{name} is a database of another program (its tables: {known}). {ADVICE}")
    unknown = set(stamps) - {one.revision for one in revisions.scripts().walk_revisions()}
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
    if revision not in {revisions.SHOP, revisions.FIVE_TABLES}:
        return set()
    there = legacy.TABLES if revision == revisions.FIVE_TABLES else ()
    return set(models.Base.metadata.tables).difference(legacy.SHOP_TABLES, there)


def _application_id(connection: Connection) -> int:
    if connection.dialect.name != "sqlite":
        return 0
    return int(connection.exec_driver_sql("PRAGMA application_id").scalar_one())
