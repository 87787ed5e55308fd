"""What is known of a workflow, level by level, ready to be shown: estimates beside raw counts."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, select

from whatworks import db, profiles
from whatworks.lifecycle import Execution
from whatworks.models import OutcomeSum, WorkflowPerformance
from whatworks.outcomes import Outcome
from whatworks.stats import estimates
from whatworks.stats.estimates import Count
from whatworks.sums import (
    SUM_NAMES,
    VALUE_NAMES,
    Sums,
    Unit,
    ValueSums,
    contribution,
    most_reported,
    unit_of,
    value_contribution,
)

ENOUGH: Final = 5  # people from whom on a level is worth quoting

_W, _S = WorkflowPerformance, OutcomeSum


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one cell or level, ready to be shown.

    Rates are 0..1 and drawn towards the parent levels; counts are raw. `old` marks a row of the
    old shop that has no counts behind it.
    """

    market: str | None
    skill_level: str | None
    sums: Sums
    rate: estimates.Estimate
    duration: estimates.Estimate | None
    metric: str | None
    currency: str | None
    values: ValueSums
    value: estimates.Estimate | None
    updated_at: float | None
    old: Any = None

    @property
    def is_enough(self) -> bool:
        """Whether so many people, and so many known ends, are worth quoting as a count."""
        return min(self.sums.people, self.sums.count.trials) >= ENOUGH


_ROW_COLUMNS: Final = select(
    _W.workflow_name,
    _W.market,
    _W.skill_level,
    _W.success_rate,
    _W.avg_outcome_value,
    _W.completion_time_hours,
    _W.data_points,
    _W.updated_at,
    *(getattr(_W, name) for name in SUM_NAMES),
).order_by(_W.market, _W.skill_level, _W.updated_at.desc())
_VALUE_COLUMNS: Final = select(
    _S.workflow_name,
    _S.market,
    _S.skill_level,
    _S.metric_type,
    _S.currency,
    *(getattr(_S, name) for name in VALUE_NAMES),
)
_ALL_ROWS: Final = db.Query(_ROW_COLUMNS)
_ALL_VALUES: Final = db.Query(_VALUE_COLUMNS)
_MARK: Final = db.Query(
    select(func.count(), func.sum(_W.updated_at)).where(
        _W.workflow_name == bindparam("workflow_name")
    )
)
_UNCOUNTED: Final = db.Query(select(_W.id).where(_W.started.is_(None)).limit(1))
_ROWS: Final = db.Query(_ROW_COLUMNS.where(_W.workflow_name == bindparam("workflow_name")))
_VALUES: Final = db.Query(_VALUE_COLUMNS.where(_S.workflow_name == bindparam("workflow_name")))


def mark(session: db.Session, workflow_name: str) -> tuple[int, float | None]:
    """Changes whenever the evidence of a workflow does; (0, None) for one that nobody knows."""
    row = session.first(_MARK, workflow_name=workflow_name)
    return (int(row[0]), row[1]) if row else (0, None)


def levels_of(session: db.Session, workflow_name: str) -> Levels:
    """What is known of one workflow; empty for one that nobody knows."""
    return Levels(
        session.all(_ROWS, workflow_name=workflow_name),
        session.all(_VALUES, workflow_name=workflow_name),
    )


def all_levels(session: db.Session) -> dict[str, Levels]:
    """What is known of every workflow that has any evidence, by name."""
    rows, values = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    for row in session.all(_ALL_ROWS):
        rows[row.workflow_name].append(row)
    for row in session.all(_ALL_VALUES):
        values[row.workflow_name].append(row)
    return {name: Levels(rows[name], values[name]) for name in rows if name}


def has_uncounted(session: db.Session) -> bool:
    """Whether rows of the old shop wait for a rebuild to be replaced by counts."""
    return session.value(_UNCOUNTED) is not None


def list_cells(
    session: db.Session,
    workflow_name: str,
    market: str | None = None,
    skill_level: str | None = None,
) -> list[Evidence]:
    """The cells of a workflow, drawn towards workflow and market; filters choose among them."""
    cells = levels_of(session, workflow_name).cells()
    return [
        cell
        for cell in cells
        if market in (None, cell.market) and skill_level in (None, cell.skill_level)
    ]


