"""The goals for the estimator, each with its figure: passed, missed, or not measured.

    python -m benchmarks.evidence_goals --records JSON --early JSON --policies JSON --attacks JSON

prints them all, from what `evidence.py` (the second in the order of time), `policies.py` and
`attacks.py` wrote with `--json`. With `--served` it judges the fit that the product serves in H's
place.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean
from types import SimpleNamespace
from typing import Any, Final, Protocol

PEERS: Final = ("LR", "LightGBM", "VW", "LightFM")
SIZES: Final = (500, 2000, 10_000, 50_000)
DRAWS: Final = 2_000


class Row(Protocol):
    """What is needed of a record."""

    @property
    def data(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def users(self) -> str: ...
    @property
    def log_loss(self) -> float: ...
    @property
    def brier(self) -> float: ...
    @property
    def ece(self) -> float: ...
    @property
    def coverage90(self) -> float | None: ...
    @property
    def top1(self) -> float | None: ...
    @property
    def fit_s(self) -> float: ...
    @property
    def update_us(self) -> float | None: ...
    @property
    def serve_us(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Goal:
    """What was asked and what came out; `passed` is None where it was not measured."""

    name: str
    asked: str
    figure: str
    passed: bool | None


class Table:
    """Records by set, asked size, method and kind of user, means over seeds."""

    def __init__(self, records: Sequence[Row], sizes: Iterable[int] = SIZES) -> None:
        self.records = list(records)
        self.sizes = sorted(sizes)
        self.sets = sorted({r.data for r in self.records})

    def size_of(self, n: int) -> int:
        """The size that was asked for when n rows were there."""
        return next((size for size in self.sizes if size >= n), self.sizes[-1])

    def mean(
        self, data: str, size: int, method: str, users: str, what: Callable[[Row], float | None]
    ) -> float | None:
        """Mean over seeds; None where there is nothing."""
        found = [
            what(r)
            for r in self.records
            if (r.data, self.size_of(r.n), r.method, r.users) == (data, size, method, users)
        ]
        some = [value for value in found if value is not None]
        return mean(some) if some else None

    def loss(self, data: str, size: int, method: str, users: str = "cold") -> float | None:
        """Mean log loss."""
        return self.mean(data, size, method, users, lambda r: r.log_loss)

    def best(self, data: str, size: int, users: str) -> float | None:
        """The least log loss among the peers."""
        found = [self.loss(data, size, peer, users) for peer in PEERS]
        return min((loss for loss in found if loss is not None), default=None)

    def ratios(self, size: int, method: str, other: str, users: str = "cold") -> dict[str, float]:
        """By set, how a method's loss compares with another's, "peers" for the best of them."""
        found = {}
        for data in self.sets:
            own = self.loss(data, size, method, users)
            theirs = (
                self.best(data, size, users)
                if other == "peers"
                else self.loss(data, size, other, users)
            )
            if own is not None and theirs is not None:
                found[data] = own / theirs
        return found


def geometric(values: Iterable[float]) -> float:
    """The geometric mean."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def judge(records: Sequence[Row], early: Sequence[Row], sizes: Iterable[int]) -> list[Goal]:
    """Every goal that these records can decide."""
    table, first = Table(records, sizes), Table(early, sizes)

    return [
        *(_against(table, size, "naive5", 0.88) for size in (2000, 10_000)),
        *(_peers(table, size) for size in SIZES),
        *_glmer(table),
        *(_time_order(first, size) for size in (2000, 10_000)),
        _warm(table),
        *_calibration(table),
        _coverage(table),
        _top1(table),
        *_speed(table),
    ]


def _goal(name: str, asked: str, figure: str, passed: bool | None) -> Goal:
    return Goal(name, asked, figure if passed is not None else "not measured", passed)


def _each(ratios: dict[str, float]) -> str:
    return ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())


def _against(table: Table, size: int, other: str, limit: float) -> Goal:
    ratios = table.ratios(size, "H", other)
    value = geometric(ratios.values())
    passed = value <= limit if ratios else None
    return _goal(f"cold log loss / {other}, n = {size:,}", f"≤ {limit}", f"{value:.3f}", passed)


def _peers(table: Table, size: int) -> Goal:
    ratios = table.ratios(size, "H", "peers")
    value = geometric(ratios.values())
    passed = value <= 0.997 and max(ratios.values()) <= 1.0 if ratios else None
    figure = f"{value:.4f} ({_each(ratios)})"
    asked = "≤ 1.000 each, ≤ .997 mean"
    return _goal(f"cold log loss / best of four peers, n = {size:,}", asked, figure, passed)


