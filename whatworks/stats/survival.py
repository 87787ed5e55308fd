"""How long it takes, with those still under way kept in.

Leaving out whoever has not finished yet makes everything look quick. `still_waiting` is the
product-limit estimator (Kaplan & Meier, JASA 53, 1958) with Greenwood's variance on the log-log
scale; `arrivals` is the cumulative incidence of one end among several (Aalen & Johansen, Scand.
J. Stat. 5, 1978): completion, when giving up is another end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.estimates import Z90


@dataclass(frozen=True, slots=True)
class Curve:
    """A step function of time: at `times` it becomes `share`; 90 % of curves lie low … high."""

    times: Floats
    share: Floats
    low: Floats
    high: Floats
    at_risk: Ints

    def at(self, time: float) -> float:
        """The share at a moment."""
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        return float(self.share[place]) if place >= 0 else self._first

    def when(self, share: float) -> float | None:
        """The first moment at which the curve has reached a share; None when it never does."""
        rising = self._first == 0.0
        reached = self.share >= share if rising else self.share <= share
        return float(self.times[np.argmax(reached)]) if reached.any() else None

    @property
    def _first(self) -> float:
        return 0.0 if len(self.share) and self.share[-1] > self.share[0] - 1e-15 else 1.0


def still_waiting(times: Floats, ended: Ints) -> Curve:
    """The share for whom it has not happened yet, over time.

    `ended` is 1 where it happened at that time, 0 where it had not when last seen.

    >>> curve = still_waiting(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0]))
    >>> curve.share.tolist(), curve.at_risk.tolist()
    ([0.75, 0.375], [4, 2])
    """
    moments, events, at_risk = _table(times, ended == 1)
    share = np.asarray(np.cumprod(1 - events / at_risk), dtype=np.float64)
    left = at_risk * (at_risk - events)
    greenwood: Floats = np.cumsum(np.divide(events, left, out=np.zeros(len(left)), where=left > 0))
    inside = np.clip(share, 1e-12, 1 - 1e-12)
    wide = Z90 * np.sqrt(greenwood) / np.abs(np.log(inside))
    low, high = inside ** np.exp(wide), inside ** np.exp(-wide)
    return Curve(moments, share, np.where(share > 0, low, 0.0), high, at_risk)


def arrivals(times: Floats, ends: Ints, cause: int = 1) -> Curve:
    """The share to whom one end has come, over time, when other ends may come first.

    `ends`: 0 is still under way when last seen, `cause` (1) the end asked for, others other ends.

    >>> curve = arrivals(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 1, 0]))
    >>> curve.share.tolist()
    [0.25, 0.5]
    """
    any_moments, any_events, any_risk = _table(times, ends > 0)
    waiting = np.cumprod(1 - any_events / any_risk)
    moments, events, at_risk = _table(times, ends == cause)
    place = np.searchsorted(any_moments, moments) - 1
    before = np.where(place >= 0, waiting[np.maximum(place, 0)], 1.0) if len(waiting) else 1.0
    share = np.cumsum(before * events / at_risk)
    doubt = np.sqrt(np.cumsum(before**2 * events * (at_risk - events) / at_risk**3.0))
    inside = np.clip(share, 1e-12, 1 - 1e-12)
    wide = np.exp(np.minimum(Z90 * doubt / (inside * np.abs(np.log(inside))), 300.0))
    return Curve(moments, share, inside**wide, inside ** (1 / wide), at_risk)


def _table(times: Floats, happened: np.typing.NDArray[np.bool_]) -> tuple[Floats, Floats, Ints]:
    """Moments at which it happened, how often, and how many were still there."""
    moments, events = np.unique(times[happened], return_counts=True)
    ordered = np.sort(times)
    at_risk = len(times) - np.searchsorted(ordered, moments, side="left")
    return moments.astype(np.float64), events.astype(np.float64), at_risk.astype(np.int64)
