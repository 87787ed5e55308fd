"""What happens in a run: in any order the events alone tell how every step stands."""

from __future__ import annotations

from typing import Any, Final

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from tests import people
from tests.execution import DRAWN
from tests.followers import kinds, sign_up, start, stored
from whatworks import clock, db, errors
from whatworks.evidence import performance
from whatworks.execution import executions, routine, runs, step_notes, steps, timers
from whatworks.execution.runs import Standing
from whatworks.execution.step_notes import Page


def standing(database: db.Database, user_id: str, execution_id: str) -> Standing:
    return database.read(runs.get, user_id, execution_id)


# ---- any order ------------------------------------------------------------------------------


STEP: Final = st.integers(0, 6)
ACTION: Final = st.one_of(
    st.tuples(st.just("progress"), STEP),
    st.tuples(
        st.just("verdict"),
        STEP,
        st.sampled_from(steps.RESULTS),
        st.sampled_from([None, "unclear", "later", "other"]),
    ),
    st.tuples(
        st.just("note"), STEP, st.sampled_from(["", "one", "one two", "é 😀"]), st.integers(0, 3)
    ),
    st.tuples(st.just("tick"), STEP, st.integers(0, 6), st.booleans()),
    st.tuples(st.just("proof"), STEP, st.sampled_from(["p1", "p2"])),
    st.tuples(st.just("start"), STEP),
    st.tuples(st.sampled_from(["pause", "abandon", "resume"])),
    st.tuples(st.just("wait"), st.integers(1, 7200)),
)


def act(database: db.Database, user_id: str, execution_id: str, action: tuple[Any, ...]) -> None:
    name, *values = action
    mine = user_id, execution_id
    if name == "progress":
        database.write(executions.record_progress, *mine, values[0])
    elif name == "verdict":
        step, result, reason = values
        database.write(runs.record_verdict, *mine, step=step, result=result, reason=reason)
    elif name == "note":
        step, text, rev = values
        database.write(runs.save_note, *mine, step=step, text=text, base_rev=rev)
    elif name == "tick":
        step, item, checked = values
        database.write(runs.tick, *mine, step=step, item=item, checked=checked)
    elif name == "proof":
        database.write(runs.record_proof, *mine, step=values[0], proof_id=values[1])
    elif name == "start":
        database.write(routine.start, *mine, step=values[0] or None)
    elif name == "pause":
        database.write(routine.pause, *mine)
    else:
        verb = executions.abandon if name == "abandon" else executions.resume
        database.write(verb, *mine)


@DRAWN
@given(st.lists(ACTION, max_size=14))
def test_events_alone_tell_how_every_step_stands(
    database: db.Database, asha: str, actions: list[tuple[Any, ...]]
) -> None:
    with time_machine.travel(clock.timestamp(), tick=False) as time:
        execution_id = start(database, asha)
        for action in actions:
            if action[0] == "wait":
                time.shift(action[1])
                continue
            before = database.read(executions.list_events, asha, execution_id)
            try:
                act(database, asha, execution_id, action)
            except (errors.Invalid, errors.Conflict, errors.NotFound):
                assert database.read(executions.list_events, asha, execution_id) == before
            events = database.read(executions.list_events, asha, execution_id)
            assert events[: len(before)] == before
            run = standing(database, asha, execution_id)
            assert run.execution == database.read(people.replayed, asha, execution_id)
            assert run.steps == steps.fold(events)
            passed = {n for n, state in run.steps.items() if state.result in steps.PASSED}
            assert 0 <= run.execution.steps_completed <= 5
            if not any(name in ("progress", "abandon") for name, *_ in actions):
                assert run.execution.steps_completed == max(passed, default=0)
            assert run.timer.elapsed_seconds >= 0


# ---- verdicts -------------------------------------------------------------------------------


