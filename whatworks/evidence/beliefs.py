"""What this process believes of every workflow, in memory, as new as the counts are.

`Beliefs` holds the newest fit settled on the counts of all cells. Before each use it asks what
has changed since, whoever changed it, and settles just those workflows again; so several server
processes agree, and nothing has to be told to anybody.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from whatworks import catalogue, db
from whatworks.catalogue import Workflow
from whatworks.evidence import census, fits, sources
from whatworks.evidence.fits import MARKETS, SEGMENTS, SKILLS, Fit
from whatworks.people import profiles
from whatworks.stats import ranking, settling
from whatworks.stats.arrays import Floats, Floats32
from whatworks.stats.hierarchy import Model, Posterior
from whatworks.stats.values import Spread

OVERLAP: Final = 10.0  # seconds looked back, for changes that were committed late
SIZE: Final = MARKETS * SKILLS


@dataclass(frozen=True, slots=True)
class _News:
    """What a look at the database brought."""

    fit: Fit | None
    mark: tuple[object, ...]
    offered: list[Workflow] | None
    cells: list[Any]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Person:
    """For whom to score: their segment (−1: none), goal, and how much better they do than others.

    `longest` is the length in minutes that was too much for them; `is_strict` asks for what was
    written for their market and level.
    """

    segment: int
    goal: str
    market: str
    skill_level: str
    offset: float = 0.0
    longest: float = np.inf
    is_strict: bool = False


class Beliefs:
    """The model with all its workflows. One per process; any thread may call its methods."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._fit: Fit | None = None
        self._mark: tuple[object, ...] = ()
        self._since: float | None = None
        self._index: dict[str, int] = {}
        self._names: list[str] = []
        self._counts: Floats = np.zeros((0, SIZE, 2))
        self._model: Model = fits.model_of(None)
        self._table: ranking.Table | None = None
        self._offer: _Offer = _Offer([], {}, 0)
        self._worth: dict[tuple[str, int], Floats] = {}
        self._seen: dict[tuple[int, int], float] = {}
        self._changed: set[str] = set()

    def changed(self, most: int) -> list[str]:
        """Some of the workflows whose counts have changed since they were last handed out here."""
        with self._lock:
            some = sorted(self._changed)[:most]
            self._changed.difference_update(some)
        return some

    @property
    def fit_id(self) -> str | None:
        """Which fit this rests on; None before the first."""
        return self._fit.id if self._fit else None

    def sync(self, database: db.Database) -> None:
        """Take over what has changed in the database since the last time."""
        with self._lock:
            self._take(database.read(_look, self.fit_id, self._mark, self._since))

    def sync_within(self, session: db.Session) -> None:
        """The same for whoever is reading already."""
        with self._lock:
            self._take(_look(session, self.fit_id, self._mark, self._since))

    def posterior(self, workflow_name: str, segment: int) -> Posterior:
        """What is believed of one cell's logit; wide where nobody tried."""
        with self._lock:
            return self._model.cell(self._index.get(workflow_name, -1), segment)

    def level(self, workflow_name: str, shares: Floats) -> Posterior:
        """The same over several segments, by their shares of people."""
        with self._lock:
            return self._model.level(self._index[workflow_name], shares)

    def spread(self, metric: str) -> Spread | None:
        """How values of a metric differ, money in reports.BASE; None while nobody reported any."""
        return fits.spread_of(self._fit.parameters.worth.get(metric)) if self._fit else None

    def knows(self, workflow_name: str) -> bool:
        """Whether the workflow has a place here: it is on offer, or has counts."""
        return workflow_name in self._index

    def anything(self, segment: int) -> Posterior:
        """What to expect of a workflow that nobody tried."""
        with self._lock:
            return self._model.untried(segment)

    def own_offset(self, ends: Iterable[Any]) -> float:
        """How much better somebody does than others, by rows of `census.own_ends`."""
        with self._lock:
            logits, done = [], []
            for row in ends:
                at = self._index.get(row.workflow_name, -1)
                logits.append(self._model.cell(at, SEGMENTS[row.market, row.skill_level]).mean)
                done.append(float(row.finished))
            spread = self._model.spread
        return settling.own_offset(np.array(logits), np.array(done), spread)[0] if spread else 0.0

    def scores(self, person: Person) -> tuple[Floats32, Floats32]:
        """Optimistic expected benefit for a person, and their chance of success, per workflow."""
        with self._lock:
            table = self._table
            if table is None:
                return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
            goal = self._goal_offsets(person.goal) + np.float32(person.offset)
            segment = person.segment
            if segment < 0:
                mean, sd = table.mean.mean(axis=0), table.sd.mean(axis=0)
            else:
                mean, sd = table.mean[segment], table.sd[segment]
            goal = goal + np.float32(self._model.drift)
            hopeful = _sigmoid(mean + goal + np.float32(ranking.OPTIMISM) * sd)
            likely = _sigmoid(mean + goal)
            value = self._value(person.goal, max(segment, 0))
            benefit = ranking.benefit(hopeful, value)
            if value is None:  # else what it brings in the goal's own metric has been counted
                benefit = benefit * self._offer.serving(person.goal).astype(np.float32)
            return benefit * self._offer.fitting(person, self._counts), likely

    @property
    def offered(self) -> Sequence[Workflow | None]:
        """The workflow in each place of `scores`; None where it is not on offer any more."""
        return self._offer.places

    @property
    def tiers(self) -> np.typing.NDArray[np.str_]:
        """The plan each place needs; "" where it is not on offer."""
        return self._offer.tiers

    def place(self, workflow_name: str) -> int:
        """A workflow's place in `scores`; −1 when it has none."""
        return self._index.get(workflow_name, -1)

    def _take(self, news: _News) -> None:
        fresh = news.fit is not None
        if news.fit is not None:
            self._fit = news.fit
            self._worth = {}
            self._model = fits.model_of(news.fit.parameters)
        if news.is_whole:
            self._counts[:] = 0.0
        names = [row.workflow_name for row in news.cells]
        grown = self._grow([*names, *(w.name for w in news.offered or ())])
        changed = self._put(news.cells)
        if fresh or grown or self._table is None:
            self._settle(None)
        elif changed:
            self._settle(sorted(changed))
        if news.offered is not None or grown:
            offered = news.offered
            if offered is None:
                offered = [w for w in self._offer.places if w is not None]
            self._offer = _Offer(offered, self._index, len(self._names))
            self._worth = {}
        self._mark = news.mark
        latest = max((row.updated_at or 0.0 for row in news.cells), default=None)
        if latest is not None:
            self._since = max(self._since or 0.0, latest)
        elif self._since is None:
            self._since = 0.0

    def _grow(self, names: Iterable[str]) -> bool:
        new = [name for name in dict.fromkeys(names) if name not in self._index]
        for name in new:
            self._index[name] = len(self._names)
            self._names.append(name)
        if new:
            self._counts = np.concatenate([self._counts, np.zeros((len(new), SIZE, 2))])
        return bool(new)

    def _put(self, rows: Iterable[Any]) -> set[int]:
        """Take over counts; returns the places where they differ from what was known."""
        changed = set()
        for row in rows:
            item, segment = self._index[row.workflow_name], SEGMENTS[row.market, row.skill_level]
            counts = row.weight_finished / sources.UNIT, row.weight_stopped / sources.UNIT
            if self._seen.get((item, segment)) != row.updated_at:
                self._seen[item, segment] = row.updated_at
                self._changed.add(row.workflow_name)
            if tuple(self._counts[item, segment]) != counts:
                self._counts[item, segment] = counts
                changed.add(item)
        return changed

    def _settle(self, items: list[int] | None) -> None:
        """Settle some workflows again, or all."""
        chosen = self._counts if items is None else self._counts[items]
        mean, covariance = settling.settled(self._model, chosen[..., 0], chosen.sum(axis=-1))
        if items is None or self._table is None:
            self._model.mean, self._model.covariance = mean, covariance
            self._table = ranking.Table(self._model)
            return
        self._model.mean[items], self._model.covariance[items] = mean, covariance
        for item in items:
            self._table.refresh(self._model, item)

    def _goal_offsets(self, goal: str) -> Floats32:
        known = self._fit.parameters.goals if self._fit else {}
        if goal not in profiles.GOALS or not known:
            return np.zeros(len(self._names), dtype=np.float32)
        number = profiles.GOALS.index(goal)
        key = goal, -1
        if key not in self._worth:
            none = [0.0] * len(profiles.GOALS)
            self._worth[key] = np.array([known.get(name, none)[number] for name in self._names])
        return self._worth[key].astype(np.float32)

    def _value(self, goal: str, segment: int) -> Floats | None:
        """What success is worth in the goal's own metric; None while nobody has said."""
        metric = fits.GOAL_METRICS.get(goal)
        worth = self._fit.parameters.worth.get(metric or "") if self._fit else None
        if worth is None or worth.overall <= 0:
            return None
        key = goal, segment
        if key not in self._worth:
            known = worth.workflows
            self._worth[key] = np.array(
                [
                    known[name][segment] if name in known else worth.overall * share
                    for name, share in zip(self._names, self._offer.serving(goal), strict=True)
                ]
            )
        return self._worth[key]


