"""Marks: what was read may be served while nothing has changed."""

from __future__ import annotations

import contextlib
import time

import pytest
from sqlalchemy import bindparam, update

from tests.db.verbs import add, add_and_fail, names, postgresql_only, sqlite_only
from whatworks import db, errors
from whatworks.models import UserProfile


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
