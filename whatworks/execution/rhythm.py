"""The weekly rhythm: on which days somebody did something. Four of seven; the rest are free.

Nothing is lost by resting, and no day counts against anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, or_, select

from whatworks import clock, db
from whatworks.models import ExecutionEvent
from whatworks.people import profiles, zones

GOAL: Final = 4
BACK: Final = 12  # weeks that are looked at
QUARTER: Final = 900.0  # seconds; every zone is a multiple of it away from UTC
WORK: Final = (
    *("started", "progressed", "logged", "noted", "checked", "proof", "completed", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week, and `done`, `rest`, `today` (nothing yet) or `ahead`."""

    date: date
    state: str


@dataclass(frozen=True, slots=True)
class Week:
    """This week, from Monday, where the person is. `kept`: weeks in a row before it."""

    days: tuple[Day, ...]
    kept: int
    goal: int = GOAL

    @property
    def done(self) -> int:
        """Days on which something was done."""
        return sum(day.state == "done" for day in self.days)

    @property
    def sentence(self) -> str:
        """How the week stands, in words that ask for nothing."""
        if self.done >= self.goal:
            return f"{self.done} days this week: your rhythm is kept."
        left = sum(day.state in ("today", "ahead") for day in self.days)
        if self.done + left >= self.goal:
            return f"{self.done} of {self.goal} days this week. Rest days are free."
        days = "1 day" if self.done == 1 else f"{self.done} days"
        return f"{days} this week. The next one begins on Monday."


_V = ExecutionEvent
_DONE: Final = db.Query(
    select(func.floor(func.coalesce(_V.happened_at, _V.at) / QUARTER))
    .distinct()
    .where(
        _V.user_id == bindparam("user_id"),
        _V.at >= bindparam("since"),
        _V.actor == "owner",
        or_(_V.kind.in_(WORK), (_V.kind == "timed") & (_V.seconds_spent >= 60.0)),
    )
)


def week(session: db.Session, user_id: str) -> Week:
    """The person's week as of now. Raises NotFound."""
    zone = zones.of(profiles.get(session, user_id))
    today = zones.day(clock.timestamp(), zone)
    first = today - timedelta(days=today.weekday())
    since = zones.midnight(first - timedelta(weeks=BACK), zone)
    rows = session.all(_DONE, user_id=user_id, since=since)
    return of_days({_date(float(row[0]), zone) for row in rows}, today)


def of_days(done: set[date], today: date) -> Week:
    """The week of a day, from the days on which something was done."""
    first = today - timedelta(days=today.weekday())
    days = tuple(_day(first + timedelta(days=number), done, today) for number in range(7))
    kept = 0
    while kept < BACK and _count(done, first - timedelta(weeks=kept + 1)) >= GOAL:
        kept += 1
    return Week(days, kept)


def _day(one: date, done: set[date], today: date) -> Day:
    if one in done:
        return Day(one, "done")
    return Day(one, "today" if one == today else "ahead" if one > today else "rest")


def _count(done: set[date], first: date) -> int:
    return sum(first + timedelta(days=number) in done for number in range(7))


def _date(quarter: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(quarter * QUARTER, zone).date()
