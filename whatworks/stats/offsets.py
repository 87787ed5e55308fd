"""Offsets of people, goals or countries: drawn around 0, with a variance that data decide.

Each offset's posterior is integrated by Gauss–Hermite quadrature around its mode (Naylor & Smith,
Applied Statistics 31, 1982), so that the variance is not biased where people have few trials.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints, sigmoid, sums
from whatworks.stats.hierarchy import Group
from whatworks.stats.trials import Trials

PRIOR: Final = 0.3  # median of the variance's log-normal prior with sd 1
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
LONGEST_STEP: Final = 2.0
LONGEST_SCORE: Final = 0.7


def empty(index: Ints) -> Group:
    """Offsets of which nothing is known yet."""
    size = int(index.max(initial=-1)) + 1
    return Group(PRIOR, np.zeros(size), np.full(size, PRIOR))


def step(group: Group, trials: Trials, index: Ints, logit: Floats, learn: bool) -> None:
    """Move every offset to its posterior mean given the other parts of each row's logit.

    With `learn` the variance takes one step of Fisher scoring too.
    """
    size = len(group.mean)
    rows = np.flatnonzero(index >= 0)
    if not size or not len(rows):
        return
    at, own = index[rows], trials.where(rows)
    base, precision = logit[rows], 1 / group.variance
    p = sigmoid(base + group.mean[at])
    slope = sums(at, own.successes - own.trials * p, size) - precision * group.mean
    weight = sums(at, own.trials * p * (1 - p), size)
    step = np.clip(slope / (weight + precision), -LONGEST_STEP, LONGEST_STEP)
    mode, sd = group.mean + step, 1 / np.sqrt(weight + precision)
    mean, square = _moments(own, at, base, mode, sd, precision)
    group.mean, group.uncertainty = mean, np.maximum(square - mean**2, 1e-9)
    if learn:
        resolvent = weight / (1 + group.variance * weight)
        score = 0.5 * float((square * precision - 1).sum())
        information = 0.5 * float((resolvent**2).sum()) * group.variance**2 + 1.0
        change = (score - math.log(group.variance / PRIOR)) / information
        change = min(max(change, -LONGEST_SCORE), LONGEST_SCORE)
        group.variance = min(max(group.variance * math.exp(change), 1e-6), 50.0)


def _moments(
    own: Trials, at: Ints, base: Floats, mode: Floats, sd: Floats, precision: float
) -> tuple[Floats, Floats]:
    """Posterior mean and mean square of each offset."""
    height = np.empty((len(NODES), len(mode)))
    place = mode + NODES[:, None] * sd
    for number, (node, weight) in enumerate(zip(NODES, WEIGHTS, strict=True)):
        logit = base + place[number][at]
        inside = own.successes * logit - own.trials * np.logaddexp(0.0, logit)
        height[number] = sums(at, inside, len(mode)) - 0.5 * precision * place[number] ** 2
        height[number] += 0.5 * node * node + math.log(weight)
    share = np.exp(height - height.max(axis=0))
    share /= share.sum(axis=0)
    return (share * place).sum(axis=0), (share * place**2).sum(axis=0)
