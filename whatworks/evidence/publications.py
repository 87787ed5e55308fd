"""What becomes public, and when: rates from five people, values from ten, changes in batches.

A published number changes only after enough new people, so that nobody can work out what the
newest one reported by looking twice. `draft` reads and computes, `store` writes; a page or a job
does one after the other (`keep_up`), so that no writer waits for statistics.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import bindparam, func
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, currencies, db
from whatworks.evidence import census, findings, fits, reports, sources
from whatworks.evidence.beliefs import SIZE, Beliefs
from whatworks.evidence.findings import Hours, Level, Levels, Rate, Value
from whatworks.evidence.fits import SEGMENTS
from whatworks.evidence.reports import Attempt, Report
from whatworks.evidence.sums import STATE_NAMES, States
from whatworks.models import PublishedLevel
from whatworks.stats import estimates, histogram, survival, values
from whatworks.stats.estimates import Estimate
from whatworks.stats.values import Spread, Votes

LEAST_NEW: Final = 3  # people after whom a published number may change …
SHARE_NEW: Final = 0.1  # … or this share of those it rests on, whichever is more
AT_ONCE: Final = 20
LARGE: Final = 5_000  # people of a workflow from whom on publishing is left to the job

_at_work = threading.Lock()
_P = PublishedLevel
_put = insert(_P)
_MOMENT: Final = func.coalesce(_P.rate_at, 0.0) + func.coalesce(_P.value_at, 0.0)
_PUT: Final = db.Query(
    _put.on_conflict_do_update(
        index_elements=["workflow_name", "market", "skill_level"],
        set_={
            name: _put.excluded[name]
            for name in ("ends", "rate", "rate_at", "reporters", "value", "value_at")
        },
        where=bindparam("seen") == _MOMENT,
    )
)


@dataclass(frozen=True, slots=True)
class Publication:
    """What a level is to show from now on; `seen` is when what it replaces was published."""

    workflow_name: str
    level: Level
    ends: int
    rate: Rate | None
    rate_at: float | None
    reporters: int
    value: Value | None
    value_at: float | None
    seen: float


def keep_up(
    database: db.Database, beliefs: Beliefs, names: Iterable[str], largest: int = LARGE
) -> int:
    """Publish what is due of these workflows, as believed now; returns how many levels changed."""
    changed = 0
    for name in names:
        found = database.read(draft, name, beliefs, largest)
        if found:
            database.write(store, found)
            changed += len(found)
    return changed


def keep_up_meanwhile(database: db.Database, beliefs: Beliefs, names: Iterable[str]) -> int:
    """As `keep_up`, for those who wait for a page: what somebody else is publishing just now is
    left to them, and nothing is worked out twice at the same time.
    """
    if not _at_work.acquire(blocking=False):
        return 0
    try:
        return keep_up(database, beliefs, names)
    finally:
        _at_work.release()


def keep_up_lately(database: db.Database, beliefs: Beliefs) -> int:
    """Publish what is due of workflows that changed since the last time; returns how many levels.

    A few at a time, because somebody waits for a page; the rest follows with the next one.
    """
    beliefs.sync(database)
    return keep_up_meanwhile(database, beliefs, beliefs.changed(AT_ONCE))


def keep_up_all(
    database: db.Database, beliefs: Beliefs, progress: Callable[[int], None] | None = None
) -> int:
    """Publish what is due of every workflow, however large; returns how many levels changed."""
    changed = 0
    beliefs.sync(database)
    for name in database.read(known_names):
        changed += keep_up(database, beliefs, [name], largest=10**12)
        if progress is not None:
            progress(1)
    return changed


def known_names(session: db.Session) -> list[str]:
    """Every workflow with counts."""
    return sorted({row.workflow_name for row in census.cells(session)})


def draft(
    session: db.Session, workflow_name: str, beliefs: Beliefs, largest: int = LARGE
) -> list[Publication]:
    """What of a workflow is due to be published, or published anew. Reads only."""
    levels = findings.levels_of(session, workflow_name)
    due = [(level, *_due(levels, level)) for level in levels.known()]
    if not any(rate or value for _, rate, value in due):
        return []
    if levels.live(findings.WHOLE).people > largest:
        return []
    ready = press(session, workflow_name, levels, beliefs)
    return [ready.publication(*one) for one in due if one[1] or one[2]]


def press(session: db.Session, workflow_name: str, levels: Levels, beliefs: Beliefs) -> Press:
    """What computes the numbers of a workflow as they are now."""
    now = clock.timestamp()
    tried = reports.attempts(session, workflow_name, now)
    return Press(
        workflow_name, levels, beliefs, tried, reports.of_workflow(session, workflow_name), now
    )


def store(session: db.Session, found: Iterable[Publication]) -> None:
    """Publish; what somebody else published meanwhile stays."""
    for one in found:
        session.run(
            _PUT,
            workflow_name=one.workflow_name,
            market=one.level[0],
            skill_level=one.level[1],
            ends=one.ends,
            rate=msgspec.json.encode(one.rate).decode() if one.rate else None,
            rate_at=one.rate_at,
            reporters=one.reporters,
            value=msgspec.json.encode(one.value).decode() if one.value else None,
            value_at=one.value_at,
            seen=one.seen,
        )


def is_new_enough(now: int, then: int) -> bool:
    """Whether so many more people may change what rests on `then` of them.

    >>> is_new_enough(12, 10), is_new_enough(13, 10), is_new_enough(105, 100)
    (False, True, False)
    """
    return abs(now - then) >= max(LEAST_NEW, math.ceil(SHARE_NEW * then))


def missing(levels: Levels, level: Level) -> int:
    """How many more people have to report before the value of a level may change."""
    live, row = levels.live(level).reported, levels.published(level)
    if row is None or row.value is None:
        return max(findings.ENOUGH_VALUES - live, 1)
    need: int = row.reporters + max(LEAST_NEW, math.ceil(SHARE_NEW * row.reporters))
    return max(need - live, 1)


def _due(levels: Levels, level: Level) -> tuple[bool, bool]:
    """Whether the rate of a level, and its value, may be published now."""
    live, row = levels.live(level), levels.published(level)
    rate = live.ends >= findings.ENOUGH and levels.weight(level) >= sources.UNIT * findings.ENOUGH
    value = live.reported >= findings.ENOUGH_VALUES
    if row is not None:
        rate = rate and (row.rate is None or is_new_enough(live.ends, row.ends))
        value = value and (row.value_at is None or is_new_enough(live.reported, row.reporters))
    return rate, value


class Press:
    """Computes what is to be published of one workflow."""

    def __init__(
        self,
        name: str,
        levels: Levels,
        beliefs: Beliefs,
        tried: list[Attempt],
        said: list[Report],
        now: float,
    ) -> None:
        self.name, self.levels, self.beliefs = name, levels, beliefs
        self.tried, self.said, self.now = tried, said, now
        self._whole = functools.cache(functools.partial(reports.votes, said))

    def publication(self, level: Level, rate: bool, value: bool) -> Publication:
        """The new row of a level; what is not due stays as it is."""
        live, row = self.levels.live(level), self.levels.published(level)
        return Publication(
            workflow_name=self.name,
            level=level,
            ends=live.ends if rate else row.ends if row else 0,
            rate=self._rate(level, live) if rate else self.levels.rate(level),
            rate_at=self.now if rate else row.rate_at if row else None,
            reporters=live.reported if value else row.reporters if row else 0,
            value=self._value(level) if value else self.levels.value(level),
            value_at=self.now if value else row.value_at if row else None,
            seen=((row.rate_at or 0.0) + (row.value_at or 0.0)) if row else 0.0,
        )

    def _rate(self, level: Level, live: States) -> Rate:
        estimate, method = self._estimate(level, live)
        return Rate(
            counts=dict(zip(STATE_NAMES, live.values(), strict=True)),
            mean=_two(estimate.mean),
            low50=_two(estimate.low50),
            high50=_two(estimate.high50),
            low90=_two(estimate.low90),
            high90=_two(estimate.high90),
            method=method,
            model=self.beliefs.fit_id,
            hours=self._hours(level),
        )

    def _estimate(self, level: Level, live: States) -> tuple[Estimate, str]:
        """By the model; before there is a fit, by the counts alone."""
        if self.beliefs.fit_id is None or not self.beliefs.knows(self.name):
            whole = self.levels.live(findings.WHOLE)
            return estimates.rate([(whole - live).count, live.count]), "nested"
        ends = self.levels.ends(level)
        if all(level):
            return self.beliefs.posterior(self.name, SEGMENTS[level]).estimate(), fits.METHOD
        shares = np.zeros(SIZE)
        for cell, weight in ends.items():
            shares[SEGMENTS[cell]] = weight
        return self.beliefs.level(self.name, shares).estimate(), fits.METHOD

    def _hours(self, level: Level) -> Hours | None:
        """When seven in ten of those who finish do so, those still under way kept in."""
        mine = [one for one in self.tried if _is_in(level, one) and not one.hasty]
        if sum(one.end == 1 for one in mine) < findings.ENOUGH:
            return None
        curve = survival.arrivals(
            np.array([one.seconds for one in mine]), np.array([one.end for one in mine])
        )
        last = float(curve.share[-1])
        found = [curve.when(share * last * 0.999999) for share in (0.15, 0.5, 0.85)]
        low, median, high = (_two((seconds or 0.0) / 3600) for seconds in found)
        return Hours(low, median, high)

    def _value(self, level: Level) -> Value | None:
        """The typical value of what most people of a level report; None of too few in that."""
        mine = [report for report in self.said if _is_in(level, report)]
        unit = reports.headline(mine)
        if unit is None or reports.weight_of(mine) < sources.UNIT * findings.ENOUGH_VALUES:
            return None
        some = reports.votes(mine, *unit)
        if some.people < findings.ENOUGH_VALUES:
            return None
        found = values.typical(some, self._whole(*unit), self._spread(*unit))
        if found is None:
            return None
        return _value_of(unit, found, some, mine)

    def _spread(self, metric: str, currency: str) -> Spread:
        """How values differ in a unit: as fitted; else as in this workflow alone."""
        fitted = self.beliefs.spread(metric)
        if fitted is not None and metric == reports.MONEY and currency != reports.BASE:
            one = currencies.convert(1.0, reports.BASE, currency, self.now)
            fitted = _in_unit(fitted, one.amount) if one else None
        if fitted is not None:
            return fitted
        cells: list[Votes] = []
        for cell in {(report.market, report.skill_level) for report in self.said}:
            mine = [report for report in self.said if _is_in(cell, report)]
            cells.append(reports.votes(mine, metric, currency))
        return values.fit([(0, votes) for votes in cells])


def _value_of(
    unit: tuple[str, str], found: values.Typical, some: Votes, mine: list[Report]
) -> Value:
    counted = len(some.logs) >= findings.ENOUGH_VALUES
    low, high = found.low50, found.high50
    if counted:
        low, high = (
            math.exp(values.weighted_quantile(some.logs, some.weights, share))
            for share in (0.25, 0.75)
        )
    bins = histogram.empty()
    for log in some.logs:
        bins[histogram.bin_of(math.exp(log))] += 1
    verified = {r.user_id for r in mine if r.verified and r.metric == unit[0]}
    return Value(
        metric=unit[0],
        currency=unit[1],
        median=_two(found.median),
        low=_outward(min(low, found.median), math.floor),
        high=_outward(max(high, found.median), math.ceil),
        low90=_two(found.low90),
        high90=_two(found.high90),
        surely_low=_two(found.surely_low),
        surely_high=_two(found.surely_high),
        is_counted=counted,
        zero_share=_two(found.zero_share),
        people=some.people,
        zeros=some.nobodies,
        verified=len(verified),
        bins=[int(n) for n in bins],
    )


def _in_unit(spread: Spread, rate: float) -> Spread:
    """How values differ when counted in a unit of which `rate` make one of before."""
    shifted = spread.location + math.log(rate)
    return Spread(shifted, spread.within, spread.cells, spread.workflows, spread.cap * rate)


def _is_in(level: Level, one: Attempt | Report) -> bool:
    return level[0] in ("", one.market) and level[1] in ("", one.skill_level)


def _outward(value: float, rounded: Callable[[float], int]) -> float:
    """Two digits that never make a range narrower, so that "half of them" stays true.

    >>> _outward(6849.0, math.floor), _outward(19200.0, math.ceil), _outward(0.0, math.ceil)
    (6800.0, 20000.0, 0.0)
    """
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{rounded(round(value / unit, 6)) * unit:.2g}")


def _two(value: Any) -> float:
    """Two significant digits: what a number of few people is good for.

    >>> _two(0.4567), _two(4812.0)
    (0.46, 4800.0)
    """
    return float(f"{float(value):.2g}")
