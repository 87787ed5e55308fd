"""Fits of the model of what works: made from history, kept in a table, read back by whoever ranks.

A fit holds what cells share: base rates, how much workflows differ, how much people do, what a
goal or a country changes, and what success is worth. What a cell has of its own is settled from
its counts whenever the fit is loaded, so it is never older than they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.evidence import census, reports, sources
from whatworks.evidence.reports import Report
from whatworks.models import Fit as FitRow
from whatworks.models import WorkflowPerformance
from whatworks.people import profiles
from whatworks.stats import drift, fitting, values
from whatworks.stats.arrays import Floats
from whatworks.stats.hierarchy import Group, Model, Variances
from whatworks.stats.trials import Trials
from whatworks.stats.values import Spread, Votes

METHOD: Final = "H"
METHOD_NAME: Final = "hierarchical logistic model, one vote a person"
DAY: Final = 86_400.0
SETTLED: Final = 45 * DAY  # by then also those who stop without a word have come to an end
GROWTH: Final = 0.05  # more known ends than so since the last fit: time for a new one
FIRST: Final = 20  # known ends before the first fit
LARGEST: Final = 300_000  # people fitted; of more, a sixteenth, two sixteenths … are taken
MARKETS, SKILLS = len(profiles.MARKETS), len(profiles.SKILL_LEVELS)
SEGMENTS: Final = {
    (market, skill): m * SKILLS + s
    for m, market in enumerate(profiles.MARKETS)
    for s, skill in enumerate(profiles.SKILL_LEVELS)
}
GOAL_METRICS: Final = {
    "earn_money": "revenue",
    "save_time": "time_saved",
    "scale_business": "customers",
}

Progress = Callable[[str], None]


class Worth(msgspec.Struct, frozen=True):
    """What a result is worth in one metric: expected per reporter, by workflow and segment."""

    spread: tuple[float, float, float, float, float]  # values.Spread, in reports.BASE
    overall: float
    workflows: dict[str, list[float]]


class Parameters(msgspec.Struct, frozen=True):
    """What a fit learned."""

    variances: tuple[float, float, float, float]
    base: list[float]
    base_covariance: list[list[float]]
    user_variance: float
    goals: dict[str, list[float]]  # workflow → what each goal adds to its logit
    worth: dict[str, Worth]
    drift: tuple[float, float] = (0.0, 0.0)  # where the level stands now, how fast it is followed
    crowd: tuple[float, float] = (0.0, 0.0)  # what each doubling of a crowd adds, and the middle


@dataclass(frozen=True, slots=True)
class Fit:
    """A stored fit; `people` is how many known ends it was fitted to."""

    id: str
    created_at: float
    people: int
    workflows: int
    seconds: float
    parameters: Parameters


_W = WorkflowPerformance
_NEWEST: Final = db.Query(select(FitRow).order_by(FitRow.id.desc()).limit(1))
_NEWEST_ID: Final = db.Query(select(FitRow.id).order_by(FitRow.id.desc()).limit(1))
_BY_ID: Final = db.Query(select(FitRow).where(FitRow.id == bindparam("id")))
_INSERT: Final = db.Query(insert(FitRow))
_ENDS: Final = db.Query(select(func.coalesce(func.sum(_W.finished + _W.stopped), 0)))
_LAST: Final = db.Query(
    select(FitRow.people, FitRow.created_at).order_by(FitRow.id.desc()).limit(1)
)


def is_due(session: db.Session) -> bool:
    """Whether enough has happened since the last fit, or enough for a first one.

    Every 5 % that are new, and once a day whatever is new.
    """
    ends, last = int(session.value(_ENDS)), session.first(_LAST)
    if last is None:
        return ends >= FIRST
    if clock.timestamp() - last.created_at > DAY:
        return bool(ends != last.people)
    return bool(abs(ends - last.people) > GROWTH * max(last.people, FIRST))


def newest_id(session: db.Session) -> str | None:
    """The id of the newest fit, if there is one."""
    found: str | None = session.value(_NEWEST_ID)
    return found


def find_newest(session: db.Session) -> Fit | None:
    """The newest fit, if there is one."""
    row = session.first(_NEWEST)
    return None if row is None else _fit(row)


def find(session: db.Session, fit_id: str) -> Fit | None:
    """A fit by its id."""
    row = session.first(_BY_ID, id=fit_id)
    return None if row is None else _fit(row)


def compute(session: db.Session) -> Fit:
    """Fit the model to everybody's votes and reports. Reads only; `store` keeps it."""
    begun = clock.timestamp()
    ends = int(session.value(_ENDS))
    before = find_newest(session)
    names, trials, settled = people_trials(session, ends)
    start = model_of(before.parameters) if before else None
    # How many tried a workflow is our own doing: by what was shown, it would prove itself right.
    model = fitting.fit(trials, MARKETS, SKILLS, len(names), start, crowd=False, exploring=True)
    # Of those who began lately the finishers are known first: only of those who began long enough
    # ago all ends are known, and they say where the level stands.
    rate = trials.successes / trials.trials
    moved = drift.choose(model.logits(trials)[0][:settled], rate[:settled])
    parameters = Parameters(
        variances=(
            model.variances.item,
            model.variances.market,
            model.variances.skill,
            model.variances.cell,
        ),
        base=[float(x) for x in model.base],
        base_covariance=[[float(x) for x in row] for row in model.base_covariance],
        user_variance=model.spread,
        drift=(moved.offset, moved.rate),
        goals=_goal_offsets(model, names),
        worth=_worth(reports.of_everything(session)),
        crowd=(model.crowd, model.crowd_middle),
    )
    now = clock.timestamp()
    return Fit(clock.new_id(), now, ends, len(names), now - begun, parameters)


