"""What `db` promises: durable once it returned, nothing left of what failed, readers go on."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import bindparam, column, func, make_url, select, table, text, update
from sqlalchemy.dialects.postgresql import insert

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
        assert began.wait(5)
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


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def run(database_url: str, *statements: str) -> None:
    """Statements of somebody else, committed."""
    with db.engine(database_url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


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

    monkeypatch.setattr(db.limits, "START_SECONDS", 0.1)
    monkeypatch.setattr(db.limits, "RUN_SECONDS", 0.1)
    with pytest.raises(errors.Uncertain):
        database.write(slow)
    gate.set()
    monkeypatch.undo()
    database.write(add, "next")
    assert database.read(names) == {"slow", "next"}


@sqlite_only
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_writer_is_restarted_when_it_dies(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write(add, "before")
    monkeypatch.setattr(db.limits, "START_SECONDS", 0.2)
    monkeypatch.setattr(db.limits, "RUN_SECONDS", 0.2)
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
        closing.result(10)
        assert [future.result() for future in accepted] == list("abcde")
    with pytest.raises(errors.Unavailable):
        database.read(count)
    again = db.Database(database.url)
    assert again.read(names) == set("abcde")
    again.close()


# ---- PostgreSQL -----------------------------------------------------------------------------


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
            both_began.wait(10)
        session.value(RAISE_AGE, who=second)

    with ThreadPoolExecutor(2) as pool:
        pairs = [pool.submit(database.write, raise_both, *pair) for pair in ("ab", "ba")]
        for pair in pairs:
            pair.result(20)
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


# ---- other processes, and the end of this one -----------------------------------------------


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


LOCK = """
import sys
from whatworks import db

connection = db.sqlite_driver.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@sqlite_only
def test_a_lock_of_another_process_is_unavailable_and_reads_go_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.limits, "START_SECONDS", 0.3)
    database = db.Database(database_url)
    database.write(add, "a")
    other = child(LOCK, database_url.removeprefix("sqlite:///"))
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    for _ in range(3):
        with pytest.raises(errors.Unavailable) as refused:
            database.write(add, "b")
        assert refused.value.retry_after
        assert database.read(names) == {"a"}
    other.communicate(timeout=30)
    monkeypatch.undo()
    database.write(add, "c")
    assert database.read(names) == {"a", "c"}
    database.close()


# Writes numbered rows from four threads; says a number once its row is acknowledged. As a control
# it says so from inside the verb, before the commit.
WRITER = """
import os, sys, threading, time
from sqlalchemy import text
from whatworks import db

database = db.Database(sys.argv[1])
begin, early = int(sys.argv[2]), sys.argv[3] == "early"
statement = db.Query(text("INSERT INTO user_profiles (id) VALUES (:id)"))

def say(number):
    os.write(1, f"{number}\\n".encode())

def verb(session, number):
    session.run(statement, id=str(number))
    if early:
        say(number)
        time.sleep(0.01)

def work(thread):
    number = begin + thread
    while True:
        database.write(verb, number)
        if not early:
            say(number)
        number += 4

for thread in range(4):
    threading.Thread(target=work, args=(thread,)).start()
"""


def lost_after_kills(database_url: str, kills: int, when: str) -> tuple[int, int]:
    """How many rows were said to be saved, and how many of them are not there."""
    said: set[str] = set()
    for kill in range(kills):
        process = child(WRITER, database_url, str(kill * 1_000_000), when)
        assert process.stdout is not None
        for _ in range(20 + 7 * kill):
            said.add(process.stdout.readline().strip())
        os.kill(process.pid, signal.SIGKILL)
        # By the same reader: another would begin in the middle of a number, which was never said.
        said.update(process.stdout.read().split("\n")[:-1])
        process.communicate(timeout=30)
    database = db.Database(database_url)
    saved = database.read(names)
    if database.is_sqlite:
        check = database.read(lambda session: session.value(text("PRAGMA integrity_check")))
        assert check == "ok"
    database.close()
    return len(said), len(said - saved)


@pytest.mark.parametrize(
    ("database_url", "kills"), [("sqlite", 3), ("postgresql", 1)], indirect=["database_url"]
)
def test_what_was_acknowledged_survives_kill_9(database_url: str, kills: int) -> None:
    said, lost = lost_after_kills(database_url, kills, "after commit")
    assert said >= 20 * kills
    assert lost == 0


@sqlite_only
def test_the_kill_test_notices_an_acknowledgement_before_the_commit(database_url: str) -> None:
    _, lost = lost_after_kills(database_url, 2, "early")
    assert lost > 0


@pytest.mark.drill
def test_what_was_acknowledged_survives_forty_kills(database_url: str) -> None:
    said, lost = lost_after_kills(database_url, 40, "after commit")
    assert said >= 40 * 20
    assert lost == 0


