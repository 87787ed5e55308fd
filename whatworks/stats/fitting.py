"""Fitting model H: each item's mode exactly, base rates by GLS, variances by Fisher scoring.

Laplace's approximation around every item's mode, one binary Gaussian process per item over its
segments (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, algorithms 3.1 and
5.1); base rates by generalised least squares with the items integrated out (Breslow & Clayton,
JASA 88, 1993); variances by Fisher scoring of the Laplace marginal likelihood on their logarithms,
the shift of the mode included, so that no scale is left to be corrected at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from whatworks.stats import arrays, cells, offsets
from whatworks.stats.arrays import Floats, Ints, expected, sums
from whatworks.stats.cells import Solved
from whatworks.stats.hierarchy import Group, Model, Variances
from whatworks.stats.trials import Trials

PRIOR: Final = np.array([0.4, 0.05, 0.05, 0.02])  # medians of log-normal priors with sd 1
BASE: Final = np.array([0.01, 0.01, 0.003])  # of base rates by market, skill, segment
BASE_SD: Final = 1.5  # of the logarithm of those
LEVEL_SD: Final = 4.5  # of the overall logit: any rate from 0.0001 to 0.9999 is believable
CROWD_SD: Final = 0.2  # of the logit per doubling of how many tried an item
LONGEST_STEP: Final = 2.0
LONGEST_SCORE: Final = 0.7
Beside = Callable[[Trials], tuple[Floats, Floats]]
ROUNDS: Final = 20
SETTLED: Final = 0.01  # largest change of a logit, or of the standard deviation of one
PURE: Final = 0.95  # share of rows in the own segment from which on people have one
EXACT: Final = 1e-4
SETTLING: Final = 8
VISIBLE: Final = 0.1  # standard deviation of logits below which a part hardly matters
LEAST: Final = 1e-6  # what a variance can be
MOST: Final = 50.0
CHUNK: Final = 20_000


def fit(
    trials: Trials,
    markets: int,
    skills: int,
    items: int = 0,
    start: Model | None = None,
    crowd: bool = True,
    beside: Beside | None = None,
    exploring: bool = False,
) -> Model:
    """Model H of these trials. Groups "user", "goal" … become offsets with their own variances.

    `items` counts also those nobody tried; `start`, an earlier model of the same shape, makes it
    quicker. With `crowd` the mean of items may depend on how many people tried them, which is
    telling where people choose for themselves, and misleading where they try what they are shown.
    While `exploring`, variances do not fall below what is believed at first, or a few unlucky
    beginnings would make all items look alike and end the search. `beside` tells, row by row, mean
    and variance of what else adds to the logit (tastes).
    """
    items = max(items, int(trials.item.max(initial=-1)) + 1)
    state = _Fit(trials.summed(), markets, skills, items, crowd)
    if exploring:
        state.least = PRIOR
    if beside is not None:
        state.offset, state.doubt = beside(state.trials)
    if start is not None:
        state.continue_from(start)
    return state.run()


class _Fit:
    """The state of one fit. `pull` is a = K⁻¹·own, which is s − n·p at the mode."""

    def __init__(self, trials: Trials, markets: int, skills: int, items: int, crowd: bool) -> None:
        self.trials, self.markets, self.skills, self.items = trials, markets, skills, items
        self.size = markets * skills
        self.cells = cells.layout(trials, self.size)
        self.pull, self.own = np.zeros(len(self.cells)), np.zeros(len(self.cells))
        self.spread = np.zeros(len(self.cells))
        self.crowd, self.middle = _crowd(trials, items)
        if not crowd:
            self.crowd = np.zeros(items)
        rate = (trials.successes.sum() + 0.5) / (trials.trials.sum() + 1)
        self.level = math.log(rate / (1 - rate))
        self.base = np.append(np.full(self.size, self.level), 0.0)  # the last one is the crowd's
        self.free = np.array([True, markets > 1, skills > 1, min(markets, skills) > 1])
        self.variances = np.where(self.free, PRIOR, 0.0)
        self.base_variances = BASE.copy()
        self.least = np.full(4, LEAST)
        self.trust, self.last = np.full(4, LONGEST_SCORE), np.zeros(4)
        self.groups = {name: offsets.empty(index) for name, index in trials.groups.items()}
        self.homes = {name: _homes(trials, index) for name, index in trials.groups.items()}
        self.chance = {n: _chance(trials, i, self.size) for n, i in trials.groups.items()}
        self.offset, self.doubt = np.zeros(len(trials)), np.zeros(len(trials))
        self.data = np.zeros((self.size + 1, self.size + 1))
        market, skill = np.divmod(np.arange(self.size), skills)
        self.levels = [np.ones((self.size, 1)), np.eye(markets)[market], np.eye(skills)[skill]]
        self.same = [*(z @ z.T for z in self.levels), np.eye(self.size)]

    def continue_from(self, start: Model) -> None:
        """Begin where an earlier fit ended."""
        v = start.variances
        found = np.array([v.item, v.market, v.skill, v.cell])
        # a part that an earlier fit saw vanish, or explode, gets a fair chance again
        self.variances = np.where(self.free, np.clip(found, 0.1 * PRIOR, 10 * PRIOR), 0.0)
        self.base[:-1] = start.base
        for name, group in self.groups.items():
            if name in start.groups:
                group.variance = start.groups[name].variance
                known = min(len(group.mean), len(start.groups[name].mean))
                group.mean[:known] = start.groups[name].mean[:known]
                self.offset = self.offset + group.of(self.trials.groups[name])[0]

    def run(self) -> Model:
        """Alternate until nothing moves, then settle the mode and add up what is not known."""
        for number in range(ROUNDS):
            moved = self._step(learn=True)
            change = self._score()
            self._score_base()
            if number > 1 and max(moved, change) < SETTLED:
                break
        for _ in range(SETTLING):
            if self._step(learn=False) < EXACT:
                break
        self._mode()
        return self._model()

    def _step(self, learn: bool) -> float:
        """Base rates, items and groups once; how far logits moved."""
        moved = self._mode()
        for name, group in self.groups.items():
            index = self.trials.groups[name]
            before, _ = group.of(index)
            logit = self._logits() - before
            old = group.mean
            offsets.step(group, self.trials, index, logit, learn)
            if learn:
                self._centre(group, self.homes[name])
            moved = max(moved, float(np.abs(group.mean - old).max(initial=0.0)))
            self.offset = self.offset + group.of(index)[0] - before
        return moved

    def _centre(self, group: Group, home: Ints) -> None:
        """Give base rates what all offsets of a segment share, as far as both priors like it.

        Exact along a direction in which the likelihood is flat and steps by turns would crawl.
        """
        if not len(group.mean):
            return
        size = self.size if home.any() else 1
        prior, away = self._prior()[:-1, :-1], self.base[:-1] - self.level
        pull = prior @ away
        if size == 1:
            prior, pull = np.array([[prior.sum()]]), np.array([pull.sum()])
        precision = np.bincount(home, minlength=size) / group.variance
        shared = sums(home, group.mean, size) / group.variance
        shift = np.linalg.solve(prior + np.diag(precision), shared - pull)
        group.mean -= shift[home]
        self.base[:-1] += shift

    def _kernel(self, variances: Floats) -> Floats:
        return np.tensordot(variances, np.array(self.same), axes=1)

    def _prior(self) -> Floats:
        """The precision of base rates and crowd: one level, deviations by market and skill."""
        spread = self._kernel(np.append(LEVEL_SD**2, self.base_variances))
        precision = np.zeros((self.size + 1, self.size + 1))
        precision[:-1, :-1] = arrays.inverse(spread + 1e-6 * np.eye(self.size))
        precision[-1, -1] = 1 / CROWD_SD**2
        return precision

    def _logits(self) -> Floats:
        """Each row's logit."""
        at = self.cells
        logit = self.base[at.segment] + self.base[-1] * self.crowd[at.item] + self.own
        return np.asarray(logit[at.of_row] + self.offset)

    def _slopes(self) -> tuple[Floats, Floats]:
        """Per cell: s − n·p expected under the posterior, and its curvature, people eliminated."""
        t, count, of_row = self.trials, len(self.cells), self.cells.of_row
        spread = self.spread[of_row] + self.doubt
        for name, group in self.groups.items():
            spread = spread + group.of(t.groups[name])[1]
        p, slope = expected(self._logits(), spread)
        weight = t.trials * slope
        grad = sums(of_row, t.successes - t.trials * p, count)
        for name, group in self.groups.items():
            weight = weight * (1 - np.minimum(weight * group.of(t.groups[name])[1], 0.9))
        return grad, sums(of_row, weight, count)

    def _mode(self) -> float:
        """One joint Newton step of base rates and items, items eliminated; how far logits moved."""
        grad, weight = self._slopes()
        prior, fresh = self._prior(), np.zeros(len(self.cells))
        self.data = np.zeros_like(prior)
        solved = list(cells.solve(self.cells, self._kernel(self.variances), weight))
        for part in solved:
            right = part.bucket.take(weight * self.own + grad)
            inner = right - cells.times(part.resolvent, cells.times(part.kernel, right))
            part.bucket.put(fresh, inner)
            self._add(part)
        away = self.base - np.append(np.full(self.size, self.level), 0.0)
        step = np.linalg.solve(self.data + prior, self._project(fresh) - prior @ away)
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-9))
        self.base = self.base + step
        moved = float(np.abs(step[:-1]).max())
        for part in solved:
            moved = max(moved, self._move(part, fresh, step))
        return moved

    def _move(self, part: Solved, fresh: Floats, step: Floats) -> float:
        """Take the items of a bucket to their new mode, no further than is safe."""
        bucket = part.bucket
        shift = (step[bucket.segments] + step[-1] * self._crowd_of(part)[:, None]) * bucket.real
        new = bucket.take(fresh) - cells.times(part.resolvent, shift)
        old = bucket.take(self.pull)
        change = cells.times(part.kernel, new) - bucket.take(self.own)
        longest = np.abs(change).max(axis=1)
        new = old + np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-9))[:, None] * (new - old)
        bucket.put(self.pull, new)
        bucket.put(self.own, cells.times(part.kernel, new))
        return float(longest.max())

    def _crowd_of(self, part: Solved) -> Floats:
        return np.asarray(self.crowd[self.cells.item[part.bucket.cells[:, 0]]])

    def _project(self, values: Floats) -> Floats:
        """What cells say about base rates and crowd."""
        crowd = float(values @ self.crowd[self.cells.item])
        return np.append(sums(self.cells.segment, values, self.size), crowd)

    def _add(self, part: Solved) -> None:
        """Add a bucket's information on base rates and crowd."""
        crowd, rows = self._crowd_of(part), part.resolvent.sum(axis=2)
        total = np.zeros((self.size, self.size))
        cells.scatter(total, part.bucket.segments, part.resolvent)
        cross = sums(part.bucket.segments.ravel(), (rows * crowd[:, None]).ravel(), self.size)
        self.data[:-1, :-1] += total
        self.data[:-1, -1] += cross
        self.data[-1, :-1] += cross
        self.data[-1, -1] += float(rows.sum(axis=1) @ crowd**2)

    def _score(self) -> float:
        """One step of Fisher scoring of the log variances; how far standard deviations moved."""
        _, weight = self._slopes()
        score, information = np.zeros(4), np.zeros((4, 4))
        for part in cells.solve(self.cells, self._kernel(self.variances), weight):
            k, r, pull = part.kernel, part.resolvent, part.bucket.take(self.pull)
            spread = k.diagonal(axis1=1, axis2=2) - ((k @ r) * k).sum(axis=2)
            part.bucket.put(self.spread, spread)
            # tr(R·ZZ'·R·YY') = |Z'RY|²: levels are few, so nothing is as large as R itself
            levels = [z[part.bucket.segments] * part.bucket.real[:, :, None] for z in self.levels]
            turned = [r @ z for z in levels]
            for number, z in enumerate(levels):
                pushed = (pull[:, None, :] @ z)[:, 0]
                score[number] += 0.5 * float((pushed**2).sum() - (z * turned[number]).sum())
                for other in range(number + 1):
                    both = z.transpose(0, 2, 1) @ turned[other]
                    information[number, other] += 0.5 * float((both**2).sum())
                information[3, number] += 0.5 * float((turned[number] ** 2).sum())
            own = r.diagonal(axis1=1, axis2=2).sum()
            score[3] += 0.5 * float((pull**2).sum() - own)
            information[3, 3] += 0.5 * float((r**2).sum())
        return self._rescale(score, information + np.tril(information, -1).T)

    def _rescale(self, score: Floats, information: Floats) -> float:
        """Take the step that a score asks for, shorter after every turn."""
        free, now = self.free, self.variances[self.free]
        slope = score[free] * now - np.log(now / PRIOR[free])
        matrix = information[np.ix_(free, free)] * np.outer(now, now) + np.eye(len(now))
        step = np.linalg.solve(matrix, slope)
        turning = step * self.last[free] < 0
        trust = np.where(turning, 0.5 * self.trust[free], 1.5 * self.trust[free])
        self.trust[free] = np.minimum(trust, LONGEST_SCORE)
        step = np.clip(step, -self.trust[free], self.trust[free])
        self.last[free] = step
        self.variances[free] = np.clip(now * np.exp(step), self.least[free], MOST)
        size = np.maximum(np.sqrt(self.variances[free]), VISIBLE)
        return float((0.5 * size * np.abs(step)).max())

    def _told(self) -> Floats:
        """What the data say of base rates when people in a segment are only some of many.

        The mean offset of those who happened to be there is not the segment's: its covariance is
        added to that of the estimate, or twenty people would pass for a thousand rows.
        """
        chance = np.zeros_like(self.data)
        for name, group in self.groups.items():
            chance[:-1, :-1] += group.variance * self.chance[name]
        return np.asarray(np.linalg.solve(np.eye(len(chance)) + self.data @ chance, self.data))

    def _score_base(self) -> None:
        """The same for the variances of base rates, of which there is one draw only.

        Rows count in full here, not people, which makes for less spread: with few people it is
        theirs, not that of segments.
        """
        free = np.flatnonzero(self.free[1:])
        if not len(free):
            return
        prior, data = self._prior()[:-1, :-1], self.data[:-1, :-1]
        pull = prior @ (self.base[:-1] - self.level)
        seen = data - data @ arrays.inverse(data + prior) @ data
        now = self.base_variances[free]
        parts = [self.same[number + 1] for number in free]
        turned = [seen @ part for part in parts]
        score = np.array(
            [0.5 * (pull @ p @ pull - np.trace(t)) for p, t in zip(parts, turned, strict=True)]
        )
        information = np.array([[0.5 * float((x * y.T).sum()) for x in turned] for y in turned])
        slope = score * now - np.log(now / BASE[free]) / BASE_SD**2
        matrix = information * np.outer(now, now) + np.eye(len(free)) / BASE_SD**2
        step = np.clip(np.linalg.solve(matrix, slope), -LONGEST_SCORE, LONGEST_SCORE)
        self.base_variances[free] = now * np.exp(step)

    def _posterior(
        self, part: Solved, some: Ints, kernel: Floats, doubt: Floats
    ) -> tuple[Floats, Floats]:
        """Own deviations [item, segment] and covariances of some items of a bucket."""
        segments, real = part.bucket.segments[some], part.bucket.real[some]
        crowd = self._crowd_of(part)[some]
        across = kernel[:, segments].transpose(1, 0, 2) * real[:, None, :]
        leaning = across @ part.resolvent[some]  # [item, segment, place]
        design = np.zeros((len(some), segments.shape[1], self.size + 1))
        design[np.arange(len(some))[:, None], np.arange(segments.shape[1]), segments] = real
        design[:, :, -1] = crowd[:, None] * real
        whole = -(leaning @ design)
        whole[:, np.arange(self.size), np.arange(self.size)] += 1.0
        whole[:, :, -1] += crowd[:, None]
        covariance = kernel - leaning @ across.transpose(0, 2, 1)
        covariance += whole @ doubt @ whole.transpose(0, 2, 1)
        return cells.times(across, part.bucket.take(self.pull)[some]), covariance

    def _model(self) -> Model:
        """Means and covariances of every cell of every item, base rates' doubt included."""
        kernel = self._kernel(self.variances)
        _, weight = self._slopes()
        parts = list(cells.solve(self.cells, kernel, weight))
        doubt = arrays.inverse(self._told() + self._prior())
        base, known = self.base[:-1], doubt[:-1, :-1]
        mean = base + self.base[-1] * self.crowd[:, None]
        covariance = np.repeat((kernel + known)[None], self.items, axis=0)
        for part in parts:
            item = self.cells.item[part.bucket.cells[:, 0]]
            pieces = -(-len(item) * self.size * self.size // cells.LARGEST)
            for some in np.array_split(np.arange(len(item)), pieces):
                away, wide = self._posterior(part, some, kernel, doubt)
                mean[item[some]] += away
                covariance[item[some]] = wide
        own = Variances(*(float(v) for v in self.variances))
        model = Model(self.markets, self.skills, own, base, known, mean, covariance, self.groups)
        model.crowd, model.crowd_middle = float(self.base[-1]), self.middle
        return model


def _crowd(trials: Trials, items: int) -> tuple[Floats, float]:
    """How often each item's number of trials doubles, around the mean, and that mean."""
    count = sums(trials.item, trials.trials, items)
    doublings = np.log2(1 + count)
    middle = float(doublings[count > 0].mean()) if count.any() else 0.0
    return np.where(count > 0, doublings - middle, 0.0), middle


def _homes(trials: Trials, index: Ints) -> Ints:
    """Each one's own segment where nearly all have only one; otherwise 0 for all."""
    known = index >= 0
    home = np.zeros(int(index.max(initial=-1)) + 1, dtype=np.int64)
    home[index[known]] = trials.segment[known]
    at_home = home[index[known]] == trials.segment[known]
    pure = len(at_home) > 0 and at_home.mean() > PURE
    return home if pure else np.zeros_like(home)


def _chance(trials: Trials, index: Ints, size: int) -> Floats:
    """Σ over all of a group of (their share of a segment's trials) × (their share of another's)."""
    known = index >= 0
    count = int(index.max(initial=-1)) + 1
    made, segment, one = trials.trials[known], trials.segment[known], index[known]
    whole = np.maximum(sums(trials.segment, trials.trials, size), 1e-12)
    total = np.zeros((size, size))
    order = np.argsort(one, kind="stable")
    for first in range(0, count, CHUNK):
        low, high = np.searchsorted(one[order], [first, first + CHUNK])
        rows = order[low:high]
        many = min(CHUNK, count - first)
        code = (one[rows] - first) * size + segment[rows]
        shares = sums(code, made[rows], many * size).reshape(many, size) / whole
        total += shares.T @ shares
    return total
