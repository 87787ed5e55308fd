"""The application on a database of its own, and people who use it."""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from whatworks import catalogue, clock, db, models, settings
from whatworks.app import close, create_app
from whatworks.evidence import performance
from whatworks.execution import executions, lifecycle
from whatworks.execution.lifecycle import Execution
from whatworks.models import VersionPerformance, WorkflowPerformance
from whatworks.people import operators, sessions
from whatworks.results import proof_files, proofs, reviews
from whatworks.results.pictures import Cleaned, Page
from whatworks.results.proofs import Quota
from whatworks.upgrades import migrations
from whatworks.web import http

KEY: Final = "k" * 40
UNLIMITED: Final = "executions=- api_calls=- exports=- tiers=free"
NEW: Final = {"goal": "earn_money", "market": "freelancer", "skill_level": "beginner"}
ALL_ROWS: Final = {
    name: db.Query(select(table)) for name, table in models.Base.metadata.tables.items()
}
PIXELS: Final = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAfQ//73v/+BiOh/AAA=")  # 8 × 8
_numbers = itertools.count(1)


def migrate_and_stock(url: str) -> None:
    """Make a database as a new server has it."""
    migrations.upgrade(url)
    stock(url)


def stock(url: str) -> None:
    """Load the bundled catalogue into a migrated database."""
    database = db.Database(url)
    guides = list(catalogue.read_folder(catalogue.BUNDLED))
    database.write(catalogue.load, guides, source="bundled")
    database.close()


def build(url: str, folder: Path, **changes: Any) -> Flask:
    """The application on a migrated database, without limits unless told otherwise."""
    values = {"rate_limits": False, "secret_key": KEY, "database_url": url, "data_dir": folder}
    values |= {"plan_free": UNLIMITED}
    return create_app(settings.Settings(**{**values, **changes}))


@contextlib.contextmanager
def visiting(url: str) -> Iterator[Flask]:
    """The application on a database for as long as it takes to fill it."""
    with tempfile.TemporaryDirectory() as folder:
        app = build(url, Path(folder))
        yield app
        close(app)


def platform(app: Flask) -> http.Platform:
    """What the application stands on."""
    found: http.Platform = app.extensions["whatworks"]
    return found


@dataclass(frozen=True)
class Person:
    """Somebody who signed up. `client` keeps their cookie, `token` is for programs."""

    app: Flask
    client: FlaskClient
    user_id: str
    email: str
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        """The header that authenticates a program of theirs."""
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: object, **headers: str) -> TestResponse:
        """POST as JSON, by cookie; `Idempotency_Key="k"` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json=body, headers=named)

    def start(self, workflow_name: str = "resume_generator") -> str:
        """Begin a workflow; returns the execution's id."""
        body = {"user_id": self.user_id, "workflow_name": workflow_name}
        return str(made(self.post("/api/execution", body))["execution_id"])

    def finish(self, execution_id: str, steps: int = 5) -> None:
        """Complete an execution."""
        path = f"/api/execution/{execution_id}/progress"
        assert self.client.put(path, json={"steps_completed": steps}).status_code == 200

    def report(self, execution_id: str, **more: object) -> str:
        """Report an outcome; returns its id."""
        body = {
            "execution_id": execution_id,
            "user_id": self.user_id,
            "metric_type": "revenue",
            "value": 4800,
            **more,
        }
        return str(made(self.post("/api/outcome", body))["outcome_id"])


def made(response: TestResponse) -> dict[str, Any]:
    """The body of a 201."""
    assert response.status_code == 201, response.get_data(as_text=True)
    found: dict[str, Any] = response.get_json()
    return found


def sign_up(app: Flask, email: str | None = None, **profile: str) -> Person:
    """A new person with a client of their own."""
    client = app.test_client()
    address = email or f"person{next(_numbers)}@example.com"
    body = made(client.post("/api/profile", json={"email": address, **NEW, **profile}))
    return Person(app, client, body["user_id"], body["email"], body["access_token"])


def operator_key(app: Flask) -> str:
    """An API key of a new operator."""
    database = platform(app).database
    boss = sign_up(app, f"operator{next(_numbers)}@example.com")
    database.write(operators.grant, boss.user_id, by="test")
    return database.write(operators.new_key, boss.user_id, "test")


def operator(app: Flask) -> Person:
    """A new operator, signed in anew: what they had before their address was proved has ended."""
    boss = sign_up(app, f"operator{next(_numbers)}@example.com")
    platform(app).database.write(operators.grant, boss.user_id, by="test")
    return replace(boss, client=signed_in(app, boss.user_id), token="")


def signed_in(app: Flask, user_id: str) -> FlaskClient:
    """A browser in which somebody is signed in, without the way through their mail."""
    token = platform(app).database.write(
        sessions.open_, user_id, kind="browser", label="test", days=1
    )
    client = app.test_client()
    client.set_cookie("whatworks_session", token)
    return client


def proof(person: Person, execution_id: str | None = None) -> str:
    """A picture that somebody shows, kept without the way through the sanitiser; returns its id."""
    stands = platform(person.app)
    proof_id = clock.new_id()
    page = Page(8, 8, PIXELS)
    cleaned = Cleaned("image", proof_id, None, (page,), page)
    with proof_files.stored(stands.files, proof_id, cleaned):
        stands.database.write(
            proofs.add,
            person.user_id,
            proof_id,
            proof_files.draft_of(cleaned),
            Quota(1000, 10**9),
            execution_id=execution_id,
        )
    return proof_id


def reject(person: Person, outcome_id: str, proof_id: str, by: str = "an operator") -> None:
    """Somebody looks at a proof and does not accept it."""
    platform(person.app).database.write(
        performance.folded,
        reviews.decide,
        by,
        person.user_id,
        outcome_id,
        "rejected",
        proof_id=proof_id,
        seen=0,
        reason="unreadable",
    )


def everything(database: db.Database) -> dict[str, list[str]]:
    """All rows there are."""
    return database.read(
        lambda session: {
            name: sorted(map(repr, session.all(query))) for name, query in ALL_ROWS.items()
        }
    )


def replayed(session: db.Session, user_id: str, execution_id: str) -> Execution:
    """An execution as its events alone tell it."""
    stored = executions.get(session, user_id, execution_id)
    events = executions.list_events(session, user_id, execution_id)
    return functools.reduce(lifecycle.advance, events, lifecycle.opening(stored))


def read_model(session: db.Session) -> dict[str, list[tuple[Any, ...]]]:
    """The evidence as stored, but for when."""
    cells = session.all(select(WorkflowPerformance).order_by(WorkflowPerformance.id))
    versions = session.all(
        select(VersionPerformance).order_by(*VersionPerformance.__table__.primary_key)
    )
    return {
        "cells": [tuple(row._replace(updated_at=None)) for row in cells],
        "versions": [tuple(row) for row in versions],
    }


def rebuilt(database: db.Database) -> dict[str, list[tuple[Any, ...]]]:
    """The same, counted afresh from history."""
    database.write(performance.rebuild)
    return database.read(read_model)
