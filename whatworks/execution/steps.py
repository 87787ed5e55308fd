"""How each step of a run stands: verdict, ticks, time and proofs, as its events add up to."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import db
from whatworks.execution.lifecycle import Event, Execution
from whatworks.models import ExecutionStep

RESULTS: Final = ("worked", "failed", "skipped")
PASSED: Final = ("worked", "skipped")  # with these one goes on
FAILED: Final = ("unclear", "too_long", "no_access", "did_not_work", "other")
SKIPPED: Final = ("done_already", "not_for_me", "later", "other")


@dataclass(frozen=True, slots=True)
class State:
    """One step as it stands. `checks` has a 1 for each item ticked; `proofs` are ids in a row.

    `failed_reason` and `failed_checks` are of the last failure, whatever came after it.
    """

    step: int
    result: str | None = None
    reason: str | None = None
    failures: int = 0
    failed_reason: str | None = None
    failed_checks: str | None = None
    checks: str = ""
    seconds: float = 0.0
    proofs: str = ""

    def ticks(self, count: int) -> list[bool]:
        """Which of the checklist's items are ticked."""
        return [mark == "1" for mark in self.checks.ljust(count, "0")[:count]]

    @property
    def is_for_later(self) -> bool:
        """Whether it was skipped to be done later, and has not been."""
        return self.result == "skipped" and self.reason == "later"

    @property
    def proof_ids(self) -> list[str]:
        """Its proofs, the oldest first."""
        return self.proofs.split()


_COLUMNS: Final = [getattr(ExecutionStep, field.name) for field in fields(State)]
_OF_RUN: Final = select(*_COLUMNS).where(
    ExecutionStep.user_id == bindparam("user_id"),
    ExecutionStep.execution_id == bindparam("execution_id"),
)
_LIST: Final = db.Query(_OF_RUN)
_SKIPPED: Final = db.Query(
    select(ExecutionStep.execution_id, func.count())
    .where(ExecutionStep.user_id == bindparam("user_id"), ExecutionStep.result == "skipped")
    .group_by(ExecutionStep.execution_id)
)
_ONE: Final = db.Query(_OF_RUN.where(ExecutionStep.step == bindparam("step")))
_insert: Final = insert(ExecutionStep)
_PUT: Final = db.Query(
    _insert.on_conflict_do_update(
        index_elements=["user_id", "execution_id", "step"],
        set_={f.name: _insert.excluded[f.name] for f in fields(State) if f.name != "step"},
    )
)


def advance(state: State, event: Event) -> State:
    """The state after an event of this step: the one place that says what it does there."""
    if event.seconds_spent:
        state = replace(state, seconds=state.seconds + event.seconds_spent)
    if event.kind == "checked" and event.item is not None:
        marks = state.checks.ljust(event.item + 1, "0")
        mark = "1" if event.result == "on" else "0"
        return replace(state, checks=marks[: event.item] + mark + marks[event.item + 1 :])
    if event.kind == "proof" and event.reference_id:
        return replace(state, proofs=f"{state.proofs} {event.reference_id}".strip())
    if event.kind == "proof_gone":
        left = [known for known in state.proof_ids if known != event.reference_id]
        return replace(state, proofs=" ".join(left))
    if event.kind != "logged":
        return state
    state = replace(state, result=event.result, reason=event.reason)
    if event.result != "failed":
        return state
    return replace(
        state,
        failures=state.failures + 1,
        failed_reason=event.reason,
        failed_checks=state.checks,
    )


def fold(events: Iterable[Event]) -> dict[int, State]:
    """Every step that something happened to, from the events alone."""
    found: dict[int, State] = {}
    for event in events:
        if event.step is not None:
            before = found.get(event.step, State(event.step))
            after = advance(before, event)
            if after != before or event.step in found:
                found[event.step] = after
    return found


def list_for(session: db.Session, user_id: str, execution_id: str) -> dict[int, State]:
    """The steps of a run that something happened to, by number."""
    rows = session.all(_LIST, user_id=user_id, execution_id=execution_id)
    return {row.step: State(*row) for row in rows}


def skipped(session: db.Session, user_id: str) -> dict[str, int]:
    """How many steps were skipped in each of a person's runs; runs without any are left out."""
    return {row[0]: row[1] for row in session.all(_SKIPPED, user_id=user_id)}


def get(session: db.Session, execution: Execution, step: int) -> State:
    """One step of a run; as new when nothing happened to it."""
    row = session.first(_ONE, user_id=execution.user_id, execution_id=execution.id, step=step)
    return State(step) if row is None else State(*row)


def record(session: db.Session, execution: Execution, event: Event) -> None:
    """Bring the row of the event's step up to date. The execution is locked."""
    if event.step is None:
        return
    before = get(session, execution, event.step)
    after = advance(before, event)
    if after != before:
        put(session, execution.user_id, execution.id, [after])


def put(session: db.Session, user_id: str, execution_id: str, states: Iterable[State]) -> None:
    """Store states as they are, in place of what was there."""
    owner = {"user_id": user_id, "execution_id": execution_id}
    rows = [{**owner, **{f.name: getattr(one, f.name) for f in fields(State)}} for one in states]
    session.many(_PUT, rows)


def seconds_of(states: Iterable[State]) -> float:
    """The time that was measured or told, of all of them."""
    return functools.reduce(lambda total, one: total + one.seconds, states, 0.0)
