"""Successes out of trials, by item, segment and person: what every fit starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from whatworks.stats.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Trials:
    """Rows of "so many successes out of so many trials"; addable.

    `item` 0 … and `segment` 0 … markets × skills − 1 (market × skills + skill) say which cell a
    row counts in; `groups` names whose or what else a row is, by number: "user", "goal", "country",
    "item:goal"; −1 where that is not known. A row may be one execution (successes 0 or 1 of 1) or
    a whole cell; both give the same fit.

    >>> one = Trials.of([0, 0, 1], [2, 2, 0], [1, 0, 1])
    >>> both = (one + one).summed()
    >>> both.item.tolist(), both.successes.tolist(), both.trials.tolist()
    ([0, 1], [2.0, 2.0], [4.0, 2.0])
    """

    item: Ints
    segment: Ints
    successes: Floats
    trials: Floats
    groups: Mapping[str, Ints] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        item: object,
        segment: object,
        successes: object,
        trials: object = None,
        **groups: object,
    ) -> Trials:
        """From anything like an array; one trial a row when `trials` is not given."""
        won = np.asarray(successes, dtype=np.float64)
        return cls(
            np.asarray(item, dtype=np.int64),
            np.asarray(segment, dtype=np.int64),
            won,
            np.ones_like(won) if trials is None else np.asarray(trials, dtype=np.float64),
            {name: np.asarray(index, dtype=np.int64) for name, index in groups.items()},
        )

    @classmethod
    def of_counts(cls, successes: Floats, trials: Floats) -> Trials:
        """From two tables [item, segment]; empty cells are left out."""
        item, segment = np.nonzero(trials)
        return cls.of(item, segment, successes[item, segment], trials[item, segment])

    def __len__(self) -> int:
        return len(self.item)

    def __add__(self, other: Trials) -> Trials:
        if self.groups.keys() != other.groups.keys():
            raise ValueError("trials of different groups do not add up")
        return Trials(
            np.concatenate([self.item, other.item]),
            np.concatenate([self.segment, other.segment]),
            np.concatenate([self.successes, other.successes]),
            np.concatenate([self.trials, other.trials]),
            {k: np.concatenate([index, other.groups[k]]) for k, index in self.groups.items()},
        )

    def where(self, chosen: object) -> Trials:
        """The rows that a mask or a list of row numbers chooses."""
        rows = np.asarray(chosen)
        return Trials(
            self.item[rows],
            self.segment[rows],
            self.successes[rows],
            self.trials[rows],
            {name: index[rows] for name, index in self.groups.items()},
        )

    def only(self, *names: str) -> Trials:
        """The same rows with these groups alone."""
        kept = {name: self.groups[name] for name in names if name in self.groups}
        return Trials(self.item, self.segment, self.successes, self.trials, kept)

    def summed(self) -> Trials:
        """Rows that agree in item, segment and all groups made one; sorted by them."""
        keys = [*reversed(list(self.groups.values())), self.segment, self.item]
        order = np.lexsort(keys)
        if not len(order):
            return self
        changes = np.zeros(len(order), dtype=bool)
        changes[0] = True
        for key in keys:
            changes[1:] |= np.diff(key[order]) != 0
        first = np.flatnonzero(changes)
        return Trials(
            self.item[order][first],
            self.segment[order][first],
            np.add.reduceat(self.successes[order], first),
            np.add.reduceat(self.trials[order], first),
            {name: index[order][first] for name, index in self.groups.items()},
        )
