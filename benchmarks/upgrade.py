"""How long an old shop's database takes to upgrade in place, and that every old row is still there.

    python -m benchmarks.upgrade --executions 500000

The database of the old shop is the one the tests use, filled up with executions and outcomes in
the old shape. Printed are the seconds of `whatworks migrate` and of `whatworks rebuild`.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, make_data
from whatworks import db
from whatworks.evidence import performance
from whatworks.upgrades import migrations

OLD: Final = make_data.ROOT / "tests" / "fixtures" / "legacy-after.db"
MARKETS: Final = ("freelancer", "shop_owner", "content_creator", "agency", "student")
LEVELS: Final = ("beginner", "intermediate", "advanced")
WORKFLOWS: Final = ("resume_generator", "whatsapp_bot", "prompt_selling")
STATES: Final = ("completed", "completed", "abandoned", "in_progress", "started")
PER_PERSON: Final = 4


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, help="where to work; a new folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "data.db"
        shutil.copyfile(OLD, path)
        fill(path, options.executions)
        before = rows(path)
        print(f"{machine.describe(Path(folder))}\n{path.stat().st_size / 1e6:,.0f} MB, {before}")
        url = f"sqlite:///{path}"
        seconds = timed(lambda: migrations.upgrade(url))
        after = rows(path)
        lost = {table: n for table, n in before.items() if after[table] < n}
        print(f"migrate {seconds:6.1f} s; rows lost: {lost or 'none'}")
        database = db.Database(url, patience=3600)
        print(f"rebuild {timed(lambda: database.write(performance.rebuild)):6.1f} s")
        database.close()
        if lost:
            raise SystemExit(1)


def timed(run: Any) -> float:
    """Seconds of wall time."""
    before = time.perf_counter()
    run()
    return time.perf_counter() - before


def rows(path: Path) -> dict[str, int]:
    """How many rows the tables have that the old shop filled."""
    tables = ("user_profiles", "workflow_executions", "outcomes")
    with sqlite3.connect(path) as old:
        return {t: old.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


def fill(path: Path, executions: int) -> None:
    """Add people, executions and outcomes in the old shape."""
    old = sqlite3.connect(path)
    people = [str(uuid.uuid4()) for _ in range(executions // PER_PERSON)]
    with old:
        old.executemany(
            "INSERT INTO user_profiles (id, email, goal, market, skill_level, country, created_at,"
            " updated_at) VALUES (?, ?, 'earn_money', ?, ?, 'IN', 1.7e9, 1.7e9)",
            (
                (person, f"{person}@example.com", MARKETS[i % 5], LEVELS[i % 3])
                for i, person in enumerate(people)
            ),
        )
        old.executemany(
            "INSERT INTO workflow_executions (id, user_id, workflow_name, status, steps_completed,"
            " total_steps, started_at, completed_at) VALUES (?, ?, ?, ?, ?, 5, ?, ?)",
            runs(people),
        )
        old.execute(
            "INSERT INTO outcomes (id, execution_id, user_id, metric_type, value, currency,"
            " proof_type, timestamp, verified) SELECT 'o' || id, id, user_id, 'revenue', 4800,"
            " 'INR', 'none', started_at + 7200, 0 FROM workflow_executions"
            " WHERE status = 'completed' AND user_id IS NOT NULL"
        )
    old.close()


def runs(people: list[str]) -> Iterator[tuple[Any, ...]]:
    """Executions of these people, some of each state."""
    for number in range(len(people) * PER_PERSON):
        state = STATES[number % len(STATES)]
        done = {"completed": 5, "started": 0}.get(state, 2)
        began = 1.7e9 + number
        ended = began + 7200 if state == "completed" else None
        person, workflow = people[number // PER_PERSON], WORKFLOWS[number % 3]
        yield str(uuid.uuid4()), person, workflow, state, done, began, ended


if __name__ == "__main__":
    main()