# Fills a small disk, or a file that may not grow; then gets room again.
FILLER = """
import os, resource, signal, sys
from sqlalchemy import text
from whatworks import db, errors

path, limited = sys.argv[1], sys.argv[2] == "limit"
database = db.Database(f"sqlite:///{path}")
ballast = os.path.join(os.path.dirname(path), "ballast")
statement = db.Query(text("INSERT INTO user_profiles (id, email) VALUES (:id, :email)"))

def add(session, number):
    session.run(statement, id=str(number), email=str(number) * 4000)

def count(session):
    return session.value(text("SELECT count(*) FROM user_profiles"))

saved = 0
if limited:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
try:
    while saved < 5000:
        database.write(add, saved)
        saved += 1
except errors.Unavailable as failure:
    print(failure.message, failure.retry_after)
print(database.read(count) == saved > 0)
if limited:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
else:
    os.remove(ballast)
database.write(add, "again")
print(database.read(count) == saved + 1)
print(database.read(lambda session: session.value(text("PRAGMA integrity_check"))))
database.close()
"""


def assert_filled(path: Path, how: str) -> str:
    told, _ = child(FILLER, str(path), how).communicate(timeout=60)
    lines = told.splitlines()
    assert lines[1:] == ["True", "True", "ok"]
    assert lines[0].endswith(" 5")
    return lines[0]


@sqlite_only
def test_a_file_that_may_not_grow_is_unavailable_until_it_may(database_url: str) -> None:
    assert_filled(Path(database_url.removeprefix("sqlite:///")), "limit")


@sqlite_only
def test_a_full_disk_is_unavailable_until_there_is_space(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        path = folder / "data.db"
        path.write_bytes(Path(database_url.removeprefix("sqlite:///")).read_bytes())
        (folder / "ballast").write_bytes(bytes(500_000))
        assert "disk is full" in assert_filled(path, "disk")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


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


# ---- marks: what was read may be served while nothing has changed ----------------------------


@sqlite_only
def test_a_mark_changes_with_own_commits_to_its_tables_only(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    database.write(names)  # the writer has begun
    people, others = database.mark("user_profiles"), database.mark("sessions")
    assert database.mark("user_profiles") == people
    database.write(add, "asha")
    assert database.mark("user_profiles") != people
    assert database.mark("sessions") == others
    with pytest.raises(errors.Conflict):
        database.write(add_and_fail, "ben")  # undone: a new mark does no harm
    assert database.read(names) == {"asha"}


@sqlite_only
def test_a_mark_notices_another_process_within_a_second(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    before = database.mark("user_profiles")
    now = 102.0
    assert database.mark("user_profiles") == before  # nobody wrote
    other = db.Database(database.url)
    other.write(add, "asha")
    other.close()
    now = 102.5
    assert database.mark("user_profiles") == before
    now = 103.0
    assert database.mark("user_profiles") != before


@sqlite_only
def test_own_commits_are_not_taken_for_those_of_others(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every write would make everybody's answers be read again a second later."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    database.write(add, "asha")
    before = database.mark("sessions")
    for second in range(3):
        database.write(add, f"somebody {second}")
        now += 1
        assert database.mark("sessions") == before
    with contextlib.closing(db.Database(database.url)) as other:
        database.write(add, "ben")
        other.write(add, "of another process")
    now += 1
    database.mark("sessions")  # whose change it was is asked of the writer
    database.write(names)  # … who has looked by now
    assert database.mark("sessions") != before
    now += 10
    database.write(add, "chitra")
    before, now = database.mark("sessions"), now + 10
    database.write(add, "dev")
    assert database.mark("sessions") != before  # nobody looked for long: better safe than stale


@sqlite_only
def test_a_mark_of_one_person_is_not_changed_by_others(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    database.write(names)  # the writer has begun
    mine, theirs = (database.mark_of(name, "user_profiles") for name in ("asha", "ben"))
    own = db.Query(update(UserProfile).where(UserProfile.id == bindparam("id")).values(goal="x"))
    database.write(lambda session: session.run(own, id="asha"))
    assert database.mark_of("asha", "user_profiles") != mine
    assert database.mark_of("ben", "user_profiles") == theirs
    assert database.mark_of("asha", "sessions") == database.mark_of("ben", "sessions")
    everybody = db.Query(update(UserProfile).values(goal="earn_money"))
    database.write(lambda session: session.run(everybody))
    assert database.mark_of("ben", "user_profiles") != theirs


@postgresql_only
def test_where_others_write_there_is_no_mark(database: db.Database) -> None:
    assert database.mark("user_profiles") is None
    assert database.mark_of("asha", "user_profiles") is None


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