def _glmer(table: Table) -> Iterable[Goal]:
    """The time is judged where a fit takes time; of fewer rows it is told."""
    for size, limit in ((2000, 1.005), (10_000, 1.002)):
        found, times = {}, {}
        for data in table.sets:
            both = [
                (table.loss(data, size, "H", users), table.loss(data, size, "glmer", users))
                for users in ("cold", "warm")
            ]
            pairs = [(own, theirs) for own, theirs in both if own and theirs]
            if pairs:
                found[data] = sum(own for own, _ in pairs) / sum(theirs for _, theirs in pairs)
                own = table.mean(data, size, "H", "cold", lambda r: r.fit_s)
                theirs = table.mean(data, size, "glmer", "cold", lambda r: r.fit_s)
                times[data] = float(own or 0) / float(theirs or 1)
        worst = max(found.values(), default=math.nan)
        name = f"log loss / glmer, same counts, n = {size:,}"
        yield _goal(name, f"≤ {limit}", _each(found), worst <= limit if found else None)
        figure = ", ".join(f"{data} 1/{1 / ratio:,.0f}" for data, ratio in times.items())
        passed = max(times.values()) <= 0.1 if times and size == 10_000 else None
        asked = "≤ 1/10" if size == 10_000 else ""
        yield Goal(f"fit time / glmer, n = {size:,}", asked, figure or "not measured", passed)


def _time_order(table: Table, size: int) -> Goal:
    ratios = table.ratios(size, "H", "eb_cell")
    name = f"cold log loss in time order / EB cell, n = {size:,}"
    passed = max(ratios.values()) <= 1.0 if ratios else None
    return _goal(name, "≤ 1.00", _each(ratios), passed)


def _warm(table: Table) -> Goal:
    big = {
        data: ratio
        for data, ratio in table.ratios(50_000, "H+own", "peers", "warm").items()
        if max(r.n for r in table.records if r.data == data) > 20_000
    }
    value = geometric(big.values())
    passed = value <= 0.99 if big else None
    return _goal("warm log loss / best peer, 50k", "≤ .99", f"{value:.3f} ({_each(big)})", passed)


def _calibration(table: Table) -> Iterable[Goal]:
    def errors(method: str) -> list[float]:
        found = (table.mean(d, 10_000, method, "cold", lambda r: r.ece) for d in table.sets)
        return [value for value in found if value is not None]

    own, naive = errors("H"), errors("naive5")
    value = mean(own) if own else math.nan
    passed = value <= 0.03 if own else None
    yield _goal("calibration error (ECE), cold, 10k", "≤ .03", f"{value:.3f}", passed)
    ratio = value / mean(naive) if own and naive else math.nan
    passed = ratio <= 0.5 if own and naive else None
    yield _goal("ECE / naive5, 10k", "≤ 1/2", f"{ratio:.2f}", passed)


def _coverage(table: Table) -> Goal:
    found = {}
    for size in (2000, 10_000, 50_000):
        values = [
            table.mean(data, size, "H", "cold", lambda r: r.coverage90) for data in table.sets
        ]
        some = [value for value in values if value is not None]
        if some:
            found[f"{size:,}"] = mean(some)
    passed = all(0.87 <= value <= 0.95 for value in found.values()) if found else None
    return _goal("coverage of 90 % intervals, n ≥ 2k", ".87 – .95", _each(found), passed)


def _top1(table: Table) -> Goal:
    found = {}
    for size in SIZES:
        pairs = []
        for data in table.sets:
            own = table.mean(data, size, "H", "cold", lambda r: r.top1)
            theirs = table.mean(data, size, "tutorial", "cold", lambda r: r.top1)
            if own and theirs:
                pairs.append(own / theirs)
        if pairs:
            found[f"{size:,}"] = geometric(pairs)
    passed = min(found.values()) >= 1.10 if found else None
    return _goal("top-1 success / tutorial formula, cold", "≥ 1.10", _each(found), passed)


