"""SQLite's write-ahead log is moved into the file beside the writer, and begins anew."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import make_url

from tests.db.verbs import add, count, sqlite_only
from whatworks import db
from whatworks.db import checkpoints

PAGE = 4_096
ROUNDS = 30


def fill(url: str) -> tuple[int, int]:
    """Thirty times a hundred rows, each a verb; returns how long the log has become, in pages, and
    how many rows another connection finds.
    """
    database = db.Database(url)
    with ThreadPoolExecutor(8) as pool:
        for turn in range(ROUNDS):
            list(pool.map(lambda n, t=turn: database.write(add, f"{t}-{n}"), range(100)))
    log = Path(f"{make_url(url).database}-wal").stat().st_size // PAGE
    rows = database.read(count)
    database.close()
    return log, rows


@sqlite_only
def test_the_log_begins_anew_while_writing_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "VERBS", 50)
    monkeypatch.setattr(checkpoints, "LONG", 100)
    monkeypatch.setattr("whatworks.db.sqlite.BACKSTOP", 0)  # not by itself
    log, rows = fill(database_url)
    assert rows == 100 * ROUNDS
    assert log < 1_000


@sqlite_only
def test_control_without_it_the_log_only_grows(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whatworks.db.sqlite.BACKSTOP", 0)
    with mock.patch.object(checkpoints.Checkpoints, "committed"):
        log, _ = fill(database_url)
    assert log > 1_000


@sqlite_only
def test_no_thread_stays_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "VERBS", 10)
    database = db.Database(database_url)
    for number in range(30):
        database.write(add, str(number))
    assert "checkpoints" in {thread.name for thread in threading.enumerate()}
    database.close()
    assert "checkpoints" not in {thread.name for thread in threading.enumerate()}
