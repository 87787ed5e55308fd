"""Who to show what: regret in a simulator, and estimates from logs of one policy about another.

    python benchmarks/policies.py [--worlds 32] [--first 0] [--sets ml100k,insteval] [--json OUT]

A world is a draw from the joint posterior of model H fitted to a public set: true chances of 200
films or 100 lecturers in every segment, and people who differ. Somebody comes, a policy shows one
item, and regret is what the best item would have been better by. The product's policy is its own
code: `fitting.fit`, `Model.observe`, `ranking.Table`, `ranking.draw`. Worlds come from the model's
own family, which is kind to it; with `--crowd` from one that it does not know, in which what more
people tried is better. Needs the public sets: `python -m benchmarks.evidence_sets`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from benchmarks import evidence_goals, evidence_sets, lines
from benchmarks.evidence_sets import Data
from whatworks.stats import evaluation, fitting, ranking
from whatworks.stats.arrays import Floats, Ints, sigmoid
from whatworks.stats.evaluation import Logged
from whatworks.stats.hierarchy import Model
from whatworks.stats.trials import Trials

ITEMS: Final = {"ml100k": 200, "insteval": 100}
EARLY: Final = 1000
GROWTH: Final = 1.25  # how many more executions before the model is fitted again
FIRST: Final = 30
LEARNED: Final = 300  # executions before what the product believes draws a log
LOGGED: Final = (2_000, 20_000)
LOGS: Final = 40
Errors = dict[str, dict[str, float]]  # target → estimator → relative RMSE


@dataclass(frozen=True, slots=True)
class World:
    """True logits [item, segment], and who comes: their segment, and what they add to it."""

    logits: Floats
    segments: Ints
    offsets: Floats
    markets: int
    skills: int


def world(data: Data, model: Model, items: int, steps: int, seed: int) -> World:
    """A draw from the joint posterior of a model of a real set."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(model.mean), items, replace=False)
    size = data.markets * data.skills
    root = np.linalg.cholesky(model.covariance[chosen] + 1e-9 * np.eye(size))
    logits = model.mean[chosen] + np.einsum(
        "igh,ih->ig", root, random.standard_normal((items, size))
    )
    segments = data.segment[random.integers(0, len(data.success), steps)]
    offsets = np.sqrt(model.spread) * random.standard_normal(steps)
    return World(logits, segments, offsets, data.markets, data.skills)


class Policy(Protocol):
    """Shows one item to somebody of a segment, and learns what came of it."""

    def pick(self, segment: int, random: np.random.Generator) -> int: ...
    def learn(self, item: int, segment: int, success: float) -> None: ...


class Counts:
    """What simple policies remember."""

    def __init__(self, here: World) -> None:
        self.won, self.tried = np.zeros(here.logits.shape), np.zeros(here.logits.shape)

    def learn(self, item: int, segment: int, success: float) -> None:
        """Count it."""
        self.won[item, segment] += success
        self.tried[item, segment] += 1


class Chance(Counts):
    """Anything."""

    def pick(self, _segment: int, random: np.random.Generator) -> int:
        return int(random.integers(len(self.won)))


class Greedy(Counts):
    """The best raw mean: of the cell, else of the item, else of everything."""

    def pick(self, segment: int, random: np.random.Generator) -> int:
        won, tried = self.won.sum(axis=1), self.tried.sum(axis=1)
        everything = won.sum() / max(float(tried.sum()), 1.0)
        item = np.where(tried > 0, won / np.maximum(tried, 1), everything)
        own = self.tried[:, segment]
        mean = np.where(own > 0, self.won[:, segment] / np.maximum(own, 1), item)
        mean = np.clip(mean, 0.005, 0.995)
        return int(random.choice(np.flatnonzero(mean == mean.max())))


class Tutorial(Counts):
    """0.8 × the raw rate of the cell (success and outcome) + 0.2 × how difficulty fits."""

    def __init__(self, here: World) -> None:
        super().__init__(here)
        self.skill = np.arange(here.logits.shape[1]) % here.skills * 3 // here.skills

    def pick(self, segment: int, random: np.random.Generator) -> int:
        own = self.tried[:, segment]
        rate = np.where(own > 0, self.won[:, segment] / np.maximum(own, 1), 0.0)
        whole = self.won.sum(axis=1) / np.maximum(self.tried.sum(axis=1), 1)
        third = np.argsort(np.argsort(-whole)) * 3 // len(whole)
        score = 0.8 * rate + 0.2 * (1 - np.abs(third - self.skill[segment]) / 2)
        return int(random.choice(np.flatnonzero(score == score.max())))


