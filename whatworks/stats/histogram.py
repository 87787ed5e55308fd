"""How values are spread, in 64 counts: mergeable, deletable, enough for "among the top 25 %".

Bins of equal width on the logarithm, from a hundredth to ten thousand million, so that any two
histograms add up, as with integers everywhere in the read model.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from whatworks.stats.arrays import Ints

BINS: Final = 64
LOWEST: Final = math.log(1e-2)
HIGHEST: Final = math.log(1e10)
WIDTH: Final = (HIGHEST - LOWEST) / BINS


def empty() -> Ints:
    """No values yet."""
    return np.zeros(BINS, dtype=np.int64)


def bin_of(value: float) -> int:
    """Which count a value above zero belongs to; what is beyond the ends counts at them.

    >>> bin_of(1e-9), bin_of(1e99), bin_of(1.0) < bin_of(2.0)
    (0, 63, True)
    """
    return min(max(int((math.log(value) - LOWEST) / WIDTH), 0), BINS - 1)


def share_below(counts: Ints, value: float) -> float | None:
    """The share of values below one, counts spread evenly inside their bin; None of nothing.

    >>> seen = empty()
    >>> for value in (10.0, 100.0, 1000.0): seen[bin_of(value)] += 1
    >>> share_below(seen, 50_000.0)
    1.0
    """
    total = int(counts.sum())
    if not total:
        return None
    if value <= 0:
        return 0.0
    place = min(max((math.log(value) - LOWEST) / WIDTH, 0.0), float(BINS))
    whole = min(int(place), BINS - 1)
    return float((counts[:whole].sum() + (place - whole) * counts[whole]) / total)


def surely_below(counts: Ints, value: float) -> float:
    """The share of values in lower bins than one's own: at least so many are below it.

    >>> seen = empty()
    >>> for value in (10.0, 100.0, 1000.0, 1010.0): seen[bin_of(value)] += 1
    >>> surely_below(seen, 1020.0), surely_below(seen, 0.0), surely_below(empty(), 5.0)
    (0.5, 0.0, 0.0)
    """
    below = counts[: bin_of(value)].sum() if value > 0 else 0
    return float(below / max(counts.sum(), 1))


def quantile(counts: Ints, share: float) -> float | None:
    """The value below which a share of the values lies; None of nothing."""
    total = int(counts.sum())
    if not total:
        return None
    reached = np.cumsum(counts) / total
    whole = min(int(np.searchsorted(reached, share)), BINS - 1)
    before = float(reached[whole - 1]) if whole else 0.0
    inside = (share - before) / max(float(reached[whole]) - before, 1e-12)
    return math.exp(LOWEST + WIDTH * (whole + min(max(inside, 0.0), 1.0)))
