"""The daily routine: a person's timer as their runs move it, and what its stretches are told of.

The timer itself is in `timers`. Here it meets executions: a stretch becomes an event of the run it
was spent in, a sign of life is an event of the run it runs in.
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from whatworks import catalogue, clock, db
from whatworks.execution import executions, history, timers
from whatworks.execution.executions import Change
from whatworks.execution.lifecycle import Event, Execution
from whatworks.execution.timers import Stretch, Timer, View
from whatworks.guides.guide import Guide
from whatworks.people import profiles, zones


def start(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int | None = None,
    told_at: float | None = None,
) -> Change:
    """Let the timer run in this run, on its current step if none is named; elsewhere it pauses.

    What is so already stays so. Raises NotFound, Invalid (no such step) and Conflict (the run is
    closed).
    """
    before = executions.lock(session, user_id, execution_id)
    number = step or before.current_step
    executions.require_step(before, number)
    executions.require_open(before)
    at = moment(told_at, before)
    timer, stretches = _seen(session, user_id, at)
    if timer is not None and timer.runs_in(execution_id) and timer.step == number:
        timers.put(session, user_id, timer)
        return _spend(session, before, stretches)
    timer, more = _started(timer, execution_id, number, at, _zone(session, user_id))
    timers.put(session, user_id, timer)
    spent = _spend(session, before, [*stretches, *more])
    event = Event("timed", clock.timestamp(), step=number, result="started", happened_at=at)
    return _after(before, history.record(session, spent.after, event))


def pause(
    session: db.Session, user_id: str, execution_id: str, *, told_at: float | None = None
) -> Change:
    """Stop the timer where it runs in this run. Raises NotFound."""
    before = executions.lock(session, user_id, execution_id)
    at = moment(told_at, before)
    timer, stretches = _seen(session, user_id, at)
    if timer is None or not timer.runs_in(execution_id):
        return Change(before, before)
    timer, more = timers.stop(timer, at, _zone(session, user_id), "paused")
    timers.put(session, user_id, timer)
    return _spend(session, before, [*stretches, *more])


def answer_gap(
    session: db.Session, user_id: str, execution_id: str, *, gap_id: str, keep: bool
) -> Change:
    """Say what the time without a sign of life was: count it, or leave it out.

    A gap that was answered before, on another device perhaps, stays as it was answered. Raises
    NotFound.
    """
    before = executions.lock(session, user_id, execution_id)
    timer, stretches = _seen(session, user_id, clock.timestamp())
    if timer is None:
        return Change(before, before)
    if timer.gap is not None and timer.gap.id == gap_id:
        timer, told = timers.answer(timer, keep=keep, zone=_zone(session, user_id))
        stretches = [*stretches, *told]
    timers.put(session, user_id, timer)
    return _spend(session, before, stretches)


def view(session: db.Session, execution: Execution, now: float) -> View:
    """The timer as a run shows it at a moment."""
    timer = timers.find(session, execution.user_id)
    zone = _zone(session, execution.user_id)
    patience = _patience(session, execution.user_id, timer) if timer else timers.IDLE
    shown = timers.view(timer, execution.id, execution.current_step, now, patience, zone)
    return shown if execution.is_open else replace(shown, running=False, started_at=None)


def watch(session: db.Session, execution: Execution, at: float) -> Timer | None:
    """The timer after a sign of life, where it runs in this execution; the caller stores it."""
    timer = timers.find(session, execution.user_id)
    if timer is None or not timer.runs_in(execution.id):
        return None
    seen, stretches = _seen(session, execution.user_id, at)
    if seen is None or not seen.runs_in(execution.id):  # it was moved meanwhile
        return None
    _spend(session, execution, stretches)
    return seen


def follow(session: db.Session, after: Execution, timer: Timer | None, at: float) -> None:
    """The timer goes on with the run's next step, and stops after the last."""
    if timer is None:
        return
    zone = _zone(session, after.user_id)
    if after.is_open:
        timer, stretches = timers.move(timer, after.current_step, at, zone)
    else:
        timer, stretches = timers.stop(timer, at, zone, "finished")
    timers.put(session, after.user_id, timer)
    _spend(session, after, stretches)


def moment(told_at: float | None, execution: Execution) -> float:
    """When something happened: as the device told, but not before the start and not ahead of us."""
    now = clock.timestamp()
    if told_at is None:
        return now
    return min(max(told_at, execution.started_at or 0.0), now)


def guide_of(session: db.Session, execution: Execution) -> Guide:
    """The guide an execution follows, with exactly its steps."""
    return catalogue.followed(
        session, execution.workflow_name, execution.workflow_version, execution.total_steps
    )


def _seen(session: db.Session, user_id: str, at: float) -> tuple[Timer | None, list[Stretch]]:
    """The person's timer, locked, after a sign of life."""
    timer = timers.find(session, user_id, lock=True)
    if timer is None or timer.started_at is None:
        return timer, []
    return timers.see(timer, at, _patience(session, user_id, timer), _zone(session, user_id))


def _zone(session: db.Session, user_id: str) -> ZoneInfo:
    return zones.of(profiles.get(session, user_id))


def _patience(session: db.Session, user_id: str, timer: Timer) -> float:
    """How long the timer's step may go without a sign of life."""
    execution = executions.find(session, user_id, timer.execution_id)
    if execution is None:
        return timers.IDLE
    planned = guide_of(session, execution).steps
    return timers.patience(planned[timer.step - 1].minutes if timer.step <= len(planned) else 0)


def _spend(session: db.Session, here: Execution, stretches: list[Stretch]) -> Change:
    """Append the stretches to the runs they were spent in; the change is of `here`."""
    change = Change(here, here)
    for one in stretches:
        event = Event(
            "timed",
            clock.timestamp(),
            step=one.step,
            result=one.cause,
            seconds_spent=round(one.seconds, 3),
            reference_id=one.gap_id,
        )
        if one.execution_id == here.id:
            change = _after(here, history.record(session, change.after, event))
        else:
            other = executions.lock(session, here.user_id, one.execution_id)
            history.record(session, other, event)
    return change


def _after(before: Execution, change: Change) -> Change:
    return Change(before, change.after, change.event_id)


def _started(
    timer: Timer | None, execution_id: str, step: int, at: float, zone: ZoneInfo
) -> tuple[Timer, list[Stretch]]:
    """The timer begun in this run, and what ended by that elsewhere."""
    if timer is None:
        return Timer(execution_id, step, at, at), []
    stopped, stretches = timers.stop(timer, at, zone, "paused")
    at = max(at, stopped.seen_at)
    fresh = Timer(execution_id, step, at, at, stopped.day, stopped.day_seconds, stopped.gap)
    return fresh, stretches
