"""The timer of the daily routine: one for each person, told by timestamps and never counted.

A stretch runs from `started_at`; what it lasts is the difference to now, so sleep, a reload and a
second device change nothing. When it ends, its seconds go to its step and to today. Every event of
the run is a sign of life; a running timer without one for longer than the step may take has a
*gap*, which is not counted until the person has said, once, what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import db
from whatworks.models import ExecutionStep
from whatworks.models import Timer as TimerRow
from whatworks.people import zones

ROUTINE: Final = 2_700.0  # 45 minutes
IDLE: Final = 900.0  # nobody is asked about less


@dataclass(frozen=True, slots=True)
class Gap:
    """Time without a sign of life. Times are epoch seconds."""

    id: str
    execution_id: str
    step: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time spent on a step without a break, and why it ended or was counted."""

    execution_id: str
    step: int
    seconds: float
    cause: str
    gap_id: str | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """The timer as stored. It stands still where `started_at` is None; `day` is 2026-11-22."""

    execution_id: str
    step: int
    started_at: float | None
    seen_at: float
    day: str = ""
    day_seconds: float = 0.0
    gap: Gap | None = None

    def runs_in(self, execution_id: str) -> bool:
        """Whether it is running, and in this execution."""
        return self.started_at is not None and self.execution_id == execution_id


@dataclass(frozen=True, slots=True)
class View:
    """The timer as a run shows it at a moment. `elapsed_seconds` are of today, all runs."""

    running: bool
    step: int
    started_at: float | None
    elapsed_seconds: float
    gap: Gap | None


# ---- what time does to it: pure --------------------------------------------------------------


def see(timer: Timer, at: float, patience: float, zone: ZoneInfo) -> tuple[Timer, list[Stretch]]:
    """A sign of life. After more than `patience` seconds without one the stretch ended with the
    last, what came since is a gap, and a new stretch begins now.
    """
    if timer.started_at is None or at <= timer.seen_at:
        return timer, []
    gap = _gap(timer, at, patience)
    if gap is None:
        return replace(timer, seen_at=at), []
    ended, stretches = _end(timer, gap.start, zone, "idle")
    return replace(ended, started_at=at, seen_at=at, gap=gap), stretches


def stop(timer: Timer, at: float, zone: ZoneInfo, cause: str) -> tuple[Timer, list[Stretch]]:
    """End the stretch; the caller has made it see `at` before."""
    if timer.started_at is None:
        return timer, []
    ended, stretches = _end(timer, max(at, timer.seen_at), zone, cause)
    return replace(ended, seen_at=max(at, timer.seen_at)), stretches


def move(timer: Timer, step: int, at: float, zone: ZoneInfo) -> tuple[Timer, list[Stretch]]:
    """Go on with another step without a break."""
    ended, stretches = stop(timer, at, zone, "moved")
    return replace(ended, step=step, started_at=ended.seen_at), stretches


def answer(timer: Timer, *, keep: bool, zone: ZoneInfo) -> tuple[Timer, list[Stretch]]:
    """What the person said of the gap: count it, or leave it out."""
    gap = timer.gap
    if gap is None:
        return timer, []
    told = replace(timer, gap=None)
    if not keep:
        return told, [Stretch(gap.execution_id, gap.step, 0.0, "dropped", gap.id)]
    told = _count(told, gap.start, gap.end, zone)
    return told, [Stretch(gap.execution_id, gap.step, gap.seconds, "kept", gap.id)]


def view(
    timer: Timer | None, execution_id: str, step: int, now: float, patience: float, zone: ZoneInfo
) -> View:
    """What a run shows of it. A gap that no event has found yet is shown as it is by now."""
    if timer is None:
        return View(False, step, None, 0.0, None)
    here = timer.runs_in(execution_id)
    gap = _gap(timer, now, patience) if timer.started_at is not None else None
    counted = timer
    if timer.started_at is not None:
        counted, _ = _end(timer, gap.start if gap else max(now, timer.seen_at), zone, "shown")
    today = counted.day_seconds if counted.day == str(zones.day(now, zone)) else 0.0
    shown = gap or timer.gap
    return View(
        running=here and gap is None,
        step=timer.step if here else step,
        started_at=timer.started_at if here else None,
        elapsed_seconds=today,
        gap=shown if shown and shown.execution_id == execution_id else None,
    )


