"""The calendar file: valid, and right when clocks change."""

# ruff: noqa: DTZ001 - in a calendar file times are local, their zone stands beside them

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import icalendar
import pytest

from whatworks.execution import calendar_file

MONDAY: Final = date(2026, 11, 23)


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
