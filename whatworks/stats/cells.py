"""Cells with data, item by item, and the small dense algebra of all items at once.

Items have few cells each, so everything is done in stacks of small matrices: items with about as
many cells form a bucket, shorter ones padded with a cell that has no weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks.stats import arrays
from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.trials import Trials

SIZES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 45, 70, 100, 150, 250, 500)
LARGEST: Final = 4_000_000  # numbers in one stack of matrices; longer buckets come in pieces


@dataclass(frozen=True, slots=True)
class Bucket:
    """Items with about the same number of cells. `cells` [item, place]; `real` is 0 for padding."""

    cells: Ints
    segments: Ints
    real: Floats

    def take(self, values: Floats) -> Floats:
        """A value per cell, laid out [item, place]; 0 for padding."""
        taken: Floats = np.append(values, 0.0)[self.cells]
        return taken

    def put(self, target: Floats, values: Floats) -> None:
        """Write values [item, place] back to their cells."""
        chosen = self.real > 0
        target[self.cells[chosen]] = values[chosen]


@dataclass(frozen=True, slots=True)
class Layout:
    """The cells that have trials, sorted by item; `of_row` says which one each row counts in."""

    item: Ints
    segment: Ints
    of_row: Ints
    buckets: tuple[Bucket, ...]

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True, slots=True)
class Solved:
    """A bucket with its prior covariance K over the cells and R = (W⁻¹ + K)⁻¹."""

    bucket: Bucket
    kernel: Floats
    resolvent: Floats


def layout(trials: Trials, size: int) -> Layout:
    """Where each row counts, of `size` segments."""
    codes, of_row = np.unique(trials.item * size + trials.segment, return_inverse=True)
    item, segment = np.divmod(codes, size)
    first = np.flatnonzero(np.diff(item, prepend=-1))
    length = np.diff(np.append(first, len(item)))
    padded = np.append(segment, 0)
    buckets = []
    smaller = 0
    for limit in [*(s for s in SIZES if s < size), size]:
        chosen = (length > smaller) & (length <= limit)
        smaller = limit
        pieces = -(-int(chosen.sum()) * limit * limit // LARGEST)
        for part in np.array_split(np.flatnonzero(chosen), pieces) if pieces else []:
            steps = np.arange(limit)
            real = steps < length[part][:, None]
            cells = np.where(real, first[part][:, None] + steps, len(item))
            buckets.append(Bucket(cells, padded[cells], real.astype(np.float64)))
    return Layout(item, segment, of_row.astype(np.int64), tuple(buckets))


def solve(cells: Layout, kernel: Floats, weight: Floats) -> Iterator[Solved]:
    """Every bucket's K and R, safe where a weight is 0 (Rasmussen & Williams 2006, eq. 3.26)."""
    for bucket in cells.buckets:
        root = np.sqrt(bucket.take(weight))
        own = kernel[bucket.segments[:, :, None], bucket.segments[:, None, :]]
        own = own * bucket.real[:, :, None] * bucket.real[:, None, :]
        inner = root[:, :, None] * own * root[:, None, :]
        diagonal = np.arange(own.shape[1])
        inner[:, diagonal, diagonal] += 1.0
        resolvent = root[:, :, None] * arrays.inverse(inner) * root[:, None, :]
        yield Solved(bucket, own, resolvent)


def times(matrices: Floats, vectors: Floats) -> Floats:
    """Each matrix times its vector."""
    return np.asarray(np.matmul(matrices, vectors[:, :, None])[:, :, 0])


def scatter(total: Floats, segments: Ints, blocks: Floats) -> None:
    """Add blocks [item, place, place] to where their segments belong."""
    size = total.shape[1]
    where = segments[:, :, None] * size + segments[:, None, :]
    flat = arrays.sums(where.ravel(), blocks.ravel(), size * size).reshape(size, size)
    total[:size] += flat
