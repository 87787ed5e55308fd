"""What is compared: counting in simple ways, and the product's own estimator."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.evidence_sets import Data
from whatworks.stats import drift, evaluation, fitting, hierarchy, nested, people, ranking
from whatworks.stats.arrays import Floats, Ints, expected, sigmoid, sums
from whatworks.stats.hierarchy import Model

Predict = Callable[[Ints], Floats]
Interval = Callable[[Ints, Ints, Ints, np.random.Generator], tuple[Floats, Floats]]
CATALOGUE: Final = 2_000  # workflows to choose five from
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Fitted:
    """A method after its fit. `cold` does not know who somebody is, `warm` may."""

    cold: Predict
    warm: Predict
    seconds: float
    interval: Interval | None = None
    update: Callable[[int], object] | None = None
    serve: Callable[[int], object] | None = None


Method = Callable[[Data, Ints, bool], Fitted]


def _tables(data: Data, train: Ints) -> tuple[Floats, Floats]:
    """Successes and trials, [item, segment]."""
    size = data.markets * data.skills
    code = data.item[train] * size + data.segment[train]
    shape = (data.items, size)
    won = sums(code, data.success[train], data.items * size).reshape(shape)
    return won, sums(code, np.ones(len(train)), data.items * size).reshape(shape)


def _of_table(data: Data, table: Floats, begun: float, **more: object) -> Fitted:
    """A method that is a table of probabilities [item, segment]."""
    seconds = time.process_time() - begun
    served = np.ascontiguousarray(np.resize(table, (CATALOGUE, table.shape[1])).T, np.float32)

    def predict(rows: Ints) -> Floats:
        return np.asarray(table[data.item[rows], data.segment[rows]])

    def serve(number: int) -> object:
        score = served[number % len(served)]
        best = np.argpartition(score, -5)[-5:]
        return best[np.argsort(-score[best])]

    return Fitted(predict, predict, seconds, serve=serve, **more)  # type: ignore[arg-type]


def naive(data: Data, train: Ints, timed: bool, least: int = 1) -> Fitted:
    """The raw mean of the cell; where it has too few rows the item's, then everybody's."""
    del timed
    begun = time.process_time()
    won, tried = _tables(data, train)
    whole = (won.sum(axis=1), tried.sum(axis=1))
    everybody = won.sum() / max(tried.sum(), 1)
    item = np.where(whole[1] >= least, whole[0] / np.maximum(whole[1], 1), everybody)
    table = np.where(tried >= least, won / np.maximum(tried, 1), item[:, None])

    def interval(
        items: Ints, segments: Ints, n: Ints, random: np.random.Generator
    ) -> tuple[Floats, Floats]:
        own = tried[items, segments] >= least
        a = np.where(own, won[items, segments], whole[0][items])
        b = np.where(own, tried[items, segments], whole[1][items]) - a
        rate = random.beta(a + 0.5, b + 0.5, (400, len(items)))
        seen = random.binomial(n, rate) / n
        low, high = np.quantile(seen, [0.05, 0.95], axis=0)
        return low, high

    counts = np.zeros((2, *tried.shape))

    def update(number: int) -> object:
        item, segment = number % tried.shape[0], number % tried.shape[1]
        counts[0, item, segment] += 1
        counts[1, item, segment] += 1
        return None

    return _of_table(data, table, begun, interval=interval, update=update)


def naive5(data: Data, train: Ints, timed: bool) -> Fitted:
    """The same, but a level needs five rows to count."""
    return naive(data, train, timed, least=5)


def item_laplace(data: Data, train: Ints, timed: bool) -> Fitted:
    """(successes + 1) / (trials + 2) of the item."""
    del timed
    begun = time.process_time()
    won, tried = _tables(data, train)
    rate = (won.sum(axis=1) + 1) / (tried.sum(axis=1) + 2)
    return _of_table(data, np.repeat(rate[:, None], won.shape[1], axis=1), begun)


def eb_cell(data: Data, train: Ints, timed: bool) -> Fitted:
    """Items drawn towards everybody, cells towards their item; segments alone have no effect.

    Beta-binomial strengths by moments (Williams 1982).
    """
    del timed
    begun = time.process_time()
    won, tried = _tables(data, train)
    everybody = (won.sum() + 0.5) / (tried.sum() + 1)
    whole = (won.sum(axis=1), tried.sum(axis=1))
    strength = _strength(whole[0], whole[1], np.full(data.items, everybody))
    item = (whole[0] + strength * everybody) / (whole[1] + strength)
    parent = np.repeat(item[:, None], won.shape[1], axis=1)
    strength = _strength(won, tried, parent)
    return _of_table(data, (won + strength * parent) / (tried + strength), begun)


def _strength(won: Floats, tried: Floats, parent: Floats) -> float:
    """How many rows the parent is worth: the beta-binomial's a + b, by moments."""
    some = tried > 1
    n, p = tried[some], parent[some]
    expected = n * p * (1 - p)
    excess = ((won[some] - n * p) ** 2 - expected).sum() / max((expected * (n - 1)).sum(), 1e-9)
    correlation = min(max(float(excess), 0.005), 0.5)
    return 1 / correlation - 1


