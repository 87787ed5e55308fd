"""What the public may see of a workflow: numbers as published, from the nearest level that has any.

A level is a cell, a market, a skill level, a workflow as a whole. Below a level without enough
people one is shown the next wider one, and told so. Operators see the counts themselves
(`Levels.live`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import bindparam, exists, func, select

from whatworks import db
from whatworks.evidence import census, sources
from whatworks.evidence.sums import States
from whatworks.models import PublishedLevel, WorkflowExecution, WorkflowPerformance
from whatworks.people import profiles
from whatworks.stats import estimates, histogram
from whatworks.stats.estimates import Count, Estimate

ENOUGH: Final = 5  # people from whom on a rate is published
ENOUGH_VALUES: Final = 10  # … and a value
TOP: Final = 0.25  # of those who got something: who is among them is told so
EARLY: Final = 20  # people below whom a rate is shown faded and called too early to say

Level = tuple[str, str]  # market, skill level; "" for every one of them
WHOLE: Final[Level] = ("", "")


class Hours(msgspec.Struct, frozen=True):
    """How long those who finish need: seven in ten of them between `low` and `high`."""

    low: float
    median: float
    high: float


class Rate(msgspec.Struct, frozen=True):
    """What is published of how far people came. Rates are 0..1, counts exact when published."""

    counts: dict[str, int]
    mean: float
    low50: float
    high50: float
    low90: float
    high90: float
    method: str
    model: str | None = None
    hours: Hours | None = None

    @property
    def states(self) -> States:
        """The counts."""
        return States(**self.counts)

    @property
    def estimate(self) -> Estimate:
        """The rate and where it lies."""
        return Estimate(self.mean, self.low50, self.high50, self.low90, self.high90)


class Value(msgspec.Struct, frozen=True):
    """What is published of what it brought, in one metric and unit, one vote a person.

    `median` is drawn towards the workflow; half of those above nothing are between `low` and
    `high`, as reported where ten or more are (`is_counted`), else as estimated.
    """

    metric: str
    currency: str
    median: float
    low: float
    high: float
    low90: float
    high90: float
    surely_low: float
    surely_high: float
    is_counted: bool
    zero_share: float
    people: int
    zeros: int
    verified: int
    bins: list[int]

    def tops(self, metric: str, currency: str, value: float) -> bool:
        """Whether such a result is among the top TOP: so many of the others surely got less.

        By whole bins of what is published, so that trying values tells no more than `high` does.
        """
        if not self.is_counted or (metric, currency) != (self.metric, self.currency):
            return False
        return histogram.surely_below(np.array(self.bins), value) >= 1 - TOP


@dataclass(frozen=True, slots=True)
class Evidence:
    """What to show somebody of a cell, from the levels that are published.

    `rate_level` and `value_level` say whose numbers they are; None where no level has enough, and
    then `rate` says nothing and `states` are the people so far, without how they ended. `live` are
    the cell's own counts as they are now, of which the public learns how many, not how it went.
    While older runs are `uncounted`, "nobody" would be wrong.
    """

    market: str | None
    skill_level: str | None
    states: States
    rate: Estimate
    rate_level: Level | None
    hours: Hours | None
    value: Value | None
    value_level: Level | None
    updated_at: float | None
    live: States = States()
    method: str = "estimate"
    old: Any = None  # a row of the old shop, without counts behind it
    uncounted: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether some level has enough people to say anything."""
        return self.rate_level is not None

    @property
    def is_own(self) -> bool:
        """Whether the rate is that of the very cell asked for."""
        return self.rate_level == (self.market or "", self.skill_level or "")


