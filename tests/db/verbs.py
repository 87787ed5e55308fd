"""Small verbs, several of them at once, and who is asked to do them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from tests.processes import until
from whatworks import db, errors
from whatworks.models import UserProfile

ADD = db.Query(insert(UserProfile).values(id=bindparam("name"), created_at=bindparam("age")))
COUNT = db.Query(select(func.count()).select_from(UserProfile))
RAISE_AGE = db.Query(
    update(UserProfile)
    .where(UserProfile.id == bindparam("who"))
    .values(created_at=UserProfile.created_at + 1)
    .returning(UserProfile.created_at)
)

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def add(session: db.Session, name: str) -> str:
    """Insert one row and return its id."""
    session.run(ADD, name=name, age=0.0)
    return name


def count(session: db.Session) -> int:
    return int(session.value(COUNT))


def names(session: db.Session) -> set[str]:
    return {row.id for row in session.all(select(UserProfile.id))}


def add_and_fail(session: db.Session, name: str) -> None:
    add(session, name)
    raise errors.Conflict("not this one")


@contextlib.contextmanager
def held(database: db.Database) -> Iterator[None]:
    """Keep the one SQLite writer busy, so that what is written meanwhile has to queue."""
    began, gate = threading.Event(), threading.Event()

    def wait(_session: db.Session) -> None:
        began.set()
        assert gate.wait(30)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(database.write, wait)
        assert began.wait(60)
        try:
            yield
        finally:
            gate.set()
            waiting.exception(30)


def together(
    database: db.Database, jobs: Sequence[Callable[[db.Session], Any]]
) -> list[Future[Any]]:
    """Write all of them at once: on SQLite in one group."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        if not database.is_sqlite:
            return [pool.submit(database.write, job) for job in jobs]
        with held(database):
            futures = [pool.submit(database.write, job) for job in jobs]
            until(lambda: waiting(database) == len(jobs))
        return futures


def waiting(database: db.Database) -> int:
    writer = database._writer
    assert writer is not None
    return writer._jobs.qsize()


def run(database_url: str, *statements: str) -> None:
    """Statements of somebody else, committed."""
    with db.engine(database_url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
