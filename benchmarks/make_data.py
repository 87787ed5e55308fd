"""Fills a database with people, executions, events and outcomes, the same for the same seed.

`product` goes through the product's own `migrate`, `catalogue load`, `rebuild` and `evidence
fit`, so its database is one the product could have written; `peers` is the schema of the comparison
applications.
A sample of the people can sign in; what a client must know of them is printed as JSON.

    python -m benchmarks.make_data product sqlite:////tmp/product.db --executions 100000
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from benchmarks import people
from benchmarks.peers import schema as peers
from whatworks import db

ROOT: Final = Path(__file__).parents[1]
GUIDES: Final = ROOT / "whatworks" / "workflows"
SEED: Final = 2026
PEER_WORKFLOWS: Final = {f"workflow_{number:02}": 3 + number % 4 for number in range(1, 13)}
CURRENT_GUIDES: Final = """
    SELECT w.name, w.version, v.guide FROM workflows w JOIN workflow_versions v
    ON v.workflow_name = w.name AND v.version = w.version ORDER BY w.name
"""
FOLD_PEERS: Final = """
    INSERT INTO performance (workflow_name, market, skill_level, started, completed,
                             seconds_total, outcomes, value_total)
    SELECT e.workflow_name, e.market, e.skill_level, count(*), count(e.completed_at),
           coalesce(sum(e.completed_at - e.started_at), 0), count(o.id), coalesce(sum(o.value), 0)
    FROM executions e LEFT JOIN outcomes o ON o.execution_id = e.id
    GROUP BY e.workflow_name, e.market, e.skill_level
"""
SQLITE_INDEXES: Final = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Caller:
    """A person the load comes from."""

    user_id: str
    token: str
    executions: list[str] = field(default_factory=list)
    open_executions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Targets:
    """What requests can be addressed to."""

    workflows: list[str]
    callers: list[Caller]


class Loader(Protocol):
    """A bulk connection to a database."""

    def load(self, table: str, columns: str, rows: Iterable[Row]) -> None: ...

    def run(self, query: str) -> list[Row]: ...


class SqliteLoader:
    """One big transaction, neither journalled nor waiting for the disk."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def load(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns.split()))
        names = ", ".join(columns.split())
        self.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def run(self, query: str) -> list[Row]:
        found: list[Row] = self.connection.execute(query).fetchall()
        return found


class PostgresLoader:
    """COPY, without foreign key checks."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection

    def load(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        names = ", ".join(columns.split())
        with self.connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def run(self, query: str) -> list[Row]:
        cursor = self.connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def loader(url: str) -> Iterator[Loader]:
    """A loader for the database, committed at the end."""
    if url.startswith("sqlite"):
        with db.engine(url).connect() as held:
            yield from _sqlite_loader(held.connection.driver_connection)
    else:
        with psycopg.connect(url) as server:
            server.execute("SET session_replication_role = replica")
            yield PostgresLoader(server)
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("VACUUM ANALYZE")


def _sqlite_loader(connection: Any) -> Iterator[Loader]:
    """Without a journal, and with the indexes built at the end."""
    connection.isolation_level = None
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute(SQLITE_INDEXES).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield SqliteLoader(connection)
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")


def fill_product(url: str, executions: int, seed: int = SEED) -> Targets:
    """Migrate and fill a database of the product, and work out its evidence."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"DATABASE_URL": url, "DATA_DIR": folder}
        run_product("migrate", **environment)
        run_product("catalogue", "load", str(GUIDES), **environment)
        targets = fill_product_rows(url, executions, seed)
        run_product("rebuild", **environment)
        run_product("evidence", "fit", **environment)  # as a server that has run for a while
    return targets


def fill_product_rows(url: str, executions: int, seed: int = SEED) -> Targets:
    """The rows alone, into a migrated database with workflows."""
    with loader(url) as bulk:
        current = bulk.run(CURRENT_GUIDES)
        versions = {name: version for name, version, _ in current}
        steps = {name: len(json.loads(guide)["steps"]) for name, _, guide in current}
        new_id = people.Ids(seed + 1, 7)
        targets = Targets(list(steps), [])
        for group in people.groups(executions, steps, people.Ids(seed, 7), seed, _midnight()):
            _load_product_people(bulk, group)
            _load_product_runs(bulk, group, versions, new_id)
            targets.callers.extend(_callers(group))
    return targets


def fill_peers(url: str, executions: int, seed: int = SEED) -> Targets:
    """Create, fill and fold a database of the peers."""
    engine = db.engine(url)
    peers.Base.metadata.create_all(engine)
    engine.dispose()
    new_id = people.Ids(seed + 1, 4)
    targets = Targets(list(PEER_WORKFLOWS), [])
    with loader(url) as bulk:
        workflows = [(name, name, steps) for name, steps in PEER_WORKFLOWS.items()]
        bulk.load("workflows", "name title total_steps", workflows)
        for group in people.groups(
            executions, PEER_WORKFLOWS, people.Ids(seed, 4), seed, _midnight()
        ):
            _load_peer_people(bulk, group)
            _load_peer_runs(bulk, group, new_id)
            targets.callers.extend(_callers(group))
        bulk.run(FOLD_PEERS)
    return targets