_W, _P, _E = WorkflowPerformance, PublishedLevel, WorkflowExecution
_OLD: Final = select(
    _W.workflow_name,
    _W.market,
    _W.skill_level,
    _W.success_rate,
    _W.avg_outcome_value,
    _W.completion_time_hours,
    _W.data_points,
    _W.updated_at,
).where(_W.started.is_(None))
_PUBLISHED: Final = select(
    _P.workflow_name,
    _P.market,
    _P.skill_level,
    _P.ends,
    _P.rate,
    _P.rate_at,
    _P.reporters,
    _P.value,
    _P.value_at,
)
_IS_NAMED: Final = _P.workflow_name == bindparam("workflow_name")
_OLD_OF: Final = db.Query(_OLD.where(_W.workflow_name == bindparam("workflow_name")))
_PUBLISHED_OF: Final = db.Query(_PUBLISHED.where(_IS_NAMED))
_ALL_OLD: Final = db.Query(_OLD)
_ALL_PUBLISHED: Final = db.Query(_PUBLISHED)
_PUBLISHED_AT: Final = (
    select(func.sum(func.coalesce(_P.rate_at, 0.0) + func.coalesce(_P.value_at, 0.0)))
    .where(_IS_NAMED)
    .scalar_subquery()
)
_MARK: Final = db.Query(
    select(func.count(), func.sum(_W.updated_at), _PUBLISHED_AT).where(
        _W.workflow_name == bindparam("workflow_name")
    )
)
# What evidence is read from, but for runs that wait to be counted: a rebuild writes the first.
TABLES: Final = ("workflow_performance", "published_levels")
_UNCOUNTED: Final = db.Query(select(_W.id).where(_W.started.is_(None)).limit(1))
_COUNTED: Final = db.Query(select(_W.id).where(_W.started.is_not(None)).limit(1))
_ANY_RUN: Final = db.Query(
    select(_E.id)
    .where(_E.market.in_(profiles.MARKETS), ~exists().where(_W.started.is_not(None)))
    .limit(1)
)


def mark(session: db.Session, workflow_name: str) -> tuple[Any, ...]:
    """Changes whenever the evidence of a workflow does; begins with 0 for one nobody knows."""
    return tuple(session.first(_MARK, workflow_name=workflow_name) or (0,))


def levels_of(session: db.Session, workflow_name: str) -> Levels:
    """What is known of one workflow; empty for one that nobody knows."""
    return Levels(
        census.cells(session, workflow_name=workflow_name),
        session.all(_PUBLISHED_OF, workflow_name=workflow_name),
        session.all(_OLD_OF, workflow_name=workflow_name),
        uncounted=has_uncounted(session),
    )


def all_levels(session: db.Session) -> Known:
    """What is known of every workflow, by name; empty for one that nobody knows."""
    rows: tuple[dict[str, list[Any]], ...] = tuple(defaultdict(list) for _ in range(3))
    found = census.cells(session), session.all(_ALL_PUBLISHED), session.all(_ALL_OLD)
    for kind, some in zip(rows, found, strict=True):
        for row in some:
            kind[row.workflow_name].append(row)
    known = Known(has_uncounted(session))
    for name in filter(None, {name for kind in rows for name in kind}):
        known[name] = Levels(*(kind.get(name, ()) for kind in rows), uncounted=known.uncounted)
    return known


def has_uncounted(session: db.Session) -> bool:
    """Whether runs or rows of before wait for a rebuild to be counted."""
    if session.value(_UNCOUNTED) is not None:
        return True
    return session.value(_COUNTED) is None and session.value(_ANY_RUN) is not None


def list_cells(
    session: db.Session,
    workflow_name: str,
    market: str | None = None,
    skill_level: str | None = None,
) -> list[Evidence]:
    """What to show of each cell of a workflow that anybody began; filters choose among them."""
    return [
        cell
        for cell in levels_of(session, workflow_name).cells()
        if market in (None, cell.market) and skill_level in (None, cell.skill_level)
    ]


class Known(dict[str, "Levels"]):
    """Levels by workflow; those of one without any evidence are empty."""

    def __init__(self, uncounted: bool) -> None:
        super().__init__()
        self.uncounted = uncounted

    def __missing__(self, name: str) -> Levels:
        return Levels(uncounted=self.uncounted)