class ItemThompson(Counts):
    """A draw from each item's Beta posterior, segments ignored."""

    def pick(self, _segment: int, random: np.random.Generator) -> int:
        won, tried = self.won.sum(axis=1), self.tried.sum(axis=1)
        return int(np.argmax(random.beta(won + 1, tried - won + 1)))


class CellThompson(Counts):
    """A draw from each cell's own Beta posterior."""

    def pick(self, segment: int, random: np.random.Generator) -> int:
        won, tried = self.won[:, segment], self.tried[:, segment]
        return int(np.argmax(random.beta(won + 1, tried - won + 1)))


class Product(Counts):
    """The product's own: model H, the optimistic softmax, the floor."""

    def __init__(self, here: World) -> None:
        super().__init__(here)
        self.here, self.seen, self.next = here, 0, FIRST
        self._fit(None)

    def _fit(self, start: Model | None) -> None:
        trials = Trials.of_counts(self.won, self.tried)
        shape = self.here.markets, self.here.skills, len(self.won)
        self.model = fitting.fit(trials, *shape, start, crowd=False, exploring=True)
        self.table = ranking.Table(self.model)

    def pick(self, segment: int, random: np.random.Generator) -> int:
        return int(ranking.draw(self.table.optimistic(segment), 1, random).items[0])

    def learn(self, item: int, segment: int, success: float) -> None:
        super().learn(item, segment, success)
        self.model.observe(item, segment, success)
        self.table.refresh(self.model, item)
        self.seen += 1
        if self.seen >= self.next:
            self.next = int(self.next * GROWTH) + 1
            self._fit(self.model)


class Confident(Product):
    """Model H without any curiosity: always the best mean."""

    def pick(self, segment: int, random: np.random.Generator) -> int:
        del random
        return int(np.argmax(self.table.mean[segment]))


POLICIES: Final[dict[str, Callable[[World], Policy]]] = {
    "random": Chance,
    "tutorial": Tutorial,
    "cell Thompson": CellThompson,
    "item Thompson": ItemThompson,
    "naive greedy": Greedy,
    "H greedy": Confident,
    "H softmax": Product,
}


@dataclass(frozen=True, slots=True)
class Regret:
    """Mean regret per recommendation of one policy in one world."""

    data: str
    policy: str
    world: int
    early: float
    whole: float
    us: float


def regret(here: World, policy: Policy, seed: int) -> Floats:
    """What the best item would have been better by, each time."""
    random = np.random.default_rng(seed)
    lost = np.empty(len(here.segments))
    for number, (segment, offset) in enumerate(
        zip(here.segments.tolist(), here.offsets.tolist(), strict=True)
    ):
        chance = sigmoid(here.logits[:, segment] + offset)
        item = policy.pick(segment, random)
        lost[number] = chance.max() - chance[item]
        policy.learn(item, segment, float(random.random() < chance[item]))
    return lost


def model_of(data: Data, crowd: bool = False) -> Model:
    """Model H of a whole set, from which worlds are drawn."""
    rows = data.trials(np.arange(len(data.success)), own=True)
    return fitting.fit(rows, data.markets, data.skills, data.items, crowd=crowd)


def measure(names: list[str], worlds: range, steps: int, crowd: bool) -> list[Regret]:
    """Every policy in the same worlds."""
    found = []
    for name in names:
        data = evidence_sets.load(name)
        model = model_of(data, crowd)
        for policy, make in POLICIES.items():
            own = []
            for number in worlds:
                here = world(data, model, ITEMS.get(name, 100), steps, 1000 + number)
                begun = time.process_time()
                lost = regret(here, make(here), number)
                us = (time.process_time() - begun) / steps * 1e6
                early, whole = float(lost[:EARLY].mean()), float(lost.mean())
                own.append(Regret(name, policy, number, early, whole, us))
            found += own
            show(own)
    return found


def show(some: list[Regret]) -> None:
    """One line for one policy on one set."""
    early, whole = (np.array([getattr(r, what) for r in some]) for what in ("early", "whole"))
    error = float(whole.std() / np.sqrt(max(len(whole) - 1, 1)))
    print(
        f"{some[0].data:<10}{some[0].policy:<15}{early.mean():>7.3f} after {EARLY:,}"
        f"{whole.mean():>8.4f} ± {error:.4f} at the end {some[0].us:>6.0f} us a step",
        flush=True,
    )


