"""Typical values hold against liars, one or many, and percentiles against coarse bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import attacks
from whatworks.stats import histogram, values
from whatworks.stats.values import Votes


@pytest.mark.parametrize("size", attacks.LIMITS)
@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_attacks_move_published_values_little(name: str, size: int) -> None:
    """In the worst case by a factor of 1.5 with forty reports a cell, of 2 with eight."""
    assert attacks.factor(attacks.ATTACKS[name], size) <= attacks.LIMITS[size]


def test_a_mean_would_not_have_held() -> None:
    """The control: the same attack on a mean moves it a hundredfold."""
    random = np.random.default_rng(0)
    some = attacks.honest(40, 1000.0, random)
    attacked = attacks.ATTACKS["20 % sybils × 10,000"](some, random)
    assert attacked.values.mean() > 100 * some.values.mean()


def test_one_person_has_one_vote() -> None:
    """A hundred reports of one person weigh as much as one."""
    once = values.votes(np.array([1, 2, 3]), np.array([10.0, 20.0, 1e6]), [False] * 3)
    people = np.array([1, 2] + [3] * 100)
    often = values.votes(people, np.array([10.0, 20.0] + [1e6] * 100), [False] * 102)
    assert np.allclose(np.sort(once.logs), np.sort(often.logs))


def test_verified_votes_count_double_and_nothing_stands_apart() -> None:
    """And whoever proved one report is heard with that one."""
    found = values.votes(
        np.array([1, 1, 2, 3]), np.array([100.0, 1e6, 200.0, 0.0]), [True, False, False, False]
    )
    assert dict(zip(np.exp(found.logs).round().tolist(), found.weights.tolist(), strict=True)) == {
        100.0: 2.0,
        200.0: 1.0,
    }
    assert (found.people, found.zero_share) == (3, 0.25)


def test_ranges_hold_as_many_people_as_they_say() -> None:
    """Half of new people fall into the 50 % range, nine in ten into the 90 % range."""
    random = np.random.default_rng(2)
    logs = 7 + 0.9 * random.standard_normal(400)
    some = Votes(logs, np.ones(400))
    found = values.typical(some, some, values.fit([(0, some)]))
    assert found is not None
    new = np.exp(7 + 0.9 * random.standard_normal(4000))
    assert np.mean((new > found.low50) & (new < found.high50)) == pytest.approx(0.5, abs=0.05)
    assert np.mean((new > found.low90) & (new < found.high90)) == pytest.approx(0.9, abs=0.04)
    assert found.surely_low < math.exp(7) < found.surely_high


def test_a_cell_without_votes_says_what_its_workflow_says() -> None:
    """And a workflow without any says nothing."""
    whole = Votes(np.log(np.array([900.0, 1000.0, 1100.0])), np.ones(3))
    spread = values.fit([(0, whole)])
    found = values.typical(values.NO_VOTES, whole, spread)
    assert found is not None
    assert found.median == pytest.approx(1000, rel=0.05)
    assert values.typical(values.NO_VOTES, values.NO_VOTES, spread) is None


def test_one_who_has_nothing_yet_rules_nothing_out() -> None:
    """Ranking goes on to believe in a workflow whose first report in a cell was nothing."""
    some = Votes(np.log(np.array([900.0, 1000.0, 1100.0])), np.ones(3))
    nobody = Votes(np.empty(0), np.empty(0), nothing=1.0, nobodies=1)
    many = Votes(np.empty(0), np.empty(0), nothing=40.0, nobodies=40)
    assert nobody.zero_share == 1  # as it is told
    assert values.nothing(some, some, 0.0) == 0
    assert 0.1 < values.nothing(nobody, some + nobody, 0.0) < 0.5
    assert values.nothing(many, some + many, 0.0) > 0.9


def test_expected_value_is_capped() -> None:
    """For ranking nobody is expected to earn more than the best hundredth does."""
    logs = np.concatenate([np.log(np.full(200, 100.0)), np.log(np.full(2, 1e9))])
    every = Votes(logs, np.ones(len(logs)))
    lucky = Votes(np.log(np.array([1e9, 1e9])), np.ones(2))
    spread = values.fit([(0, every), (1, lucky)])
    found = values.typical(lucky, lucky, spread)
    assert found is not None
    assert found.earned <= spread.cap


def test_histograms_add_up_and_tell_percentiles() -> None:
    """Adding and taking back leaves nothing behind; no percentile is off by over 2 %."""
    random = np.random.default_rng(0)
    some, other = np.exp(7 + random.standard_normal(5000)), np.exp(9 + random.standard_normal(3000))
    counts = histogram.empty()
    for value in (*some, *other):
        counts[histogram.bin_of(value)] += 1
    for value in other:
        counts[histogram.bin_of(value)] -= 1
    assert counts.sum() == len(some)
    worst = max(
        abs(float(histogram.share_below(counts, value) or 0) - float(np.mean(some < value)))
        for value in np.quantile(some, np.linspace(0.02, 0.98, 49))
    )
    assert worst < 0.02
    middle = histogram.quantile(counts, 0.5)
    assert middle is not None
    assert middle == pytest.approx(math.exp(7), rel=0.1)
    assert histogram.quantile(histogram.empty(), 0.5) is None
