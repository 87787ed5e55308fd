"""The read model: kept with every change, and the same to the last digit when counted afresh."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import delete, select, update

from whatworks import catalogue, clock, db, errors
from whatworks.evidence import findings, performance
from whatworks.execution import executions
from whatworks.guides import parser
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import (
    SourceVote,
    VersionPerformance,
    WorkflowExecution,
    WorkflowPerformance,
)
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


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """A database with two small workflows."""
    guides = [parser.parse(GUIDE.format(name=name), f"{name}.md") for name in NAMES]
    database.write(catalogue.load, guides, source="test")
    return database


def sign_up(database: db.Database, number: int, **changes: str | None) -> Profile:
    """A person."""
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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_folding_and_rebuilding_agree_to_the_last_digit(stocked: db.Database, seed: int) -> None:
    """Whatever people did: the sums kept with each change are those that history gives."""
    live(stocked, seed, 250)
    folded = stocked.read(rows)
    assert len(folded) > 12
    assert any(row[3] == "crowd" for row in folded)
    stocked.write(performance.rebuild)
    assert stocked.read(rows) == folded


def test_the_comparison_would_notice_a_missed_change(stocked: db.Database) -> None:
    """The control: a change that is not folded makes the two differ."""
    live(stocked, 1, 60)
    person = sign_up(stocked, 99)
    stocked.write(executions.start, person.id, NAMES[0])
    folded = stocked.read(rows)
    stocked.write(performance.rebuild)
    assert stocked.read(rows) != folded


def test_a_cell_without_sums_is_counted_from_history(stocked: db.Database) -> None:
    """Old data has executions but no counts; the first change there counts them all."""
    live(stocked, 4, 80)
    stocked.write(performance.rebuild)
    expected = stocked.read(rows)
    stocked.write(lambda session: session.run(delete(WorkflowPerformance)))
    live_again = sign_up(stocked, 50)
    for name in NAMES:
        run = stocked.write(performance.folded, executions.start, live_again.id, name).after
        report = Report("revenue", 10.0, "INR")
        stocked.write(performance.folded, outcomes.record, live_again.id, run.id, report)
    kept = stocked.read(rows)
    stocked.write(performance.rebuild)
    fresh = stocked.read(rows)
    touched = [row for row in kept if ":freelancer:beginner" in row[0]]
    assert len(touched) == 2
    assert set(touched) <= set(fresh)
    of_cell = ("freelancer", "beginner")
    assert [r for r in kept if r[1:3] == of_cell] == [r for r in fresh if r[1:3] == of_cell]
    assert len(fresh) >= len(expected) // 2


def test_the_segment_is_the_one_at_the_start(stocked: db.Database) -> None:
    """Somebody who changes market later still counts where they began."""
    person = sign_up(stocked, 1, market="student")
    run = stocked.write(performance.folded, executions.start, person.id, NAMES[0]).after
    stocked.write(profiles.change, person.id, {"market": "agency"})
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)
    cells = stocked.read(findings.list_cells, NAMES[0])
    assert [(c.market, c.live.finished) for c in cells] == [("student", 1)]


def test_people_are_counted_once_however_often_they_run(stocked: db.Database) -> None:
    """Ten runs of one person are ten runs and one person."""
    person = sign_up(stocked, 1)
    for _ in range(10):
        run = stocked.write(performance.folded, executions.start, person.id, NAMES[0]).after
        stocked.write(performance.folded, executions.abandon, person.id, run.id)
    (cell,) = stocked.read(findings.list_cells, NAMES[0])
    assert (cell.live.people, cell.live.started, cell.live.abandoned) == (1, 10, 10)
    assert cell.live.stopped == 1


def test_pending_runs_are_neither_success_nor_failure(stocked: db.Database) -> None:
    """One finished, one stopped, one open: 1 of 2, and 1 pending."""
    runs = []
    for number in range(3):
        person = sign_up(stocked, number)
        change = stocked.write(performance.folded, executions.start, person.id, NAMES[0])
        runs.append((person, change.after.id))
    stocked.write(performance.folded, executions.record_progress, runs[0][0].id, runs[0][1], 3)
    stocked.write(performance.folded, executions.abandon, runs[1][0].id, runs[1][1])
    (cell,) = stocked.read(findings.list_cells, NAMES[0])
    assert (cell.live.finished, cell.live.ends, cell.live.pending) == (1, 2, 1)


def test_runs_that_nobody_touched_expire_by_a_recorded_event(stocked: db.Database) -> None:
    """They count as stopped, the event says that the system did it, and they can be resumed."""
    person = sign_up(stocked, 1)
    run = stocked.write(performance.folded, executions.start, person.id, NAMES[0]).after

    def expire(session: db.Session) -> int:
        return performance.fold_all(session, executions.expire(session, clock.timestamp() + 1))

    assert stocked.write(expire) == 1
    assert stocked.write(expire) == 0
    last = stocked.read(executions.list_events, person.id, run.id)[-1]
    assert (last.kind, last.actor) == ("abandoned", "system")
    (cell,) = stocked.read(findings.list_cells, NAMES[0])
    assert cell.live.stopped == 1
    stocked.write(performance.folded, executions.resume, person.id, run.id)
    (cell,) = stocked.read(findings.list_cells, NAMES[0])
    assert (cell.live.stopped, cell.live.pending) == (0, 1)


def test_impossible_old_values_are_left_out(stocked: db.Database) -> None:
    """Unknown segments, negative durations: kept as rows, absent from the evidence."""
    person = sign_up(stocked, 1)
    run = stocked.write(performance.folded, executions.start, person.id, NAMES[0]).after
    stocked.write(performance.folded, executions.record_progress, person.id, run.id, 3)

    def spoil(session: db.Session) -> None:
        session.run(
            update(WorkflowExecution)
            .where(WorkflowExecution.id == run.id)
            .values(completed_at=5.0, market="atlantis")
        )

    stocked.write(spoil)
    stocked.write(performance.rebuild)
    assert stocked.read(findings.list_cells, NAMES[0]) == []


def test_the_mark_changes_with_every_change(stocked: db.Database) -> None:
    """What is kept of an answer is thrown away as soon as anything in it may differ."""
    assert stocked.read(findings.mark, NAMES[0])[0] == 0
    marks = set()
    for number in range(5):
        person = sign_up(stocked, number, market=profiles.MARKETS[number])
        stocked.write(performance.folded, executions.start, person.id, NAMES[0])
        marks.add(stocked.read(findings.mark, NAMES[0]))
    assert len(marks) == 5
