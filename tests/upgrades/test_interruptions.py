"""Several processes at once, crashes and full disks: the old state is there, or the new."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.processes import child
from tests.upgrades.databases import FIVE, FIXTURES, contents, copy_rows, count, schema
from whatworks.upgrades import migrations

WRITE_AHEAD = """
import os, signal, sys
from whatworks import db

connection = db.sqlite_driver.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("INSERT INTO user_profiles (id) VALUES ('only in the log')")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_write_ahead_log_left_by_a_crash_is_not_lost(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    child(WRITE_AHEAD, str(path)).communicate(timeout=30)
    assert (tmp_path / "data.db-wal").stat().st_size
    migrations.upgrade(f"sqlite:///{path}")
    assert count(f"sqlite:///{path}", "user_profiles") == 121


UPGRADE = "import sys; from whatworks.upgrades import migrations; migrations.upgrade(sys.argv[1])"


@pytest.mark.parametrize(
    ("empty_url", "old"),
    [("sqlite", False), ("sqlite", True), ("postgresql", True)],
    indirect=["empty_url"],
)
def test_four_processes_upgrade_at_once(empty_url: str, old: bool) -> None:
    if old:
        migrations.upgrade(empty_url, revision=FIVE)
        copy_rows(f"sqlite:///{FIXTURES / 'legacy-after.db'}", empty_url)
    children = [child(UPGRADE, empty_url) for _ in range(4)]
    for process in children:
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
    assert migrations.current(empty_url) == migrations.head()
    assert count(empty_url, "execution_events") == (168 if old else 0)


CRASH = """
import os, signal, sys
from whatworks.upgrades import migrations

def die(title, done, total):
    if done == total - 1:
        os.kill(os.getpid(), signal.SIGKILL)

migrations.upgrade(sys.argv[1], die)
"""


@pytest.mark.parametrize("old_url", ["legacy-after"], indirect=True)
def test_killed_in_the_middle_the_old_state_is_there(old_url: str) -> None:
    before, old_schema = contents(old_url), schema(old_url)
    revision = migrations.current(old_url)
    process = child(CRASH, old_url)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    migrations.check(old_url)
    assert migrations.current(old_url) == revision
    assert (contents(old_url), schema(old_url)) == (before, old_schema)
    migrations.upgrade(old_url)
    assert migrations.current(old_url) == migrations.head()


def test_killed_while_building_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    process = child(CRASH, f"sqlite:///{path}")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    migrations.upgrade(f"sqlite:///{path}")
    assert os.listdir(tmp_path) == ["data.db"]


@pytest.mark.parametrize("old_url", ["legacy-after"], indirect=True)
def test_a_failure_in_the_middle_changes_nothing(old_url: str) -> None:
    before, old_schema = contents(old_url), schema(old_url)

    def fail(_title: str, done: int, _total: int) -> None:
        if done:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        migrations.upgrade(old_url, fail)
    assert (contents(old_url), schema(old_url)) == (before, old_schema)


FULL = """
import resource, signal, sys
from whatworks.upgrades import migrations

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (450_000, 450_000))
try:
    migrations.upgrade(sys.argv[1])
except migrations.Refused as refused:
    print(refused.message)
"""


def test_a_full_disk_leaves_the_old_database(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    url = f"sqlite:///{path}"
    before = contents(url)
    told, complaint = child(FULL, url).communicate(timeout=60)
    assert "is as it was before" in told
    assert complaint == ""
    assert contents(url) == before
    migrations.upgrade(url)
