"""Whoever follows a workflow, by the verbs alone."""

from __future__ import annotations

from typing import Final

import pytest

from whatworks import catalogue, db
from whatworks.execution import executions
from whatworks.execution.lifecycle import Execution
from whatworks.guides import parser
from whatworks.people import profiles

GUIDE: Final = parser.parse(
    (catalogue.BUNDLED / "resume_generator.md").read_text(encoding="utf-8"), "resume_generator.md"
)


@pytest.fixture
def asha(database: db.Database) -> str:
    """A person in India, and a workflow of five steps to follow."""
    database.write(catalogue.load, [GUIDE], source="test")
    return sign_up(database, "asha@example.com")


def sign_up(database: db.Database, email: str) -> str:
    """A freelancer in India who begins."""
    profile = {"goal": "earn_money", "market": "freelancer", "skill_level": "beginner"}
    return database.write(profiles.create, email=email, country="IN", **profile).id


def start(database: db.Database, user_id: str, steps: int | None = None) -> str:
    """Begin the workflow; the id of the run."""
    change = database.write(executions.start, user_id, "resume_generator", steps)
    assert change.before is None
    return change.after.id


def stored(database: db.Database, user_id: str, execution_id: str) -> Execution:
    """A run as it stands."""
    return database.read(executions.get, user_id, execution_id)


def kinds(database: db.Database, user_id: str, execution_id: str) -> list[str]:
    """What happened in a run, in order."""
    events = database.read(executions.list_events, user_id, execution_id)
    return [event.kind for event in events]
