"""Executions: whatever happens in whatever order, the events alone tell the state."""

from __future__ import annotations

from typing import Any, Final

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from tests import people
from tests.execution import DRAWN
from tests.followers import kinds, sign_up, start, stored
from whatworks import catalogue, clock, db, errors
from whatworks.execution import executions, history, step_notes
from whatworks.execution.lifecycle import Event, advance, from_row, seconds_taken
from whatworks.guides import parser
from whatworks.models import WorkflowExecution
from whatworks.people import profiles

DAY: Final = 86_400.0

# ---- any order ------------------------------------------------------------------------------


STEPS = st.integers(-1, 7)
NOTE = st.none() | st.sampled_from(["done", "again", "é 😀"])
ACTION = st.one_of(
    st.tuples(st.just("progress"), STEPS, NOTE),
    st.tuples(st.just("step"), STEPS, st.sampled_from(["worked", "failed"]), NOTE),
    st.tuples(st.sampled_from(["abandon", "resume", "expire"])),
)


def act(database: db.Database, user_id: str, execution_id: str, action: tuple[Any, ...]) -> None:
    name, *given_values = action
    mine = user_id, execution_id
    if name == "progress":
        steps, note = given_values
        database.write(executions.record_progress, *mine, steps, note)
    elif name == "step":
        step, result, note = given_values
        database.write(executions.record_step, *mine, step=step, result=result, note=note)
    elif name == "expire":
        database.write(executions.expire, clock.timestamp() + 1)
    else:
        verb = executions.abandon if name == "abandon" else executions.resume
        database.write(verb, *mine)


@DRAWN
@given(st.lists(ACTION, max_size=12))
def test_events_alone_tell_the_state(
    database: db.Database, asha: str, actions: list[tuple[Any, ...]]
) -> None:
    execution_id = start(database, asha)
    refused = 0
    for action in actions:
        before = stored(database, asha, execution_id)
        events = kinds(database, asha, execution_id)
        try:
            act(database, asha, execution_id, action)
        except (errors.Invalid, errors.Conflict):
            refused += 1
            assert stored(database, asha, execution_id) == before
            assert kinds(database, asha, execution_id) == events
        now = stored(database, asha, execution_id)
        assert now == database.read(people.replayed, asha, execution_id)
        assert 0 <= now.steps_completed <= now.total_steps
        assert (now.completed_at is not None) is (now.status == "completed")
        assert (now.status == "completed") <= (now.steps_completed == now.total_steps)
        assert kinds(database, asha, execution_id)[: len(events)] == events
    notes = database.read(step_notes.list_for, asha, execution_id)
    events_now = database.read(executions.list_events, asha, execution_id)
    assert [e.reference_id for e in events_now if e.reference_id] == [note.id for note in notes]


# ---- verbs ----------------------------------------------------------------------------------


def test_start_takes_the_guides_steps_or_the_callers(database: db.Database, asha: str) -> None:
    assert stored(database, asha, start(database, asha)).total_steps == 5
    assert stored(database, asha, start(database, asha, 7)).total_steps == 7


