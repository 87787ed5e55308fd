"""Slates: drawn by known probabilities, repeatable, curious."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.stats.worlds import MARKETS, SKILLS, world
from whatworks.stats import fitting, ranking

SCORES = np.array([0.62, 0.6, 0.58, 0.5], dtype=np.float32)


def test_probabilities_of_all_slates_sum_to_one() -> None:
    """Over every ordered slate of two and of three."""
    energy = ranking.energies(SCORES)
    for size in (1, 2, 3):
        slates = itertools.permutations(range(4), size)
        whole = sum(ranking.propensities(energy, np.array(s)).together for s in slates)
        assert whole == pytest.approx(1.0, abs=1e-6)


def test_probabilities_are_how_often_it_happens() -> None:
    """Drawn forty thousand times, slates appear as often as they said they would."""
    random = np.random.default_rng(0)
    said: dict[tuple[int, ...], float] = {}
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(40_000):
        slate = ranking.draw(SCORES, 2, random, floor=0.1)
        key = tuple(slate.items.tolist())
        said[key] = slate.together
        seen[key] = seen.get(key, 0) + 1
    for key, propensity in said.items():
        assert seen[key] / 40_000 == pytest.approx(propensity, abs=0.008)


def test_the_first_position_has_its_marginal() -> None:
    """Softmax mixed with the floor."""
    energy = ranking.energies(SCORES).astype(np.float64)
    soft = np.exp(energy - energy.max()) / np.exp(energy - energy.max()).sum()
    for item in range(4):
        found = ranking.propensities(ranking.energies(SCORES), np.array([item]), floor=0.01)
        assert found.propensities[0] == pytest.approx(0.99 * soft[item] + 0.01 / 4, rel=1e-4)


def test_a_seed_makes_it_repeatable() -> None:
    """The generator decides, and nothing else."""
    one, other = (ranking.draw(SCORES, 3, np.random.default_rng(9)) for _ in range(2))
    assert one.items.tolist() == other.items.tolist()


def test_nothing_is_impossible() -> None:
    """The floor leaves every eligible item a chance."""
    hopeless = np.array([0.999, 0.001], dtype=np.float32)
    found = ranking.propensities(ranking.energies(hopeless), np.array([1]))
    assert found.propensities[0] == pytest.approx(0.005, rel=0.01)


def test_fewer_than_asked_for() -> None:
    """All there is, and none of none."""
    assert len(ranking.draw(SCORES, 9, np.random.default_rng(0)).items) == 4
    nothing = ranking.draw(SCORES[:0], 3, np.random.default_rng(0))
    assert (len(nothing.items), nothing.together) == (0, 1.0)


def test_the_untried_gets_the_benefit_of_the_doubt() -> None:
    """Of two items with the same mean, the less known one scores higher; learning ends that."""
    trials, _ = world()
    model = fitting.fit(trials, MARKETS, SKILLS)
    fresh = model.add_item()
    model.mean[0] = model.mean[fresh]
    table = ranking.Table(model)
    hopeful = table.optimistic(0)
    assert hopeful[fresh] > hopeful[0]
    for _ in range(200):
        model.observe(fresh, 0, 0.0)
    table.refresh(model, fresh)
    assert table.optimistic(0)[fresh] < hopeful[0]


def test_refreshing_is_laying_out_anew() -> None:
    """After an execution the table says what a new one would."""
    trials, _ = world()
    model = fitting.fit(trials, MARKETS, SKILLS)
    table = ranking.Table(model)
    model.observe(4, 3, 1.0)
    table.refresh(model, 4)
    anew = ranking.Table(model)
    assert np.allclose(table.sd, anew.sd, atol=1e-6)
    assert np.allclose(table.mean, anew.mean, atol=1e-6)
