"""What was acknowledged is there after kill -9, and a full disk is no end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.db.verbs import names, sqlite_only
from tests.processes import child
from whatworks import db

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
        process.communicate(timeout=60)
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
