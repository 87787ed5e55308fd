"""Model H: exact where it can be checked, calm where data are odd, honest where they are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stats.worlds import MARKETS, SIZE, SKILLS, world
from whatworks.stats import evaluation, fitting, hierarchy, nested
from whatworks.stats.arrays import Floats, expected, sigmoid
from whatworks.stats.hierarchy import Model, Variances
from whatworks.stats.trials import Trials


def fit(trials: Trials, *, crowd: bool = True, exploring: bool = False) -> Model:
    """The fit of a world."""
    return fitting.fit(trials, MARKETS, SKILLS, crowd=crowd, exploring=exploring)


def spread_of(variances: Variances) -> Floats:
    """As an array."""
    return np.array([variances.item, variances.market, variances.skill, variances.cell])


def test_expected_successes_are_those_seen() -> None:
    """After a fit Σ n·p = Σ s, in all and in every segment: base rates and modes have settled."""
    trials, _ = world(rows=6000)
    counts = trials.only().summed()
    predicted = counts.trials * fit(trials.only()).predict(counts)
    assert predicted.sum() == pytest.approx(counts.successes.sum(), rel=1e-3)
    for segment in range(SIZE):
        there = counts.segment == segment
        assert predicted[there].sum() == pytest.approx(counts.successes[there].sum(), rel=0.05)


def test_it_does_not_matter_where_a_fit_begins() -> None:
    """From variances far too small or too large it arrives at the same place."""
    trials, _ = world()
    usual = fit(trials.only())
    for start in (1e-6, 20.0):
        odd = fit(trials.only())
        odd.variances = Variances(start, start, start, start)
        odd.base = odd.base - 2.0
        again = fitting.fit(trials.only(), MARKETS, SKILLS, start=odd)
        assert np.allclose(again.mean, usual.mean, atol=0.08)
        assert again.variances.item == pytest.approx(usual.variances.item, rel=0.15)


def test_a_fit_of_a_fit_is_that_fit() -> None:
    """Scoring has come to rest instead of swinging between two answers."""
    trials, _ = world(rows=900, items=200)
    once = fit(trials)
    twice = fitting.fit(trials, MARKETS, SKILLS, start=once)
    assert np.allclose(once.mean, twice.mean, atol=0.05)
    assert np.allclose(
        np.sqrt(spread_of(once.variances)), np.sqrt(spread_of(twice.variances)), atol=0.03
    )


def test_adding_samples_is_summing_data() -> None:
    """Two halves added, their sums, and tables of counts: one and the same fit."""
    trials, _ = world()
    half = len(trials) // 2
    rows = np.arange(len(trials))
    both = trials.where(rows[half:]) + trials.where(rows[:half])
    won, tried = np.zeros((60, SIZE)), np.zeros((60, SIZE))
    np.add.at(won, (trials.item, trials.segment), trials.successes)
    np.add.at(tried, (trials.item, trials.segment), trials.trials)
    usual = fit(trials.only())
    for other in (both.only(), both.only().summed(), Trials.of_counts(won, tried)):
        assert np.allclose(fit(other).mean, usual.mean, atol=1e-9)
    assert np.allclose(fit(both).mean, fit(trials).mean, atol=1e-9)


def test_executions_learned_one_by_one_are_close_to_a_fit() -> None:
    """In any order, and near what a fit with the same variances would say."""
    trials, _ = world(rows=5000)
    rows = np.arange(len(trials))
    model = fit(trials.where(rows[:4500]).only())
    later = trials.where(rows[4500:]).only()
    forwards, backwards = (hierarchy.of_arrays(_copied(model)) for _ in range(2))
    pairs = list(zip(later.item, later.segment, later.successes, strict=True))
    for item, segment, success in pairs:
        forwards.observe(int(item), int(segment), float(success))
    for item, segment, success in reversed(pairs):
        backwards.observe(int(item), int(segment), float(success))
    whole = fitting.fit(trials.only(), MARKETS, SKILLS, start=model)
    assert np.abs(forwards.mean - backwards.mean).max() < 0.05
    assert np.abs(forwards.mean - whole.mean).mean() < 0.05
    assert np.linalg.eigvalsh(forwards.covariance).min() > 0


def _copied(model: Model) -> dict[str, Floats]:
    return {name: array.copy() for name, array in hierarchy.to_arrays(model).items()}


def test_rare_successes_are_not_taken_for_differences_between_people() -> None:
    """One in a hundred succeeds, people differ little: a fit says so."""
    random = np.random.default_rng(4)
    user, item = random.integers(0, 1500, 9000), random.integers(0, 20, 9000)
    logit = -4.8 + random.normal(0, 0.6, 20)[item] + random.normal(0, 0.5, 1500)[user]
    won = random.random(9000) < sigmoid(logit)
    model = fitting.fit(Trials.of(item, np.zeros(9000), won, user=user), 1, 1)
    assert model.spread < 0.8
    assert model.variances.item < 0.8


def test_what_is_not_known_adds_up() -> None:
    """Covariances equal those of the whole joint posterior, worked out the long way."""
    trials, _ = world(rows=300, items=5)
    model = fit(trials.only(), crowd=False)
    counts = trials.only().summed()
    variance = model.covariance[counts.item, counts.segment, counts.segment]
    kernel = model.variances.kernel(MARKETS, SKILLS)
    within = kernel - model.covariance[0]  # only to see that data have taught something
    assert float(np.trace(within)) > 0
    _, rising = expected(model.mean[counts.item, counts.segment], variance)
    weight = counts.trials * rising
    # all logits of all items and the base: prior, plus one row of information per cell
    items = len(model.mean)
    size = (items + 1) * SIZE
    prior = np.zeros((size, size))
    base = np.linalg.inv(model.base_covariance) - _information(model, counts, weight)
    prior[:SIZE, :SIZE] = base
    for item in range(items):
        own = slice((item + 1) * SIZE, (item + 2) * SIZE)
        prior[own, own] = np.linalg.inv(kernel)
    for item, segment, w in zip(counts.item, counts.segment, weight, strict=True):
        row = np.zeros(size)
        row[segment] = row[(item + 1) * SIZE + segment] = 1.0
        prior += w * np.outer(row, row)
    joint = np.linalg.inv(prior)
    for item in range(items):
        pick = np.zeros((SIZE, size))
        pick[:, :SIZE] = np.eye(SIZE)
        pick[:, (item + 1) * SIZE : (item + 2) * SIZE] = np.eye(SIZE)
        assert np.allclose(pick @ joint @ pick.T, model.covariance[item], rtol=0.05, atol=0.003)


def _information(model: Model, counts: Trials, weight: Floats) -> Floats:
    """What the cells say of base rates, items integrated out."""
    kernel = model.variances.kernel(MARKETS, SKILLS)
    total = np.zeros((SIZE, SIZE))
    for item in range(len(model.mean)):
        w = np.zeros(SIZE)
        there = counts.item == item
        w[counts.segment[there]] = weight[there]
        total += np.linalg.inv(kernel + np.diag(1 / np.maximum(w, 1e-9)))
    return total


def test_variances_are_found() -> None:
    """Items differ by what they were made to differ, and parts that are not there stay small."""
    trials, _ = world(rows=30_000, items=200, own=Variances(0.8, 0.0, 0.0, 0.0), people=0.6)
    model = fit(trials)
    assert 0.6 < model.variances.item < 1.05
    assert max(spread_of(model.variances)[1:]) < 0.05
    assert 0.4 < model.spread < 0.8


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """90 % intervals of the true rates of cells, over invented worlds, cover 85 to 95 %."""
    inside = []
    for seed in range(6):
        trials, truth = world(rows=3000, seed=seed)
        model = fit(trials)
        sd = np.sqrt(model.covariance.diagonal(axis1=1, axis2=2))
        inside.append(np.abs(model.mean - truth) < 1.645 * sd)
    assert 0.85 <= np.mean(inside) <= 0.95


def test_an_untried_item_is_wide_open() -> None:
    """Wider than any that was tried, and at the level of its segment."""
    trials, _ = world()
    model = fit(trials, exploring=True)
    fresh = model.untried(0)
    assert fresh.variance >= model.covariance[:, 0, 0].max()
    number = model.add_item()
    assert model.cell(number, 0).estimate() == model.cell(-1, 0).estimate()


def test_few_people_do_not_pass_for_segments() -> None:
    """A dozen people with hundreds of rows each: they are like themselves, not like a market."""
    random = np.random.default_rng(3)
    user = np.repeat(np.arange(12), 250)
    home = np.arange(12) % SIZE
    logit = (
        1.2 * random.standard_normal(12)[user]
        + 0.5 * random.standard_normal(40)[item := random.integers(0, 40, len(user))]
    )
    won = random.random(len(user)) < sigmoid(logit)
    known = fit(Trials.of(item, home[user], won, user=user))
    blind = fit(Trials.of(item, home[user], won))
    assert np.ptp(known.base) < 0.5 * np.ptp(blind.base)


def test_what_heavy_users_are_like_does_not_tilt_newcomers() -> None:
    """Half of the rows come from a few people who always succeed: a new person is not like them."""
    random = np.random.default_rng(5)
    user = np.concatenate([random.integers(0, 10, 3000), 10 + random.integers(0, 1000, 3000)])
    offset = np.concatenate([np.full(10, 2.0), 0.3 * random.standard_normal(1000)])
    item = random.integers(0, 30, 6000)
    won = random.random(6000) < sigmoid(offset[user])
    trials = Trials.of(item, random.integers(0, SIZE, 6000), won, user=user)
    newcomer = fit(trials).predict(Trials.of(np.arange(30), np.zeros(30), np.zeros(30)))
    assert abs(float(newcomer.mean()) - 0.5) < 0.06
    assert float(fit(trials.only()).predict(trials.only()).mean()) > 0.65  # without who it was


def test_goals_and_countries_are_further_parts() -> None:
    """What a goal adds to one item is found, and a country's effect is one for all."""
    random = np.random.default_rng(7)
    n = 6000
    item, goal, country = (random.integers(0, k, n) for k in (10, 3, 4))
    logit = np.where((item == 3) & (goal == 1), 1.5, 0.0) + np.where(country == 2, 0.8, 0.0)
    won = random.random(n) < sigmoid(logit)
    groups = {"goal": goal, "country": country, "item:goal": item * 3 + goal}
    model = fitting.fit(Trials.of(item, np.zeros(n), won, **groups), 1, 1)
    assert model.groups["item:goal"].mean.argmax() == 3 * 3 + 1
    assert model.groups["country"].mean.argmax() == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_closed_form_agrees(seed: int) -> None:
    """Two ways of computing nearly the same thing: a mistake in one would show."""
    trials, truth = world(rows=6000, seed=seed)
    exact, quick = fit(trials.only()), nested.fit(trials.only(), MARKETS, SKILLS)
    assert np.corrcoef(exact.mean.ravel(), quick.mean.ravel())[0, 1] > 0.95
    assert np.abs(exact.mean - truth).mean() < np.abs(quick.mean - truth).mean() * 1.02