def off_policy(data: Data, model: Model, items: int, seed: int) -> dict[int, Errors]:
    """By rows of log, relative RMSE of each estimator of four other policies in one world.

    The product learns for a while; what it then believes draws the log, and predicts rewards. The
    truth is known. "seen" is how much of what the other policy would show the log can judge; below
    `evaluation.SEEN` the product gives no verdict, and the goal does not count it.
    """
    here = world(data, model, items, LEARNED, seed)
    product = Product(here)
    regret(here, product, seed)
    told, segments = product.table, range(here.logits.shape[1])
    score = np.stack([told.optimistic(segment) for segment in segments]).astype(np.float64)
    chance = sigmoid(told.mean.astype(np.float64))
    truth = sigmoid(here.logits.T)
    share = np.bincount(here.segments, minlength=len(score)) / LEARNED
    shown = np.stack([_soft(row, ranking.TEMPERATURE) for row in score])
    others = {
        "half as curious": np.stack([_soft(row, ranking.TEMPERATURE / 2) for row in score]),
        "the most promising": np.eye(items)[score.argmax(axis=1)],
        "the likeliest": np.eye(items)[chance.argmax(axis=1)],
        "by chance": np.full(score.shape, 1 / items),
    }
    return {
        rows: {
            target: _errors(share, shown, wanted, truth, chance, rows)
            for target, wanted in others.items()
        }
        for rows in LOGGED
    }


def _errors(
    share: Floats, shown: Floats, wanted: Floats, truth: Floats, chance: Floats, rows: int
) -> dict[str, float]:
    """Relative RMSE of each estimator over many logs of so many rows."""
    value = float(share @ (wanted * truth).sum(axis=1))
    found: dict[str, list[float]] = {}
    for seed in range(LOGS):
        random = np.random.default_rng(seed)
        segment = random.choice(len(share), rows, p=share)
        level = random.random(rows)[:, None] * shown.sum(axis=1)[segment, None]
        item = np.minimum((shown.cumsum(axis=1)[segment] < level).sum(axis=1), shown.shape[1] - 1)
        at = segment, item
        reward = (random.random(rows) < truth[at]).astype(np.float64)
        baseline = (wanted * chance).sum(axis=1)[segment]
        log = Logged(reward, shown[at], wanted[at], chance[at], baseline)
        for name, part in evaluation.contributions(log).items():
            found.setdefault(name, []).append(float(part.mean()) / value - 1)
        seen = evaluation.share_seen(wanted[at] / shown[at])
        found.setdefault("seen", []).append(seen)
    seen = float(np.mean(found.pop("seen")))
    return {"seen": seen} | {
        name: float(np.sqrt(np.mean(np.square(some)))) for name, some in found.items()
    }


def _soft(score: Floats, temperature: float) -> Floats:
    energy = ranking.energies(score.astype(np.float32), temperature).astype(np.float64)
    weight = np.exp(energy - energy.max())
    floor = ranking.FLOOR
    return np.asarray((1 - floor) * weight / weight.sum() + floor / len(score))


def from_logs(names: list[str]) -> list[dict[str, Any]]:
    """Errors of estimates from logs: one world a set, every size of log and target; printed."""
    found: list[dict[str, Any]] = []
    for world_number, name in enumerate(names):
        data = evidence_sets.load(name)
        errors = off_policy(data, model_of(data), ITEMS.get(name, 100), 2000 + world_number)
        for rows, by_target in errors.items():
            for target, own in by_target.items():
                said = ", ".join(f"{method} {number:.3f}" for method, number in own.items())
                print(f"{name}, {rows:,} rows of log, {target}: {said}", flush=True)
                found.append({"data": name, "rows": rows, "target": target, **own})
    return found


def main() -> int:
    """Measure and judge; 1 when a goal is missed."""
    parser = argparse.ArgumentParser("policies", description=__doc__)
    parser.add_argument("--worlds", type=int, default=32, help="how many; eight say little")
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--sets", default="ml100k,insteval")
    parser.add_argument("--crowd", action="store_true", help="worlds in which popularity tells")
    parser.add_argument("--json", metavar="OUT")
    arguments = parser.parse_args()
    worlds = range(arguments.first, arguments.first + arguments.worlds)
    found = measure(arguments.sets.split(","), worlds, arguments.steps, arguments.crowd)
    logs = from_logs(arguments.sets.split(","))
    if arguments.json:
        regrets, estimates = lines.written(map(asdict, found)), lines.written(logs)
        text = f'{{"regret": {regrets},\n"off_policy": {estimates}}}\n'
        Path(arguments.json).write_text(text)
    goals = list(evidence_goals.policies(list(map(asdict, found)), logs))
    print(evidence_goals.table(goals))
    return int(any(goal.passed is False for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
