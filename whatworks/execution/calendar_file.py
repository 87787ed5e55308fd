"""A calendar file (iCalendar, RFC 5545) with the daily slot of the routine. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from whatworks.execution.timers import ROUTINE
from whatworks.people import zones

YEARS: Final = 5  # for which changes of the clocks are told; programs know the later ones
LONGEST_LINE: Final = 75  # octets
STAMP: Final = "%Y%m%dT%H%M%S"


def daily(zone: ZoneInfo, first: date, at: time, *, uid: str, now: datetime, address: str) -> str:
    """A file with one event: every day at this time there, with a reminder five minutes before.

    The same `uid` again takes the place of the earlier event.
    """
    start = datetime.combine(first, at)
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//whatworks//routine//EN"),
        *("CALSCALE:GREGORIAN", "METHOD:PUBLISH"),
        *_zone(zone, first),
        "BEGIN:VEVENT",
        f"UID:{_text(uid)}",
        f"DTSTAMP:{now.astimezone(UTC).strftime(STAMP)}Z",
        f"SEQUENCE:{int(now.timestamp() // 60)}",
        f"DTSTART:{start.strftime(STAMP)}Z"
        if zone.key == "UTC"
        else f"DTSTART;TZID={zone.key}:{start.strftime(STAMP)}",
        f"DURATION:PT{int(ROUTINE // 60)}M",
        "RRULE:FREQ=DAILY",
        f"SUMMARY:{_text('45 minutes for what works')}",
        f"DESCRIPTION:{_text(f'Go on where you were: {address}. Four days a week are plenty.')}",
        f"URL:{address}",
        *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "DESCRIPTION:45 minutes"),
        *("END:VALARM", "END:VEVENT", "END:VCALENDAR"),
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _zone(zone: ZoneInfo, first: date) -> list[str]:
    """The zone as it is now, and each change of its clocks in the years to come."""
    if zone.key == "UTC":
        return []
    opening = datetime.combine(first, time.min, zone)
    offset = opening.utcoffset() or timedelta()
    parts: list[list[str]] = [_observance("19700101T000000", offset, offset, opening)]
    for moment, before, after in zones.shifts(zone, first, 366 * YEARS):
        local = (moment + before).strftime(STAMP)
        parts.append(_observance(local, before, after, moment.astimezone(zone)))
    lines = [line for part in parts for line in part]
    return ["BEGIN:VTIMEZONE", f"TZID:{zone.key}", *lines, "END:VTIMEZONE"]


def _observance(onset: str, before: timedelta, after: timedelta, there: datetime) -> list[str]:
    kind = "DAYLIGHT" if there.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{onset}",
        f"TZOFFSETFROM:{_offset(before)}",
        f"TZOFFSETTO:{_offset(after)}",
        f"TZNAME:{there.tzname()}",
        f"END:{kind}",
    ]


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _text(value: str) -> str:
    for mark in ("\\", ";", ","):
        value = value.replace(mark, f"\\{mark}")
    return value.replace("\n", "\\n")


def _folded(line: str) -> str:
    """No line over 75 octets, and no character cut in two."""
    parts: list[bytes] = []
    part = b""
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > LONGEST_LINE - bool(parts):
            parts.append(part)
            part = b""
        part += octets
    return "\r\n ".join(piece.decode() for piece in (*parts, part))
