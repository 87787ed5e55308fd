"""Curves that keep those still under way."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats import survival


def test_the_textbook_curve() -> None:
    """Remission of 21 patients on 6-MP (Freireich et al. 1963), as in every textbook."""
    times = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    ended = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = survival.still_waiting(np.array(times, dtype=float), np.array(ended))
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    expected = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert curve.share.tolist() == pytest.approx(expected, abs=0.001)
    assert curve.when(0.5) == 23
    assert np.all((curve.low <= curve.share) & (curve.share <= curve.high))


def test_leaving_out_the_unfinished_would_flatter() -> None:
    """With most still under way the median is later than that of those who are done."""
    random = np.random.default_rng(0)
    real, watched = random.exponential(10.0, 2000), random.uniform(0, 12, 2000)
    seen, ended = np.minimum(real, watched), (real <= watched).astype(np.int64)
    honest = survival.still_waiting(seen, ended).when(0.5)
    assert honest is not None
    assert honest == pytest.approx(10 * np.log(2), rel=0.12)
    assert float(np.median(seen[ended == 1])) < 0.6 * honest


def test_giving_up_is_not_waiting() -> None:
    """Those who gave up will not arrive: the curve ends at the share who did."""
    times = np.array([1.0, 2.0, 3.0, 4.0])
    curve = survival.arrivals(times, np.array([1, 2, 1, 2]))
    assert curve.at(10) == pytest.approx(0.5)
    assert curve.at(0.5) == 0.0
    assert curve.when(0.9) is None


def test_nobody_yet() -> None:
    """No end, no steps."""
    curve = survival.still_waiting(np.array([1.0, 2.0]), np.array([0, 0]))
    assert (len(curve.times), curve.when(0.5)) == (0, None)
