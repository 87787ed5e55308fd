"""PostgreSQL: deadlocks, cut connections, locked rows, and a server that is not there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from tests.db.verbs import RAISE_AGE, add, count, names, postgresql_only, run
from whatworks import db, errors
from whatworks.models import UserProfile


@postgresql_only
def test_a_deadlock_is_repeated(database: db.Database) -> None:
    for name in "ab":
        database.write(add, name)
    both_began = threading.Barrier(2)
    attempts: list[str] = []

    def raise_both(session: db.Session, first: str, second: str) -> None:
        attempts.append(first)
        session.value(RAISE_AGE, who=first)
        if len(attempts) <= 2:
            both_began.wait(60)
        session.value(RAISE_AGE, who=second)

    with ThreadPoolExecutor(2) as pool:
        pairs = [pool.submit(database.write, raise_both, *pair) for pair in ("ab", "ba")]
        for pair in pairs:
            pair.result(60)
    assert len(attempts) >= 3
    ages = database.read(lambda session: session.all(select(UserProfile.created_at)))
    assert [row.created_at for row in ages] == [2.0, 2.0]


@postgresql_only
def test_a_connection_that_was_cut_is_replaced(database: db.Database, database_url: str) -> None:
    def cut() -> None:
        mine = database.read(lambda session: session.value(text("SELECT pg_backend_pid()")))
        run(database_url, f"SELECT pg_terminate_backend({mine}, 5000)")

    cut()
    assert database.read(count) == 0
    cut()
    assert database.write(add, "a") == "a"
    assert database.read(names) == {"a"}


@postgresql_only
def test_a_database_that_keeps_cutting_is_unavailable(database: db.Database) -> None:
    suicide = text("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")
    for verb in (database.read, database.write):
        with pytest.raises(errors.Unavailable) as refused:
            verb(lambda session: session.value(suicide))
        assert refused.value.retry_after
    assert database.read(count) == 0


@postgresql_only
def test_a_connection_cut_during_commit_is_uncertain(
    database: db.Database, database_url: str
) -> None:
    run(
        database_url,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON user_profiles"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    with pytest.raises(errors.Uncertain):
        database.write(add, "a")
    assert database.read(count) == 0


@postgresql_only
def test_a_locked_row_is_unavailable_and_reads_go_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.limits, "START_SECONDS", 0.3)
    database = db.Database(database_url)
    database.write(add, "a")
    address = make_url(database_url).render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute("SELECT * FROM user_profiles FOR UPDATE")
        with pytest.raises(errors.Unavailable) as refused:
            database.write(lambda session: session.value(RAISE_AGE, who="a"))
        assert refused.value.retry_after
        assert database.read(count) == 1
    assert database.write(lambda session: session.value(RAISE_AGE, who="a")) == 1.0
    database.close()


def test_an_unreachable_server_is_unavailable() -> None:
    database = db.Database("postgresql://nobody:secret@127.0.0.1:1/nowhere")
    for verb in (database.read, database.write):
        with pytest.raises(errors.Unavailable):
            verb(count)
    database.close()
