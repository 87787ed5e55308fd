"""The application, and those who call it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people
from tests.conftest import Postgres
from tests.people import Person
from whatworks.app import close
from whatworks.settings import Settings


@pytest.fixture(scope="session")
def stocked_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with the bundled catalogue, to copy."""
    path = tmp_path_factory.mktemp("stocked") / "data.db"
    shutil.copyfile(sqlite_template, path)
    people.stock(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def stocked_postgres(postgres: Postgres, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database with the bundled catalogue, to copy."""
    url = postgres.create(postgres_template)
    people.stock(url)
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database with the catalogue."""
    if request.param == "sqlite":
        path = tmp_path / "data.db"
        shutil.copyfile(request.getfixturevalue("stocked_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(request.getfixturevalue("stocked_postgres"))
    yield url
    server.drop(url)


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application, without rate limits."""
    built = people.build(database_url, tmp_path)
    yield built
    close(built)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One application for the tests of a file that do not mind each other's people."""
    folder = tmp_path_factory.mktemp("shared")
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("stocked_sqlite"), folder / "data.db")
        built = people.build(f"sqlite:///{folder / 'data.db'}", folder)
        yield built
        close(built)
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(request.getfixturevalue("stocked_postgres"))
    built = people.build(url, folder)
    yield built
    close(built)
    server.drop(url)


@pytest.fixture
def settings(app: Flask) -> Settings:
    """The settings in force."""
    return people.platform(app).settings


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who has never been here."""
    return app.test_client()


@pytest.fixture
def person(app: Flask) -> Callable[..., Person]:
    """Signs people up: `asha = person(market="student")`."""

    def sign_up(email: str | None = None, **profile: str) -> Person:
        return people.sign_up(app, email, **profile)

    return sign_up
