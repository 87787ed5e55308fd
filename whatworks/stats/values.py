"""What people typically earn, save or win: one vote a person, robust, drawn towards the workflow.

Reported values are log-normal at best and lies at worst. So a person has one vote per cell (the
median of the own reports), a verified vote counts double, the location is Huber's on the logarithm
(Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 35, 1964), and cells are
drawn towards their workflow and workflows towards everything (Efron & Morris, JASA 70, 1975).
Those who earned nothing are counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.estimates import Z50, Z90

METHOD: Final = "one vote a person, Huber on the logarithm, shrunk"
HUBER: Final = 1.0  # standard deviations beyond which a vote pulls no harder
VERIFIED: Final = 2.0  # votes that a verified one counts as
PRIOR_SD: Final = 1.0  # of ln(value) among people of one cell, before anything is known
PRIOR_VOTES: Final = 4.0  # how many votes that guess is worth
MOST_SKEW: Final = 1.0  # variance of ln(value) up to which the mean exceeds the median
MAD: Final = 1.4826  # from median absolute deviation to standard deviation


@dataclass(frozen=True, slots=True)
class Votes:
    """What people reported, one vote each; addable over different people.

    `logs` are ln(value) of those above zero, `weights` 1, or 2 where verified; `nothing` is the
    weight, `nobodies` the number, of those who earned nothing.
    """

    logs: Floats
    weights: Floats
    nothing: float = 0.0
    nobodies: int = 0

    def __add__(self, other: Votes) -> Votes:
        return Votes(
            np.concatenate([self.logs, other.logs]),
            np.concatenate([self.weights, other.weights]),
            self.nothing + other.nothing,
            self.nobodies + other.nobodies,
        )

    @property
    def people(self) -> int:
        """How many voted."""
        return len(self.logs) + self.nobodies

    @property
    def zero_share(self) -> float:
        """The share who earned nothing, verified ones counted double."""
        total = float(self.weights.sum()) + self.nothing
        return self.nothing / total if total else 0.0


NO_VOTES: Final = Votes(np.empty(0), np.empty(0))


def votes(people: Ints, values: Floats, verified: Sequence[bool] | Floats) -> Votes:
    """One vote a person: the median of the own verified reports, else of the own reports.

    Whoever reports nothing at least as often as something votes "nothing".

    >>> one = votes(np.array([1, 1, 1, 2]), np.array([10.0, 10.0, 1e9, 0.0]), [False] * 4)
    >>> np.exp(one.logs).round().tolist(), one.people, one.zero_share
    ([10.0], 2, 0.5)
    """
    sure = np.asarray(verified, dtype=bool)
    proven = np.unique(people[sure])
    counted = sure | ~np.isin(people, proven)
    people, values, sure = people[counted], values[counted], sure[counted]
    if not len(people):
        return NO_VOTES
    order = np.lexsort((values, people))  # of each person, the smallest first
    people, values, sure = people[order], values[order], sure[order]
    starts = np.flatnonzero(np.diff(people, prepend=people[0] - 1))
    ends = np.append(starts[1:], len(people))
    weights = np.where(sure[starts], VERIFIED, 1.0)
    above = np.add.reduceat((values > 0).astype(np.int64), starts)
    some = 2 * above > ends - starts
    first, last = (ends - above)[some], ends[some] - 1
    middles = values[(first + last) // 2], values[(first + last + 1) // 2]
    logs = (np.log(middles[0]) + np.log(middles[1])) / 2
    return Votes(logs, weights[some], float(weights[~some].sum()), int((~some).sum()))


@dataclass(frozen=True, slots=True)
class Spread:
    """How values differ, as variances of ln(value): within a cell, between cells and workflows."""

    location: float
    within: float
    cells: float
    workflows: float
    cap: float  # nobody is expected to earn more than this: the 99 % quantile of everything


@dataclass(frozen=True, slots=True)
class Typical:
    """What is typical: a median, and where the middle 50 and 90 % of people land.

    `surely_low`, `surely_high` hold the median itself with 90 % probability; `earned` is the
    mean among those who earned something, for ranking, never for display.
    """

    median: float
    low50: float
    high50: float
    low90: float
    high90: float
    surely_low: float
    surely_high: float
    earned: float
    zero_share: float
    people: int
    verified: int


def huber(logs: Floats, weights: Floats) -> tuple[float, float]:
    """Robust location and standard deviation (iterated weights, MAD scale).

    >>> location, scale = huber(np.array([1.0, 1.1, 0.9, 1.0, 20.0]), np.ones(5))
    >>> round(location, 1)
    1.0
    """
    location = weighted_quantile(logs, weights, 0.5)
    scale = MAD * weighted_quantile(np.abs(logs - location), weights, 0.5)
    if scale < 1e-9:
        return location, 0.0
    for _ in range(30):
        distance = np.maximum(np.abs(logs - location) / scale, 1e-12)
        pull = weights * np.minimum(1.0, HUBER / distance)
        before, location = location, float(pull @ logs / pull.sum())
        if abs(location - before) < 1e-9:
            break
    return location, float(scale)


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The value below which `share` of the weight lies; between two neighbours, half-way.

    >>> weighted_quantile(np.array([1.0, 2.0, 3.0]), np.ones(3), 0.5)
    2.0
    """
    order = np.argsort(values, kind="stable")
    at = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(share * weights.sum(), at, values[order]))


