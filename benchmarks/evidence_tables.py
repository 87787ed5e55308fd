"""What was measured as Markdown tables: means over seeds, by set, size and method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import mean
from typing import Final

from benchmarks.evidence_goals import PEERS, SIZES, Row, Table

OWN: Final = ("naive", "naive5", "item", "eb_cell", "nested_eb", "H", "H+own", "H_served")
ALL: Final = (*OWN, "tutorial", *PEERS, "glmer")
SHOWN_SIZE: Final = 10_000
What = Callable[[Row], float | None]
MEASURES: Final[dict[str, tuple[What, str]]] = {
    "ECE": (lambda r: r.ece, ".3f"),
    "90 % coverage": (lambda r: r.coverage90, ".2f"),
    "top-1 success": (lambda r: r.top1, ".3f"),
    "Brier": (lambda r: r.brier, ".4f"),
    "fit, s": (lambda r: r.fit_s, ".3f"),
    "update, µs": (lambda r: r.update_us, ".1f"),
    "top 5 of 2,000, µs": (lambda r: r.serve_us, ",.0f"),
}


def report(records: Sequence[Row], early: Sequence[Row]) -> str:
    """Log loss of unknown and of known people, everything else of unknown ones, order of time."""
    table = Table(records)
    parts = [
        "## Log loss of people nobody knows\n",
        *_losses(table, "cold"),
        "\n## Log loss of people with a history\n",
        *_losses(table, "warm"),
        f"\n## The rest, at {SHOWN_SIZE:,} executions, means over the sets\n",
        *_rest(table),
    ]
    if early:
        parts += ["\n## Log loss of people nobody knows, in the order of time\n"]
        parts += _losses(Table(early), "cold")
    return "\n".join(parts) + "\n"


def _methods(table: Table, users: str) -> list[str]:
    seen = {r.method for r in table.records if r.users == users}
    return [method for method in ALL if method in seen and method != "tutorial"]


def _losses(table: Table, users: str) -> Iterator[str]:
    """One line for each set and size; the least is bold."""
    methods = _methods(table, users)
    yield _line(["data, n", *methods])
    yield "| --- |" + " --: |" * len(methods)
    for data in table.sets:
        for size in SIZES:
            row = [table.loss(data, size, method, users) for method in methods]
            known = [value for value in row if value is not None]
            if known:
                rows = max(r.n for r in table.records if _is_at(table, r, data, size))
                yield _line([f"{data} {rows:,}", *(_cell(value, min(known)) for value in row)])


def _rest(table: Table) -> Iterator[str]:
    yield _line(["", *MEASURES])
    yield "| --- |" + " --: |" * len(MEASURES)
    seen = {r.method for r in table.records}
    for method in (method for method in ALL if method in seen):
        cells = []
        for what, form in MEASURES.values():
            found = [
                table.mean(data, SHOWN_SIZE, method, "cold", what)
                for data in table.sets
                if table.mean(data, SHOWN_SIZE, "H", "cold", what) is not None
            ]
            cells.append(_mean(found, form))
        yield _line([method, *cells])


def _mean(found: Sequence[float | None], form: str) -> str:
    """Nothing where a set is missing: means over other sets do not compare."""
    known = [value for value in found if value is not None]
    return format(mean(known), form) if known and len(known) == len(found) else ""


def _is_at(table: Table, row: Row, data: str, size: int) -> bool:
    return row.data == data and table.size_of(row.n) == size


def _cell(value: float | None, least: float) -> str:
    if value is None:
        return ""
    return f"**{value:.4f}**" if value <= least else f"{value:.4f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
