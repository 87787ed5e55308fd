"""What sharing a commit brings: durable rows a second through `whatworks.db.Database.write`.

SQLite, WAL, synchronous=FULL, a row with one secondary index per verb. 1, 8 and 32 threads write
for a while with groups of up to 64 verbs and with a commit for each verb, taking turns in every
round; every row counted is on the disk when its writer is told.

    python -m benchmarks.group_commit --rounds 3 --seconds 2
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Float, Index, MetaData, String, Table, func, insert, select

from benchmarks import machine
from whatworks import clock, db

THREADS: Final = (1, 8, 32)
GROUPED: Final = 64
ROWS: Final = Table(
    "rows",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("owner", String),
    Column("at", Float),
    Index("ix_rows_owner", "owner"),
)
INSERT: Final = db.Query(insert(ROWS))
COUNT: Final = db.Query(select(func.count()).select_from(ROWS))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(machine.describe(options.folder))
    rates: dict[tuple[int, int], list[float]] = {}
    for number in range(1, options.rounds + 1):
        fsync = machine.fsync_microseconds(options.folder)
        print(f"Round {number} of {options.rounds} (fdatasync {fsync:.0f} µs)", flush=True)
        for threads in THREADS:
            for group_size in (GROUPED, 1):
                rate = measure(options.folder, threads, group_size, options.seconds)
                rates.setdefault((threads, group_size), []).append(rate)
    print(table(rates))


def measure(folder: Path, threads: int, group_size: int, seconds: float) -> float:
    """Durable rows a second of so many threads."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        url = f"sqlite:///{place}/rows.db"
        engine = db.engine(url)
        ROWS.metadata.create_all(engine)
        engine.dispose()
        database = db.Database(url, group_size=group_size)
        database.write(_add_row)
        counts = [0] * threads
        deadline = time.perf_counter() + seconds
        writers = [
            threading.Thread(target=_write_until, args=(deadline, database, counts, index))
            for index in range(threads)
        ]
        started = time.perf_counter()
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        elapsed = time.perf_counter() - started
        stored = database.read(lambda session: int(session.value(COUNT)))
        database.close()
    if stored != sum(counts) + 1:
        raise SystemExit(f"{sum(counts) + 1} rows were acknowledged, {stored} are there.")
    return sum(counts) / elapsed


def table(rates: dict[tuple[int, int], list[float]]) -> str:
    """Medians, and the median of the ratios within each round, in Markdown."""
    lines = [
        f"| threads | groups of ≤ {GROUPED}, rows/s | one each, rows/s | ratio |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for threads in THREADS:
        grouped, alone = rates[threads, GROUPED], rates[threads, 1]
        ratio = statistics.median(g / a for g, a in zip(grouped, alone, strict=True))
        lines.append(
            f"| {threads} | {statistics.median(grouped):,.0f} | {statistics.median(alone):,.0f}"
            f" | {ratio:.2f} |"
        )
    return "\n".join(lines)


def _write_until(deadline: float, database: db.Database, counts: list[int], index: int) -> None:
    while time.perf_counter() < deadline:
        database.write(_add_row)
        counts[index] += 1


def _add_row(session: db.Session) -> None:
    row_id = clock.new_id()
    session.run(INSERT, id=row_id, owner=row_id[-8:], at=clock.timestamp())


if __name__ == "__main__":
    main()