class Levels:
    """All that is known of one workflow: live counts, and what is published of each level.

    `uncounted` says that older runs wait for a rebuild.
    """

    def __init__(
        self,
        cells: Iterable[Any] = (),
        published: Iterable[Any] = (),
        old: Iterable[Any] = (),
        *,
        uncounted: bool = False,
    ) -> None:
        self.uncounted = uncounted
        self._cells = {(row.market, row.skill_level): row for row in cells}
        self._published = {(row.market, row.skill_level): row for row in published}
        self._old = [
            row
            for row in old
            if row.market in profiles.MARKETS and row.skill_level in profiles.SKILL_LEVELS
        ]

    def cells(self) -> list[Evidence]:
        """One entry per cell that has any; an old row only where no counts replace it."""
        found = [self.nearest(*cell) for cell in self._cells]
        seen = set(self._cells)
        for row in sorted(self._old, key=lambda row: -(row.updated_at or 0.0)):
            if (row.market, row.skill_level) not in seen:
                seen.add((row.market, row.skill_level))
                found.append(_old_evidence(row))
        return sorted(found, key=lambda e: (e.market or "", e.skill_level or ""))

    def nearest(self, market: str | None = None, skill_level: str | None = None) -> Evidence:
        """What to show somebody of this market and level: of each kind, the narrowest published."""
        path = list(around((market or "", skill_level or "")))
        rated = next((level for level in path if self.rate(level)), None)
        valued = next((level for level in path if self.value(level)), None)
        rate = self.rate(rated) if rated is not None else None
        live = self.live(path[0])
        return Evidence(
            market=market or None,
            skill_level=skill_level or None,
            states=rate.states if rate else States(people=live.people, started=live.started),
            rate=rate.estimate if rate else estimates.rate([Count()]),
            rate_level=rated,
            hours=rate.hours if rate else None,
            value=self.value(valued) if valued is not None else None,
            value_level=valued,
            updated_at=self._updated_at(path[0], rated, valued),
            live=live,
            uncounted=self.uncounted,
        )

    def at(self, market: str | None = None, skill_level: str | None = None) -> Evidence:
        """As `nearest`; with neither, the workflow as a whole."""
        return self.nearest(market, skill_level)

    def rate(self, level: Level) -> Rate | None:
        """What is published of how far people of a level came."""
        row = self._published.get(level)
        return msgspec.json.decode(row.rate, type=Rate) if row and row.rate else None

    def value(self, level: Level) -> Value | None:
        """What is published of what it brought people of a level."""
        row = self._published.get(level)
        return msgspec.json.decode(row.value, type=Value) if row and row.value else None

    def published(self, level: Level) -> Any | None:
        """The published row of a level as stored."""
        return self._published.get(level)

    def live(self, level: Level) -> States:
        """The counts of a level as they are now: for operators, and to know what is due."""
        return sum((census.states(row) for row in self._inside(level)), States())

    def weight(self, level: Level) -> int:
        """What those whose end is known weigh, in thousandths of a person."""
        return sum(row.weight_finished + row.weight_stopped for row in self._inside(level))

    def ends(self, level: Level) -> dict[Level, float]:
        """How many people of each cell inside a level have a known end, by weight."""
        return {
            (row.market, row.skill_level): (row.weight_finished + row.weight_stopped) / sources.UNIT
            for row in self._inside(level)
        }

    def known(self) -> list[Level]:
        """Every level that anybody began anything in, narrow ones first."""
        levels = {level for cell in self._cells for level in around(cell)}
        return sorted(levels, key=lambda level: (level.count(""), level))

    def _inside(self, level: Level) -> Iterator[Any]:
        for (market, skill_level), row in self._cells.items():
            if level[0] in ("", market) and level[1] in ("", skill_level):
                yield row

    def _updated_at(self, level: Level, rated: Level | None, valued: Level | None) -> float | None:
        """When the numbers shown were published; when counted, while none are."""
        moments = [
            self._published[rated].rate_at if rated is not None else None,
            self._published[valued].value_at if valued is not None else None,
        ]
        found = [at for at in moments if at is not None]
        if not found:
            found = [row.updated_at for row in self._inside(level) if row.updated_at is not None]
        return max(found, default=None)


def around(level: Level) -> Iterator[Level]:
    """A level and the wider ones around it, narrow ones first.

    >>> list(around(("student", "beginner")))
    [('student', 'beginner'), ('student', ''), ('', 'beginner'), ('', '')]
    """
    market, skill_level = level
    yield from dict.fromkeys([level, (market, ""), ("", skill_level), WHOLE])


def name_of(level: Level | None) -> str:
    """What a level is called in the API.

    >>> name_of(("student", "")), name_of(None)
    ('market', 'any workflow')
    """
    if level is None:
        return "any workflow"
    names = {(True, True): "cell", (True, False): "market", (False, True): "skill_level"}
    return names.get((bool(level[0]), bool(level[1])), "workflow")


def _old_evidence(row: Any) -> Evidence:
    return Evidence(
        market=row.market,
        skill_level=row.skill_level,
        states=States(),
        rate=estimates.rate([Count()]),
        rate_level=None,
        hours=None,
        value=None,
        value_level=None,
        updated_at=row.updated_at,
        method="carried over",
        old=row,
        uncounted=True,
    )