def test_start_freezes_the_segment(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    database.write(profiles.change, asha, {"market": "agency", "goal": "save_time"})
    kept = stored(database, asha, execution_id)
    assert (kept.market, kept.goal, kept.country) == ("freelancer", "earn_money", "IN")


def test_start_pins_the_version(database: db.Database, asha: str) -> None:
    first = start(database, asha)
    text = (catalogue.BUNDLED / "resume_generator.md").read_text(encoding="utf-8")
    newer = parser.parse(text.replace("title: ", "title: New ", 1), "resume_generator.md")
    database.write(catalogue.load, [newer], source="test")
    second = start(database, asha)
    versions = [stored(database, asha, found).workflow_version for found in (first, second)]
    assert versions == [1, 2]


def test_start_refuses_the_unknown(database: db.Database, asha: str) -> None:
    with pytest.raises(errors.NotFound, match="no such person"):
        database.write(executions.start, "nobody", "resume_generator")
    with pytest.raises(errors.NotFound, match="resume_generator") as refused:
        database.write(executions.start, asha, "resume_generater")
    assert refused.value.code == "workflow_not_found"


def test_the_same_update_again_changes_nothing(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for _ in range(3):
        database.write(executions.record_progress, asha, execution_id, 2, "two done")
    assert kinds(database, asha, execution_id) == ["started", "progressed"]
    assert len(database.read(step_notes.list_for, asha, execution_id)) == 1
    database.write(executions.record_progress, asha, execution_id, 2, "something new")
    assert len(database.read(step_notes.list_for, asha, execution_id)) == 2


def test_completing_again_is_answered_and_anything_else_refused(
    database: db.Database, asha: str
) -> None:
    execution_id = start(database, asha)
    for _ in range(2):
        database.write(executions.record_progress, asha, execution_id, 5)
    for steps, note in ((4, None), (5, "late")):
        with pytest.raises(errors.Conflict) as refused:
            database.write(executions.record_progress, asha, execution_id, steps, note)
        assert refused.value.code == "execution_completed"
    for verb in (executions.abandon, executions.resume):
        with pytest.raises(errors.Conflict):
            database.write(verb, asha, execution_id)
    assert kinds(database, asha, execution_id) == ["started", "completed"]


def test_progress_may_go_back(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for steps, status in ((3, "in_progress"), (1, "in_progress"), (0, "started")):
        change = database.write(executions.record_progress, asha, execution_id, steps)
        assert (change.after.steps_completed, change.after.status) == (steps, status)


def test_more_steps_than_there_are(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for steps in (6, 199, 2**31):
        with pytest.raises(errors.Invalid) as refused:
            database.write(executions.record_progress, asha, execution_id, steps)
        assert refused.value.fields == {"steps_completed": "0 to 5"}
        with pytest.raises(errors.Invalid) as refused:
            database.write(executions.record_step, asha, execution_id, step=steps, result="worked")
        assert refused.value.fields == {"step": "1 to 5"}


def test_somebody_elses_is_not_there(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    other = sign_up(database, "ravi@example.com")
    for verb in (executions.get, executions.lock):
        with pytest.raises(errors.NotFound):
            database.write(verb, other, execution_id)
    for action in [("progress", 1, None), ("step", 1, "worked", None),
                   ("abandon",), ("resume",)]:  # fmt: skip
        with pytest.raises(errors.NotFound):
            act(database, other, execution_id, action)
    assert database.read(executions.find, other, execution_id) is None
    assert database.read(executions.list_events, other, execution_id) == []
    assert database.read(executions.find_owner, execution_id) == asha


def test_what_nobody_touches_expires_and_is_resumed(database: db.Database, asha: str) -> None:
    old, fresh = start(database, asha), start(database, asha)
    database.write(executions.record_progress, asha, old, 2)
    later = float(int(clock.timestamp() + 31 * DAY))
    with time_machine.travel(later, tick=False):
        database.write(executions.record_progress, asha, fresh, 1)
        changes = database.write(executions.expire, clock.timestamp() - 30 * DAY)
        assert [(change.after.id, change.after.status) for change in changes] == [
            (old, "abandoned")
        ]
        assert database.write(executions.expire, clock.timestamp() - 30 * DAY) == []
        with pytest.raises(errors.Conflict) as refused:
            database.write(executions.record_progress, asha, old, 3)
        assert refused.value.code == "execution_abandoned"
        back = database.write(executions.resume, asha, old).after
    assert (back.status, back.steps_completed, back.touched_at) == ("in_progress", 2, later)
    events = database.read(executions.list_events, asha, old)
    assert [(event.kind, event.actor) for event in events] == [
        ("started", "owner"),
        ("progressed", "owner"),
        ("abandoned", "system"),
        ("resumed", "owner"),
    ]
    assert stored(database, asha, old) == database.read(people.replayed, asha, old)


def test_expiry_takes_a_batch_at_a_time(database: db.Database, asha: str) -> None:
    for _ in range(5):
        start(database, asha)
    soon = clock.timestamp() + 1
    assert [len(database.write(executions.expire, soon, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_the_last_touched_comes_first(database: db.Database, asha: str) -> None:
    first, second = start(database, asha), start(database, asha)
    database.write(executions.record_progress, asha, first, 1)
    assert [e.id for e in database.read(executions.list_for, asha)] == [first, second]
    assert [e.id for e in database.read(executions.list_for, asha, 1)] == [first]


# ---- old rows -------------------------------------------------------------------------------


class Row:
    """A row as an old database may hold it."""

    def __init__(self, **values: object) -> None:
        names = WorkflowExecution.__table__.columns.keys()
        self.__dict__.update(dict.fromkeys(names) | {"id": "x"} | values)


@pytest.mark.parametrize(
    ("row", "status", "progress"),
    [
        (Row(), "started", "0/5"),
        (Row(status="paused", steps_completed=3, total_steps=4), "in_progress", "3/4"),
        (Row(status="completed", steps_completed=9, total_steps=5), "completed", "5/5"),
        (Row(status="started", steps_completed=-3, total_steps=0), "started", "0/5"),
        (Row(steps_completed="two", total_steps=2.5), "started", "0/5"),
        (Row(steps_completed=10**9, total_steps=10**9), "started", "0/5"),
        (Row(total_steps=1000, steps_completed=500), "in_progress", "200/200"),
    ],
)
def test_old_rows_become_something_sensible(row: Row, status: str, progress: str) -> None:
    found = from_row(row)
    assert (found.status, found.progress) == (status, progress)
    assert found.user_id == found.workflow_name == found.market == ""


@pytest.mark.parametrize("at", ["noon", float("inf"), float("nan"), -5.0, 1e300, b"\0", None])
def test_impossible_times_are_no_times(at: object) -> None:
    found = from_row(Row(started_at=at, completed_at=at, touched_at=at, status="completed"))
    assert (found.started_at, found.completed_at, found.touched_at) == (None, None, None)
    assert seconds_taken(found) is None


def test_an_imported_end_counts_as_it_was() -> None:
    state = from_row(Row(status="started", total_steps=5))
    done = advance(state, Event("imported", 9.0, "system", steps_completed=5, result="completed"))
    assert (done.status, done.completed_at, done.touched_at) == ("completed", 9.0, 9.0)
    assert advance(state, Event("outcome", 9.0)) == state


# ---- without end ----------------------------------------------------------------------------


def test_a_day_has_room_for_so_many_events(
    database: db.Database, asha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person cannot fill the history; others, the house itself and the next day go on."""
    monkeypatch.setattr(history, "MOST_A_DAY", 4)
    run = start(database, asha)
    for done in (1, 2, 3):
        database.write(executions.record_progress, asha, run, done)
    with pytest.raises(errors.TooManyRequests, match="4 things have happened") as refused:
        database.write(executions.record_progress, asha, run, 4)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_events", 3600)
    assert stored(database, asha, run).steps_completed == 3  # the row and the events agree
    assert len(kinds(database, asha, run)) == 4
    assert start(database, sign_up(database, "ravi@example.com"))
    with time_machine.travel(clock.timestamp() + 2 * DAY):
        database.write(executions.record_progress, asha, run, 4)
        assert len(database.write(executions.expire, clock.timestamp() + DAY)) == 2
