"""Crowds that do all that people do, and what is counted of them."""

from __future__ import annotations

import functools
import itertools
import random
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import select, update

from whatworks import catalogue, db, errors
from whatworks.evidence import performance
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import executions
from whatworks.guides import parser
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import SourceVote, VersionPerformance, WorkflowPerformance
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.results import outcomes
from whatworks.results.outcomes import OutcomeChange, Report

GUIDE: Final = """---
workflow: {name}
title: A {name}
summary: One has it.
language: en
tier: free
goals: [earn_money]
markets: [freelancer]
skill_levels: [beginner]
outcome: {{metric: revenue, ask: "What came?", proof: "A receipt"}}
steps:
  - {{title: One, minutes: 10, done_when: It is there.}}
  - {{title: Two, minutes: 10, done_when: It is there.}}
  - {{title: Three, minutes: 10, done_when: It is there.}}
---
Begin.

## One
Do one.

## Two
Do two.

## Three
Do three.
"""
NAMES: Final = ("first_way", "second_way")
Row = tuple[Any, ...]
_numbers = itertools.count(1000)


@pytest.fixture
def known() -> Beliefs:
    """What one process believes."""
    return Beliefs()


def sign_up(database: db.Database, number: int | None = None, **changes: str | None) -> Profile:
    """A person, of a number or one more."""
    number = next(_numbers) if number is None else number
    about: dict[str, Any] = {
        "goal": "earn_money",
        "market": "freelancer",
        "skill_level": "beginner",
        "country": "IN",
        **changes,
    }
    return database.write(profiles.create, email=f"person{number}@example.com", **about)


def rows(session: db.Session) -> list[Row]:
    """The whole read model but for the time of writing; networks without votes left out."""
    columns = [c for c in WorkflowPerformance.__table__.c if c.name != "updated_at"]
    found = [
        select(*columns).order_by(WorkflowPerformance.id),
        _sorted(VersionPerformance).where(VersionPerformance.people != 0),
        _sorted(SourceVote).where(SourceVote.finished + SourceVote.stopped != 0),
    ]
    return [tuple(row) for query in found for row in session.all(query)]


def _sorted(table: Any) -> Any:
    return select(table.__table__).order_by(*table.__table__.primary_key)


def live(database: db.Database, seed: int, steps: int) -> None:
    """People do all that people do, in some order."""
    draw = random.Random(seed)
    persons = [
        sign_up(
            database,
            number,
            market=draw.choice(profiles.MARKETS[:2]),
            skill_level=draw.choice(profiles.SKILL_LEVELS[:2]),
            source=draw.choice((None, "crowd", "crowd", "other")),
        )
        for number in range(16)
    ]
    for _ in range(steps):
        person = draw.choice(persons)
        mine = database.read(executions.list_for, person.id)
        if not mine or draw.random() < 0.25:
            name = draw.choice(NAMES)
            steps_of = draw.choice((None, None, None, 2, 5))  # less than the guide's three, more
            database.write(performance.folded, executions.start, person.id, name, steps_of)
            continue
        run = draw.choice(mine)
        try:
            act(database, draw, person, run.id)
        except (errors.Conflict, errors.NotFound):
            continue


def act(database: db.Database, draw: random.Random, person: Profile, run: str) -> None:
    """One thing that a person does with a run."""
    deed = draw.choice(
        ("progress", "finish", "abandon", "resume", "report", "correct", "review", "new version")
    )
    if deed == "progress":
        done = draw.randint(0, 2)
        database.write(
            performance.folded, executions.record_progress, person.id, run, done, "a note"
        )
    elif deed == "finish":
        steps = database.read(executions.get, person.id, run).total_steps
        database.write(performance.folded, executions.record_progress, person.id, run, steps)
    elif deed == "review":
        database.write(performance.folded, review, person.id, run, draw.random() < 0.7)
    elif deed == "new version":
        version(database, draw.choice(NAMES), draw.randint(10, 99))
    elif deed == "abandon":
        database.write(performance.folded, executions.abandon, person.id, run)
    elif deed == "resume":
        database.write(performance.folded, executions.resume, person.id, run)
    else:
        known = database.read(outcomes.list_for_execution, person.id, run)
        report = Report(
            *draw.choice(
                (
                    ("revenue", draw.choice((0.0, 12.5, 4800.0, 99_999.99)), "INR"),
                    ("revenue", 20.0, "USD"),
                    ("time_saved", 2.5, "hours"),
                    ("customers", 3.0, "count"),
                )
            ),
            supersedes_id=known[-1].id if known and deed == "correct" else None,
        )
        database.write(performance.folded, outcomes.record, person.id, run, report)


def review(session: db.Session, user_id: str, run: str, approved: bool) -> OutcomeChange:
    """Say of the last outcome of a run that it was looked at, or that it was not after all."""
    execution = executions.get(session, user_id, run)
    known = outcomes.list_for_execution(session, user_id, run)
    if not known:
        raise errors.NotFound("nothing to review")
    session.run(
        update(OutcomeRow)
        .where(OutcomeRow.user_id == user_id, OutcomeRow.id == known[-1].id)
        .values(verified=int(approved))
    )
    after = replace(known[-1], verified=approved)
    return OutcomeChange(known[-1], after, execution, is_first=False)


def version(database: db.Database, name: str, minutes: int) -> None:
    """A further version of a workflow."""
    text = GUIDE.format(name=name).replace("minutes: 10", f"minutes: {minutes}", 1)
    database.write(catalogue.load, [parser.parse(text, f"{name}.md")], source="test")


def runs(
    database: db.Database, name: str, finished: int, stopped: int, value: float = 4800.0
) -> None:
    """So many people finished and stopped a workflow; those who finished earned something."""
    for number in range(finished + stopped):
        person = sign_up(database)
        begin = functools.partial(executions.start, terms=None)
        run = database.write(performance.folded, begin, person.id, name).after
        if number < finished:
            database.write(performance.folded, executions.record_progress, person.id, run.id, 3)
            report = Report("revenue", value * (1 + number % 5), "INR")
            database.write(performance.folded, outcomes.record, person.id, run.id, report)
        else:
            database.write(performance.folded, executions.abandon, person.id, run.id)
