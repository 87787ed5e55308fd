"""SQLite: one writer who never waits for ever, and one file that may be locked, old or moved."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import column, make_url, select, table

from tests import processes
from tests.db.verbs import add, count, held, names, sqlite_only, waiting
from tests.processes import until
from whatworks import db, errors

# ---- the SQLite writer ----------------------------------------------------------------------


@sqlite_only
def test_a_full_queue_refuses(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.limits, "QUEUE_SIZE", 2)
    database = db.Database(database_url)
    with ThreadPoolExecutor(2) as pool:
        with held(database):
            accepted = [pool.submit(database.write, add, name) for name in "ab"]
            until(lambda: waiting(database) == 2)
            with pytest.raises(errors.Unavailable) as refused:
                database.write(add, "c")
        assert [future.result() for future in accepted] == ["a", "b"]
    assert refused.value.retry_after
    assert database.read(names) == {"a", "b"}
    database.close()


@sqlite_only
def test_a_verb_not_started_in_time_never_runs(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(database):
        monkeypatch.setattr(db.limits, "START_SECONDS", 0.1)
        with pytest.raises(errors.Unavailable):
            database.write(add, "late")
        monkeypatch.undo()
    database.write(add, "next")
    assert database.read(names) == {"next"}


@sqlite_only
def test_a_verb_that_runs_too_long_is_uncertain(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def slow(session: db.Session) -> None:
        add(session, "slow")
        gate.wait(30)

    database.write(add, "first")  # the writer has begun
    monkeypatch.setattr(db.limits, "START_SECONDS", 1.0)  # time for it to take the verb
    monkeypatch.setattr(db.limits, "RUN_SECONDS", 0.1)
    with pytest.raises(errors.Uncertain):
        database.write(slow)
    gate.set()
    monkeypatch.undo()
    database.write(add, "next")
    assert database.read(names) == {"first", "slow", "next"}


@sqlite_only
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_writer_is_restarted_when_it_dies(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write(add, "before")
    monkeypatch.setattr(db.limits, "START_SECONDS", 1.0)  # time for it to take the verb
    monkeypatch.setattr(db.limits, "RUN_SECONDS", 0.1)
    with pytest.raises(errors.Uncertain):
        database.write(lambda session: session._cursor.connection.close())
    monkeypatch.undo()
    database.write(add, "after")
    assert database.read(names) == {"before", "after"}


@sqlite_only
def test_close_finishes_what_was_accepted(database: db.Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        with held(database):
            accepted = [pool.submit(database.write, add, name) for name in "abcde"]
            until(lambda: waiting(database) == 5)
            closing = pool.submit(database.close)
            until(lambda: waiting(database) == 6)
            with pytest.raises(errors.Unavailable):
                database.write(add, "late")
        closing.result(60)
        assert [future.result() for future in accepted] == list("abcde")
    with pytest.raises(errors.Unavailable):
        database.read(count)
    again = db.Database(database.url)
    assert again.read(names) == set("abcde")
    again.close()


# ---- the file -------------------------------------------------------------------------------


@sqlite_only
def test_a_lock_of_another_process_is_unavailable_and_reads_go_on(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write(add, "a")
    monkeypatch.setattr(db.limits, "START_SECONDS", 0.3)
    hurried = db.Database(database.url)
    with processes.locked(Path(database.url.removeprefix("sqlite:///"))):
        for _ in range(3):
            with pytest.raises(errors.Unavailable) as refused:
                hurried.write(add, "b")
            assert refused.value.retry_after
            assert hurried.read(names) == {"a"}
    monkeypatch.undo()
    hurried.write(add, "c")
    assert hurried.read(names) == {"a", "c"}
    hurried.close()


def test_old_text_that_is_not_utf8_is_read_and_written_around(tmp_path: Path) -> None:
    """A verb that meets it runs again with a tolerant reader, and so does every one after it."""
    url = f"sqlite:///{tmp_path / 'data.db'}"
    with contextlib.closing(db.sqlite_driver.connect(tmp_path / "data.db")) as connection:
        connection.execute("CREATE TABLE old (text VARCHAR)")
        connection.execute("INSERT INTO old VALUES (CAST(X'66FF6F' AS TEXT))")
        connection.commit()
    database = db.Database(url)
    query = db.Query(select(column("text")).select_from(table("old")))
    for call in (database.read, database.look, database.write, database.read):
        assert call(lambda session: session.value(query)) == "f\ufffdo"
    database.close()


@sqlite_only
def test_nothing_is_written_to_a_file_that_was_moved_away(
    database: db.Database, tmp_path: Path
) -> None:
    """It would be gone with the process; so it is refused, until the file is back."""
    file = Path(str(make_url(database.url).database))
    database.write(add, "before")
    away = file.rename(tmp_path / "away.db")
    with pytest.raises(errors.Unavailable, match="cannot be reached"):
        database.write(add, "lost")
    file.write_bytes(b"another one")
    with pytest.raises(errors.Unavailable):
        database.write(add, "lost too")
    away.rename(file)
    database.write(add, "after")
    assert database.read(names) == {"before", "after"}
