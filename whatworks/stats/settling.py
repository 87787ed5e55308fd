"""What a fitted model says of items whose counts have moved on since: exact, a batch at a time.

A fit learns base rates and variances; given those, every item's own logits are one binary Gaussian
process over its segments (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006,
algorithm 3.1), which needs nothing but the item's counts. So a model is stored as its few shared
numbers, and items are settled when it is loaded and again whenever one of their counts changes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, expected, sigmoid
from whatworks.stats.hierarchy import Model

STEPS: Final = 12
CLOSE: Final = 1e-6
LEAST: Final = 1e-12
LONGEST_STEP: Final = 2.0


def settled(model: Model, successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Logits [item, segment] and covariances [item, segment, segment] of items with these counts.

    `successes` and `trials` are [item, segment] and need not be whole. Counts do not say who
    somebody is, so the chance of success is that of a person drawn at random (`arrays.expected`).
    They are of all times, so drift is left out; a model adds it when it is asked.

    >>> from whatworks.stats.hierarchy import Variances
    >>> empty = np.empty((0, 2)), np.empty((0, 2, 2))
    >>> model = Model(2, 1, Variances(), np.zeros(2), np.eye(2) * 1e-3, *empty)
    >>> mean, covariance = settled(model, np.array([[30.0, 0.0]]), np.array([[40.0, 0.0]]))
    >>> bool(mean[0, 0] > mean[0, 1] > 0), bool(covariance[0, 0, 0] < covariance[0, 1, 1])
    (True, True)
    """
    kernel = model.variances.kernel(model.markets, model.skills)
    items, size = trials.shape
    level = model.base + model.popularity(trials.sum(axis=1))[:, None]
    pull, own = np.zeros((items, size)), np.zeros((items, size))
    eye = np.eye(size)
    for _ in range(STEPS):
        slope, weight = _slopes(level + own, model.spread, successes, trials)
        resolvent = _resolvent(kernel, weight, eye)
        right = weight * own + slope
        inner = np.einsum("nij,nj->ni", resolvent, right @ kernel)
        change = (right - inner) - pull
        moved = change @ kernel
        longest = np.abs(moved).max(axis=1, initial=1e-12)
        share = np.minimum(1.0, LONGEST_STEP / longest)[:, None]
        pull += share * change
        own = pull @ kernel
        if float(longest.max(initial=0.0)) < CLOSE:
            break
    _, weight = _slopes(level + own, model.spread, successes, trials)
    known = kernel @ _resolvent(kernel, weight, eye)
    lean = eye - known
    doubt = lean @ model.base_covariance @ lean.transpose(0, 2, 1)
    return level + own, kernel - known @ kernel + doubt


def _slopes(
    logit: Floats, spread: float, successes: Floats, trials: Floats
) -> tuple[Floats, Floats]:
    """The slope of the log likelihood in the logit, and its expected curvature."""
    rate, rising = expected(logit, spread)
    share = rising / np.maximum(rate * (1 - rate), LEAST)
    return share * (successes - trials * rate), share * trials * rising


def _resolvent(kernel: Floats, weight: Floats, eye: Floats) -> Floats:
    """(W⁻¹ + K)⁻¹ of each item, safe where a weight is 0."""
    root = np.sqrt(weight)
    inner = eye + root[:, :, None] * kernel * root[:, None, :]
    inverse: Floats = root[:, :, None] * np.linalg.inv(inner) * root[:, None, :]
    return inverse


def own_offset(logits: Floats, successes: Floats, variance: float) -> tuple[float, float]:
    """How much better somebody does than expected, on the logit: mean and variance.

    `logits` are what the model said of what they tried, `successes` what came of it (0 or 1);
    the offset is drawn around 0 with `variance`, which is what is left of it without any history.

    >>> own_offset(np.empty(0), np.empty(0), 0.3)
    (0.0, 0.3)
    >>> better, left = own_offset(np.zeros(4), np.ones(4), 0.3)
    >>> better > 0.2, left < 0.3
    (True, True)
    """
    offset = 0.0
    precision = 1 / max(variance, 1e-9)
    weight = 0.0
    for _ in range(STEPS if len(logits) else 0):
        rate = sigmoid(logits + offset)
        weight = float((rate * (1 - rate)).sum())
        step = (float((successes - rate).sum()) - precision * offset) / (weight + precision)
        offset += min(max(step, -LONGEST_STEP), LONGEST_STEP)
        if abs(step) < CLOSE:
            break
    return offset, 1 / (weight + precision)