def store(session: db.Session, fit: Fit) -> None:
    """Keep a fit; from now on everybody ranks with it."""
    session.run(
        _INSERT,
        id=fit.id,
        method=METHOD,
        created_at=fit.created_at,
        people=fit.people,
        workflows=fit.workflows,
        seconds=fit.seconds,
        parameters=msgspec.json.encode(fit.parameters).decode(),
    )


def model_of(parameters: Parameters | None) -> Model:
    """The model without items; without parameters, what is believed before anything is known."""
    empty = np.empty((0, MARKETS * SKILLS)), np.empty((0, MARKETS * SKILLS, MARKETS * SKILLS))
    if parameters is None:
        wide = Variances(item=1.0, market=0.1, skill=0.1, cell=0.02).kernel(MARKETS, SKILLS)
        return Model(MARKETS, SKILLS, Variances(), np.zeros(MARKETS * SKILLS), wide, *empty)
    model = Model(
        MARKETS,
        SKILLS,
        Variances(*parameters.variances),
        np.array(parameters.base),
        np.array(parameters.base_covariance),
        *empty,
    )
    model.crowd, model.crowd_middle = parameters.crowd
    model.drift, model.drift_rate = parameters.drift
    if parameters.user_variance > 0:
        model.groups["user"] = Group(parameters.user_variance, np.empty(0), np.empty(0))
    return model


def spread_of(worth: Worth | None) -> Spread | None:
    """How values of a metric differ, in reports.BASE for money."""
    return Spread(*worth.spread) if worth else None