def _odd() -> dict[str, tuple[Trials, int, int]]:
    random = np.random.default_rng(11)
    n = 300
    item, segment, user = (random.integers(0, k, n) for k in (20, SIZE, 40))
    won = random.random(n) < 0.5
    nobody = np.full(n, -1)
    return {
        "nothing": (Trials.of([], [], [], user=[]), 3, 2),
        "one row": (Trials.of([0], [0], [1], user=[0]), 1, 1),
        "three rows": (Trials.of([0, 1, 1], [0, 5, 1], [1, 0, 1], user=[0, 1, 2]), 3, 2),
        "one market": (Trials.of(item, segment % 2, won, user=user), 1, 2),
        "one segment": (Trials.of(item, nobody + 1, won, user=user), 1, 1),
        "one person": (Trials.of(item, segment, won, user=nobody + 1), 3, 2),
        "one item": (Trials.of(nobody + 1, segment, won, user=user), 3, 2),
        "all succeed": (Trials.of(item, segment, nobody + 2, user=user), 3, 2),
        "all fail": (Trials.of(item, segment, nobody + 1, user=user), 3, 2),
        "items decide": (Trials.of(item, segment, item < 10, user=user), 3, 2),
        "people decide": (Trials.of(item, segment, user < 20, user=user), 3, 2),
        "skills decide": (Trials.of(item, segment, segment % 2, user=user), 3, 2),
        "nobody known": (Trials.of(item, segment, won, user=nobody), 3, 2),
        "parts of people": (Trials.of(item, segment, 0.1 * won, nobody + 1.1, user=user), 3, 2),
        "millions": (Trials.of([0, 1, 1], [0, 0, 1], [1e6, 0, 3e5], [1e6, 1e6, 1e6]), 1, 2),
    }


