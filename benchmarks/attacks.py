"""How far one liar, or many, can move a published value: `python -m benchmarks.attacks`.

Simulated cells of log-normal values (a factor of 10^0.5 between cells, 10^0.45 within), whose
people report one to six times, 30 % of them verified. Printed is the factor by which the published
median is off in attacked cells, 1.00 being exact: exp of the mean of |ln(published / true)|.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import lines
from whatworks.stats import values
from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.values import Votes

LN10: Final = math.log(10)
WORKFLOWS: Final = 40
CELLS: Final = 5
LIMITS: Final = {40: 1.5, 8: 2.0}


@dataclass(frozen=True, slots=True)
class Reports:
    """What people of one cell reported."""

    people: Ints
    values: Floats
    verified: Floats


Attack = Callable[[Reports, np.random.Generator], Reports]


def honest(size: int, median: float, random: np.random.Generator) -> Reports:
    """About `size` reports; a person's own differ little from each other."""
    people: list[int] = []
    reported: list[float] = []
    verified: list[float] = []
    person = 0
    while len(people) < size:
        own = median * math.exp(0.42 * LN10 * random.standard_normal())
        proven = float(random.random() < 0.3)
        for _ in range(int(random.integers(1, 7))):
            people.append(person)
            reported.append(own * math.exp(0.16 * LN10 * random.standard_normal()))
            verified.append(proven)
        person += 1
    return Reports(np.array(people), np.array(reported), np.array(verified))


def _with(some: Reports, people: list[int], reported: list[float]) -> Reports:
    return Reports(
        np.concatenate([some.people, np.array(people, dtype=np.int64)]),
        np.concatenate([some.values, np.array(reported)]),
        np.concatenate([some.verified, np.zeros(len(people))]),
    )


def _sybils(share: float, factor: float) -> Attack:
    def attack(some: Reports, random: np.random.Generator) -> Reports:
        del random
        count = max(1, round(share * len(np.unique(some.people))))
        lie = factor * float(np.median(some.values))
        return _with(some, list(range(10_000, 10_000 + count)), [lie] * count)

    return attack


ATTACKS: Final[dict[str, Attack]] = {
    "none": lambda some, _: some,
    "one reports 1e9": lambda some, _: _with(some, [9999], [1e9]),
    "one reports 1e9 many times": lambda some, _: _with(some, [9999] * 200, [1e9] * 200),
    "5 % sybils × 10": _sybils(0.05, 10),
    "5 % sybils × 10,000": _sybils(0.05, 1e4),
    "20 % sybils × 10,000": _sybils(0.20, 1e4),
}


def factor(attack: Attack, size: int, seed: int = 0) -> float:
    """How far off published medians are in attacked cells, as a factor."""
    random = np.random.default_rng(seed)
    cells: list[tuple[int, Votes]] = []
    truths, attacked = [], []
    for workflow in range(WORKFLOWS):
        centre = 3.5 + 0.4 * random.standard_normal()
        for cell in range(CELLS):
            median = 10 ** (centre + 0.3 * random.standard_normal())
            some = honest(size, median, random)
            if cell == 0:
                some = attack(some, random)
                attacked.append(len(cells))
                truths.append(median)
            cells.append((workflow, values.votes(some.people, some.values, some.verified)))
    spread = values.fit(cells)
    errors = []
    for place, truth in zip(attacked, truths, strict=True):
        workflow, own = cells[place]
        whole = sum((votes for other, votes in cells if other == workflow), values.NO_VOTES)
        found = values.typical(own, whole, spread)
        assert found is not None
        errors.append(abs(math.log(found.median / truth)))
    return math.exp(sum(errors) / len(errors))


def main() -> None:
    """Print the table; write it too."""
    parser = argparse.ArgumentParser("attacks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT")
    given = parser.parse_args()
    written = []
    print("| attack | 40 reports a cell | 8 reports a cell |\n| --- | --- | --- |")
    worst = {40: 1.0, 8: 1.0}
    for name, attack in ATTACKS.items():
        found = {
            size: float(np.mean([factor(attack, size, s) for s in range(4)])) for size in worst
        }
        written += [{"attack": name, "reports": n, "factor": f} for n, f in found.items()]
        worst = {size: max(worst[size], found[size]) for size in worst}
        print(f"| {name} | × {found[40]:.2f} | × {found[8]:.2f} |")
    for size, limit in LIMITS.items():
        said = "pass" if worst[size] <= limit else "**missed**"
        print(f"worst with {size} reports: × {worst[size]:.2f}, asked ≤ × {limit}: {said}")
    if given.json:
        given.json.write_text(lines.written(written) + "\n")


if __name__ == "__main__":
    main()
