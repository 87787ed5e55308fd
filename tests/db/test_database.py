"""What every database promises: durable once it returned, nothing left of what failed."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import bindparam, column, select, table, text

from tests.db.verbs import (
    ADD,
    RAISE_AGE,
    add,
    add_and_fail,
    count,
    names,
    run,
    sqlite_only,
    together,
)
from whatworks import db, errors
from whatworks.models import UserProfile

# ---- reading and writing --------------------------------------------------------------------


def test_write_returns_what_the_verb_returned(database: db.Database) -> None:
    assert database.write(add, "a") == "a"
    assert database.read(names) == {"a"}


def test_session_gives_rows_values_and_counts(database: db.Database) -> None:
    def fill(session: db.Session) -> None:
        session.many(ADD, [{"name": str(n), "age": float(n)} for n in range(12_000)])

    database.write(fill)
    query = db.Query(
        select(UserProfile.id, UserProfile.created_at)
        .where(UserProfile.created_at < bindparam("limit"))
        .order_by(UserProfile.created_at)
    )

    def look(session: db.Session) -> tuple[Any, ...]:
        streamed = sum(1 for _ in session.stream(query, limit=11_999.0))
        streamed += sum(1 for _ in session.stream(query, limit=1.0))
        rows = session.all(query, limit=2.0)
        return streamed, rows, session.first(query, limit=-1.0), session.value(query, limit=-1.0)

    streamed, rows, first, value = database.read(look)
    assert streamed == 12_000
    assert [(row.id, row.created_at) for row in rows] == [("0", 0.0), ("1", 1.0)]
    assert (first, value) == (None, None)
    with pytest.raises(TypeError, match="missing or unknown"):
        database.read(lambda session: session.all(query, limti=1.0))


def test_many_threads_lose_no_write(database: db.Database) -> None:
    database.write(add, "counter")

    def work(thread: int) -> list[float]:
        seen = []
        for number in range(50):

            def verb(session: db.Session, name: str = f"{thread}-{number}") -> float:
                add(session, name)
                return float(session.value(RAISE_AGE, who="counter"))

            seen.append(database.write(verb))
        return seen

    with ThreadPoolExecutor(16) as pool:
        seen = [value for values in pool.map(work, range(16)) for value in values]
    assert sorted(seen) == [float(number) for number in range(1, 801)]
    assert database.read(count) == 801


def test_threads_that_end_leave_no_connection_behind(database: db.Database) -> None:
    def read_and_end() -> None:
        thread = threading.Thread(target=lambda: seen.append(database.read(count)))
        thread.start()
        thread.join()

    seen: list[int] = []
    read_and_end()
    before = len(os.listdir("/dev/fd"))
    for _ in range(120):  # more than PostgreSQL takes at once
        read_and_end()
    assert len(seen) == 121
    assert len(os.listdir("/dev/fd")) < before + 20


def test_readers_cannot_write(database: db.Database) -> None:
    with pytest.raises(database.dialect.loaded_dbapi.Error):
        database.read(add, "a")
    assert database.read(count) == 0
    database.write(add, "b")
    assert database.read(names) == {"b"}


@sqlite_only
def test_a_read_sees_one_snapshot(database: db.Database) -> None:
    def look(session: db.Session) -> tuple[int, int]:
        before = count(session)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(database.write, add, "a").result()
        return before, count(session)

    assert database.read(look) == (0, 0)
    assert database.read(count) == 1


@sqlite_only
def test_a_failed_read_leaves_the_connection_usable(database: db.Database) -> None:
    with pytest.raises(ZeroDivisionError):
        database.read(lambda _: 1 // 0)
    with pytest.raises(db.sqlite_driver.OperationalError):
        database.read(lambda session: session.all(text("SELECT * FROM nowhere")))
    assert database.read(count) == 0


# ---- failures -------------------------------------------------------------------------------


def test_a_failing_verb_leaves_nothing_and_hurts_no_neighbour(database: db.Database) -> None:
    jobs = [
        functools.partial(add if number % 3 else add_and_fail, name=str(number))
        for number in range(12)
    ]
    futures = together(database, jobs)
    for number, future in enumerate(futures):
        if number % 3 == 0:
            assert isinstance(future.exception(), errors.Conflict)
        else:
            assert future.result() == str(number)
    assert database.read(names) == {str(number) for number in range(12) if number % 3}


def test_a_broken_constraint_costs_no_other_verb(database: db.Database) -> None:
    database.write(add, "taken")
    jobs = [functools.partial(add, name=name) for name in ("a", "taken", "b")]
    futures = together(database, jobs)
    assert isinstance(futures[1].exception(), database.dialect.loaded_dbapi.IntegrityError)
    assert database.read(names) == {"a", "b", "taken"}


def test_a_commit_that_fails_costs_only_the_verb_that_broke_it(
    database: db.Database, database_url: str
) -> None:
    run(
        database_url,
        "CREATE TABLE letters (id VARCHAR PRIMARY KEY, receiver VARCHAR"
        " REFERENCES user_profiles (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    database.write(add, "somebody")
    send = text("INSERT INTO letters (id, receiver) VALUES (:id, :receiver)")

    def verb(receiver: str, name: str) -> Callable[[db.Session], str]:
        def run(session: db.Session) -> str:
            session.run(send, id=name, receiver=receiver)
            return name

        return run

    receivers = ["somebody", "somebody", "nobody", "somebody"]
    futures = together(database, [verb(who, str(n)) for n, who in enumerate(receivers)])
    assert isinstance(futures[2].exception(), database.dialect.loaded_dbapi.IntegrityError)
    assert [futures[n].result() for n in (0, 1, 3)] == ["0", "1", "3"]
    found = database.read(
        lambda session: session.all(select(column("id")).select_from(table("letters")))
    )
    assert sorted(row[0] for row in found) == ["0", "1", "3"]


@sqlite_only
def test_a_verb_must_not_call_write(database: db.Database) -> None:
    with pytest.raises(RuntimeError, match="must not call write"):
        database.write(lambda _: database.write(add, "a"))
    assert database.read(count) == 0