class _Offer:
    """The workflows on offer, laid out place by place."""

    OTHER: Final = {"goal": 0.7, "market": 0.85, "level": 0.9}  # what an unfitting one takes off
    TOO_LONG: Final = 0.7
    SURE: Final = 10.0  # people from whom on counts say more than whom a guide was written for

    def __init__(self, offered: Iterable[Workflow], index: dict[str, int], size: int) -> None:
        self.places: list[Workflow | None] = [None] * size
        for workflow in offered:
            self.places[index[workflow.name]] = workflow
        self.tiers = np.array([w.tier if w else "" for w in self.places], dtype=np.str_)
        self._minutes = np.array([w.guide.minutes if w else 0 for w in self.places], dtype=float)
        self._fits: dict[str, Floats] = {}

    def fitting(self, person: Person, counts: Floats) -> Floats32:
        """What is taken off where a guide was not written for such people, while few have tried."""
        tried = counts.sum(axis=(1, 2)) if person.segment < 0 else counts[:, person.segment].sum(1)
        written = self._written(person.market) * self._written(person.skill_level)
        trust = 2.0 if person.is_strict else self.SURE / (self.SURE + tried)
        short = np.where(self._minutes < person.longest, 1.0, self.TOO_LONG)
        factor: Floats32 = (written**trust * short).astype(np.float32)
        return factor

    def serving(self, goal: str) -> Floats:
        """1 where a guide serves the goal, a little less elsewhere."""
        return self._written(goal)

    def _written(self, word: str) -> Floats:
        if word not in self._fits:
            self._fits[word] = np.array([self._factor(w, word) for w in self.places])
        return self._fits[word]

    def _factor(self, workflow: Workflow | None, word: str) -> float:
        if workflow is None:
            return 1.0
        guide = workflow.guide
        if word in profiles.GOALS:
            return 1.0 if word in guide.goals else self.OTHER["goal"]
        if word in profiles.MARKETS:
            return 1.0 if word in guide.markets else self.OTHER["market"]
        return 1.0 if word in guide.skill_levels else self.OTHER["level"]


def _look(
    session: db.Session, fit_id: str | None, mark: tuple[object, ...], since: float | None
) -> _News:
    """Whatever is newer than what is known; everything when nothing is."""
    fit = None
    if fits.newest_id(session) != fit_id:
        fit = fits.find_newest(session)
    now = catalogue.mark(session)
    offered = catalogue.list_current(session) if now != mark else None
    if since is None or fit is not None:
        return _News(fit, now, offered, census.cells(session), is_whole=True)
    late = census.cells(session, since=since - OVERLAP)
    return _News(fit, now, offered, late, is_whole=False)


def _sigmoid(logit: Floats32) -> Floats32:
    half: Floats32 = np.tanh(np.float32(0.5) * logit)
    return np.float32(0.5) * half + np.float32(0.5)