def test_worked_and_skipped_go_on_and_failed_stays(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    mine = asha, execution_id
    database.write(runs.record_verdict, *mine, step=1, result="failed", reason="unclear", note="hm")
    assert stored(database, *mine).steps_completed == 0
    database.write(runs.record_verdict, *mine, step=1, result="worked")
    database.write(runs.record_verdict, *mine, step=1, result="worked")  # it is known
    assert stored(database, *mine).steps_completed == 1
    database.write(runs.record_verdict, *mine, step=2, result="skipped", reason="later")
    assert stored(database, *mine).steps_completed == 2
    for step in (3, 4, 5):
        database.write(runs.record_verdict, *mine, step=step, result="worked")
    run = standing(database, *mine)
    assert run.execution.status == "completed"
    first = run.step(1)
    assert (first.result, first.reason, first.failures, first.failed_reason) == (
        "worked", None, 1, "unclear",
    )  # fmt: skip
    assert [run.step(n).result for n in (2, 3, 4, 5)] == ["skipped", "worked", "worked", "worked"]
    assert kinds(database, *mine).count("logged") == 6
    (note,) = database.read(step_notes.list_for, *mine)
    assert (note.step, note.text) == (1, "hm")


def test_a_reason_belongs_to_its_verdict(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for result, reason in (("worked", "other"), ("failed", "later"), ("skipped", "unclear")):
        with pytest.raises(errors.Invalid) as refused:
            database.write(
                runs.record_verdict, asha, execution_id, step=1, result=result, reason=reason
            )
        assert "reason" in refused.value.fields
    assert kinds(database, asha, execution_id) == ["started"]


def test_another_verdict_on_a_step_that_is_done_is_kept(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    mine = asha, execution_id
    database.write(runs.record_verdict, *mine, step=1, result="worked")
    database.write(runs.record_verdict, *mine, step=1, result="failed", reason="did_not_work")
    run = standing(database, *mine)
    assert (run.step(1).result, run.execution.steps_completed) == ("failed", 1)


def test_the_other_doors_mean_the_same_events(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    mine = asha, execution_id
    database.write(executions.record_step, *mine, step=1, result="failed", seconds_spent=60.0)
    database.write(executions.record_step, *mine, step=1, result="worked", seconds_spent=30.0)
    database.write(executions.record_progress, *mine, 1)
    run = standing(database, *mine)
    assert (run.step(1).result, run.step(1).failures, run.step(1).seconds) == ("worked", 1, 90.0)
    assert run.execution.current_step == 2
    assert database.read(timers.seconds_spent, asha) == {execution_id: 90.0}


def test_closed_runs_take_notes_and_proofs_only(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    mine = asha, execution_id
    database.write(executions.abandon, *mine)
    before = stored(database, *mine)
    database.write(runs.save_note, *mine, step=1, text="why I stopped", base_rev=0)
    database.write(runs.record_proof, *mine, step=1, proof_id="p")
    assert stored(database, *mine) == before
    for action in [("tick", 1, 0, True), ("verdict", 1, "worked", None), ("start", 1)]:
        with pytest.raises(errors.Conflict):
            act(database, *mine, action)
    act(database, *mine, ("pause",))
    assert standing(database, *mine).page(1).text == "why I stopped"


def test_what_is_no_step_or_item_is_refused(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha, 7)  # steps 6 and 7 have no checklist
    for action in [("tick", 1, 99, True), ("tick", 7, 0, True), ("tick", 8, 0, True),
                   ("note", 8, "x", 0), ("proof", 8, "p"), ("start", 8),
                   ("verdict", 8, "worked", None)]:  # fmt: skip
        with pytest.raises(errors.Invalid):
            act(database, asha, execution_id, action)
    assert kinds(database, asha, execution_id) == ["started"]


def test_somebody_elses_run_is_not_there(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    other = sign_up(database, "ravi@example.com")
    for action in [("tick", 1, 0, True), ("note", 1, "x", 0), ("proof", 1, "p"), ("start", 1),
                   ("pause",), ("verdict", 1, "worked", None)]:  # fmt: skip
        with pytest.raises(errors.NotFound):
            act(database, other, execution_id, action)
    for verb in (runs.get,):
        with pytest.raises(errors.NotFound):
            database.read(verb, other, execution_id)
    with pytest.raises(errors.NotFound):
        database.write(routine.answer_gap, other, execution_id, gap_id="g", keep=True)
    with pytest.raises(errors.NotFound):
        database.write(runs.settle_note, other, execution_id, step=1, note_id="n")


def test_ticks_and_proofs_count_once(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for action in [("tick", 2, 3, True), ("tick", 2, 3, True), ("tick", 2, 0, True),
                   ("tick", 2, 0, False), ("proof", 2, "p"), ("proof", 2, "p"),
                   ("proof", 2, "q")]:  # fmt: skip
        act(database, asha, execution_id, action)
    state = standing(database, asha, execution_id).step(2)
    assert state.ticks(4) == [False, False, False, True]
    assert state.proof_ids == ["p", "q"]
    events = kinds(database, asha, execution_id)
    assert (events.count("checked"), events.count("proof")) == (3, 2)


def test_what_happens_in_a_run_keeps_it_from_expiring(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    with time_machine.travel(clock.timestamp() + 20 * 86_400, tick=False):
        act(database, asha, execution_id, ("note", 1, "still here", 0))
        touched = clock.timestamp()
    assert stored(database, asha, execution_id).touched_at == touched


def test_begin_starts_once_and_the_timer_with_it(database: db.Database, asha: str) -> None:
    first = database.write(performance.folded, runs.begin, asha, "resume_generator", terms=None)
    again = database.write(performance.folded, runs.begin, asha, "resume_generator", terms=None)
    assert first.before is None
    assert again.before is not None
    assert first.after.id == again.after.id
    assert standing(database, asha, first.after.id).timer.running
    assert kinds(database, asha, first.after.id) == ["started", "timed"]


# ---- notes ----------------------------------------------------------------------------------


def save(database: db.Database, mine: tuple[str, str], text: str, base_rev: int) -> Page:
    page = database.write(runs.save_note, *mine, step=1, text=text, base_rev=base_rev).page
    assert page is not None
    return page


def test_on_top_of_the_newest_revision_a_note_takes_its_place(
    database: db.Database, asha: str
) -> None:
    mine = asha, start(database, asha)
    assert save(database, mine, "one", 0).rev == 1
    assert save(database, mine, "one two", 1).rev == 2
    same = save(database, mine, "one two", 2)
    assert (same.rev, same.id) == (2, None)
    with time_machine.travel(clock.timestamp() + 3600):
        assert save(database, mine, "three", 2).rev == 3
    assert standing(database, *mine).page(1).text == "three"
    assert [note.text for note in database.read(step_notes.list_for, *mine)] == ["three"]
    assert kinds(database, *mine) == ["started", "noted", "noted", "noted"]


def test_a_late_device_loses_nothing_and_takes_nothing(database: db.Database, asha: str) -> None:
    mine = asha, start(database, asha)
    save(database, mine, "from the phone", 0)
    late = save(database, mine, "from the tablet", 0)
    assert (late.conflict, late.rev, late.text) == (True, 2, "from the tablet")
    assert [note.text for note in late.kept] == ["from the phone"]
    page = standing(database, *mine).page(1)
    assert (page.text, [note.text for note in page.kept]) == ("from the tablet", ["from the phone"])
    further = save(database, mine, "from the tablet, and on", 2)
    assert not further.conflict
    assert [note.text for note in further.kept] == ["from the phone"]
    third = save(database, mine, "from the watch", 1)
    assert [note.text for note in third.kept] == ["from the phone", "from the tablet, and on"]
    for note in third.kept:
        database.write(runs.settle_note, *mine, step=1, note_id=note.id)
    page = standing(database, *mine).page(1)
    assert (page.text, page.kept) == ("from the watch", ())
    with pytest.raises(errors.NotFound):
        database.write(runs.settle_note, *mine, step=1, note_id=third.kept[0].id)


def test_texts_that_nobody_looks_at_do_not_pile_up(database: db.Database, asha: str) -> None:
    """Every answer tells them all, and answers are kept for their keys."""
    mine = asha, start(database, asha)
    for number in range(step_notes.MOST_KEPT + 1):
        page = save(database, mine, f"<{number}>", 0)
    assert len(page.kept) == step_notes.MOST_KEPT
    with pytest.raises(errors.Conflict, match="look at them first"):
        save(database, mine, "one more", 0)
    assert not save(database, mine, "on top of the newest", page.rev).conflict
    database.write(runs.settle_note, *mine, step=1, note_id=page.kept[0].id)
    assert save(database, mine, "one more", 0).conflict


@pytest.mark.parametrize("late", ["", "one", "one two"])
def test_where_one_text_has_the_other_in_it_there_is_no_conflict(
    database: db.Database, asha: str, late: str
) -> None:
    mine = asha, start(database, asha)
    save(database, mine, "one", 0)
    save(database, mine, "one two", 1)
    page = save(database, mine, late, 0)
    assert (page.text, page.rev, page.conflict, page.kept) == ("one two", 2, False, ())
    longer = save(database, mine, "zero one two three", 1)
    assert (longer.text, longer.rev, longer.conflict, longer.kept) == (
        "zero one two three", 3, False, (),
    )  # fmt: skip


def test_line_ends_of_forms_are_those_of_scripts(database: db.Database, asha: str) -> None:
    mine = asha, start(database, asha)
    save(database, mine, "one\r\ntwo", 0)
    assert save(database, mine, "one\ntwo", 1).rev == 1


def test_revisions_are_bounded_and_still_nothing_is_refused(
    database: db.Database, asha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_notes, "MOST_REVISIONS", 3)
    monkeypatch.setattr(step_notes, "BURST", 0.0)
    mine = asha, start(database, asha)
    for rev in range(6):
        page = save(database, mine, f"text {rev}", rev)
    assert (page.text, page.rev) == ("text 5", 6)


def test_control_without_revisions_a_text_would_be_lost(
    database: db.Database, asha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = asha, start(database, asha)
    save(database, mine, "from the phone", 0)
    rev = standing(database, *mine).page(1).rev
    page = save(database, mine, "from the tablet", rev)  # as if it had known the newest one
    assert page.kept == ()
