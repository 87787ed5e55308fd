"""Model H: how likely whoever it is succeeds with an item, cell by cell, with what is not known.

    logit P(success) = base[segment] + own[item, segment] + the groups' offsets + drift

`own` has the covariance  item·11' + market·[same market] + skill·[same skill] + cell·I  over an
item's segments, so that a cell with little data leans on its neighbours exactly as much as the
data say that neighbours agree (a generalised linear mixed model: Breslow & Clayton, "Approximate
inference in generalized linear mixed models", JASA 88, 1993). `fitting.fit` makes a Model; here
it answers and learns from one execution at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints, expected
from whatworks.stats.estimates import Z50, Z90, Estimate
from whatworks.stats.trials import Trials

INVERTING: Final = 40


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of a logit: mean, variance, and how far single people spread around it.

    >>> Posterior(0.0, 1.0).probability
    0.5
    >>> wide = Posterior(1.0, 1.0).estimate()
    >>> wide.low90 < wide.low50 < wide.mean < wide.high50 < wide.high90
    True
    """

    mean: float
    variance: float
    spread: float = 0.0

    @property
    def probability(self) -> float:
        """The chance of success of somebody of whom nothing else is known."""
        return float(expected(np.array([self.mean]), self.variance + self.spread)[0][0])

    def estimate(self) -> Estimate:
        """The rate among many such people, and where it lies with 50 % and 90 % probability."""
        places = self.mean + math.sqrt(self.variance) * np.array([-Z50, Z50, -Z90, Z90])
        ends, _ = expected(places, self.spread)
        return Estimate(self.probability, *ends.tolist())


@dataclass(slots=True)
class Group:
    """Offsets of one kind (a user's, a goal's), drawn around 0 with a variance of their own."""

    variance: float
    mean: Floats
    uncertainty: Floats

    def of(self, index: Ints) -> tuple[Floats, Floats]:
        """Mean and variance of each one's offset; 0 and the whole variance where unknown."""
        known = (index >= 0) & (index < len(self.mean))
        if not len(self.mean):
            return np.zeros(len(index)), np.full(len(index), self.variance)
        at = np.where(known, index, 0)
        mean = np.where(known, self.mean[at], 0.0)
        return mean, np.where(known, self.uncertainty[at], self.variance)


@dataclass(frozen=True, slots=True)
class Variances:
    """How far logits differ, as variances: between items, and within one by market, skill, cell."""

    item: float = 0.4
    market: float = 0.05
    skill: float = 0.05
    cell: float = 0.02

    def kernel(self, markets: int, skills: int) -> Floats:
        """The covariance over the segments of one item."""
        market, skill = np.divmod(np.arange(markets * skills), skills)
        same_market = market[:, None] == market[None, :]
        same_skill = skill[:, None] == skill[None, :]
        whole: Floats = self.item + self.market * same_market + self.skill * same_skill
        return whole + self.cell * np.eye(markets * skills)


