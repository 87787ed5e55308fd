"""The week, the zones and the calendar file: days are where the person is."""

# ruff: noqa: DTZ001 - in a calendar file times are local, their zone stands beside them

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import icalendar
import pytest
import time_machine

from tests.test_executions import GUIDE, sign_up, start
from whatworks import catalogue, db
from whatworks.execution import calendar_file, rhythm, routine, runs
from whatworks.people import profiles, zones

MONDAY: Final = date(2026, 11, 23)
INDIA: Final = ZoneInfo("Asia/Kolkata")


@pytest.fixture
def asha(database: db.Database) -> str:
    """A person in India, and a workflow of five steps to follow."""
    database.write(catalogue.load, [GUIDE], source="test")
    return sign_up(database, "asha@example.com")


def at(day: int, clock: str, zone: ZoneInfo = INDIA) -> float:
    """A moment of November 2026."""
    moment = datetime.combine(date(2026, 11, day), time.fromisoformat(clock), zone)
    return moment.timestamp()


def states(week: rhythm.Week) -> str:
    return " ".join(day.state for day in week.days)


# ---- the week -------------------------------------------------------------------------------


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


# ---- zones ----------------------------------------------------------------------------------


def test_a_zone_is_chosen_or_follows_the_country(database: db.Database, asha: str) -> None:
    def zone() -> str:
        return zones.of(database.read(profiles.get, asha)).key

    assert zone() == "Asia/Kolkata"
    database.write(profiles.change, asha, {"country": "DE"})
    assert zone() == "Europe/Berlin"
    database.write(profiles.change, asha, {"time_zone": "Pacific/Auckland"})
    assert zone() == "Pacific/Auckland"
    database.write(profiles.change, asha, {"time_zone": "Mars/Olympus"})  # as old data may have it
    assert zone() == "Europe/Berlin"
    database.write(profiles.change, asha, {"time_zone": ""})
    assert zone() == "Europe/Berlin"


def test_every_zone_can_be_used() -> None:
    assert len(zones.names()) > 400
    for name in zones.names():
        assert zones.is_known(name)
        zone = ZoneInfo(name)
        offset = datetime(2026, 11, 23, 12, tzinfo=zone).utcoffset() or timedelta()
        assert offset.total_seconds() % rhythm.QUARTER == 0, name  # quarters fall on whole ones


# ---- the calendar file ------------------------------------------------------------------------


def file(zone: str, first: date = MONDAY, hour: time = time(18, 30)) -> str:
    now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    return calendar_file.daily(
        ZoneInfo(zone),
        first,
        hour,
        uid="routine-é;x@whatworks",
        now=now,
        address="https://w.example",
    )


def event(text: str) -> Any:
    (found,) = icalendar.Calendar.from_ical(text).walk("VEVENT")
    return found


@pytest.mark.parametrize(
    "zone", ["Asia/Kolkata", "Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe"]
)
def test_the_file_is_valid_and_says_when(zone: str) -> None:
    text = file(zone)
    calendar = icalendar.Calendar.from_ical(text)
    assert calendar.errors == []
    assert not event(text).errors
    found = event(text)
    start = found.decoded("DTSTART")
    assert start.replace(tzinfo=None) == datetime(2026, 11, 23, 18, 30)
    assert start.utcoffset() == start.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert found.decoded("DURATION") == timedelta(minutes=45)
    assert found["RRULE"].to_ical() == b"FREQ=DAILY"
    assert str(found["UID"]) == "routine-é;x@whatworks"
    (alarm,) = found.walk("VALARM")
    assert alarm.decoded("TRIGGER") == timedelta(minutes=-5)


def test_lines_end_and_fold_as_the_standard_says() -> None:
    text = file("Europe/Berlin")
    assert text.endswith("END:VCALENDAR\r\n")
    lines = text.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    assert "\n" not in text.replace("\r\n", "")
    assert any(line.startswith(" ") for line in lines)


def test_changes_of_the_clocks_are_in_it() -> None:
    calendar = icalendar.Calendar.from_ical(file("Europe/Berlin"))
    zone: Any
    (zone,) = calendar.walk("VTIMEZONE")
    changes = [(part.name, part.decoded("DTSTART")) for part in zone.subcomponents]
    assert ("DAYLIGHT", datetime(2027, 3, 28, 2, 0)) in changes
    assert ("STANDARD", datetime(2027, 10, 31, 3, 0)) in changes
    told = zone.to_tz()
    for moment in (datetime(2026, 12, 1, 12), datetime(2027, 7, 1, 12), datetime(2028, 1, 1, 12)):
        expected = moment.replace(tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
        assert moment.replace(tzinfo=told).utcoffset() == expected
    assert not icalendar.Calendar.from_ical(file("UTC")).walk("VTIMEZONE")
