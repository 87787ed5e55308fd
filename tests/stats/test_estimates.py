"""The statistics: shrinkage that is honest about little data, sums that do not mind order."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.stats import estimates
from whatworks.stats.estimates import Count, LogSample

counts = st.builds(
    lambda trials, share: Count(round(trials * share), trials),
    st.integers(0, 5000),
    st.floats(0, 1),
)


def test_one_success_of_one_is_far_from_certain() -> None:
    """The classic lie of small numbers: 100 % of 1."""
    found = estimates.rate([Count(1, 1)])
    assert found.mean < 0.6
    assert found.high90 - found.low90 > 0.3


def test_much_data_overrules_the_parent() -> None:
    """A parent at 90 % hardly moves a child with a thousand trials at 20 %."""
    found = estimates.rate([Count(900, 1000), Count(200, 1000)])
    assert found.mean == pytest.approx(0.2, abs=0.01)


def test_little_data_leans_on_the_parent() -> None:
    """With one trial the child stays near its parent's 90 %."""
    assert estimates.rate([Count(900, 1000), Count(0, 1)]).mean > 0.75


def test_a_narrower_level_without_data_changes_nothing() -> None:
    """Nobody of this kind yet: what the wider level says holds."""
    wide = estimates.rate([Count(30, 40)])
    assert estimates.rate([Count(30, 40), Count()]).mean == pytest.approx(wide.mean)


@given(st.lists(counts, min_size=1, max_size=4))
def test_rates_and_intervals_are_ordered_and_inside(levels: list[Count]) -> None:
    """Whatever the counts: 0 < low90 < low50 < mean < high50 < high90 < 1."""
    found = estimates.rate(levels)
    inside = [0.0, found.low90, found.low50, found.high50, found.high90, 1.0]
    assert inside == sorted(inside)
    assert found.low90 < found.mean < found.high90


def test_ninety_per_cent_intervals_hold_the_truth_about_that_often() -> None:
    """Drawn from the prior that the model assumes, 90 % intervals cover 85 to 95 %."""
    draw = random.Random(7)
    covered = 0
    for _ in range(2000):
        truth = draw.betavariate(5, 5)
        trials = draw.randint(1, 60)
        successes = sum(draw.random() < truth for _ in range(trials))
        found = estimates.rate([Count(successes, trials)])
        covered += found.low90 <= truth <= found.high90
    assert 0.85 <= covered / 2000 <= 0.95


@given(st.lists(st.floats(0.01, 1e11), min_size=1, max_size=30), st.randoms())
def test_samples_add_up_to_the_same_digits_in_any_order(
    values: list[float], shuffle: random.Random
) -> None:
    """Integer sums: folding one by one and counting afresh agree exactly."""
    samples = [LogSample.of(value) for value in values]
    forwards = sum(samples, LogSample())
    shuffle.shuffle(samples)
    assert sum(samples, LogSample()) == forwards
    assert forwards - samples[0] + samples[0] == forwards


def test_the_typical_value_is_not_moved_by_one_enormous_report() -> None:
    """A mean would be a hundred million; the typical value stays in the thousands."""
    honest = [2000.0, 3000.0, 4000.0, 5000.0, 4500.0, 3500.0, 2500.0, 6000.0, 3200.0]
    sample = sum((LogSample.of(v) for v in [*honest, 1e9]), LogSample())
    found = estimates.value([sample])
    assert found is not None
    assert found.mean < 20_000


def test_few_values_lean_on_what_others_earned() -> None:
    """One report of 100 among people who earn 10,000 is drawn most of the way up."""
    others = sum((LogSample.of(10_000.0) for _ in range(50)), LogSample())
    found = estimates.value([others, LogSample.of(100.0)])
    assert found is not None
    assert 1000 < found.mean < 10_000


def test_no_values_no_estimate() -> None:
    """Nobody reported anything: there is nothing to show."""
    assert estimates.value([LogSample(), LogSample()]) is None


def test_typical_of_equal_values_is_that_value() -> None:
    """Rounding of the sums does not show."""
    sample = sum((LogSample.of(4800.0) for _ in range(7)), LogSample())
    assert sample.typical == 4800.0
    assert math.isclose(math.exp(sample.mean), 4800.0, rel_tol=1e-6)
