"""The application, and those who call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import people, tills
from tests.conftest import Make, Templates
from tests.people import Person
from tests.web import exhibits
from whatworks.app import close
from whatworks.settings import Settings
from whatworks.web import guards

# Decided before a database is asked, or what is shown of a text whatever keeps it.
on_sqlite = pytest.mark.parametrize("shared_app", ["sqlite"], indirect=True)


@pytest.fixture
def content() -> Make:
    """What makes the databases of a file's tests; a file may have its own."""
    return people.migrate_and_stock


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, templates: Templates, content: Make, tmp_path: Path
) -> Iterator[str]:
    """A fresh migrated database with the catalogue."""
    with templates.copied(request.param, tmp_path, content) as url:
        yield url


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application, without rate limits."""
    built = people.build(database_url, tmp_path)
    yield built
    close(built)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_app(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One application for the tests of a file that do not mind each other's people."""
    folder = tmp_path_factory.mktemp("shared")
    with templates.copied(request.param, folder, people.migrate_and_stock) as url:
        built = people.build(url, folder)
        yield built
        close(built)


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


@pytest.fixture
def asha(person: Callable[..., Person]) -> Person:
    """Somebody in India."""
    return person()


@pytest.fixture
def limited(app: Flask, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Builds applications with limits on; the limiter is one per process, so it is put back."""
    built: list[Flask] = []

    def build(**settings: object) -> Flask:
        url = people.platform(app).database.url
        built.append(people.build(url, tmp_path, rate_limits=True, **settings))
        return built[-1]

    yield build
    for one in built:
        close(one)
    guards.limiter.reset()
    guards.limiter.enabled = False


@pytest.fixture
def till(database_url: str, tmp_path: Path) -> Iterator[tills.Till]:
    """The shop with stand-ins for both gateways."""
    with tills.opened(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def shown(person: Callable[..., Person]) -> exhibits.Shown:
    """A result with a picture."""
    asha = person()
    execution_id = asha.start()
    proof_id = people.made(exhibits.upload(asha, execution_id=execution_id, step="1"))["proof_id"]
    return exhibits.Shown(
        asha, execution_id, proof_id, asha.report(execution_id, proof_id=proof_id)
    )
