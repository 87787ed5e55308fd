"""One fast offset for a level that moves: weeks in which everybody does better, or worse.

After each execution the offset takes a small step towards what was seen (stochastic gradient of
the log loss; Robbins & Monro, Ann. Math. Stat. 22, 1951). A constant rate r keeps a stationary
variance of about r/2 around the truth (Kushner & Yin, Stochastic Approximation, 2003, ch. 10),
which widens every interval: `Model.drift_variance`; `Model.observe` follows on. The rate is chosen
prequentially (Dawid, JRSS A 147, 1984): by how well each would have predicted the next execution;
no drift at all is one of the choices.

All start from the one offset that suits these executions best. Where a model was fitted to more
than them that need not be 0: of people who began lately those who finish are known first, so that
a model of all known ends expects more of everybody than those whose time is over have shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from whatworks.stats.arrays import Floats, sigmoid

RATES: Final = (0.002, 0.005, 0.01, 0.02)
WORTH_IT: Final = 0.0005  # log loss a row that a rate has to gain, or there is no drift
LEVEL_SD: Final = 0.5  # how far off a fitted level is believed to be
STEPS: Final = 20
LONGEST_STEP: Final = 2.0
CLOSE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Drift:
    """How fast the level is followed, and where it stands now, as a logit."""

    rate: float = 0.0
    offset: float = 0.0


def choose(logits: Floats, successes: Floats) -> Drift:
    """The drift at the end of executions in the order of time, at the rate that predicted best.

    `logits` are what a model without drift says of each.

    >>> import numpy as np
    >>> still = choose(np.zeros(1000), np.tile([0.0, 1.0], 500))
    >>> still.rate, still.offset
    (0.0, 0.0)
    >>> risen = choose(np.zeros(2000), np.repeat([0.0, 1.0], 1000))
    >>> risen.rate > 0, risen.offset > 0.5
    (True, True)
    """
    begun = level(logits, successes)
    pairs = list(zip(logits.tolist(), successes.tolist(), strict=True))
    still, _ = _loss(pairs, 0.0, begun)
    losses = {rate: _loss(pairs, rate, begun) for rate in RATES}
    best = min(RATES, key=lambda rate: losses[rate][0])
    if not pairs or losses[best][0] > still - WORTH_IT * len(pairs):
        return Drift(offset=begun)
    return Drift(best, losses[best][1])


def level(logits: Floats, successes: Floats) -> float:
    """The one offset that suits all, drawn around 0 with LEVEL_SD (Newton's method).

    >>> import numpy as np
    >>> level(np.empty(0), np.empty(0)), round(level(np.zeros(100), np.repeat([0.0, 1.0], 50)), 3)
    (0.0, 0.0)
    >>> round(level(np.zeros(4000), np.tile([0.0, 0.0, 0.0, 1.0], 1000)), 1)
    -1.1
    """
    offset, precision = 0.0, 1 / LEVEL_SD**2
    for _ in range(STEPS):
        expected = sigmoid(logits + offset)
        slope = float((successes - expected).sum()) - precision * offset
        step = slope / (float((expected * (1 - expected)).sum()) + precision)
        offset += min(max(step, -LONGEST_STEP), LONGEST_STEP)
        if abs(step) < CLOSE:
            break
    return offset


def _loss(pairs: list[tuple[float, float]], rate: float, begun: float) -> tuple[float, float]:
    """Summed log loss of predicting each before seeing it, and the offset at the end."""
    offset, total = begun, 0.0
    for logit, success in pairs:
        expected = 1 / (1 + math.exp(-min(max(logit + offset, -30.0), 30.0)))
        total -= math.log(expected if success > 0.5 else 1 - expected)
        offset += rate * (success - expected)
    return total, offset
