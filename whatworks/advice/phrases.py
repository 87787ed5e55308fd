"""Numbers and names in plain words, as people of a country write them. Pure; None becomes ""."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from babel.numbers import format_currency, format_decimal

from whatworks.results import outcomes

UNKNOWN: Final = "—"  # what an old row holds where no number can be read
LAKHS: Final = frozenset({"INR", "PKR", "BDT", "NPR"})  # written 12,34,567
LOCALES: Final = {"USD": "en_US", "GBP": "en_GB", "EUR": "en_IE", "AUD": "en_AU", "CAD": "en_CA"}
MARKETS: Final = {
    "freelancer": ("freelancer", "freelancers"),
    "shop_owner": ("shop owner", "shop owners"),
    "content_creator": ("content creator", "content creators"),
    "agency": ("agency", "agencies"),
    "student": ("student", "students"),
}
FAILED: Final = {
    "unclear": "The step was not clear",
    "too_long": "It took too long",
    "no_access": "I lacked a tool or access",
    "did_not_work": "I did it, but it did not work",
    "other": "Another reason",
}
SKIPPED: Final = {
    "done_already": "I had done it before",
    "not_for_me": "It does not apply to me",
    "later": "I will do it later",
    "other": "Another reason",
}
A_WHILE: Final = 36.0  # hours; what lasts longer is told in days
SKILL_LEVELS: Final = frozenset({"beginner", "intermediate", "advanced"})


def money(value: float | None, currency: str | None) -> str:
    """An amount of money; whole amounts without decimals.

    >>> money(4800.0, "INR"), money(1234567.5, "INR"), money(20.0, "USD")
    ('₹4,800', '₹12,34,567.50', '$20')
    """
    if value is None or not math.isfinite(value):
        return "" if value is None else UNKNOWN
    code = currency or ""
    if value == round(value):
        pattern = "¤#,##,##0" if code in LAKHS else "¤#,##0"
        return format_currency(value, code, pattern, locale=_locale(code), currency_digits=False)
    return format_currency(value, code, locale=_locale(code))


def quantity(value: float, unit: str) -> str:
    """An amount of money, hours or anything else counted.

    >>> quantity(4800.0, "INR"), quantity(2.5, "hours"), quantity(12.0, "count")
    ('₹4,800', '2.5 hours', '12')
    """
    if unit in outcomes.CURRENCIES:
        return money(value, unit)
    if unit in ("", "count"):
        return number(value)
    return f"{number(value)} {'hour' if unit == 'hours' and value == 1 else unit}"


def number(value: float | None) -> str:
    """A plain number with at most two decimals."""
    if value is None or not math.isfinite(value):
        return "" if value is None else UNKNOWN
    return format_decimal(value, format="#,##0.##", locale="en")


def minutes(value: float | None) -> str:
    """A planned time.

    >>> minutes(12), minutes(95)
    ('12 min', '1 h 35 min')
    """
    if value is None:
        return ""
    whole, rest = divmod(round(value), 60)
    if not whole:
        return f"{rest} min"
    return f"{whole} h {rest} min" if rest else f"{whole} h"


def hours(value: float | None) -> str:
    """A time that was worked, given in hours.

    >>> hours(0.75), hours(9.2), hours(120.0)
    ('45 min', '9 h', '120 h')
    """
    if value is None:
        return ""
    if value < 1:
        return f"{max(1, round(value * 60))} min"
    return f"{number(round(value, 0 if value >= 5 else 1))} h"


def lapse(value: float | None) -> str:
    """How long something was from its beginning to its end, nights and breaks in it, in hours.

    Long ones are told in days, so that nobody reads them as hours of work.

    >>> lapse(9.2), lapse(36.0), lapse(70.0)
    ('9 h', 'about 2 days', 'about 3 days')
    """
    if value is None or value < A_WHILE:
        return hours(value)
    return f"about {round(value / 24)} days"


def percent(value: float | None) -> str:
    """A percentage, 0 to 100.

    >>> percent(73.9)
    '74%'
    """
    return "" if value is None else f"{round(value)}%"


def plural(count: float, one: str, many: str | None = None) -> str:
    """A count and its noun.

    >>> plural(1, "step"), plural(4, "step")
    ('1 step', '4 steps')
    """
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def people(count: int, market: str | None = None, skill_level: str | None = None) -> str:
    """Whom a count is about.

    >>> people(23, "freelancer", "beginner"), people(1)
    ('beginner freelancers', 'person')
    """
    one, many = MARKETS.get(market or "", ("person", "people"))
    noun = one if count == 1 else many
    return f"{skill_level} {noun}" if skill_level in SKILL_LEVELS else noun


def date(at: float | None) -> str:
    """A day, such as 22 Nov 2026."""
    moment = _moment(at)
    return "" if moment is None else f"{moment.day} {moment:%b %Y}"


def iso(at: float | None) -> str:
    """RFC 3339, for machines."""
    moment = _moment(at)
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def ago(at: float | None, now: float) -> str:
    """How long ago.

    >>> ago(0.0, 7200.0)
    '2 hours ago'
    """
    if at is None or _moment(at) is None:
        return ""
    passed = max(now - at, 0)
    if passed < 60:
        return "just now"
    if passed < 3600:
        return plural(passed // 60, "minute") + " ago"
    if passed < 86_400:
        return plural(passed // 3600, "hour") + " ago"
    days = int(passed // 86_400)
    if days == 1:
        return "yesterday"
    return f"{days} days ago" if days < 31 else f"on {date(at)}"


def _locale(currency: str) -> str:
    return "en_IN" if currency in LAKHS else LOCALES.get(currency, "en")


def _moment(at: float | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):
        return None
