"""The read model: kept with every change, and the same to the last digit when counted afresh."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from tests.crowds import NAMES, live, rows, sign_up
from whatworks import clock, db
from whatworks.evidence import findings, performance
from whatworks.execution import executions
from whatworks.models import WorkflowExecution, WorkflowPerformance
from whatworks.people import profiles
from whatworks.results import outcomes
from whatworks.results.outcomes import Report


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
