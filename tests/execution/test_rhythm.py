"""The week: days are where the person is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.followers import start
from whatworks import db
from whatworks.execution import rhythm, routine, runs
from whatworks.people import profiles

MONDAY: Final = date(2026, 11, 23)
INDIA: Final = ZoneInfo("Asia/Kolkata")


def at(day: int, clock: str, zone: ZoneInfo = INDIA) -> float:
    """A moment of November 2026."""
    moment = datetime.combine(date(2026, 11, day), time.fromisoformat(clock), zone)
    return moment.timestamp()


def states(week: rhythm.Week) -> str:
    return " ".join(day.state for day in week.days)


def test_days_are_the_persons_own(database: db.Database, asha: str) -> None:
    with time_machine.travel(at(23, "00:10"), tick=False) as now:
        run = start(database, asha)  # Monday there; in Greenwich it is Sunday still
        now.move_to(at(24, "23:50"))
        database.write(runs.tick, asha, run, step=1, item=0, checked=True)
        now.move_to(at(26, "12:00"))
        week = database.read(rhythm.week, asha)
        assert states(week) == "done done rest today ahead ahead ahead"
        assert [day.date for day in week.days] == [MONDAY + timedelta(days=n) for n in range(7)]
        assert (week.done, week.goal, week.kept) == (2, 4, 0)
        database.write(profiles.change, asha, {"time_zone": "America/New_York"})
        week = database.read(rhythm.week, asha)
        assert states(week) == "rest done rest today ahead ahead ahead"


def test_what_was_done_offline_counts_on_its_day(database: db.Database, asha: str) -> None:
    with time_machine.travel(at(23, "09:00"), tick=False) as now:
        run = start(database, asha)
        now.move_to(at(26, "09:00"))
        for step, day in ((1, 24), (2, 25)):
            database.write(
                runs.record_verdict, asha, run, step=step, result="worked", told_at=at(day, "20:00")
            )
        week = database.read(rhythm.week, asha)
    assert states(week).startswith("done done done done")  # and it was sent today


def test_work_counts_and_a_moment_on_the_timer_does_not(database: db.Database, asha: str) -> None:
    with time_machine.travel(at(20, "09:00"), tick=False) as now:
        run = start(database, asha)
        now.move_to(at(23, "09:00"))
        database.write(routine.start, asha, run)
        now.shift(30)
        database.write(routine.pause, asha, run)
        assert database.read(rhythm.week, asha).done == 0
        now.move_to(at(24, "09:00"))
        database.write(routine.start, asha, run)
        now.shift(600)
        database.write(routine.pause, asha, run)
        assert states(database.read(rhythm.week, asha)).startswith("rest done")


@pytest.mark.parametrize(
    ("done", "today", "expected"),
    [
        (set[int](), 0, "0 of 4 days this week. Rest days are free."),
        ({0, 1, 2, 3}, 3, "4 days this week: your rhythm is kept."),
        ({0, 1, 2, 3, 4}, 6, "5 days this week: your rhythm is kept."),
        ({0, 1}, 4, "2 of 4 days this week. Rest days are free."),
        ({0}, 5, "1 day this week. The next one begins on Monday."),
        (set[int](), 6, "0 days this week. The next one begins on Monday."),
    ],
)
def test_the_week_is_told_without_blame(done: set[int], today: int, expected: str) -> None:
    days = {MONDAY + timedelta(days=number) for number in done}
    week = rhythm.of_days(days, MONDAY + timedelta(days=today))
    assert week.sentence == expected
    assert not {"missed", "lost", "broken"} & set(states(week).split())


def test_weeks_that_were_kept_are_counted_back_to_the_first_that_was_not() -> None:
    days = {MONDAY - timedelta(weeks=w, days=-d) for w in (1, 2, 4) for d in range(4)}
    assert rhythm.of_days(days, MONDAY).kept == 2
