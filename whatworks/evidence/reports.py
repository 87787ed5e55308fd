"""What people said a workflow brought them and how long it took them, person by person.

Read from history whenever a number is to be published or the model fitted; nobody's own figures
leave this room but as votes among others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import aliased

from whatworks import currencies, db
from whatworks.evidence import sources
from whatworks.models import Outcome, UserProfile, WorkflowExecution, WorkflowVersion
from whatworks.people import profiles
from whatworks.results import outcomes
from whatworks.stats import values
from whatworks.stats.values import Votes

BASE: Final = "INR"  # what money of several currencies is compared in
SMALLEST: Final = 0.01  # less than a hundredth of anything is nothing
HASTE: Final = 0.1  # of the planned time; whoever is quicker has ticked it off, not done it
MONEY: Final = "revenue"

_E, _O, _P, _G = WorkflowExecution, Outcome, UserProfile, WorkflowVersion
_later = aliased(Outcome)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_GUIDE: Final = and_(_G.workflow_name == _E.workflow_name, _G.version == _E.workflow_version)
_COUNTED: Final = (
    _E.user_id.is_not(None),
    _E.market.in_(profiles.MARKETS),
    _E.skill_level.in_(profiles.SKILL_LEVELS),
    or_(_G.steps.is_(None), func.coalesce(_E.total_steps, 0) >= _G.steps),
)
_REPORTS: Final = (
    select(
        _E.workflow_name,
        _E.market,
        _E.skill_level,
        _E.user_id,
        _P.source,
        _O.metric_type,
        _O.value,
        _O.currency,
        _O.timestamp,
        _O.verified,
        _E.started_at,
    )
    .join(_O, and_(_O.user_id == _E.user_id, _O.execution_id == _E.id))
    .outerjoin(_P, _P.id == _E.user_id)
    .outerjoin(_G, _GUIDE)
    .where(
        *_COUNTED,
        _CURRENT,
        _O.metric_type.in_(("revenue", "time_saved", "customers")),
        _O.value >= 0,
        _O.value < outcomes.LARGEST,
    )
)
_RUNS: Final = (
    select(
        _E.market,
        _E.skill_level,
        _E.user_id,
        _E.status,
        _E.started_at,
        _E.completed_at,
        _E.touched_at,
        _G.minutes,
    )
    .outerjoin(_G, _GUIDE)
    .where(*_COUNTED, _E.started_at >= 0)
)
_OF_WORKFLOW: Final = db.Query(_REPORTS.where(_E.workflow_name == bindparam("workflow_name")))
_ALL: Final = db.Query(_REPORTS.where(_E.workflow_name.is_not(None)).order_by(_E.workflow_name))
_RUNS_OF: Final = db.Query(_RUNS.where(_E.workflow_name == bindparam("workflow_name")))


@dataclass(frozen=True, slots=True)
class Report:
    """One report of one person; `source` stands for their network."""

    market: str
    skill_level: str
    user_id: str
    source: str | None
    metric: str
    value: float
    currency: str
    at: float | None
    verified: bool
    started_at: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """How long somebody has been at it: seconds since their first start, and how it ended.

    `end` is 1 completed, 2 given up, 0 still under way. `hasty` is who finished in less than a
    tenth of the planned time: they ticked it off, and say nothing about how long it takes.
    """

    market: str
    skill_level: str
    seconds: float
    end: int
    hasty: bool


def of_workflow(session: db.Session, workflow_name: str) -> list[Report]:
    """Every current report about a workflow."""
    return [_report(row) for row in session.all(_OF_WORKFLOW, workflow_name=workflow_name)]


def of_everything(session: db.Session) -> Iterator[tuple[str, Report]]:
    """Every current report there is, workflow by workflow."""
    for row in session.stream(_ALL):
        yield row.workflow_name, _report(row)


def attempts(session: db.Session, workflow_name: str, now: float) -> list[Attempt]:
    """How long everybody took, one attempt a person and cell, from first start to first finish."""
    people: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in session.all(_RUNS_OF, workflow_name=workflow_name):
        people[row.market, row.skill_level, row.user_id].append(row)
    return [_attempt(*key[:2], runs, now) for key, runs in people.items()]


def headline(reports: Iterable[Report]) -> tuple[str, str] | None:
    """The metric most people reported and, of money, the currency most of them used."""
    said = {(r.user_id, r.metric, r.currency) for r in reports}
    metrics = Counter(metric for _, metric in {(u, m) for u, m, _ in said})
    if not metrics:
        return None
    order = outcomes.METRICS.index
    metric = min(metrics, key=lambda m: (-metrics[m], order(m)))
    units = Counter(currency for _, m, currency in said if m == metric)
    return metric, min(units, key=lambda unit: (-units[unit], unit))


def votes(reports: Iterable[Report], metric: str, currency: str) -> Votes:
    """One vote a person of what was reported in one metric, money in one currency.

    Reports in currencies without rates are left out. People of one crowded network weigh less.
    """
    by_source: dict[str | None, list[tuple[str, float, bool]]] = defaultdict(list)
    reports = list(reports)
    crowds = Counter(source for _, source in {(r.user_id, r.source) for r in reports})
    for report in reports:
        value = amount(report, metric, currency)
        if value is not None:
            crowded = report.source if crowds[report.source] > sources.WHOLE else None
            by_source[crowded].append((report.user_id, value, report.verified))
    found = values.NO_VOTES
    for source, given in by_source.items():
        own = _votes(given)
        share = 1.0 if source is None else sources.weight(own.people) / sources.UNIT / own.people
        found += own if share == 1.0 else _lighter(own, share)
    return found


def amount(report: Report, metric: str, currency: str) -> float | None:
    """What a report says in a metric and unit; None when it says nothing about that."""
    if report.metric != metric:
        return None
    if metric != MONEY or report.currency == currency:
        value: float | None = report.value
    else:
        found = currencies.convert(report.value, report.currency, currency, report.at)
        value = None if found is None else found.amount
    return value if value is None or value >= SMALLEST else 0.0


def weight_of(reports: Iterable[Report]) -> int:
    """How many people reported, in thousandths, those of one crowded network counting less."""
    people = {(report.user_id, report.source) for report in reports}
    crowds = Counter(source for _, source in people)
    return sum(
        sources.UNIT * n if source is None else sources.weight(n) for source, n in crowds.items()
    )


def _votes(given: list[tuple[str, float, bool]]) -> Votes:
    _, people = np.unique(np.array([user for user, _, _ in given]), return_inverse=True)
    return values.votes(
        people.astype(np.int64),
        np.array([value for _, value, _ in given], dtype=np.float64),
        [verified for _, _, verified in given],
    )


def _lighter(own: Votes, share: float) -> Votes:
    return Votes(own.logs, own.weights * share, own.nothing * share, own.nobodies)


def _report(row: Any) -> Report:
    return Report(
        market=row.market,
        skill_level=row.skill_level,
        user_id=row.user_id,
        source=row.source,
        metric=row.metric_type,
        value=float(row.value),
        currency=row.currency if isinstance(row.currency, str) else "",
        at=row.timestamp if isinstance(row.timestamp, int | float) else None,
        verified=row.verified == 1,
        started_at=row.started_at,
    )


def _attempt(market: str, skill_level: str, runs: list[Any], now: float) -> Attempt:
    begun = min(run.started_at for run in runs)
    done = [
        run
        for run in runs
        if run.status == "completed" and run.completed_at and run.completed_at > begun
    ]
    if done:
        first = min(done, key=lambda run: run.completed_at)
        seconds = first.completed_at - begun
        hasty = seconds < HASTE * 60 * (first.minutes or 0)
        return Attempt(market, skill_level, seconds, 1, hasty)
    if all(run.status in ("abandoned", "completed") for run in runs):
        last = max((run.touched_at or begun) for run in runs)
        return Attempt(market, skill_level, max(last - begun, 0.0), 2, hasty=False)
    return Attempt(market, skill_level, max(now - begun, 0.0), 0, hasty=False)
