"""Nested empirical Bayes in closed form: the fallback of model H, and its cross-check.

From the widest level to the narrowest (segment, item, item × market, item × skill, cell), each
level's deviation is one Newton step of its trials against what wider levels expect, shrunk by a
variance found by moments: E(s − n·p)² = w + t·w² with w = n·p·(1 − p) (Efron & Morris, JASA 70,
1975; Williams, "Extra-binomial variation", Applied Statistics 31, 1982). No iteration, nothing
that could fail to converge.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints, sigmoid, sums
from whatworks.stats.hierarchy import Model, Variances
from whatworks.stats.trials import Trials

LEAST: Final = 0.005
MOST: Final = 4.0
GUESS: Final = (0.4, 0.05, 0.05, 0.02)  # variance of a level before anything is known
WORTH: Final = 3.0  # how many informative groups that guess counts for
SEGMENT: Final = 1.0  # variance of base rates


def fit(trials: Trials, markets: int, skills: int, items: int = 0) -> Model:
    """A Model in one pass over the levels.

    >>> few = fit(Trials.of([0, 0, 1], [0, 0, 0], [1, 1, 0]), 1, 1)
    >>> bool(0.5 < few.cell(0, 0).probability < 0.9)
    True
    """
    cells = trials.only().summed()
    items = max(items, int(cells.item.max(initial=-1)) + 1)
    size = markets * skills
    rate = (cells.successes.sum() + 0.5) / (cells.trials.sum() + 1)
    level = math.log(rate / (1 - rate))
    logit = np.full(len(cells), level)
    base, doubt = _deviations(cells, logit, cells.segment, size, SEGMENT)
    logit = logit + base[cells.segment]
    market, skill = np.divmod(np.arange(size), skills)
    grids = (
        np.zeros(size, dtype=np.int64),
        market,
        skill,
        np.arange(size),
    )
    useful = (True, markets > 1, skills > 1, min(markets, skills) > 1)
    mean = np.repeat((level + base)[None], items, axis=0)
    covariance = np.zeros((items, size, size))
    found = []
    for grid, guess, used in zip(grids, GUESS, useful, strict=True):
        if not used:
            found.append(0.0)
            continue
        groups = int(grid.max()) + 1
        index = cells.item * groups + grid[cells.segment]
        variance = _variance(cells, logit, index, items * groups, guess)
        own, left = _deviations(cells, logit, index, items * groups, variance)
        logit = logit + own[index]
        mean += own.reshape(items, groups)[:, grid]
        shared = (grid[:, None] == grid[None, :]).astype(np.float64)
        covariance += left.reshape(items, groups)[:, grid][:, :, None] * shared
        found.append(variance)
    covariance += np.diag(doubt)
    own_variances = Variances(*found)
    return Model(markets, skills, own_variances, level + base, np.diag(doubt), mean, covariance)


def _expected(cells: Trials, logit: Floats, index: Ints, size: int) -> tuple[Floats, Floats]:
    """Per group: s − n·p and its variance."""
    p = sigmoid(logit)
    wrong = sums(index, cells.successes - cells.trials * p, size)
    return wrong, sums(index, cells.trials * p * (1 - p), size)


def _variance(cells: Trials, logit: Floats, index: Ints, size: int, guess: float) -> float:
    wrong, weight = _expected(cells, logit, index, size)
    share = weight / (1 + guess * weight)  # groups count by what they can say
    excess = float((share**2 * (wrong**2 - weight)).sum())
    scale = float((share**2 * weight**2).sum())
    told = WORTH * float((share**2 * weight**2).max(initial=0.0))
    return min(max((excess + told * guess) / max(scale + told, 1e-12), LEAST), MOST)


def _deviations(
    cells: Trials, logit: Floats, index: Ints, size: int, variance: float
) -> tuple[Floats, Floats]:
    """Each group's deviation, shrunk, and the variance that is left; two Newton steps."""
    own = np.zeros(size)
    for _ in range(2):
        wrong, weight = _expected(cells, logit + own[index], index, size)
        own = own + (wrong - own / variance) / (weight + 1 / variance)
    return own, 1 / (weight + 1 / variance)