def fit(cells: Sequence[tuple[int, Votes]]) -> Spread:
    """How much values differ within and between, from (workflow number, votes of a cell) pairs.

    Moments of robust locations: what cells differ more than chance explains.
    """
    full = [(workflow, cell) for workflow, cell in cells if len(cell.logs)]
    if not full:
        return Spread(0.0, PRIOR_SD**2, 0.5, 0.5, math.inf)
    every = sum((cell for _, cell in full), NO_VOTES)
    location, _ = huber(every.logs, every.weights)
    within = _within([cell for _, cell in full])
    by_workflow: dict[int, list[tuple[float, float]]] = {}
    for workflow, cell in full:
        middle, _ = huber(cell.logs, cell.weights)
        by_workflow.setdefault(workflow, []).append((middle, within / _effective(cell)))
    around = [pair for group in by_workflow.values() for pair in _centred(group)]
    centres = [_pooled(group) for group in by_workflow.values()]
    cap = math.exp(weighted_quantile(every.logs, every.weights, 0.99))
    between = _excess(around)
    return Spread(
        location,
        within,
        between,
        _excess([(middle - location, error + between) for middle, error in centres]),
        cap,
    )


def typical(cell: Votes, workflow: Votes, spread: Spread) -> Typical | None:
    """What is typical in a cell of a workflow (whose votes include the cell's).

    With no votes in the cell it is the workflow's; None when that has none either.

    >>> cell = Votes(np.log([2000.0, 3000.0, 4000.0, 1e9]), np.ones(4))
    >>> found = typical(cell, cell, fit([(0, cell)]))
    >>> found is not None and 2000 < found.median < 6000
    True
    """
    if not len(workflow.logs):
        return None
    centre, doubt = _shrunk(workflow, spread.location, spread.workflows + spread.cells, spread)
    variance, source = spread.within, workflow
    if cell.people:
        source = cell
    if len(cell.logs):
        centre, doubt = _shrunk(cell, centre, spread.cells + doubt, spread)
        _, scale = huber(cell.logs, cell.weights)
        n = _effective(cell)
        variance = (n * scale**2 + PRIOR_VOTES * spread.within) / (n + PRIOR_VOTES)
    else:
        doubt += spread.cells
    wide, sure = math.sqrt(variance + doubt), math.sqrt(doubt)
    earned = min(math.exp(centre + min(variance, MOST_SKEW) / 2), spread.cap)
    low50, high50, low90, high90 = (math.exp(centre + z * wide) for z in (-Z50, Z50, -Z90, Z90))
    return Typical(
        median=math.exp(centre),
        low50=low50,
        high50=high50,
        low90=low90,
        high90=high90,
        surely_low=math.exp(centre - Z90 * sure),
        surely_high=math.exp(centre + Z90 * sure),
        earned=earned,
        zero_share=source.zero_share,
        people=source.people,
        verified=int(np.sum(source.weights > 1)) + round(source.nothing - source.nobodies),
    )


def nothing(cell: Votes, workflow: Votes, usual: float) -> float:
    """The chance that somebody in a cell reports nothing, for ranking: the cell's share drawn
    towards the workflow's, and that towards what is usual. One who has nothing rules nothing out.

    >>> one = Votes(np.empty(0), np.empty(0), nothing=1.0, nobodies=1)
    >>> nothing(one, one, 0.0), nothing(NO_VOTES, NO_VOTES, 0.25)
    (0.36, 0.25)
    """
    parent = usual
    for some in (workflow, cell):
        total = float(some.weights.sum()) + some.nothing
        parent = (some.nothing + PRIOR_VOTES * parent) / (total + PRIOR_VOTES)
    return parent


def _shrunk(some: Votes, parent: float, between: float, spread: Spread) -> tuple[float, float]:
    """Location and its variance, drawn towards the parent by n / (n + within/between)."""
    location, _ = huber(some.logs, some.weights)
    error = spread.within / _effective(some)
    share = between / (between + error)
    return parent + share * (location - parent), share * error


def _effective(some: Votes) -> float:
    """How many equal votes these weights are worth (Kish, Survey Sampling, 1965)."""
    return float(some.weights.sum() ** 2 / (some.weights**2).sum())


def _within(cells: Sequence[Votes]) -> float:
    """The pooled robust variance of votes around their cell's median."""
    around = [np.abs(c.logs - np.median(c.logs)) for c in cells if len(c.logs) > 1]
    if not around:
        return PRIOR_SD**2
    n = sum(len(a) for a in around) - len(around)
    scale = MAD * float(np.median(np.concatenate(around)))
    scale *= math.sqrt((n + len(around)) / max(n, 1))
    return (n * scale**2 + PRIOR_VOTES * PRIOR_SD**2) / (n + PRIOR_VOTES)


def _pooled(group: Sequence[tuple[float, float]]) -> tuple[float, float]:
    precision = sum(1 / error for _, error in group)
    return sum(middle / error for middle, error in group) / precision, 1 / precision


def _centred(group: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    centre, _ = _pooled(group)
    share = (len(group) - 1) / len(group)
    return [((m - centre) / math.sqrt(share), e) for m, e in group] if share else []


def _excess(pairs: Sequence[tuple[float, float]]) -> float:
    """The variance that sampling error leaves unexplained, with a weak guess of ½."""
    robust = [min(middle**2, 9.0) - error for middle, error in pairs]
    return max((sum(robust) + 2 * 0.5) / (len(robust) + 2), 0.01)