def patience(minutes: float) -> float:
    """How long a step of so many minutes may go without a sign of life."""
    return max(IDLE, 60 * minutes)


def _gap(timer: Timer, at: float, longest: float) -> Gap | None:
    if at - timer.seen_at <= longest:
        return None
    found = f"{timer.execution_id}.{timer.seen_at * 1000:.0f}"
    return Gap(found, timer.execution_id, timer.step, timer.seen_at, at)


def _end(timer: Timer, at: float, zone: ZoneInfo, cause: str) -> tuple[Timer, list[Stretch]]:
    begun = timer.started_at
    if begun is None:
        return timer, []
    counted = replace(_count(timer, begun, max(at, begun), zone), started_at=None)
    spent = Stretch(timer.execution_id, timer.step, max(at - begun, 0.0), cause)
    return counted, [spent]


def _count(timer: Timer, start: float, end: float, zone: ZoneInfo) -> Timer:
    """Add to the day it ends on what of it belongs to that day; a new day begins with nothing."""
    today = zones.day(end, zone)
    before = timer.day_seconds if timer.day == str(today) else 0.0
    if timer.day > str(today):  # told late, about a day that is over
        return timer
    begun = max(start, zones.midnight(today, zone))
    return replace(timer, day=str(today), day_seconds=before + max(end - begun, 0.0))


# ---- rows ------------------------------------------------------------------------------------

_T = TimerRow
_COLUMNS: Final = (
    *(_T.execution_id, _T.step, _T.started_at, _T.seen_at, _T.day, _T.day_seconds),
    *(_T.gap_id, _T.gap_execution_id, _T.gap_step, _T.gap_from, _T.gap_to),
)
_OWN: Final = select(*_COLUMNS).where(_T.user_id == bindparam("user_id"))
_GET: Final = db.Query(_OWN)
_LOCK: Final = db.Query(_OWN.with_for_update())
_insert: Final = insert(_T)
_PUT: Final = db.Query(
    _insert.on_conflict_do_update(
        index_elements=["user_id"],
        set_={column.key: _insert.excluded[column.key] for column in _COLUMNS},
    )
)
_SPENT: Final = db.Query(
    select(ExecutionStep.execution_id, func.sum(ExecutionStep.seconds))
    .where(ExecutionStep.user_id == bindparam("user_id"))
    .group_by(ExecutionStep.execution_id)
)


def find(session: db.Session, user_id: str, *, lock: bool = False) -> Timer | None:
    """A person's timer, if it ever ran; locked, nobody else changes it meanwhile."""
    row = session.first(_LOCK if lock else _GET, user_id=user_id)
    if row is None:
        return None
    gap = None
    if row.gap_id is not None:
        gap = Gap(row.gap_id, row.gap_execution_id, row.gap_step, row.gap_from, row.gap_to)
    return Timer(
        row.execution_id, row.step, row.started_at, row.seen_at, row.day, row.day_seconds, gap
    )


def put(session: db.Session, user_id: str, timer: Timer) -> None:
    """Store a person's timer."""
    gap = timer.gap
    session.run(
        _PUT,
        user_id=user_id,
        execution_id=timer.execution_id,
        step=timer.step,
        started_at=timer.started_at,
        seen_at=timer.seen_at,
        day=timer.day,
        day_seconds=timer.day_seconds,
        gap_id=gap and gap.id,
        gap_execution_id=gap and gap.execution_id,
        gap_step=gap and gap.step,
        gap_from=gap and gap.start,
        gap_to=gap and gap.end,
    )


def seconds_spent(session: db.Session, user_id: str) -> dict[str, float]:
    """The measured time of each of a person's executions that has any."""
    rows = session.all(_SPENT, user_id=user_id)
    return {row[0]: float(row[1]) for row in rows if row[1]}
