"""The life of an execution: its states, its events, and what each event does. Pure.

`advance(state, event)` is the one place that says what events mean; rows, rebuilds and tests all
go through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

OPEN: Final = ("started", "in_progress")
CLOSED: Final = ("completed", "abandoned")
STATUSES: Final = (*OPEN, *CLOSED)
STEPS_WITHOUT_GUIDE: Final = 5
MAX_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class Execution:
    """One run through a workflow. Times are epoch seconds; `user_id` owns it."""

    id: str
    user_id: str
    workflow_name: str
    workflow_version: int | None
    status: str
    steps_completed: int
    total_steps: int
    started_at: float | None
    completed_at: float | None
    touched_at: float | None
    goal: str
    market: str
    skill_level: str
    country: str
    recommendation_id: str | None
    old_notes: str = ""

    @property
    def is_open(self) -> bool:
        """Whether progress may still be recorded."""
        return self.status in OPEN

    @property
    def progress(self) -> str:
        """Steps done of all, as `3/5`."""
        return f"{self.steps_completed}/{self.total_steps}"

    @property
    def current_step(self) -> int:
        """The step to work on now, 1-based; the last one when all are done."""
        return min(self.steps_completed + 1, self.total_steps)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, as the server learned of it at `at`.

    `reference_id` names the note, outcome, proof or gap it is about; `item` counts a checklist
    from 0; `happened_at` is when the person's device says it was, where that was earlier.
    """

    kind: str
    at: float
    actor: str = "owner"
    step: int | None = None
    steps_completed: int | None = None
    result: str | None = None
    seconds_spent: float | None = None
    reference_id: str | None = None
    reason: str | None = None
    item: int | None = None
    happened_at: float | None = None


# They move nothing.
WITHIN: Final = frozenset({"noted", "checked", "timed", "proof", "proof_gone"})


def advance(state: Execution, event: Event) -> Execution:
    """The state after an event: the one place that says what events mean.

    Pure, so that replaying all events from `opening(state)` must end in the stored row.
    """
    if event.kind == "imported":
        return replace(
            state,
            status=_begun(event.result, event.steps_completed or 0),
            steps_completed=event.steps_completed or 0,
            completed_at=event.at if event.result == "completed" else None,
            touched_at=event.at if event.result in CLOSED else state.started_at,
        )
    if event.kind == "outcome":
        return state
    if event.kind in WITHIN:
        return replace(state, touched_at=event.at) if state.is_open else state
    steps = state.steps_completed if event.steps_completed is None else event.steps_completed
    if event.kind == "abandoned":
        status, completed_at = "abandoned", None
    elif event.kind == "completed":
        status, completed_at = "completed", event.at
    else:
        status, completed_at = ("in_progress" if steps else "started"), None
    return replace(
        state, status=status, steps_completed=steps, completed_at=completed_at, touched_at=event.at
    )


def opening(state: Execution) -> Execution:
    """The state before the first event."""
    return replace(
        state,
        status="started",
        steps_completed=0,
        completed_at=None,
        touched_at=state.started_at,
    )


def seconds_taken(execution: Execution) -> float | None:
    """From start to completion; None when not completed or when old times make no sense."""
    if execution.status != "completed":
        return None
    if execution.started_at is None or execution.completed_at is None:
        return None
    taken = execution.completed_at - execution.started_at
    return taken if taken > 0 else None


def from_row(row: Any) -> Execution:
    """An execution as stored. Old rows hold NULLs, unknown statuses and more steps than there are;
    none of that may break a page.
    """
    total = row.total_steps if _is_count(row.total_steps) and row.total_steps > 0 else None
    total = min(total or STEPS_WITHOUT_GUIDE, MAX_STEPS)
    steps = row.steps_completed if _is_count(row.steps_completed) else 0
    steps = max(0, min(steps, total))
    known = (
        row.status if row.status in STATUSES and not (row.status == "started" and steps) else None
    )
    return Execution(
        id=row.id,
        user_id=row.user_id or "",
        workflow_name=_text(row.workflow_name),
        workflow_version=row.workflow_version,
        status=_begun(known, steps),
        steps_completed=steps,
        total_steps=total,
        started_at=_time(row.started_at),
        completed_at=_time(row.completed_at),
        touched_at=_time(row.touched_at),
        goal=_text(row.goal),
        market=_text(row.market),
        skill_level=_text(row.skill_level),
        country=_text(row.country),
        recommendation_id=row.recommendation_id,
        old_notes=_text(row.execution_notes).strip(),
    )


def _begun(status: str | None, steps: int) -> str:
    """Old runs may be called started long after their first steps, or nothing at all."""
    if status in (None, "started"):
        return "in_progress" if steps else "started"
    return status


def _is_count(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 1_000_000


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e11 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
