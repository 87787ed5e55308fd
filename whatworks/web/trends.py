"""What somebody's results look like over time and beside others: numbers for charts.html."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from whatworks import currencies
from whatworks.advice import phrases
from whatworks.execution.rhythm import Week
from whatworks.results import outcomes
from whatworks.results.middle_half import MiddleHalf
from whatworks.web.views import Amount, OutcomeLine

DAY: Final = 86_400.0
HEADROOM: Final = 1.15  # beyond what the larger of band and dot needs
STATES: Final = {
    "done": "you did something",
    "rest": "no work that day",
    "today": "today, nothing yet",
    "ahead": "still to come",
}
CAPTIONS: Final = {
    "revenue": "Money earned, added up",
    "time_saved": "Hours saved, added up",
    "customers": "Customers won, added up",
}


@dataclass(frozen=True)
class Point:
    """A dot of a line, 0 to 100 from the lower left, and its line in the table."""

    x: float
    y: float
    row: list[str]


@dataclass(frozen=True)
class Trend:
    """One metric of one person, added up over time, in one currency or unit.

    `rates` is the day of the newest rate used, None where nothing was converted; `apart` holds
    sums in currencies that have no rate; `hours` were worked for it, `per_hour` says what came of
    that, None where it is not an hour yet.
    """

    metric_type: str
    caption: str
    total: float
    said: str
    top: str
    middle: str
    start: str
    end: str
    headings: list[str]
    points: list[Point]
    rates: date | None
    apart: list[Amount]
    hours: float
    per_hour: str | None


@dataclass(frozen=True)
class Beside:
    """Me and the middle half, 0 to 100 on one scale."""

    metric_type: str
    people: int
    low: float
    high: float
    me: float | None
    low_said: str
    high_said: str
    me_said: str


@dataclass(frozen=True)
class WeekDay:
    """A dot of the week. `today` is where the person is."""

    name: str
    label: str
    state: str
    said: str
    today: bool


@dataclass(frozen=True)
class _Part:
    """A result in the unit of its trend."""

    line: OutcomeLine
    value: float
    rate: date | None


def trends(
    lines: Sequence[OutcomeLine], currency: str, now: float, hours: Mapping[str, float]
) -> list[Trend]:
    """One trend for each metric that has results, money first, and none for what has no unit.

    `hours` are those worked for each metric, with a result or without.
    """
    found = []
    for metric, unit in (("revenue", currency), *outcomes.UNITS.items()):
        mine = [line for line in lines if line.metric_type == metric and line.value > 0]
        mine.sort(key=lambda line: line.created_at or 0.0)
        parts = [part for line in mine if (part := _part(line, unit)) is not None]
        apart = _apart([line for line in mine if _part(line, unit) is None])
        if parts:
            found.append(_trend(metric, unit, parts, apart, now, hours.get(metric, 0.0)))
        elif apart:  # nothing of it can be converted: then in the currency used most
            (most, _), *_ = Counter(line.currency for line in mine).most_common(1)
            found += trends(mine, most, now, hours)
    return found


def beside(half: MiddleHalf, metric_type: str, unit: str, lines: Sequence[OutcomeLine]) -> Beside:
    """A middle half with the same number of mine: what a run brought me, on average."""
    mine = [line for line in lines if (line.metric_type, line.currency) == (metric_type, unit)]
    runs = {line.execution_id for line in mine}
    me = sum(line.value for line in mine) / len(runs) if runs else None
    scale = 100 / (max(half.high, me or 0.0) * HEADROOM or 1.0)
    return Beside(
        metric_type=metric_type,
        people=half.people,
        low=half.low * scale,
        high=half.high * scale,
        me=None if me is None else me * scale,
        low_said=said(metric_type, half.low, unit),
        high_said=said(metric_type, half.high, unit),
        me_said="" if me is None else said(metric_type, _rounded(me), unit),
    )


def week_days(week: Week) -> list[WeekDay]:
    """The dots of a week, from Monday."""
    now = max(day.date for day in week.days if day.state != "ahead")
    return [
        WeekDay(
            name=f"{day.date:%a}",
            label=f"{day.date:%A} {day.date.day} {day.date:%B}",
            state=day.state,
            said=STATES[day.state],
            today=day.date == now,
        )
        for day in week.days
    ]


def said(metric_type: str, value: float, unit: str) -> str:
    """A value with its unit, in words.

    >>> said("revenue", 4800.0, "INR"), said("time_saved", 120.0, "hours")
    ('₹4,800', '120 hours')
    >>> said("customers", 1.0, "count")
    '1 customer'
    """
    if metric_type == "customers":
        return phrases.plural(round(value) if value >= 1 else value, "customer")
    return phrases.quantity(value, unit)


def per_hour(metric_type: str, value: float, unit: str, hours: float) -> str:
    """What came of the work, an hour, in words.

    >>> per_hour("revenue", 4800.0, "INR", 7.0), per_hour("time_saved", 6.6, "hours", 13.0)
    ('₹690 an hour', '30 min for every hour')
    >>> per_hour("customers", 2.0, "count", 9.0), per_hour("customers", 9.0, "count", 2.0)
    ('one in 4.5 hours', '4.5 an hour')
    """
    each = float(f"{value / hours:.2g}")
    if metric_type == "revenue":
        return f"{said(metric_type, each, unit)} an hour"
    if metric_type == "time_saved":
        return f"{phrases.hours(value / hours)} for every hour"
    if each >= 1:
        return f"{phrases.number(each)} an hour"
    return f"one in {phrases.number(float(f'{hours / value:.2g}'))} hours"


def ceiling(value: float) -> float:
    """The next round number: 1, 2 or 5 with zeros.

    >>> ceiling(4800.0), ceiling(12000.0), ceiling(0.7)
    (5000.0, 20000.0, 1.0)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if value <= step * power)


