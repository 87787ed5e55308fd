"""The timer is exact whatever sleeps or reloads, and asks once about time without signs of life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.followers import GUIDE, start
from whatworks import db
from whatworks.execution import executions, routine, runs, timers
from whatworks.execution.timers import Timer, View
from whatworks.people import profiles

NOON: Final = datetime(2026, 11, 23, 6, 30, tzinfo=UTC).timestamp()  # 12:00 in India
INDIA: Final = ZoneInfo("Asia/Kolkata")
MINUTE: Final = 60.0
HOUR: Final = 3600.0
PLANNED: Final = GUIDE.steps[0].minutes * MINUTE  # step 1 may take so long without a sign of life


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    """Noon, until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def shown(database: db.Database, user_id: str, execution_id: str) -> View:
    return database.read(runs.get, user_id, execution_id).timer


def spent(database: db.Database, user_id: str, execution_id: str) -> dict[int, float]:
    steps = database.read(runs.get, user_id, execution_id).steps
    return {number: state.seconds for number, state in steps.items() if state.seconds}


def test_it_is_told_by_timestamps(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    for passed in (1.0, 100.0, 899.0):  # whoever looks, from wherever, sees the same
        time.move_to(NOON + passed)
        assert shown(database, asha, run) == View(True, 1, NOON, passed, None)
    database.write(routine.pause, asha, run)
    time.shift(5 * HOUR)
    view = shown(database, asha, run)
    assert (view.running, view.elapsed_seconds, view.gap) == (False, 899.0, None)
    assert spent(database, asha, run) == {1: 899.0}


def test_twice_is_once(database: db.Database, asha: str, time: time_machine.Traveller) -> None:
    run = start(database, asha)
    for _ in range(2):
        database.write(routine.start, asha, run)
    time.shift(MINUTE)
    for _ in range(2):
        database.write(routine.pause, asha, run)
        time.shift(MINUTE)
    assert spent(database, asha, run) == {1: 60.0}


def test_a_verdict_books_the_time_and_goes_on(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(300)
    database.write(runs.record_verdict, asha, run, step=1, result="failed")
    time.shift(200)
    database.write(runs.record_verdict, asha, run, step=1, result="worked")
    time.shift(100)
    view = shown(database, asha, run)
    assert (view.running, view.step, view.elapsed_seconds) == (True, 2, 600.0)
    for step in (2, 3, 4, 5):
        database.write(runs.record_verdict, asha, run, step=step, result="worked")
    assert spent(database, asha, run) == {1: 500.0, 2: 100.0}
    time.shift(HOUR)
    view = shown(database, asha, run)
    assert (view.running, view.elapsed_seconds) == (False, 600.0)


def test_a_device_tells_when_it_was(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(HOUR)  # no connection; all of this arrives now
    mine = asha, run
    database.write(runs.record_verdict, *mine, step=1, result="worked", told_at=NOON + 400)
    database.write(runs.record_verdict, *mine, step=2, result="worked", told_at=NOON + 700)
    database.write(routine.pause, *mine, told_at=NOON + 800)
    assert spent(database, asha, run) == {1: 400.0, 2: 300.0, 3: 100.0}
    assert shown(database, asha, run).elapsed_seconds == 800.0


@pytest.mark.parametrize("told", [-1e12, NOON - HOUR, NOON + 9 * HOUR, 1e15])
def test_a_wrong_clock_makes_no_time(
    database: db.Database, asha: str, time: time_machine.Traveller, told: float
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run, told_at=told)
    time.shift(100)
    database.write(routine.pause, asha, run, told_at=told)
    assert 0 <= sum(spent(database, asha, run).values()) <= 100


# ---- idle -----------------------------------------------------------------------------------


def test_what_a_step_may_take_is_no_gap(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(PLANNED)
    assert shown(database, asha, run).gap is None
    time.shift(1)
    assert shown(database, asha, run).gap is not None


@pytest.mark.parametrize("keep", [True, False])
def test_a_gap_is_asked_about_once(
    database: db.Database, asha: str, time: time_machine.Traveller, keep: bool
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(300)
    database.write(runs.tick, asha, run, step=1, item=0, checked=True)
    time.shift(2 * HOUR)
    view = shown(database, asha, run)
    gap = view.gap
    assert gap is not None
    assert (view.running, view.elapsed_seconds, gap.seconds) == (False, 300.0, 2 * HOUR)
    again = shown(database, asha, run).gap
    assert again is not None
    assert again.id == gap.id
    for _ in range(2):  # the second device is too late with its answer, and changes nothing
        database.write(routine.answer_gap, asha, run, gap_id=gap.id, keep=keep)
    counted = 300.0 + (2 * HOUR if keep else 0.0)
    view = shown(database, asha, run)
    assert (view.running, view.gap, view.elapsed_seconds) == (True, None, counted)
    time.shift(60)
    database.write(routine.pause, asha, run)
    assert spent(database, asha, run) == {1: counted + 60}
    assert shown(database, asha, run).gap is None


def test_whoever_goes_on_without_an_answer_is_still_asked(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(HOUR)
    database.write(runs.save_note, asha, run, step=1, text="back", base_rev=0)
    time.shift(120)
    database.write(runs.record_verdict, asha, run, step=1, result="worked")
    view = shown(database, asha, run)
    assert view.gap is not None
    assert (view.running, view.gap.seconds, view.elapsed_seconds) == (True, HOUR, 120.0)
    assert spent(database, asha, run) == {1: 120.0}
    database.write(routine.answer_gap, asha, run, gap_id=view.gap.id, keep=True)
    assert spent(database, asha, run) == {1: 120.0 + HOUR}
    assert shown(database, asha, run).elapsed_seconds == 120.0 + HOUR


def test_another_gaps_name_answers_nothing(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(HOUR)
    database.write(routine.answer_gap, asha, run, gap_id="another", keep=True)
    assert shown(database, asha, run).gap is not None
    assert spent(database, asha, run) == {}


# ---- one person, one timer, one day ------------------------------------------------------------


def test_it_runs_in_one_run_at_a_time(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    first, second = start(database, asha), start(database, asha)
    database.write(routine.start, asha, first)
    time.shift(100)
    database.write(routine.start, asha, second)
    time.shift(50)
    assert not shown(database, asha, first).running
    assert shown(database, asha, second).running
    database.write(routine.pause, asha, first)  # it does not run there
    assert shown(database, asha, second).elapsed_seconds == 150.0
    database.write(routine.pause, asha, second)
    assert database.read(timers.seconds_spent, asha) == {first: 100.0, second: 50.0}


def test_a_day_begins_at_midnight_where_the_person_is(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run = start(database, asha)
    midnight = NOON + 12 * HOUR
    time.move_to(midnight - 600)
    database.write(routine.start, asha, run)
    time.move_to(midnight + 240)
    assert shown(database, asha, run).elapsed_seconds == 240.0
    database.write(routine.pause, asha, run)
    assert shown(database, asha, run).elapsed_seconds == 240.0
    assert spent(database, asha, run) == {1: 840.0}
    database.write(profiles.change, asha, {"time_zone": "Europe/London"})
    assert shown(database, asha, run).elapsed_seconds == 0.0  # there it is still the day before
    time.move_to(midnight + 35 * HOUR)
    assert shown(database, asha, run).elapsed_seconds == 0.0


def test_it_stands_still_in_a_run_that_is_closed(
    database: db.Database, asha: str, time: time_machine.Traveller
) -> None:
    run, other = start(database, asha), start(database, asha)
    database.write(routine.start, asha, run)
    time.shift(60)
    database.write(executions.record_progress, asha, run, 5)
    assert not shown(database, asha, run).running
    database.write(routine.start, asha, other)
    assert shown(database, asha, other).running


# ---- pure -----------------------------------------------------------------------------------


def test_clocks_that_change_move_no_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # 02:30, for the first time
    timer, _ = timers.stop(Timer("e", 1, before, before), before + HOUR, berlin, "paused")
    assert (timer.day, timer.day_seconds) == ("2026-10-25", HOUR)


def test_sums_over_many_stretches_lose_nothing() -> None:
    timer, total = Timer("e", 1, NOON, NOON), 0.0
    for number in range(1, 200):
        at = NOON + number * 10
        timer, stretches = timers.move(timer, 1 + number % 5, at, INDIA)
        total += sum(stretch.seconds for stretch in stretches)
    assert total == timer.day_seconds == 1990.0


def test_a_sign_of_life_from_before_is_none() -> None:
    timer = Timer("e", 1, NOON, NOON + 500)
    assert timers.see(timer, NOON + 100, 900, INDIA) == (timer, [])
