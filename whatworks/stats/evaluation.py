"""Would another policy have done better? And are the numbers we publish right?

Off-policy estimators from logged propensities: IPS (Horvitz & Thompson, JASA 47, 1952), SNIPS
(Swaminathan & Joachims, NeurIPS 2015), DR (Dudík, Langford & Li, ICML 2011) and SWITCH-DR (Wang,
Agarwal & Dudík, ICML 2017), with percentile bootstrap intervals (Efron, Ann. Stat. 7, 1979) and
the effective sample size of Kish. Calibration and coverage for what is predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints

SWITCH: Final = 10.0  # importance weights above it are answered by the model
SWITCH_LATER: Final = 50.0  # … beyond MANY rows
MANY: Final = 10_000
ENOUGH: Final = 100.0  # effective rows below which there is no verdict
SEEN: Final = 0.5  # of what the new policy would show: less was hardly ever shown, no verdict
CLIP: Final = 0.005


@dataclass(frozen=True, slots=True)
class Logged:
    """What was shown and what came of it, beside what the new policy would do.

    Row by row: `reward`, `propensity` of the logged choice under the old policy, `probability` of
    the same choice under the new one, `predicted` reward of that choice, and `baseline`, the
    reward that the model predicts for the new policy in that situation (its own probabilities
    times predictions, summed over all choices). `cautious`, when given, is that sum over only the
    choices whose importance weight exceeds the SWITCH threshold.
    """

    reward: Floats
    propensity: Floats
    probability: Floats
    predicted: Floats
    baseline: Floats
    cautious: Floats | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """The mean reward a policy would have had, with a 90 % bootstrap interval."""

    method: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said; `better` is None when the rows are too few to say anything."""

    rows: int
    effective: float
    logged: float
    values: tuple[Value, ...]
    better: bool | None
    why: str


def contributions(log: Logged, threshold: float | None = None) -> dict[str, Floats]:
    """What each row adds to each estimator; its mean is the estimate (SNIPS: a ratio of means)."""
    weight = log.probability / log.propensity
    limit = switch(len(weight)) if threshold is None else threshold
    correction = weight * (log.reward - log.predicted)
    trusted = np.where(weight <= limit, correction, 0.0)
    return {
        "DM": log.baseline,
        "IPS": weight * log.reward,
        "SNIPS": weight * log.reward / max(float(weight.mean()), 1e-12),
        "DR": log.baseline + correction,
        "SWITCH-DR": log.baseline + trusted,
    }


def switch(rows: int) -> float:
    """From which importance weight on the model answers alone."""
    return SWITCH if rows <= MANY else SWITCH_LATER


def effective_size(weight: Floats) -> float:
    """How many equally weighted rows these are worth.

    >>> effective_size(np.ones(50)), effective_size(np.array([1.0, 0.0, 0.0]))
    (50.0, 1.0)
    """
    squares = float((weight**2).sum())
    return float(weight.sum() ** 2 / squares) if squares else 0.0


def share_seen(weight: Floats) -> float:
    """How much of what a policy would show SWITCH-DR judges by the log; the model tells the rest.

    >>> share_seen(np.array([1.0, 1.0, 1.0, 400.0]))
    0.75
    """
    return (
        float(np.where(weight <= switch(len(weight)), weight, 0.0).mean()) if len(weight) else 0.0
    )


def evaluate(log: Logged, random: np.random.Generator, draws: int = 500) -> Verdict:
    """Every estimate with its interval, and whether the new policy beats the logged one.

    `better` rests on SWITCH-DR: True or False when the interval of the difference leaves out 0.
    """
    rows = len(log.reward)
    if not rows:
        return Verdict(0, 0.0, 0.0, (), None, "nothing was logged")
    weight = log.probability / log.propensity
    effective = effective_size(weight)
    parts = contributions(log)
    resampled = _means(np.stack([*parts.values(), log.reward, weight]), random, draws)
    found = []
    for number, (method, part) in enumerate(parts.items()):
        drawn = resampled[number]
        if method == "SNIPS":
            drawn = drawn * float(weight.mean()) / np.maximum(resampled[-1], 1e-12)
        low, high = np.quantile(drawn, [0.05, 0.95])
        found.append(Value(method, float(part.mean()), float(low), float(high)))
    logged = float(log.reward.mean())
    if effective < ENOUGH:
        why = f"worth {effective:.0f} of the {ENOUGH:.0f} rows that are needed"
        return Verdict(rows, effective, logged, tuple(found), None, why)
    seen = share_seen(weight)
    if seen < SEEN:
        why = f"only {seen:.0%} of what it would show was shown often enough to judge it by"
        return Verdict(rows, effective, logged, tuple(found), None, why)
    low, high = np.quantile(resampled[list(parts).index("SWITCH-DR")] - resampled[-2], [0.05, 0.95])
    if low <= 0 <= high:
        return Verdict(rows, effective, logged, tuple(found), None, "no clear difference")
    why = "better than what was shown" if low > 0 else "worse than what was shown"
    return Verdict(rows, effective, logged, tuple(found), bool(low > 0), why)


def _means(columns: Floats, random: np.random.Generator, draws: int) -> Floats:
    """Bootstrap means [column, draw]: rows drawn anew with replacement, as Poisson counts."""
    rows = columns.shape[1]
    means = np.empty((len(columns), draws))
    for number in range(draws):
        times = np.asarray(random.poisson(1.0, rows), dtype=np.float64)
        means[:, number] = columns @ times / max(float(times.sum()), 1.0)
    return means


def log_loss(success: Floats, predicted: Floats) -> float:
    """The mean surprise; smaller is better. Predictions are kept within 0.005 … 0.995.

    >>> round(log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 3)
    0.693
    """
    p = np.clip(predicted, CLIP, 1 - CLIP)
    return float(-np.mean(success * np.log(p) + (1 - success) * np.log1p(-p)))


def brier(success: Floats, predicted: Floats) -> float:
    """The mean squared error of probabilities."""
    return float(np.mean((success - predicted) ** 2))


def calibration(
    success: Floats, predicted: Floats, bins: int = 10
) -> list[tuple[float, float, int]]:
    """(mean predicted, mean observed, rows) in bins of equally many rows."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        (float(predicted[part].mean()), float(success[part].mean()), len(part)) for part in parts
    ]


def calibration_error(success: Floats, predicted: Floats, bins: int = 10) -> float:
    """ECE: how far off a bin is on average (Naeini et al., AAAI 2015).

    >>> calibration_error(np.array([1.0, 0.0] * 5), np.full(10, 0.5), bins=1)
    0.0
    """
    table = calibration(success, predicted, bins)
    return sum(n * abs(said - seen) for said, seen, n in table) / max(len(success), 1)


def coverage(low: Floats, high: Floats, seen: Floats) -> float:
    """The share of intervals that held what was then seen; nan of none."""
    inside = (low <= seen) & (seen <= high)
    return float(inside.mean()) if len(inside) else float("nan")


def predictive_interval(
    mean: Floats, sd: Floats, trials: Ints, random: np.random.Generator, draws: int = 400
) -> tuple[Floats, Floats]:
    """Where 90 % of observed rates of so many trials fall, given logits known to mean ± sd."""
    logit = mean[:, None] + sd[:, None] * random.standard_normal((len(mean), draws))
    p = 1 / (1 + np.exp(-np.clip(logit, -500, 500)))
    rate = random.binomial(trials[:, None], p) / trials[:, None]
    low, high = np.quantile(rate, [0.05, 0.95], axis=1)
    return low, high
