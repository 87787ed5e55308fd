"""From measurements to medians, ratios, and whether the targets were reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks.load import ENDPOINTS, Measurement


@dataclass(frozen=True)
class Cell:
    """One measurement and where it belongs."""

    round: int
    endpoint: str
    executions: int
    system: str
    measured: Measurement


@dataclass(frozen=True)
class Line:
    """One endpoint of one system at one size: medians over the rounds that count."""

    endpoint: str
    executions: int
    system: str
    rate: float
    of_hello: float
    p50_ms: float
    p99_ms: float
    spread: float  # p99 / p50
    cpu_us: float
    database_cpu_us: float
    connections: int
    rounds: int
    voids: int


@dataclass(frozen=True)
class Target:
    """A promise, what was measured, and the two limits: the target and its stretch."""

    text: str
    value: float | None
    limit: float
    stretch: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self._meets(self.limit):
            stretched = self.stretch is not None and self._meets(self.stretch)
            return "pass, with stretch" if stretched else "pass"
        return "FAIL"

    def _meets(self, limit: float) -> bool:
        assert self.value is not None
        return self.value <= limit if self.at_most else self.value >= limit


# name of endpoint → least share of hello, stretch
SHARES_OF_HELLO: Final = {
    "outcome": (0.18, 0.25),
    "recommendations": (0.30, 0.40),
    "performance": (0.60, 0.80),
}
TIMES_THE_PEER: Final = {"naive": 4.0, "fastapi": 2.0}
GROWTH: Final = 1.15
SPREAD: Final = 4.0


class Report:
    """All cells of one run."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self._found = {
            (cell.round, cell.endpoint, cell.executions, cell.system): cell.measured
            for cell in self.cells
        }

    def lines(self) -> list[Line]:
        """One line per endpoint, size and system, in the order they were measured."""
        keys = dict.fromkeys((c.endpoint, c.executions, c.system) for c in self.cells)
        ordered = sorted(keys, key=lambda key: (list(ENDPOINTS).index(key[0]), key[1]))
        return [self._line(*key) for key in ordered]

    def targets(self) -> list[Target]:
        """The promises of the product."""
        return [*self._shares(), *self._spreads(), *self._growths(), *self._times_the_peers()]

    def per_round(
        self,
        value: Callable[[Measurement, Measurement], float],
        one: tuple[str, int, str],
        other: tuple[str, int, str],
    ) -> float | None:
        """The median over the rounds in which both count."""
        values = []
        for round_ in dict.fromkeys(cell.round for cell in self.cells):
            first, second = self._found.get((round_, *one)), self._found.get((round_, *other))
            if first and second and not first.void and not second.void:
                values.append(value(first, second))
        return statistics.median(values) if values else None

    def _line(self, endpoint: str, executions: int, system: str) -> Line:
        key = (endpoint, executions, system)
        every = [c.measured for c in self.cells if (c.endpoint, c.executions, c.system) == key]
        good = [one for one in every if not one.void]

        def median(value: Callable[[Measurement], float]) -> float:
            return statistics.median(map(value, good)) if good else float("nan")

        return Line(
            endpoint,
            executions,
            system,
            median(lambda one: one.rate),
            self.per_round(_rates, key, (endpoint, executions, "hello")) or float("nan"),
            median(lambda one: one.p50_ms),
            median(lambda one: one.p99_ms),
            median(lambda one: one.p99_ms / one.p50_ms),
            median(lambda one: one.cpu_us),
            median(lambda one: one.database_cpu_us),
            max(one.connections for one in every),
            len(good),
            len(every) - len(good),
        )

    def _sizes(self) -> list[int]:
        return sorted({cell.executions for cell in self.cells})

    def _shares(self) -> Iterable[Target]:
        for endpoint, (limit, stretch) in SHARES_OF_HELLO.items():
            for size in self._sizes():
                value = self.per_round(
                    _rates, (endpoint, size, "product"), (endpoint, size, "hello")
                )
                text = f"{ENDPOINTS[endpoint].title} of hello, {size:,} executions"
                yield Target(text, value, limit, stretch)

    def _spreads(self) -> Iterable[Target]:
        for size in self._sizes():
            key = ("outcome", size, "product")
            value = self.per_round(lambda one, _: one.p99_ms / one.p50_ms, key, key)
            yield Target(
                f"POST outcome p99 ÷ p50, {size:,} executions", value, SPREAD, at_most=True
            )

    def _growths(self) -> Iterable[Target]:
        small, *_, large = self._sizes() * 2
        if small == large:
            return
        for endpoint in ("recommendations", "performance"):
            value = self.per_round(
                lambda one, other: one.p50_ms / other.p50_ms,
                (endpoint, large, "product"),
                (endpoint, small, "product"),
            )
            text = f"{ENDPOINTS[endpoint].title} p50, {large:,} ÷ {small:,} executions"
            yield Target(text, value, GROWTH, at_most=True)

    def _times_the_peers(self) -> Iterable[Target]:
        for peer, limit in TIMES_THE_PEER.items():
            for size in self._sizes():
                value = self.per_round(
                    _rates, ("outcome", size, "product"), ("outcome", size, peer)
                )
                text = f"POST outcome, times {peer}, {size:,} executions"
                yield Target(text, value, limit)


def _rates(one: Measurement, other: Measurement) -> float:
    return one.rate / other.rate


def tables(report: Report) -> str:
    """Both tables, in Markdown."""
    return f"{_lines_table(report.lines())}\n\n{_targets_table(report.targets())}\n"


def _lines_table(lines: Iterable[Line]) -> str:
    rows = [
        "| endpoint | executions | system | req/s | of hello | p50 ms | p99 ms | p99 ÷ p50 |"
        " CPU µs | database CPU µs | rounds |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for line in lines:
        serial = " (one client)" if line.connections == 1 else ""
        share = "1" if line.system == "hello" else f"{line.of_hello:.2g}"
        rounds = f"{line.rounds}" + (f", {line.voids} void" if line.voids else "")
        rows.append(
            f"| {ENDPOINTS[line.endpoint].title} | {line.executions:,} | {line.system}{serial}"
            f" | {_short(line.rate)} | {share} | {_short(line.p50_ms)} | {_short(line.p99_ms)}"
            f" | {line.spread:.1f} | {line.cpu_us:,.0f} | {line.database_cpu_us:,.0f} | {rounds} |"
        )
    return "\n".join(rows)


def _targets_table(targets: Iterable[Target]) -> str:
    rows = [
        "| target | measured | wanted | stretch | verdict |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for target in targets:
        sign = "≤" if target.at_most else "≥"
        measured = "" if target.value is None else f"{target.value:.3g}"
        stretch = "" if target.stretch is None else f"{sign} {target.stretch:g}"
        rows.append(
            f"| {target.text} | {measured} | {sign} {target.limit:g} | {stretch}"
            f" | {target.verdict} |"
        )
    return "\n".join(rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
