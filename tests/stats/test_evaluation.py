"""Estimates of what was not done, held against worlds in which it can be known."""

from __future__ import annotations

import numpy as np
import pytest

from whatworks.stats import drift, evaluation
from whatworks.stats.evaluation import Logged

ITEMS = 20


def logged(rows: int, seed: int, sharpness: float = 6.0) -> tuple[Logged, float]:
    """A log of a soft policy and a sharper one to judge by it, with the truth."""
    random = np.random.default_rng(seed)
    rate = random.beta(4, 4, ITEMS)
    believed = np.clip(rate + 0.1 * random.standard_normal(ITEMS), 0.02, 0.98)
    old = 0.99 * _soft(3 * believed) + 0.01 / ITEMS
    new = _soft(sharpness * believed)
    shown = random.choice(ITEMS, rows, p=old)
    reward = (random.random(rows) < rate[shown]).astype(np.float64)
    baseline = np.full(rows, float(new @ believed))
    log = Logged(reward, old[shown], new[shown], believed[shown], baseline)
    return log, float(new @ rate)


def _soft(energy: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    weight = np.exp(energy - energy.max())
    return np.asarray(weight / weight.sum())


def test_estimates_find_the_truth() -> None:
    """Off by 2 % at most with 20,000 rows, and by less than half of what the model alone is."""
    errors: dict[str, list[float]] = {}
    for seed in range(20):
        log, truth = logged(20_000, seed)
        for name, part in evaluation.contributions(log).items():
            errors.setdefault(name, []).append((float(part.mean()) / truth - 1) ** 2)
    off = {name: float(np.sqrt(np.mean(found))) for name, found in errors.items()}
    assert off["SWITCH-DR"] <= 0.02
    assert off["SWITCH-DR"] <= 0.5 * off["DM"]
    assert off["DR"] <= 0.02


def test_intervals_hold_the_truth() -> None:
    """Nine in ten 90 % bootstrap intervals, give or take."""
    held = 0
    for seed in range(60):
        log, truth = logged(2000, seed)
        verdict = evaluation.evaluate(log, np.random.default_rng(seed), draws=200)
        found = next(v for v in verdict.values if v.method == "DR")
        held += found.low <= truth <= found.high
    assert 48 <= held <= 60


def test_a_much_better_policy_is_called_better_and_its_opposite_worse() -> None:
    """Given rows enough."""
    log, _ = logged(20_000, 1, sharpness=12.0)
    assert evaluation.evaluate(log, np.random.default_rng(0)).better is True
    worse, _ = logged(20_000, 1, sharpness=-12.0)
    assert evaluation.evaluate(worse, np.random.default_rng(0)).better is False


def test_no_verdict_on_too_little() -> None:
    """Few effective rows, or none: it says so instead of guessing."""
    log, _ = logged(60, 3)
    verdict = evaluation.evaluate(log, np.random.default_rng(0))
    assert verdict.better is None
    assert "needed" in verdict.why
    empty = Logged(*(np.empty(0) for _ in range(5)))
    assert evaluation.evaluate(empty, np.random.default_rng(0)).better is None


def test_no_verdict_on_what_was_hardly_ever_shown() -> None:
    """Chance judged by the log of a policy sure of itself rests on the model, and here it errs."""
    random = np.random.default_rng(5)
    rate, believed = np.full(200, 0.5), np.full(200, 0.2)
    old = np.full(200, 0.01 / 200)
    old[0] += 0.99
    shown = random.choice(200, 20_000, p=old)
    reward = (random.random(20_000) < rate[shown]).astype(np.float64)
    even = np.full(20_000, 1 / 200)
    log = Logged(reward, old[shown], even, believed[shown], np.full(20_000, 0.2))
    verdict = evaluation.evaluate(log, np.random.default_rng(0))
    assert verdict.effective >= evaluation.ENOUGH  # by their number alone there would be one
    assert verdict.better is None
    assert "was shown often enough" in verdict.why


def test_the_same_policy_is_not_better_than_itself() -> None:
    """Every weight is 1, every estimate the mean reward."""
    log, _ = logged(5000, 4)
    same = Logged(log.reward, log.propensity, log.propensity, log.predicted, log.predicted)
    verdict = evaluation.evaluate(same, np.random.default_rng(0))
    assert verdict.better is None
    assert verdict.effective == pytest.approx(5000)


def test_calibration_sees_overconfidence() -> None:
    """True probabilities are calibrated, exaggerated ones are not."""
    random = np.random.default_rng(0)
    p = random.uniform(0.2, 0.8, 20_000)
    won = (random.random(20_000) < p).astype(np.float64)
    assert evaluation.calibration_error(won, p) < 0.02
    assert evaluation.calibration_error(won, np.clip(0.5 + 1.6 * (p - 0.5), 0, 1)) > 0.05
    assert evaluation.log_loss(won, p) < evaluation.log_loss(won, np.full(20_000, 0.5))


def test_a_moving_level_is_followed_and_a_still_one_left_alone() -> None:
    """Rates that rise by steps gain from an offset; noise around one level does not."""
    random = np.random.default_rng(0)
    level = np.repeat([-1.0, 0.0, 1.0], 3000)
    won = (random.random(9000) < 1 / (1 + np.exp(-level))).astype(np.float64)
    found = drift.choose(np.zeros(9000), won)
    assert found.rate > 0
    assert found.offset == pytest.approx(1.0, abs=0.35)
    still = (random.random(9000) < 0.5).astype(np.float64)
    assert drift.choose(np.zeros(9000), still).rate == 0.0
    lower = drift.choose(np.full(9000, 0.9), still)
    assert lower.rate == 0.0
    assert lower.offset == pytest.approx(-0.9, abs=0.06)