def run_product(*arguments: str, **environment: str) -> None:
    """Run the product's own command line."""
    subprocess.run(
        [sys.executable, "-m", "whatworks", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _midnight() -> float:
    """Today's start: data of one day are equal."""
    return time.time() // people.DAY * people.DAY


def _callers(group: people.Group) -> list[Caller]:
    found = {one.id: Caller(one.id, one.token) for one in group.people if one.token}
    for run in group.runs:
        if caller := found.get(run.person.id):
            caller.executions.append(run.id)
    for run in group.open_runs:
        found[run.person.id].open_executions.append(run.id)
    return list(found.values())


def _load_product_people(bulk: Loader, group: people.Group) -> None:
    bulk.load(
        "user_profiles",
        "id email goal market skill_level country created_at updated_at",
        ((*one[:6], one.created_at, one.created_at) for one in group.people),
    )
    bulk.load(
        "emails",
        "email user_id created_at",
        ((one.email, one.id, one.created_at) for one in group.people),
    )
    bulk.load(
        "sessions",
        "user_id id kind label created_at last_seen_at expires_at",
        (
            (one.id, one.session_hash, "token", "benchmark", seen, seen, seen + 1000 * people.DAY)
            for one in group.people
            for seen in (one.created_at,)
        ),
    )


def _load_product_runs(
    bulk: Loader, group: people.Group, versions: dict[str, int], new_id: people.Ids
) -> None:
    runs = group.runs + group.open_runs
    bulk.load(
        "workflow_executions",
        "user_id id workflow_name workflow_version status steps_completed total_steps started_at"
        " completed_at touched_at goal market skill_level country",
        (
            (
                run.person.id,
                run.id,
                run.workflow,
                versions[run.workflow],
                run.status,
                run.steps_completed,
                run.total_steps,
                run.started_at,
                run.completed_at,
                run.touched_at,
                run.person.goal,
                run.person.market,
                run.person.skill_level,
                run.person.country,
            )
            for run in runs
        ),
    )
    bulk.load(
        "execution_events",
        "user_id id execution_id kind at actor steps_completed",
        (
            (run.person.id, new_id(at), run.id, kind, at, "owner", steps)
            for run in runs
            for kind, at, steps in run.events
        ),
    )
    reported = [run for run in runs if run.outcome_id]
    bulk.load(
        "outcomes",
        "user_id id execution_id metric_type value currency proof_type timestamp verified",
        (
            (
                run.person.id,
                run.outcome_id,
                run.id,
                run.metric,
                run.value,
                people.UNITS[run.metric],
                "none",
                run.touched_at,
                0,
            )
            for run in reported
        ),
    )
    bulk.load(
        "execution_events",
        "user_id id execution_id kind at actor reference_id",
        (
            (
                run.person.id,
                new_id(run.touched_at + 1),
                run.id,
                "outcome",
                run.touched_at + 1,
                "owner",
                run.outcome_id,
            )
            for run in reported
        ),
    )


def _load_peer_people(bulk: Loader, group: people.Group) -> None:
    bulk.load(
        "users",
        "id email goal market skill_level country created_at",
        (one[:7] for one in group.people),
    )
    bulk.load(
        "sessions",
        "id user_id created_at expires_at",
        (
            (one.session_hash, one.id, one.created_at, one.created_at + 1000 * people.DAY)
            for one in group.people
        ),
    )


def _load_peer_runs(bulk: Loader, group: people.Group, new_id: people.Ids) -> None:
    runs = group.runs + group.open_runs
    bulk.load(
        "executions",
        "id user_id workflow_name status steps_completed total_steps market skill_level"
        " started_at completed_at",
        (
            (
                run.id,
                run.person.id,
                run.workflow,
                run.status,
                run.steps_completed,
                run.total_steps,
                run.person.market,
                run.person.skill_level,
                run.started_at,
                run.completed_at,
            )
            for run in runs
        ),
    )
    reported = [run for run in runs if run.outcome_id]
    bulk.load(
        "outcomes",
        "id user_id execution_id metric_type value currency proof_type created_at",
        (
            (
                run.outcome_id,
                run.person.id,
                run.id,
                run.metric,
                run.value,
                people.UNITS[run.metric],
                "none",
                run.touched_at,
            )
            for run in reported
        ),
    )
    bulk.load(
        "events",
        "id user_id execution_id kind at steps_completed outcome_id",
        (
            (new_id(at), run.person.id, run.id, kind, at, steps, None)
            for run in runs
            for kind, at, steps in run.events
        ),
    )
    bulk.load(
        "events",
        "id user_id execution_id kind at steps_completed outcome_id",
        (
            (new_id(at), run.person.id, run.id, "outcome", at, None, run.outcome_id)
            for run in reported
            for at in (run.touched_at + 1,)
        ),
    )


FILL: Final = {"product": fill_product, "peers": fill_peers}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schema", choices=FILL)
    parser.add_argument("url", help="SQLAlchemy URL of an empty database")
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    targets = FILL[options.schema](options.url, options.executions, options.seed)
    json.dump(asdict(targets), sys.stdout)


if __name__ == "__main__":
    main()