def _speed(table: Table) -> Iterable[Goal]:
    updates = sorted(r.update_us for r in table.records if r.method == "H" and r.update_us)
    serves = sorted(r.serve_us for r in table.records if r.method == "H" and r.serve_us)
    for name, limit, some in (
        ("update by one execution, CPU", 20, updates),
        ("serve top 5 of 2,000, CPU", 150, serves),
    ):
        middle = some[len(some) // 2] if some else math.nan
        passed = middle <= limit if some else None
        yield _goal(name, f"≤ {limit} µs", f"{middle:.1f} µs", passed)


def table(goals: Sequence[Goal]) -> str:
    """The goals as a Markdown table."""
    said = {True: "pass", False: "**missed**", None: "–"}
    lines = [f"| {g.name} | {g.asked} | {g.figure} | {said[g.passed]} |" for g in goals]
    return "\n".join(["", "| goal | asked | measured | |", "| --- | --- | --- | --- |", *lines])


def policies(found: Sequence[dict[str, Any]], logs: Sequence[dict[str, Any]]) -> Iterable[Goal]:
    """Regret in simulated worlds, and how far estimates from logs are off."""
    for other, limit in (("naive greedy", 0.75), ("item Thompson", 0.5)):
        ratios, said = {}, []
        for data in sorted({r["data"] for r in found}):
            ours, theirs = (
                [r["whole"] for r in found if (r["data"], r["policy"]) == (data, policy)]
                for policy in ("H softmax", other)
            )
            ratios[data] = mean(ours) / mean(theirs)
            low, high = _between(ours, theirs)
            said.append(f"{data} {ratios[data]:.3f} ({low:.2f} – {high:.2f})")
        passed = max(ratios.values()) <= limit if ratios else None
        yield _goal(f"regret / {other}", f"≤ {limit}", ", ".join(said), passed)
    # below half of what a policy would show the product says nothing of it
    told = [o for o in logs if o["rows"] == max(o["rows"] for o in logs) and o["seen"] >= 0.5]
    own, model = (mean(o[m] for o in told) if told else math.nan for m in ("SWITCH-DR", "DM"))
    figure = f"{own:.3f}, {own / model:.2f} of DM"
    passed = own <= 0.02 and own <= 0.5 * model if told else None
    asked = "≤ .02 and ≤ 1/2 of DM"
    yield _goal("off-policy error, 20,000 rows, SWITCH-DR", asked, figure, passed)


def _between(own: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Where the ratio of means lies in nine of ten draws of as many worlds from these."""
    random = Random(0)
    worlds = list(zip(own, theirs, strict=True))
    ratios = []
    for _ in range(DRAWS):
        some = random.choices(worlds, k=len(worlds))
        ratios.append(mean(a for a, _ in some) / mean(b for _, b in some))
    ratios.sort()
    return ratios[DRAWS // 20], ratios[DRAWS - DRAWS // 20]


def attacks(found: Sequence[dict[str, Any]]) -> Iterable[Goal]:
    """How far the worst attack moves a published value."""
    for reports, limit in ((40, 1.5), (8, 2.0)):
        worst = max((o["factor"] for o in found if o["reports"] == reports), default=math.nan)
        passed = worst <= limit if found else None
        name = f"outcome, worst attack, {reports} reports a cell"
        yield _goal(name, f"≤ × {limit}", f"× {worst:.2f}", passed)


def main() -> int:
    """All goals from what was measured; 1 when one is missed."""
    parser = argparse.ArgumentParser("evidence_goals", description=__doc__)
    for part in ("records", "early", "policies", "attacks"):
        parser.add_argument(f"--{part}", type=Path, metavar="JSON")
    parser.add_argument("--served", action="store_true")
    given = parser.parse_args()
    records, early = _stored(given.records), _stored(given.early)
    if given.served:
        records, early = _in_place_of_h(records), _in_place_of_h(early)
    goals = judge(records, early, SIZES) if records else []
    if given.policies:
        both = json.loads(given.policies.read_text())
        goals += policies(both["regret"], both["off_policy"])
    if given.attacks:
        goals += attacks(json.loads(given.attacks.read_text()))
    print(table(goals))
    return int(any(goal.passed is False for goal in goals))


def _stored(path: Path | None) -> list[Any]:
    return [SimpleNamespace(**one) for one in json.loads(path.read_text())] if path else []


def _in_place_of_h(records: list[Any]) -> list[Any]:
    """H_served under the name of H; what was H is left out."""
    return [
        SimpleNamespace(**{**vars(r), "method": "H" if r.method == "H_served" else r.method})
        for r in records
        if r.method != "H"
    ]


if __name__ == "__main__":
    sys.exit(main())
