"""Somebody's own history: an intercept at once, and four tastes where data carry them.

    logit = model's cell + own intercept + own tastes · item's factors

A variational approximation with Pólya-Gamma weights (Polson, Scott & Windle, JASA 108, 2013), in
which every person and every item is one small least-squares problem. The prior variances of the
tastes are estimated with them; a taste that data do not carry shrinks to nothing and is dropped
(automatic relevance: MacKay 1994; Bishop, "Variational principal components", 1999).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from whatworks.stats import arrays, fitting
from whatworks.stats.arrays import Floats, Ints, expected, sigmoid, sums
from whatworks.stats.hierarchy import Group, Model
from whatworks.stats.trials import Trials

RANK: Final = 4
ROUNDS: Final = 10
FAINT: Final = 0.05  # standard deviation of the logit below which a taste is dropped
EARLY: Final = 5  # rounds before any is
GOLDEN: Final = 0.6180339887498949
START: Final = 0.4  # size of the first guess
PRIOR: Final = 0.3  # variance of a taste, before anything is known


@dataclass(frozen=True, slots=True)
class Tastes:
    """Intercept and tastes of people [user, 1 + rank], factors of items [item, rank], covariances.

    `variances` [1 + rank] is what people differ by.
    """

    user: Floats
    user_covariance: Floats
    item: Floats
    item_covariance: Floats
    variances: Floats

    @property
    def rank(self) -> int:
        """How many tastes data carry; 0 leaves the intercept alone."""
        return int(self.item.shape[1])

    def offsets(self, trials: Trials) -> tuple[Floats, Floats]:
        """Mean and variance of what tastes, without the intercept, add to each row's logit."""
        index = trials.groups.get("user")
        if index is None or not self.rank:
            return np.zeros(len(trials)), np.zeros(len(trials))
        known = (index >= 0) & (index < len(self.user)) & (trials.item < len(self.item))
        user, item = np.where(known, index, 0), np.where(known, trials.item, 0)
        mean, variance = _taste(self, user, item)
        return np.where(known, mean, 0.0), np.where(known, variance, 0.0)


def fit(
    trials: Trials,
    markets: int,
    skills: int,
    items: int = 0,
    start: Model | None = None,
    rank: int = RANK,
) -> tuple[Model, Tastes]:
    """Model H and tastes together; `trials` need the group "user".

    Where data carry tastes the model is fitted again beside them, since what they explain makes
    everything else clearer too.
    """
    model = fitting.fit(trials, markets, skills, items, start)
    tastes = fit_tastes(trials, model, rank)
    if tastes.rank:
        model = fitting.fit(trials, markets, skills, items, model, beside=tastes.offsets)
        tastes = fit_tastes(trials, model, rank, tastes)
    if not tastes.rank:
        return model, tastes
    group = model.groups["user"]
    own = Group(group.variance, tastes.user[:, 0], tastes.user_covariance[:, 0, 0])
    return replace(model, groups={**model.groups, "user": own}), tastes


def fit_tastes(
    trials: Trials, model: Model, rank: int = RANK, start: Tastes | None = None
) -> Tastes:
    """Tastes that a model leaves unexplained, one after the other for as long as data carry one."""
    state = _Fit(trials.summed(), model, start)
    most = min(rank, len(state.item), len(state.user)) if len(state.trials) else 0
    for wanted in range(1, most + 1):
        if state.rank < wanted:
            state.guess()
        for number in range(ROUNDS):
            state.people()
            state.items()
            if number >= EARLY:
                state.drop()
        if state.rank < wanted:
            break
    if len(state.trials):
        state.people()
    return Tastes(
        state.user, state.user_covariance, state.item, state.item_covariance, state.variances
    )