@dataclass(slots=True)
class Model:
    """A fitted H. `mean` [item, segment] are logits, `covariance` [item, segment, segment].

    `crowd` is what each doubling of an item's trials adds to its prior mean; both are in `mean`.
    """

    markets: int
    skills: int
    variances: Variances
    base: Floats
    base_covariance: Floats
    mean: Floats
    covariance: Floats
    groups: dict[str, Group] = field(default_factory=dict)
    drift: float = 0.0
    drift_rate: float = 0.0
    crowd: float = 0.0
    crowd_middle: float = 0.0

    def cell(self, item: int, segment: int) -> Posterior:
        """What is known of people of one segment with one item; −1 is an item nobody tried."""
        if item < 0:
            return self.untried(segment)
        variance = float(self.covariance[item, segment, segment]) + self.drift_variance
        return Posterior(float(self.mean[item, segment]) + self.drift, variance, self.spread)

    def untried(self, segment: int) -> Posterior:
        """What to expect of an item without any data: wide, as it should be."""
        own = self.variances
        variance = own.item + own.market + own.skill + own.cell + self.drift_variance
        variance += float(self.base_covariance[segment, segment])
        return Posterior(float(self.base[segment]) + self.drift, variance, self.spread)

    def level(self, item: int, shares: Floats) -> Posterior:
        """An item's rate over several segments, by each one's share of people (delta method).

        `shares` [segment] need not sum to one. The mean of rates, not the rate of a mean.
        """
        share = shares / shares.sum()
        rate, rising = expected(self.mean[item] + self.drift, self.spread)
        mean, own = _logit_of(float(share @ rate), self.spread)
        slope = share * rising / own
        variance = float(slope @ self.covariance[item] @ slope) + self.drift_variance
        return Posterior(mean, variance, self.spread)

    @property
    def drift_variance(self) -> float:
        """What following the level adds to the variance of every logit (see drift.py)."""
        return self.drift_rate / 2

    def popularity(self, trials: Floats) -> Floats:
        """What so many trials of an item let one expect of its logit; 0 where there are none."""
        return np.where(trials > 0, self.crowd * (np.log2(1 + trials) - self.crowd_middle), 0.0)

    @property
    def spread(self) -> float:
        """The variance between people that a new person brings along."""
        return self.groups["user"].variance if "user" in self.groups else 0.0

    def logits(self, trials: Trials) -> tuple[Floats, Floats]:
        """Mean and variance of the logit of each row, with what is known of its groups."""
        known = (trials.item >= 0) & (trials.item < len(self.mean))
        item = np.where(known, trials.item, 0)
        mean = self.base[trials.segment].copy()
        prior = self.variances.kernel(self.markets, self.skills) + self.base_covariance
        variance = prior.diagonal()[trials.segment].copy()
        if len(self.mean):
            mean = np.where(known, self.mean[item, trials.segment], mean)
            own = self.covariance[item, trials.segment, trials.segment]
            variance = np.where(known, own, variance)
        nobody = np.full(len(trials), -1, dtype=np.int64)
        for name, group in self.groups.items():
            offset, doubt = group.of(trials.groups.get(name, nobody))
            mean += offset
            variance += doubt
        return mean + self.drift, variance + self.drift_variance

    def predict(self, trials: Trials) -> Floats:
        """The probability of success of each row."""
        return expected(*self.logits(trials))[0]

    def observe(self, item: int, segment: int, success: float, **groups: int) -> None:
        """Learn from one execution, in place, in O(segments²).

        One Newton step from the posterior so far (the extended Kalman filter of a logistic
        observation: Fahrmeir, JASA 87, 1992); groups by name, e.g. `user=17`.
        """
        mean, covariance = self.mean[item], self.covariance[item]
        logit, doubt = float(mean[segment]), 0.0
        for name, index in groups.items():
            group = self.groups[name]
            logit += float(group.mean[index])
            doubt += float(group.uncertainty[index])
        expected = _sigmoid(logit + self.drift)
        weight, wrong = expected * (1 - expected), success - expected
        row = covariance[segment].copy()
        own = float(row[segment])
        gain = row / (1 + weight * (own + doubt))
        mean += gain * wrong
        covariance -= np.multiply.outer(gain * weight, row)
        for name, index in groups.items():
            group = self.groups[name]
            before = float(group.uncertainty[index])
            share = before / (1 + weight * (own + doubt))
            group.mean[index] += share * wrong
            group.uncertainty[index] = before - share * weight * before
        self.drift += self.drift_rate * wrong

    def add_item(self) -> int:
        """Room for an item that nobody has tried yet; its number."""
        prior = self.variances.kernel(self.markets, self.skills) + self.base_covariance
        self.mean = np.concatenate([self.mean, self.base[None]])
        self.covariance = np.concatenate([self.covariance, prior[None]])
        return len(self.mean) - 1

    def add_to(self, group: str) -> int:
        """Room for one more in a group (a new user); its number."""
        found = self.groups[group]
        found.mean = np.append(found.mean, 0.0)
        found.uncertainty = np.append(found.uncertainty, found.variance)
        return len(found.mean) - 1


def to_arrays(model: Model) -> dict[str, Floats]:
    """Everything a model is, by name, to be stored; `of_arrays` reads it back."""
    v = model.variances
    arrays = {
        "shape": np.array([model.markets, model.skills], dtype=np.float64),
        "variances": np.array([v.item, v.market, v.skill, v.cell]),
        "drift": np.array([model.drift, model.drift_rate, model.crowd, model.crowd_middle]),
        "base": model.base,
        "base_covariance": model.base_covariance,
        "mean": model.mean,
        "covariance": model.covariance,
    }
    for name, group in model.groups.items():
        arrays[f"group.{name}.variance"] = np.array([group.variance])
        arrays[f"group.{name}.mean"] = group.mean
        arrays[f"group.{name}.uncertainty"] = group.uncertainty
    return arrays


def of_arrays(arrays: Mapping[str, Floats]) -> Model:
    """The model that `to_arrays` took apart."""
    markets, skills = (int(size) for size in arrays["shape"])
    names = [name.split(".")[1] for name in arrays if name.endswith(".uncertainty")]
    groups = {
        name: Group(
            float(arrays[f"group.{name}.variance"][0]),
            arrays[f"group.{name}.mean"],
            arrays[f"group.{name}.uncertainty"],
        )
        for name in names
    }
    return Model(
        markets,
        skills,
        Variances(*(float(part) for part in arrays["variances"])),
        arrays["base"],
        arrays["base_covariance"],
        arrays["mean"],
        arrays["covariance"],
        groups,
        *(float(part) for part in arrays["drift"]),
    )


def _logit_of(rate: float, spread: float) -> tuple[float, float]:
    """The mean logit of people who succeed at a rate, and how their rate rises with it."""
    mean = 0.0
    for _ in range(INVERTING):
        seen, slope = (float(x[0]) for x in expected(np.array([mean]), spread))
        step = math.log(rate / (1 - rate)) - math.log(seen / (1 - seen))
        if abs(step) < 1e-9:
            break
        mean += step
    return mean, slope


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
