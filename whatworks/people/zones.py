"""Where people are in time: whose day it is, and when it began. No clock in here."""

from __future__ import annotations

import functools
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global

from whatworks.people.profiles import Profile

LONGEST: Final = 64
# Where most people of a country with several zones live.
_MOST_PEOPLE: Final = {
    get_global("zone_territories")[name]: name
    for name in (
        *("America/Argentina/Buenos_Aires", "America/Guayaquil", "America/Mexico_City"),
        *("America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo"),
        *("America/Toronto", "Africa/Kinshasa", "Antarctica/McMurdo", "Asia/Almaty"),
        *("Asia/Hebron", "Asia/Jakarta", "Asia/Kuala_Lumpur", "Asia/Nicosia", "Asia/Shanghai"),
        *("Asia/Tashkent", "Asia/Ulaanbaatar", "Australia/Sydney", "Europe/Berlin"),
        *("Europe/Kyiv", "Europe/Lisbon", "Europe/Madrid", "Europe/Moscow", "Pacific/Auckland"),
        *("Pacific/Majuro", "Pacific/Pohnpei", "Pacific/Port_Moresby", "Pacific/Tahiti"),
        *("Pacific/Tarawa", "Pacific/Wake"),
    )
}
_NOWHERE: Final = ("001", "ZZ")
_PLACES: Final = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe")


@functools.cache
def names() -> tuple[str, ...]:
    """Every zone a person may choose, as the tz database spells them."""
    places = (*_PLACES, "Indian", "Pacific")
    return ("UTC", *sorted(n for n in available_timezones() if n.split("/")[0] in places))


def is_known(name: str) -> bool:
    """Whether there is a zone of this name."""
    return name in _all()


def of(profile: Profile) -> ZoneInfo:
    """A person's zone: the one they chose, or the one their country suggests."""
    chosen = profile.time_zone
    return ZoneInfo(chosen if chosen and is_known(chosen) else of_country(profile.country))


def of_country(country: str) -> str:
    """The zone most people of a country live in; UTC where that is not known.

    >>> of_country("IN"), of_country("US"), of_country("")
    ('Asia/Kolkata', 'America/New_York', 'UTC')
    """
    name = _MOST_PEOPLE.get(country) or _single().get(country, "UTC")
    return name if is_known(name) else "UTC"


def country_of(zone: str) -> str:
    """The country a zone is of; empty where that is not known.

    >>> country_of("Asia/Calcutta"), country_of("Europe/Berlin"), country_of("UTC")
    ('IN', 'DE', '')
    """
    known = get_global("zone_aliases").get(zone, zone)
    country = str(get_global("zone_territories").get(known, ""))
    return "" if country in _NOWHERE else country


def day(at: float, zone: ZoneInfo) -> date:
    """The date it is there at a moment."""
    return datetime.fromtimestamp(at, zone).date()


def midnight(of: date, zone: ZoneInfo) -> float:
    """The moment a day begins there.

    >>> midnight(date(2026, 11, 22), ZoneInfo("Asia/Kolkata"))
    1795285800.0
    """
    return datetime.combine(of, time.min, zone).timestamp()


def shifts(zone: ZoneInfo, first: date, days: int) -> list[tuple[datetime, timedelta, timedelta]]:
    """Every change of the clocks from a day on: (when in UTC, offset before, offset after)."""
    found = []
    start = datetime.combine(first, time.min, UTC)
    for number in range(days):
        low, high = start + timedelta(days=number), start + timedelta(days=number + 1)
        before, after = _offset(low, zone), _offset(high, zone)
        if before == after:
            continue
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) / 2
            low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
        found.append((high.replace(second=0, microsecond=0), before, after))
    return found


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


@functools.cache
def _all() -> frozenset[str]:
    return frozenset(available_timezones())


@functools.cache
def _single() -> dict[str, str]:
    """Countries with one zone, and that zone."""
    zones: dict[str, list[str]] = defaultdict(list)
    for name, country in get_global("zone_territories").items():
        zones[country].append(name)
    return {country: found[0] for country, found in zones.items() if len(found) == 1}