def people_trials(session: db.Session, ends: int) -> tuple[list[str], Trials, int]:
    """One row a person and cell whose end is known, as they began; workflows by number.

    Groups: user, goal, country and item:goal. Of very many people a fixed part is taken. The last
    number says how many rows are SETTLED: of those who began with them all ends are known.
    """
    part = max(1, min(16, -(-16 * LARGEST // max(ends, 1))))
    names: dict[str, int] = {}
    users: dict[str, int] = {}
    countries: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    crowds = census.crowds(session)
    until, settled = clock.timestamp() - SETTLED, 0
    for row in sorted(census.ends(session, part), key=lambda row: row.begun or 0.0):
        item = names.setdefault(row.workflow_name, len(names))
        settled += (row.begun or 0.0) <= until
        goal = _goal_number(row.goal)
        weight = 1.0
        if row.source is not None:
            cell = row.workflow_name, row.market, row.skill_level, row.source
            people = crowds.get(cell, 1)
            weight = sources.weight(people) / sources.UNIT / people
        rows.append(
            (
                item,
                SEGMENTS[row.market, row.skill_level],
                weight * row.finished,
                weight,
                users.setdefault(row.user_id, len(users)),
                goal,
                countries.setdefault(row.country or "", len(countries)),
                item * len(profiles.GOALS) + goal if goal >= 0 else -1,
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(-1, 8).T
    groups: dict[str, object] = dict(
        zip(("user", "goal", "country", "item:goal"), columns[4:], strict=True)
    )
    trials = Trials.of(columns[0], columns[1], columns[2], columns[3], **groups)
    return list(names), trials, settled


def _goal_number(goal: str | None) -> int:
    return profiles.GOALS.index(goal) if goal in profiles.GOALS else -1


def _goal_offsets(model: Model, names: Sequence[str]) -> dict[str, list[float]]:
    """What a goal changes about each workflow; the same for all is left to the level."""
    group = model.groups.get("item:goal")
    if group is None:
        return {}
    size = len(profiles.GOALS)
    padded = np.zeros(len(names) * size)
    padded[: len(group.mean)] = group.mean[: len(padded)]
    return {
        name: [round(float(x), 4) for x in padded[item * size : (item + 1) * size]]
        for item, name in enumerate(names)
    }


def _worth(told: Iterable[tuple[str, Report]]) -> dict[str, Worth]:
    """What success is worth, per metric of a goal, everybody with one vote."""
    cells: dict[str, dict[str, dict[int, Votes]]] = {m: {} for m in GOAL_METRICS.values()}
    mine: dict[tuple[str, int], list[Report]] = defaultdict(list)
    for name, told_of in groupby(told, lambda pair: pair[0]):
        for _, report in told_of:
            mine[report.metric, SEGMENTS[report.market, report.skill_level]].append(report)
        for (metric, segment), some in mine.items():
            found = reports.votes(some, metric, reports.BASE)
            if found.people:
                cells[metric].setdefault(name, {})[segment] = found
        mine.clear()
    return {metric: _worth_of(found) for metric, found in cells.items() if found}


def _worth_of(workflows: dict[str, dict[int, Votes]]) -> Worth:
    numbered = [(n, v) for n, cells in enumerate(workflows.values()) for v in cells.values()]
    spread = values.fit(numbered)
    every = sum((votes for _, votes in numbered), values.NO_VOTES)
    usual = every.zero_share
    typical = values.typical(every, every, spread)
    earned = typical.earned if typical else 0.0  # by whoever has something
    found: dict[str, list[float]] = {}
    for name, cells in workflows.items():
        whole = sum(cells.values(), values.NO_VOTES)
        own = [cells.get(g, values.NO_VOTES) for g in range(MARKETS * SKILLS)]
        expected = [(values.typical(cell, whole, spread), cell) for cell in own]
        found[name] = [
            _short((one.earned if one else earned) * (1 - values.nothing(cell, whole, usual)))
            for one, cell in expected
        ]
    return Worth(
        (spread.location, spread.within, spread.cells, spread.workflows, min(spread.cap, 1e12)),
        _short(earned * (1 - usual)),
        found,
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _fit(row: Any) -> Fit:
    return Fit(
        id=row.id,
        created_at=row.created_at,
        people=row.people,
        workflows=row.workflows,
        seconds=row.seconds,
        parameters=msgspec.json.decode(row.parameters, type=Parameters),
    )


def totals(session: db.Session) -> tuple[Floats, list[str]]:
    """Weighted [workflow, segment, (finished, stopped)] of all cells, and the workflows' names."""
    names: dict[str, int] = {}
    rows = [
        (names.setdefault(r.workflow_name, len(names)), SEGMENTS[r.market, r.skill_level], r)
        for r in census.cells(session)
    ]
    table = np.zeros((len(names), MARKETS * SKILLS, 2))
    for item, segment, row in rows:
        table[item, segment] = row.weight_finished, row.weight_stopped
    return table / sources.UNIT, list(names)
