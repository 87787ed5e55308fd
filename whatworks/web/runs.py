"""Doors to what happens in a run: one event at a time, and how the run stands."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from flask import Response
from msgspec import UNSET, UnsetType

from whatworks import clock, db, errors
from whatworks.evidence import performance
from whatworks.execution import routine, runs, timers
from whatworks.execution.executions import Change
from whatworks.execution.runs import Happened, Standing
from whatworks.execution.step_notes import Note
from whatworks.execution.timers import Gap
from whatworks.results import proofs
from whatworks.web import fields, http, identity

doors = http.Doors("Runs")


class RunEvent(msgspec.Struct):
    """Something that happened. Which fields count follows from `kind`:

    verdict: step, result, reason, note, at; note: step, text, base_rev; kept (the other text of a
    conflict was seen): step, note_id; check: step, item, checked; timer: action (start, pause or
    resume, with step and at; or gap, with gap_id and keep); proof: step, proof_id.
    """

    kind: Literal["verdict", "note", "kept", "check", "timer", "proof"]
    step: fields.StepNumber | None = None
    result: fields.StepResult | None = None
    reason: fields.Reason | None = None
    note: fields.Note | None = None
    text: fields.Note | None = None
    base_rev: fields.Rev | None = None
    note_id: fields.Id | None = None
    item: fields.Item | None = None
    checked: bool | None = None
    action: Literal["start", "pause", "resume", "gap"] | None = None
    gap_id: fields.Id | None = None
    keep: bool | None = None
    proof_id: fields.Id | None = None
    at: fields.Moment | None = None


class KeptText(msgspec.Struct):
    """A text that is kept beside the note, because it was written at the same time."""

    note_id: str
    text: str


class PageState(msgspec.Struct):
    """The note of a step; its texts are left out where only what changed is told."""

    rev: int
    text: str | UnsetType = UNSET
    kept: list[KeptText] | UnsetType = UNSET


class StepState(msgspec.Struct):
    """One step as it stands."""

    number: int
    title: str
    minutes: int
    done: bool
    result: str | None
    reason: str | None
    note: PageState
    checks: list[bool]
    seconds: float
    proofs: list[str]


class GapState(msgspec.Struct):
    """Time in which the timer ran and nothing happened; say once what it was."""

    gap_id: str
    start: str | None = msgspec.field(name="from")
    end: str | None = msgspec.field(name="to")
    seconds: float = 0.0


class TimerState(msgspec.Struct):
    """The person's timer; `elapsed_seconds` are of today's routine, as of server_time."""

    running: bool
    step: int
    started_at: str | None
    elapsed_seconds: float
    gap: GapState | None
    routine_seconds: float = timers.ROUTINE


class RunState(msgspec.Struct):
    """How a run stands."""

    execution_id: str
    workflow_name: str
    workflow_version: int | None
    status: str
    progress: str
    step: int
    server_time: str | None
    steps: list[StepState]
    timer: TimerState
    success: Literal[True] = True


class RunEventAnswer(msgspec.Struct):
    """What the event led to; `event_id` is null where it said nothing new.

    After a note: its revision and text as they are now, and whether another text is kept beside it.
    """

    event_id: str | None
    execution_id: str
    status: str
    progress: str
    state: RunState
    rev: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    conflict: bool | UnsetType = UNSET
    kept: list[KeptText] | UnsetType = UNSET
    success: Literal[True] = True


@doors.door(
    "POST",
    "/api/execution/<execution_id>/event",
    body=RunEvent,
    answer=RunEventAnswer,
    status=201,
    errors=(400, 401, 404, 409, 415, 429),
)
def record(execution_id: str, body: RunEvent) -> Response:
    """Say what happened in a run: a verdict, a note, a tick, the timer, a proof."""
    owner = identity.owner_of_execution(execution_id)
    require(body)
    answer = http.once(
        owner, http.encoder(_answer), _happen, owner, execution_id, body, identity.actor()
    )
    return http.reply(answer, 201)


@doors.door("GET", "/api/execution/<execution_id>/state", answer=RunState, errors=(401, 404))
def state(execution_id: str) -> RunState:
    """How a run stands: every step, its note, the timer."""
    owner = identity.owner_of_execution(execution_id)
    return _state(http.read(runs.get, owner, execution_id), whole=True)


NEEDED = {
    "verdict": ("step", "result"),
    "note": ("step", "text", "base_rev"),
    "kept": ("step", "note_id"),
    "check": ("step", "item", "checked"),
    "timer": ("action",),
    "proof": ("step", "proof_id"),
}


def require(body: RunEvent) -> None:
    """Name every field that this kind needs and has not. Raises Invalid."""
    needed = NEEDED[body.kind]
    if body.kind == "timer" and body.action == "gap":
        needed = ("gap_id", "keep")
    kinds = {field.name: field.type for field in msgspec.structs.fields(RunEvent)}
    missing = {
        name: f"is missing; give {http.remedy(kinds[name])}"
        for name in needed
        if getattr(body, name) is None
    }
    if missing:
        raise errors.Invalid(f"Please check: {', '.join(missing)}.", fields=missing)


def _happen(
    session: db.Session, owner: str, execution_id: str, body: RunEvent, actor: str
) -> tuple[Happened, Standing]:
    """One event as one verb, and how the run stands then."""
    happened = perform(session, owner, execution_id, body, actor)
    performance.fold_all(session, [happened.change])
    return happened, runs.get(session, owner, execution_id)


def perform(
    session: db.Session, owner: str, execution_id: str, body: RunEvent, actor: str
) -> Happened:
    """One event, which has all the fields it needs, as one verb."""
    told_at = body.at.timestamp() if body.at else None
    where: Any = {"step": body.step, "actor": actor}
    run = session, owner, execution_id
    if body.kind == "verdict":
        where |= {"result": body.result, "reason": body.reason, "note": body.note}
        return runs.record_verdict(*run, **where, told_at=told_at)
    if body.kind == "note":
        return runs.save_note(*run, **where, text=body.text or "", base_rev=body.base_rev or 0)
    if body.kind == "kept":
        return runs.settle_note(*run, **where, note_id=body.note_id or "")
    if body.kind == "check":
        return runs.tick(*run, **where, item=body.item or 0, checked=bool(body.checked))
    if body.kind == "proof":
        proofs.hold(session, owner, body.proof_id or "")
        return runs.record_proof(*run, **where, proof_id=body.proof_id or "")
    return Happened(_timed(run, body, told_at))


def _timed(run: tuple[db.Session, str, str], body: RunEvent, told_at: float | None) -> Change:
    if body.action == "gap":
        return routine.answer_gap(*run, gap_id=body.gap_id or "", keep=bool(body.keep))
    if body.action == "pause":
        return routine.pause(*run, told_at=told_at)
    return routine.start(*run, step=body.step, told_at=told_at)


def _answer(result: tuple[Happened, Standing]) -> RunEventAnswer:
    happened, standing = result
    answer = RunEventAnswer(
        event_id=happened.change.event_id,
        execution_id=standing.execution.id,
        status=standing.execution.status,
        progress=standing.execution.progress,
        state=_state(standing, whole=False),
    )
    if happened.page is not None:
        answer.rev, answer.text = happened.page.rev, happened.page.text
        answer.conflict, answer.kept = happened.page.conflict, _kept(happened.page.kept)
    return answer


def _state(standing: Standing, *, whole: bool) -> RunState:
    execution, timer = standing.execution, standing.timer
    return RunState(
        execution_id=execution.id,
        workflow_name=execution.workflow_name,
        workflow_version=execution.workflow_version,
        status=execution.status,
        progress=execution.progress,
        step=execution.current_step,
        server_time=clock.rfc3339(standing.at),
        steps=[_step(standing, number, whole) for number in range(1, execution.total_steps + 1)],
        timer=TimerState(
            running=timer.running,
            step=timer.step,
            started_at=clock.rfc3339(timer.started_at),
            elapsed_seconds=round(timer.elapsed_seconds, 3),
            gap=_gap(timer.gap) if timer.gap else None,
        ),
    )


def _gap(gap: Gap) -> GapState:
    start, end = clock.rfc3339(gap.start), clock.rfc3339(gap.end)
    return GapState(gap.id, start, end, round(gap.seconds, 3))


def _step(standing: Standing, number: int, whole: bool) -> StepState:
    planned, known = standing.guide.steps[number - 1], standing.step(number)
    page = standing.page(number)
    note = PageState(page.rev, page.text, _kept(page.kept)) if whole else PageState(page.rev)
    return StepState(
        number=number,
        title=planned.title,
        minutes=planned.minutes,
        done=number <= standing.execution.steps_completed,
        result=known.result,
        reason=known.reason,
        note=note,
        checks=known.ticks(len(planned.checklist)),
        seconds=round(known.seconds, 3),
        proofs=known.proof_ids,
    )


def _kept(notes: tuple[Note, ...]) -> list[KeptText]:
    return [KeptText(note.id, note.text) for note in notes]