class _Fit:
    """The state of one fit of tastes."""

    def __init__(self, trials: Trials, model: Model, start: Tastes | None) -> None:
        group = model.groups["user"]
        known = trials.groups["user"] >= 0
        self.trials = trials.where(known)
        self.user_of, self.item_of = self.trials.groups["user"], self.trials.item
        users, items = len(group.mean), len(model.mean)
        self.cell, doubt = model.logits(self.trials.only())
        self.cell_variance = np.maximum(doubt - _group_variance(model), 0.0)
        for name, other in model.groups.items():
            if name != "user" and name in self.trials.groups:
                self.cell = self.cell + other.of(self.trials.groups[name])[0]
        self.balance = self.trials.successes - 0.5 * self.trials.trials
        self.user = group.mean[:, None]
        self.item = np.zeros((items, 0))
        self.variances = np.array([group.variance])
        self.tried = sums(self.item_of, self.trials.trials, items) > 0
        if start is not None:
            self.user, self.item, self.variances = start.user, start.item, start.variances
        self.item_variances = np.full(self.rank, PRIOR)
        self.user_covariance = _diagonals(users, np.full(1 + self.rank, 0.05))
        self.item_covariance = _diagonals(items, np.full(self.rank, 0.05))

    @property
    def rank(self) -> int:
        return int(self.item.shape[1])

    def guess(self) -> None:
        """One taste more: the leading direction of what is unexplained (power iteration)."""
        users, items = len(self.user), len(self.item)
        mean, _ = _taste(self, self.user_of, self.item_of)
        p = sigmoid(self.cell + self.user[self.user_of, 0] + mean)
        wrong = self.trials.successes - self.trials.trials * p
        often = np.sqrt(sums(self.user_of, self.trials.trials, users) + 4)
        tried = np.sqrt(sums(self.item_of, self.trials.trials, items) + 4)
        wrong = wrong / (often[self.user_of] * tried[self.item_of])
        right: Floats = np.mod(np.arange(1, items + 1) * GOLDEN, 1.0) - 0.5
        for _ in range(20):
            left = sums(self.user_of, wrong * right[self.item_of], users)
            left /= max(float(np.linalg.norm(left)), 1e-12)
            right = sums(self.item_of, wrong * left[self.user_of], items)
            right /= max(float(np.linalg.norm(right)), 1e-12)
        self.user = np.column_stack([self.user, left * START * np.sqrt(users)])
        self.item = np.column_stack([self.item, right * START * np.sqrt(items)])
        self.variances = np.append(self.variances, PRIOR)
        self.item_variances = np.append(self.item_variances, PRIOR)
        self.user_covariance = _widened(self.user_covariance)
        self.item_covariance = _widened(self.item_covariance)

    def _weights(self) -> Floats:
        """E of the Pólya-Gamma variable of each row."""
        mean, variance = _taste(self, self.user_of, self.item_of)
        u = self.user_covariance[self.user_of]
        logit = self.cell + self.user[self.user_of, 0] + mean
        variance += self.cell_variance + u[:, 0, 0]
        variance += 2 * np.einsum("rk,rk->r", u[:, 0, 1:], self.item[self.item_of])
        size = np.sqrt(logit**2 + variance)
        return np.asarray(self.trials.trials * np.tanh(0.5 * size) / (2 * size))

    def people(self) -> None:
        """Everybody's intercept and tastes, and how much people differ."""
        weight, rank = self._weights(), self.rank
        own = np.concatenate([np.ones((len(self.item), 1)), self.item], axis=1)
        second = own[:, :, None] * own[:, None, :]
        second[:, 1:, 1:] += self.item_covariance
        size = len(self.user)
        precision = _moments(self.user_of, weight, second, self.item_of, size)
        precision[:, np.arange(rank + 1), np.arange(rank + 1)] += 1 / self.variances
        left = self.balance - weight * self.cell
        right = _by(self.user_of, (left * column for column in own[self.item_of].T), size)
        self.user_covariance = arrays.inverse(precision)
        self.user = np.einsum("ukl,ul->uk", self.user_covariance, right)
        spread = (self.user**2).mean(axis=0)
        self.variances = spread + self.user_covariance.diagonal(axis1=1, axis2=2).mean(axis=0)

    def items(self) -> None:
        """Every item's factors, and how much items differ."""
        weight, rank, size = self._weights(), self.rank, len(self.item)
        taste, doubt = self.user[:, 1:], self.user_covariance
        second = taste[:, :, None] * taste[:, None, :] + doubt[:, 1:, 1:]
        precision = _moments(self.item_of, weight, second, self.user_of, size)
        precision[:, np.arange(rank), np.arange(rank)] += 1 / self.item_variances
        left = self.balance - weight * (self.cell + self.user[self.user_of, 0])
        both = doubt[:, 0, 1:]
        columns = (
            left * taste[self.user_of, k] - weight * both[self.user_of, k] for k in range(rank)
        )
        right = _by(self.item_of, columns, size)
        self.item_covariance = arrays.inverse(precision)
        self.item = np.einsum("ikl,il->ik", self.item_covariance, right)
        spread = self.item**2 + self.item_covariance.diagonal(axis1=1, axis2=2)
        self.item_variances = spread[self.tried].mean(axis=0)

    def drop(self) -> None:
        """Forget tastes too faint to matter."""
        size = (self.user[:, 1:] ** 2).mean(axis=0) * (self.item[self.tried] ** 2).mean(axis=0)
        kept = np.sqrt(size) > FAINT
        if kept.all():
            return
        both = np.append(True, kept)
        self.user, self.variances = self.user[:, both], self.variances[both]
        self.user_covariance = self.user_covariance[:, both][:, :, both]
        self.item, self.item_variances = self.item[:, kept], self.item_variances[kept]
        self.item_covariance = self.item_covariance[:, kept][:, :, kept]


