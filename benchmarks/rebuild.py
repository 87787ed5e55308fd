"""How long counting all evidence afresh takes, read row by row, by DuckDB, and by PostgreSQL.

python -m benchmarks.rebuild --executions 100000
python -m benchmarks.rebuild --executions 10000000 --folder /var/tmp        (10 GB)
python -m benchmarks.rebuild --executions 2000000 --url postgresql://…      an empty one, filled
python -m benchmarks.rebuild --url postgresql://…                           one that is there

Inventing people one by one is slow, so of very many the first ORIGINALS executions are invented,
and the database copies them with other ids: people, executions and outcomes, which is all that is
counted. Histories repeat, then; what reading, grouping and adding up cost is the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import select

from benchmarks import make_data
from whatworks import db
from whatworks.evidence import performance, recount, totals
from whatworks.models import WorkflowPerformance

PATIENCE = 6 * 3600.0
ORIGINALS: Final = 400_000
COPIED: Final = {
    "user_profiles": "id goal market skill_level country created_at updated_at",
    "workflow_executions": "user_id id workflow_name workflow_version status steps_completed"
    " total_steps started_at completed_at touched_at goal market skill_level country",
    "outcomes": "user_id id execution_id metric_type value currency proof_type timestamp verified",
}


def main() -> None:
    """Make a database if none is named, rebuild it each way, print executions per second."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--executions", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url", help="use this database instead of a new file")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not given.url:
        given.executions = given.executions or 100_000
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'data.db'}"
        if given.executions:
            make(url, given.executions)
        found = measure(url)
    for line in found:
        print(
            f"{line['way']:10} {line['seconds']:8.2f} s {line['per_second']:12,.0f} executions/s"
            f"  {line['cells']} cells, {line['megabytes']:.0f} MB at most"
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def make(url: str, executions: int) -> None:
    """Fill a database with invented people, and with copies of them."""
    copies = -(-executions // ORIGINALS)
    command = [sys.executable, "-m", "benchmarks.make_data", "product", url]
    some = ["--executions", str(executions // copies)]
    subprocess.run([*command, *some], check=True, stdout=subprocess.DEVNULL)
    if copies > 1:  # in a process of its own, or its memory would be taken for that of counting
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(_copy, (url, copies))


def _copy(url: str, copies: int) -> None:
    with make_data.loader(url) as bulk:
        for table in COPIED:
            for number in range(2, copies + 1):
                bulk.run(_copying(table, f"{number:02x}"))


def _copying(table: str, prefix: str) -> str:
    """A statement that copies what was invented, in its order, with ids that begin otherwise.

    Invented ids are UUIDs of version 7, which begin with 01.
    """
    columns = COPIED[table].split()
    values = (f"'{prefix}' || substr({c}, 3)" if c.endswith("id") else c for c in columns)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM {table} WHERE {columns[0]} < '02' ORDER BY {columns[0]}"
    )


def measure(url: str) -> list[dict[str, float | str]]:
    """Each way once; they have to agree."""
    database = db.Database(url, patience=PATIENCE)
    size = database.read(totals.count)["executions"]
    ways = ["read"] if not (database.is_sqlite and recount.is_installed()) else ["read", "duckdb"]
    found: list[dict[str, float | str]] = []
    before = None
    for way in ways:
        count = recount.counter(database, way)
        begun = time.perf_counter()
        cells = database.write(performance.rebuild, _silent, count)
        seconds = time.perf_counter() - begun
        kept = sorted(map(repr, database.read(_cells)))
        assert before in (None, kept), f"{way} counts otherwise"
        before = kept
        found.append(
            {
                "way": way if database.is_sqlite else "postgresql",
                "seconds": seconds,
                "per_second": size / seconds,
                "cells": cells,
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    database.close()
    return found


def _cells(session: db.Session) -> list[object]:
    rows = session.all(select(WorkflowPerformance))
    return [row._replace(updated_at=None) for row in rows]


def _silent(_: int) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main()
