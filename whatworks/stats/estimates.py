"""Rates and values from few observations: addable samples in, estimates with intervals out.

A cell with little data is drawn towards its parent, and the parent towards its own (empirical
Bayes in the manner of Efron & Morris, "Data analysis using Stein's estimator", JASA 70, 1975).
Samples hold integers only, so that adding them up in any order gives the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SCALE: Final = 1_000_000  # logarithms are kept as whole millionths
RATE_STRENGTH: Final = 10.0  # how many observations a parent's rate is worth
VALUE_STRENGTH: Final = 4.0  # how many observations a parent's typical value is worth
PRIOR_RATE: Final = 0.5
SUREST: Final = 0.98  # no parent makes its children surer than this
PRIOR_SD: Final = 1.0  # of ln(value) within a cell, before anything is known
Z50: Final = 0.6744897501960817  # standard normal quantiles at 75 % and 95 %
Z90: Final = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Count:
    """Successes out of trials; addable."""

    successes: int = 0
    trials: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.successes + other.successes, self.trials + other.trials)


@dataclass(frozen=True, slots=True)
class LogSample:
    """Sums of round(1e6·ln x) and round(1e6·(ln x)²) over n positive values; addable.

    >>> a, b = LogSample.of(4800.0), LogSample.of(1200.0)
    >>> a + b == b + a, (a + b).n
    (True, 2)
    """

    n: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, value: float) -> LogSample:
        """The sample of one positive value."""
        logarithm = math.log(value)
        return cls(1, round(SCALE * logarithm), round(SCALE * logarithm * logarithm))

    def __add__(self, other: LogSample) -> LogSample:
        return LogSample(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: LogSample) -> LogSample:
        return LogSample(self.n - other.n, self.total - other.total, self.squares - other.squares)

    @property
    def mean(self) -> float:
        """The mean logarithm; its exponential is the geometric mean."""
        return self.total / self.n / SCALE

    @property
    def typical(self) -> float | None:
        """The geometric mean: the median when values are log-normal. None without values.

        >>> LogSample.of(4800.0).typical
        4800.0
        """
        return None if not self.n else float(f"{math.exp(self.mean):.5g}")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the ranges in which the truth lies with 50 % and 90 % probability."""

    mean: float
    low50: float
    high50: float
    low90: float
    high90: float


def rate(levels: Sequence[Count]) -> Estimate:
    """The success rate of the last level, each level drawn towards the one before it.

    `levels` go from the widest to the narrowest, each without what the next one counts. The mean
    is that of a
    beta posterior with the parent's mean as prior, worth RATE_STRENGTH trials; the interval is
    its normal approximation on the logit scale (Gelman et al., Bayesian Data Analysis, 3rd ed.,
    §2.4 and §4.1), which stays inside 0..1.

    >>> one = rate([Count(1, 1)])
    >>> round(one.mean, 3)                    # one success of one is not 100 %
    0.545
    >>> many = rate([Count(900, 1000)])
    >>> round(many.mean, 2), many.high90 - many.low90 < 0.04
    (0.9, True)
    """
    mean = PRIOR_RATE
    alpha = beta = RATE_STRENGTH / 2
    for level in levels:
        prior = min(max(mean, 1 - SUREST), SUREST)
        alpha = level.successes + RATE_STRENGTH * prior
        beta = level.trials - level.successes + RATE_STRENGTH * (1 - prior)
        mean = alpha / (alpha + beta)
    spread = math.sqrt(1 / alpha + 1 / beta)
    centre = math.log(alpha / beta)
    return Estimate(mean, *(_sigmoid(centre + z * spread) for z in (-Z50, Z50, -Z90, Z90)))


def value(levels: Sequence[LogSample]) -> Estimate | None:
    """The typical value at the last level and the ranges in which single results fall.

    Normal model of ln(value) with the parent's mean as prior, worth VALUE_STRENGTH values; the
    spread is pooled over the widest level with one prior value of PRIOR_SD (ibid., §2.5, §5.4).
    None when no level has a value.

    >>> few = value([LogSample.of(4800.0)])
    >>> few is not None and round(few.mean)
    4800
    >>> value([LogSample()]) is None
    True
    """
    present = [level for level in levels if level.n]
    if not present:
        return None
    mean = present[0].mean
    for level in present[1:]:
        mean = (level.total / SCALE + VALUE_STRENGTH * mean) / (level.n + VALUE_STRENGTH)
    spread = _spread(present[0])
    return Estimate(math.exp(mean), *(math.exp(mean + z * spread) for z in (-Z50, Z50, -Z90, Z90)))


def _spread(sample: LogSample) -> float:
    around = max(0.0, sample.squares / SCALE - sample.n * sample.mean**2)
    return math.sqrt((around + PRIOR_SD**2) / max(1, sample.n))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