class Levels:
    """All that is known of one workflow, by cell, by market and as a whole."""

    def __init__(self, rows: Iterable[Any], values: Iterable[Any]) -> None:
        self._rows = [
            row
            for row in rows
            if row.market in profiles.MARKETS and row.skill_level in profiles.SKILL_LEVELS
        ]
        self._sums = {
            (row.market, row.skill_level): Sums(*row[8:])
            for row in self._rows
            if row.started is not None
        }
        self._updated = {(row.market, row.skill_level): row.updated_at for row in self._rows}
        self._values: dict[tuple[str, str], dict[Unit, ValueSums]] = defaultdict(dict)
        for row in values:
            unit = row.metric_type, row.currency
            self._values[row.market, row.skill_level][unit] = ValueSums(*row[5:])

    def without(self, execution: Execution, outcome: Outcome) -> Levels:
        """The same without one run and one of its outcomes: what was known before."""
        other = copy.copy(self)
        cell = execution.market, execution.skill_level
        other._sums = {**self._sums}
        other._sums[cell] = self._sums.get(cell, Sums()) - contribution(execution)
        by_unit = {**self._values[cell]}
        unit = unit_of(outcome)
        by_unit[unit] = by_unit.get(unit, ValueSums()) - value_contribution(outcome)
        other._values = defaultdict(dict, {**self._values, cell: by_unit})
        return other

    def cells(self) -> list[Evidence]:
        """One entry per cell that has any; an old row only where no counts replace it."""
        found = [self.at(*cell) for cell in self._sums]
        seen = set(self._sums)
        for row in self._rows:
            if (row.market, row.skill_level) not in seen:
                seen.add((row.market, row.skill_level))
                found.append(_old_evidence(row))
        return sorted(found, key=lambda e: (e.market or "", e.skill_level or ""))

    def at(self, market: str | None = None, skill_level: str | None = None) -> Evidence:
        """A cell, a market (skill_level None) or the whole workflow (both None)."""
        path = [(None, None), (market, None), (market, skill_level)]
        path = path[: 3 if skill_level else 2 if market else 1]
        sums = [self._total(*level) for level in path]
        metric, currency = self._headline(path)
        values = [self._value(*level, metric, currency) for level in path]
        # Each level without the next one inside it, so that nothing is counted twice.
        apart = [a - b for a, b in zip(sums, [*sums[1:], Sums()], strict=True)]
        values_apart = [a - b for a, b in zip(values, [*values[1:], ValueSums()], strict=True)]
        return Evidence(
            market=market,
            skill_level=skill_level,
            sums=sums[-1],
            rate=estimates.rate([level.count for level in apart]),
            duration=estimates.value([level.duration for level in apart]),
            metric=metric,
            currency=currency,
            values=values[-1],
            value=estimates.value([level.sample for level in values_apart]),
            updated_at=self._updated.get((market or "", skill_level or "")),
        )

    def nearest(self, market: str | None, skill_level: str | None) -> Evidence:
        """The narrowest level around a person with enough known ends to quote, else everybody."""
        for level in ((market, skill_level), (market, None)):
            found = self.at(*level)
            if market and found.is_enough:
                return found
        return self.at()

    def _total(self, market: str | None, skill_level: str | None) -> Sums:
        return sum((s for c, s in self._sums.items() if _inside(c, market, skill_level)), Sums())

    def _value(
        self, market: str | None, skill_level: str | None, metric: str | None, unit: str | None
    ) -> ValueSums:
        found = (
            by_unit.get((metric or "", unit or ""), ValueSums())
            for cell, by_unit in self._values.items()
            if _inside(cell, market, skill_level)
        )
        return sum(found, ValueSums())

    def _headline(self, path: list[tuple[str | None, str | None]]) -> tuple[str | None, str | None]:
        """The metric and currency most reported at the narrowest level that has any."""
        for level in reversed(path):
            reports: dict[Unit, int] = defaultdict(int)
            for cell, by_unit in self._values.items():
                if _inside(cell, *level):
                    for unit, value in by_unit.items():
                        reports[unit] += value.reports
            best = most_reported(reports)
            if best:
                return best
        return None, None


def _inside(cell: tuple[str, str], market: str | None, skill_level: str | None) -> bool:
    return market in (None, cell[0]) and skill_level in (None, cell[1])


def _old_evidence(row: Any) -> Evidence:
    return Evidence(
        market=row.market,
        skill_level=row.skill_level,
        sums=Sums(),
        rate=estimates.rate([Count()]),
        duration=None,
        metric=None,
        currency=None,
        values=ValueSums(),
        value=None,
        updated_at=row.updated_at,
        old=row,
    )