def _trend(
    metric: str, unit: str, parts: list[_Part], apart: list[Amount], now: float, hours: float
) -> Trend:
    total = math.fsum(part.value for part in parts)
    top = ceiling(total)
    times = [part.line.created_at or 0.0 for part in parts]
    start = times[0] - max(DAY, (now - times[0]) / 20)
    rates = [part.rate for part in parts if part.rate is not None]
    points, sum_ = [], 0.0
    for at, part in zip(times, parts, strict=True):
        sum_ += part.value
        x = 100 * (at - start) / max(now - start, 1.0)
        points.append(Point(x, 100 * sum_ / top, _row(metric, unit, part, sum_, bool(rates))))
    converted = [f"In {unit}"] if rates else []
    return Trend(
        metric_type=metric,
        caption=CAPTIONS[metric],
        total=total,
        said=said(metric, _rounded(total), unit),
        top=said(metric, top, unit) if metric == "revenue" else phrases.number(top),
        middle=said(metric, top / 2, unit) if metric == "revenue" else phrases.number(top / 2),
        start=phrases.date(start),
        end="today",
        headings=["Day", "Workflow", "Logged", *converted, "In all"],
        points=points,
        rates=max(rates, default=None),
        apart=apart,
        hours=hours,
        per_hour=per_hour(metric, total, unit, hours) if hours >= 1 else None,
    )


def _row(metric: str, unit: str, part: _Part, sum_: float, any_converted: bool) -> list[str]:
    line = part.line
    row = [phrases.date(line.created_at), line.title, said(metric, line.value, line.currency)]
    if any_converted:
        rate = f" (rate of {part.rate.day} {part.rate:%b %Y})" if part.rate else ""
        row.append(said(metric, _rounded(part.value), unit) + rate)
    return [*row, said(metric, _rounded(sum_), unit)]


def _part(line: OutcomeLine, unit: str) -> _Part | None:
    """A result in another currency; None where there is no rate."""
    if line.currency == unit or line.metric_type != "revenue":
        return _Part(line, line.value, None)
    found = currencies.convert(line.value, line.currency, unit, line.created_at)
    return None if found is None else _Part(line, found.amount, found.day)


def _apart(lines: Sequence[OutcomeLine]) -> list[Amount]:
    sums: dict[str, float] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, 0.0) + line.value
    return [Amount("revenue", value, currency) for currency, value in sorted(sums.items())]


def _rounded(value: float) -> float:
    """Whole units of what is large, hundredths of what is small."""
    return float(round(value)) if value >= 100 else round(value, 2)