@pytest.mark.parametrize("kind", _odd())
def test_odd_data_do_no_harm(kind: str) -> None:
    """No warning, no infinity, no certainty; both ways of fitting."""
    trials, markets, skills = _odd()[kind]
    for model in (
        fitting.fit(trials, markets, skills, 25),
        nested.fit(trials, markets, skills, 25),
    ):
        p = model.predict(trials)
        assert np.all((p > 0) & (p < 1))
        assert np.isfinite(model.covariance).all()
        assert model.covariance.diagonal(axis1=1, axis2=2).min() > 0


def test_golden_numbers() -> None:
    """A small table by hand: what the model says of it, to three digits."""
    won = np.array([[8.0, 1.0], [2.0, 0.0], [5.0, 5.0]])
    tried = np.array([[10.0, 2.0], [10.0, 0.0], [10.0, 10.0]])
    model = fitting.fit(Trials.of_counts(won, tried), 2, 1)
    found = [[model.cell(i, g).probability for g in range(2)] for i in range(3)]
    assert found == [pytest.approx(row, abs=0.0015) for row in GOLDEN]


GOLDEN = [[0.638, 0.615], [0.344, 0.360], [0.498, 0.497]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.booleans()), max_size=40))
def test_whatever_the_rows(rows: list[tuple[int, int, bool]]) -> None:
    """Estimates are ordered and inside 0 … 1, and a success never lowers its own cell."""
    item, segment, won = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    model = fitting.fit(Trials.of(item, segment, won), MARKETS, SKILLS, 5)
    for number in range(5):
        found = model.cell(number, 2).estimate()
        ends = [0.0, found.low90, found.low50, found.high50, found.high90, 1.0]
        assert ends == sorted(ends)
    before = model.cell(1, 2)
    model.observe(1, 2, 1.0)
    after = model.cell(1, 2)
    assert after.mean > before.mean
    assert after.variance < before.variance


def test_predictions_beat_raw_means() -> None:
    """The point of it all, on people never seen."""
    trials, _ = world(rows=3000)
    known = trials.groups["user"] < 300
    model = fit(trials.where(known))
    new = trials.where(~known).only()
    won, tried = np.zeros((60, SIZE)), np.zeros((60, SIZE))
    np.add.at(won, (trials.item[known], trials.segment[known]), trials.successes[known])
    np.add.at(tried, (trials.item[known], trials.segment[known]), 1.0)
    raw = np.where(tried > 0, won / np.maximum(tried, 1), 0.5)[new.item, new.segment]
    ours = evaluation.log_loss(new.successes, model.predict(new))
    assert ours < 0.9 * evaluation.log_loss(new.successes, raw)