def _taste(found: Tastes | _Fit, user: Ints, item: Ints) -> tuple[Floats, Floats]:
    """Mean and variance of taste · factors, row by row."""
    a, b = found.user[user, 1:], found.item[item]
    doubt_a, doubt_b = found.user_covariance[user, 1:, 1:], found.item_covariance[item]
    variance = np.einsum("rk,rkl,rl->r", b, doubt_a, b) + np.einsum("rk,rkl,rl->r", a, doubt_b, a)
    variance += np.einsum("rkl,rkl->r", doubt_a, doubt_b)
    return np.einsum("rk,rk->r", a, b), variance


def logits(model: Model, tastes: Tastes, trials: Trials) -> tuple[Floats, Floats]:
    """Mean and variance of each row's logit, with what is known of the person."""
    mean, variance = model.logits(trials)
    taste, doubt = tastes.offsets(trials)
    return mean + taste, variance + doubt


def predict(model: Model, tastes: Tastes, trials: Trials) -> Floats:
    """The probability of success of each row."""
    return expected(*logits(model, tastes, trials))[0]


def _group_variance(model: Model) -> float:
    return sum(group.variance for group in model.groups.values())


def _diagonals(count: int, values: Floats) -> Floats:
    return np.repeat(np.diag(values)[None], count, axis=0)


def _widened(stack: Floats) -> Floats:
    """Room for one more row and column in each matrix."""
    wide = np.pad(stack, ((0, 0), (0, 1), (0, 1)))
    wide[:, -1, -1] = 0.05
    return wide


def _by(index: Ints, columns: Iterable[Floats], size: int) -> Floats:
    """Columns of rows, each added up by index: [size, columns]."""
    added = [sums(index, column, size) for column in columns]
    return np.stack(added, axis=1) if added else np.zeros((size, 0))


def _moments(index: Ints, weight: Floats, second: Floats, other: Ints, size: int) -> Floats:
    """Σ weight · second[other] by index; symmetric, so half is computed."""
    rank = second.shape[1]
    total = np.zeros((size, rank, rank))
    for k in range(rank):
        for m in range(k + 1):
            total[:, k, m] = sums(index, weight * second[other, k, m], size)
            total[:, m, k] = total[:, k, m]
    return total
