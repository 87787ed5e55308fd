"""Housekeeping: what it does, and that it goes on whatever happens."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from tests import people
from whatworks import clock, db, idempotency, jobs
from whatworks.execution import executions
from whatworks.models import IdempotencyKey, SignIn, WorkflowExecution
from whatworks.people import signins

DAY = 86_400.0


def test_housekeeping_does_what_is_due_and_no_more(
    database: db.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    people.stock(database.url)
    app = people.build(database.url, tmp_path)
    asha = people.sign_up(app)
    old = [asha.start(name) for name in ("resume_generator", "whatsapp_bot", "prompt_selling")]
    new = asha.start("first_paying_client")
    for execution_id in old:
        database.write(_touched, execution_id, clock.timestamp() - 31 * DAY)
    for age in (0.0, 2.0, 91.0):
        database.write(_age, age)
    jobs.run(database, 30)
    jobs.run(database, 30)
    statuses = {e.id: e.status for e in database.read(executions.list_for, asha.user_id)}
    assert statuses == dict.fromkeys(old, "abandoned") | {new: "started"}
    assert database.read(_count, SignIn) == 1
    assert database.read(_count, IdempotencyKey) == 2  # of today and of the day before yesterday
    assert database.read(people.read_model) == people.rebuilt(database)


def _touched(session: db.Session, execution_id: str, at: float) -> None:
    session.run(
        update(WorkflowExecution)
        .where(WorkflowExecution.id == execution_id)
        .values(touched_at=at, started_at=at)
    )


def _age(session: db.Session, days: float) -> None:
    """A sign-in that ended, and a request that came, so many days ago."""
    then = clock.timestamp() - days * DAY
    challenge = signins.begin(session, f"{days}@example.com", "k")
    session.run(update(SignIn).where(SignIn.id == challenge.id).values(expires_at=then))
    key = idempotency.key("somebody", str(days), "POST", "/", b"")
    idempotency.once(session, key, lambda _: b"{}", lambda _: None)
    session.run(
        update(IdempotencyKey)
        .where(IdempotencyKey.key_hash == key.key_hash)
        .values(created_at=then)
    )


def _count(session: db.Session, table: type[SignIn] | type[IdempotencyKey]) -> int:
    return int(session.value(select(func.count()).select_from(table)))


def test_a_failure_is_logged_by_its_kind_and_ends_nothing(
    database: db.Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    calls: list[int] = []

    def run(_database: db.Database, days: int) -> None:
        calls.append(days)
        if len(calls) == 1:
            raise ValueError("asha@example.com")
        done.set()

    monkeypatch.setattr(jobs, "run", run)
    monkeypatch.setattr(jobs, "FIRST", 0.01)
    monkeypatch.setattr(jobs, "EVERY", 0.01)
    with caplog.at_level(logging.ERROR):
        stop = jobs.start(database, 7)
        assert done.wait(60)
        stop.set()
    assert calls[:2] == [7, 7]
    assert "housekeeping failed: ValueError" in caplog.text
    assert "asha" not in caplog.text


def test_importing_or_building_the_application_starts_nothing(
    database: db.Database, tmp_path: Path
) -> None:
    people.build(database.url, tmp_path)
    assert "housekeeping" not in {thread.name for thread in threading.enumerate() if thread.daemon}