def nested_eb(data: Data, train: Ints, timed: bool) -> Fitted:
    """The closed form."""
    del timed
    begun = time.process_time()
    model = nested.fit(data.trials(train), data.markets, data.skills, data.items)
    return _of_model(data, model, None, time.process_time() - begun, False)


def hierarchical(data: Data, train: Ints, timed: bool) -> Fitted:
    """Model H, fitted with everybody's intercept, predicting from the profile alone."""
    begun = time.process_time()
    model = fitting.fit(data.trials(train, own=True), data.markets, data.skills, data.items)
    if timed:
        _follow(data, model, train)
    return _of_model(data, model, None, time.process_time() - begun, False)


def served(data: Data, train: Ints, timed: bool) -> Fitted:
    """Model H as the running product fits it: blind to how many tried, never too sure of itself."""
    begun = time.process_time()
    shape = data.markets, data.skills, data.items
    model = fitting.fit(data.trials(train, own=True), *shape, crowd=False, exploring=True)
    if timed:
        _follow(data, model, train)
    return _of_model(data, model, None, time.process_time() - begun, False)


def with_history(data: Data, train: Ints, timed: bool) -> Fitted:
    """Model H and what is known of the person: intercept, and tastes where data carry them."""
    begun = time.process_time()
    rows = data.trials(train, own=True)
    model, tastes = people.fit(rows, data.markets, data.skills, data.items)
    if timed:
        _follow(data, model, train)
    return _of_model(data, model, tastes, time.process_time() - begun, True)


def _follow(data: Data, model: Model, train: Ints) -> None:
    """Let the level follow what happened in the order of time."""
    rate, _ = expected(*model.logits(data.trials(train, own=True)))
    found = drift.choose(np.log(rate) - np.log1p(-rate), data.success[train])
    model.drift, model.drift_rate = found.offset, found.rate


def _of_model(
    data: Data, model: Model, tastes: people.Tastes | None, seconds: float, own: bool
) -> Fitted:
    def cold(rows: Ints) -> Floats:
        return model.predict(data.trials(rows))

    def warm(rows: Ints) -> Floats:
        trials = data.trials(rows, own=own)
        return people.predict(model, tastes, trials) if tastes else model.predict(trials)

    def interval(
        items: Ints, segments: Ints, n: Ints, random: np.random.Generator
    ) -> tuple[Floats, Floats]:
        rate, rising = expected(model.mean[items, segments] + model.drift, model.spread)
        variance = model.covariance[items, segments, segments] + model.drift_variance
        sd = np.sqrt(variance) * rising / (rate * (1 - rate))
        return evaluation.predictive_interval(np.log(rate) - np.log1p(-rate), sd, n, random)

    wide = _catalogue(model)
    table, random = ranking.Table(wide), np.random.default_rng(0)
    segments = model.markets * model.skills
    offset = float(model.groups["user"].mean[0]) if own else 0.0

    def update(number: int) -> object:
        item = number % CATALOGUE
        if own:
            wide.observe(item, number % segments, number & 1, user=0)
        else:
            wide.observe(item, number % segments, number & 1)
        table.refresh(wide, item)
        return None

    def serve(number: int) -> object:
        return ranking.draw(table.optimistic(number % segments, offset), 5, random)

    return Fitted(cold, warm, seconds, interval, update, serve)


def _catalogue(model: Model) -> Model:
    """The same model with CATALOGUE items, repeated or cut, to time serving and updates."""
    arrays = hierarchy.to_arrays(model)
    size = model.mean.shape[1]
    arrays["mean"] = np.resize(model.mean, (CATALOGUE, size))
    arrays["covariance"] = np.resize(model.covariance, (CATALOGUE, size, size))
    return hierarchy.of_arrays({name: array.copy() for name, array in arrays.items()})


def microseconds(call: Callable[[int], object] | None, times: int = 500) -> float | None:
    """How long one call takes: the best of a few rounds, since others use the machine too."""
    if call is None:
        return None
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for number in range(times):
            call(number)
        best = min(best, time.process_time() - begun)
    return best / times * 1e6


def tutorial(data: Data, train: Ints) -> Floats:
    """The score of the usual tutorial, [item, segment]: 0.4 success + 0.4 outcome + 0.2 difficulty.

    On raw cells; one without rows has neither. These sets report no outcomes, so every success
    stands for one of the same size; difficulty is the item's third by success, against the skill.
    """
    won, tried = _tables(data, train)
    rate = outcome = np.where(tried > 0, won / np.maximum(tried, 1), 0.0)
    whole = won.sum(axis=1) / np.maximum(tried.sum(axis=1), 1)
    third = np.argsort(np.argsort(-whole)) * 3 // max(data.items, 1)
    skill = np.arange(won.shape[1]) % data.skills * 3 // max(data.skills, 1)
    match = 1 - np.abs(third[:, None] - skill[None, :]) / 2
    return np.asarray(0.4 * rate + 0.4 * outcome + 0.2 * match)


METHODS: Final[dict[str, Method]] = {
    "naive": naive,
    "naive5": naive5,
    "item": item_laplace,
    "eb_cell": eb_cell,
    "nested_eb": nested_eb,
    "H": hierarchical,
    "H+own": with_history,
    "H_served": served,
}

__all__ = ["METHODS", "Fitted", "microseconds", "sigmoid", "tutorial"]
