"""What to show first: expected benefit, explored on purpose, with the probability of every choice.

Slates are drawn without replacement by a softmax on an optimistic score (Gumbel-top-k: Kool, van
Hoof & Welling, ICML 2019, which is the model of Plackett 1975 and Luce 1959), so every position
has a closed-form probability and every impression can be evaluated later. The softmax is over the
logit of the score: a step from 0.90 to 0.95 counts as much as one from 0.50 to 0.68. With
probability `FLOOR` the whole slate is uniform, so that nothing eligible is ever impossible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.stats.arrays import Floats, Floats32, Ints
from whatworks.stats.hierarchy import Model

OPTIMISM: Final = 2.0  # standard deviations
CELL: Final = 0.25  # of a cell's own uncertainty; what it teaches serves few others
TEMPERATURE: Final = 0.05  # of the logit of the score
SUREST: Final = 1e-6
FLOOR: Final = 0.01


@dataclass(frozen=True, slots=True)
class Slate:
    """What was drawn, best first, and how likely each choice was.

    `propensities[k]`: the probability that position k shows what it shows, given what the
    positions before it show. `together`: the probability of the whole slate in this order.
    `eligible`: how many could have been shown.
    """

    items: Ints
    propensities: Floats
    together: float
    eligible: int


class Table:
    """A model laid out for serving: [segment, item] logits, and what optimism is measured in.

    `sd` is the standard deviation of an item's mean over its segments, and a quarter of that of the
    cell around it: what one learns of an item serves everybody, what one learns of a cell few.
    """

    __slots__ = ("mean", "sd")

    def __init__(self, model: Model) -> None:
        cell = model.covariance.diagonal(axis1=1, axis2=2)
        item = model.covariance.mean(axis=(1, 2))[:, None]
        sd = np.sqrt(item) + CELL * np.sqrt(np.maximum(cell - item, 0.0))
        self.mean: Floats32 = np.ascontiguousarray(model.mean.T, dtype=np.float32)
        self.sd: Floats32 = np.ascontiguousarray(sd.T, dtype=np.float32)

    def refresh(self, model: Model, item: int) -> None:
        """Take over what an execution taught about one item."""
        self.mean[:, item] = model.mean[item]
        covariance = model.covariance[item]
        whole = covariance.mean()
        self.sd[:, item] = CELL * np.sqrt(np.maximum(covariance.diagonal() - whole, 0.0))
        self.sd[:, item] += np.sqrt(whole)

    def optimistic(self, segment: int, offset: float = 0.0) -> Floats32:
        """P(success) at mean + OPTIMISM·sd, of every item, for one person of a segment."""
        logit: Floats32 = np.float32(OPTIMISM) * self.sd[segment]
        logit += self.mean[segment]
        logit += np.float32(offset)
        logit *= np.float32(0.5)
        np.tanh(logit, out=logit)
        logit += np.float32(1.0)
        logit *= np.float32(0.5)
        return logit


def benefit(probability: Floats32, value: Floats | None) -> Floats32:
    """Expected benefit: P(success) × value, the most valuable success being worth 1.

    `value` is what success is worth (money, hours saved, customers), positive; None ranks by P.

    >>> half = np.array([0.5, 0.5], dtype=np.float32)
    >>> benefit(half, np.array([10.0, 40.0])).tolist()
    [0.125, 0.5]
    """
    if value is None:
        return probability
    top = float(value.max(initial=0.0))
    return probability * (value / top).astype(np.float32) if top > 0 else probability


def energies(score: Floats32, temperature: float = TEMPERATURE) -> Floats32:
    """What the softmax is over: the logit of a score between 0 and 1, by temperature."""
    inside = np.clip(score, np.float32(SUREST), np.float32(1 - SUREST))
    return np.asarray((np.log(inside) - np.log1p(-inside)) / np.float32(temperature))


def draw(
    score: Floats32,
    size: int,
    random: np.random.Generator,
    temperature: float = TEMPERATURE,
    floor: float = FLOOR,
) -> Slate:
    """A slate of the best, explored: the generator decides, so a seed makes it repeatable.

    >>> slate = draw(np.array([0.9, 0.1, 0.8], dtype=np.float32), 2, np.random.default_rng(1))
    >>> len(slate.items), slate.eligible, bool((slate.propensities > 0).all())
    (2, 3, True)
    """
    count = len(score)
    size = min(size, count)
    if not size:
        return Slate(np.empty(0, dtype=np.int64), np.empty(0), 1.0, 0)
    energy = energies(score, temperature)
    noise = random.standard_exponential(count, dtype=np.float32)
    np.maximum(noise, np.float32(1e-38), out=noise)
    np.log(noise, out=noise)
    key = noise if random.random() < floor else noise - energy
    chosen = np.argpartition(key, size - 1)[:size] if size < count else np.arange(count)
    chosen = chosen[np.argsort(key[chosen])]
    return propensities(energy, chosen, floor)


def propensities(energy: Floats32, chosen: Ints, floor: float = FLOOR) -> Slate:
    """The probabilities of a slate under the softmax of `energy` mixed with the uniform floor."""
    count, size = len(energy), len(chosen)
    weight = np.exp(energy.astype(np.float64) - energy.max())
    taken = weight[chosen]
    weight[chosen] = 0.0
    # What is left at each place, added up from its end: subtracting would leave rounding alone.
    left = float(weight.sum()) + np.cumsum(taken[::-1])[::-1]
    own, even = 1 - floor, floor  # how likely each way of drawing is, given the slate so far
    together = 1.0
    steps = np.empty(size)
    for place, (picked, total) in enumerate(zip(taken.tolist(), left.tolist(), strict=True)):
        by_score = picked / max(total, 1e-300)
        by_chance = 1 / (count - place)
        steps[place] = own * by_score + even * by_chance
        together *= steps[place]
        own, even = own * by_score / steps[place], even * by_chance / steps[place]
    return Slate(chosen.astype(np.int64), steps, together, count)
