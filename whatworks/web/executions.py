"""Doors to executions: start, progress, step log, state."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from whatworks import clock
from whatworks.evidence import performance
from whatworks.execution import executions, step_notes
from whatworks.execution.executions import Change
from whatworks.execution.lifecycle import Event, Execution
from whatworks.execution.step_notes import Note
from whatworks.web import fields, gating, http, identity
from whatworks.web.gating import Begun

doors = http.Doors("Executions")


class Start(msgspec.Struct):
    """Which workflow to begin, for whom."""

    user_id: fields.Id
    workflow_name: fields.Name
    total_steps: fields.TotalSteps | None = None


class Meter(msgspec.Struct):
    """How much of this month's runs is used; `warning` from 80 % on."""

    plan: str
    used: int
    limit: int | None
    warning: str | None


class Started(msgspec.Struct):
    """The execution that has begun."""

    execution_id: str
    workflow_name: str
    status: str
    total_steps: int
    workflow_version: int | None
    usage: Meter
    success: Literal[True] = True


class ProgressBody(msgspec.Struct):
    """How many steps are done now."""

    steps_completed: fields.Steps
    notes: fields.Note | None = None


class ProgressAnswer(msgspec.Struct):
    """Where the execution stands."""

    execution_id: str
    status: str
    progress: str
    success: Literal[True] = True


class LogEntry(msgspec.Struct):
    """How one step went."""

    step: fields.StepNumber
    result: fields.StepResult
    note: fields.Note | None = None
    seconds_spent: fields.Seconds | None = None


class ExecutionLine(msgspec.Struct):
    """An execution in a list."""

    execution_id: str
    user_id: str
    workflow_name: str
    workflow_version: int | None
    status: str
    steps_completed: int
    total_steps: int
    progress: str
    started_at: str | None
    completed_at: str | None
    updated_at: str | None
    goal: str
    market: str
    skill_level: str
    country: str
    recommendation_id: str | None


class NoteLine(msgspec.Struct):
    """A note as written."""

    note_id: str
    step: int | None
    text: str
    created_at: str | None


class EventLine(msgspec.Struct):
    """One thing that happened."""

    kind: str
    at: str | None
    actor: str
    step: int | None
    steps_completed: int | None
    result: str | None
    seconds_spent: float | None


class ExecutionAnswer(ExecutionLine):
    """An execution with its notes and its history."""

    notes: list[NoteLine]
    events: list[EventLine]
    success: Literal[True] = True


class ExecutionList(msgspec.Struct):
    """A person's executions, the last touched first; `next` is the `after` of the next page."""

    executions: list[ExecutionLine]
    next: str | None
    success: Literal[True] = True


class ExecutionsOf(msgspec.Struct):
    """Whose, how many, and after which one."""

    user_id: fields.Id
    limit: fields.PageSize = 100
    after: fields.Id | None = None


@doors.door(
    "POST",
    "/api/execution",
    body=Start,
    answer=Started,
    status=201,
    errors=(400, 401, 402, 404, 409, 415, 429),
)
def start(body: Start) -> Response:
    """Begin a workflow."""
    user_id = identity.acting_for(body.user_id)
    answer = http.once(
        user_id,
        http.encoder(_started),
        gating.start,
        user_id,
        body.workflow_name,
        body.total_steps,
        limits=gating.limits(),
        actor=identity.actor(),
    )
    return http.reply(answer, 201)


@doors.door(
    "GET", "/api/execution", query=ExecutionsOf, answer=ExecutionList, errors=(400, 401, 404)
)
def list_for(query: ExecutionsOf) -> ExecutionList:
    """A person's executions, page by page."""
    owner = identity.acting_for(query.user_id)
    found = http.read(executions.list_for, owner, query.limit + 1, query.after)
    page = [_line(execution) for execution in found[: query.limit]]
    return ExecutionList(page, page[-1].execution_id if len(found) > query.limit else None)


@doors.door("GET", "/api/execution/<execution_id>", answer=ExecutionAnswer, errors=(401, 404))
def get(execution_id: str) -> ExecutionAnswer:
    """One execution with its notes and its history."""
    owner = identity.owner_of_execution(execution_id)
    execution = http.read(executions.get, owner, execution_id)
    return ExecutionAnswer(
        **msgspec.structs.asdict(_line(execution)),
        notes=[_note(note) for note in http.read(step_notes.list_for, owner, execution_id)],
        events=[_event(event) for event in http.read(executions.list_events, owner, execution_id)],
    )


@doors.door(
    "PUT",
    "/api/execution/<execution_id>/progress",
    body=ProgressBody,
    answer=ProgressAnswer,
    errors=(400, 401, 404, 409, 415, 429),
)
def progress(execution_id: str, body: ProgressBody) -> ProgressAnswer:
    """Set how many steps are done; the last one completes it."""
    change = http.write(
        performance.folded,
        executions.record_progress,
        identity.owner_of_execution(execution_id),
        execution_id,
        body.steps_completed,
        body.notes,
        actor=identity.actor(),
    )
    return _progress(change)


@doors.door(
    "POST",
    "/api/execution/<execution_id>/log",
    body=LogEntry,
    answer=ProgressAnswer,
    status=201,
    errors=(400, 401, 404, 409, 415, 429),
)
def log(execution_id: str, body: LogEntry) -> Response:
    """Add an entry to the step log; progress does not move."""
    owner = identity.owner_of_execution(execution_id)
    answer = http.once(
        owner,
        http.encoder(_progress),
        executions.record_step,
        owner,
        execution_id,
        step=body.step,
        result=body.result,
        note=body.note,
        seconds_spent=body.seconds_spent,
        actor=identity.actor(),
    )
    return http.reply(answer, 201)


@doors.door(
    "DELETE", "/api/execution/<execution_id>", answer=ProgressAnswer, errors=(401, 404, 409, 429)
)
def abandon(execution_id: str) -> ProgressAnswer:
    """Abandon an execution; nothing is removed, and it can be resumed."""
    change = http.write(
        performance.folded,
        executions.abandon,
        identity.owner_of_execution(execution_id),
        execution_id,
        actor=identity.actor(),
    )
    return _progress(change)


@doors.door(
    "POST",
    "/api/execution/<execution_id>/resume",
    answer=ProgressAnswer,
    errors=(400, 401, 404, 409, 429),
)
def resume(execution_id: str) -> Response:
    """Open an abandoned execution again."""
    owner = identity.owner_of_execution(execution_id)
    answer = http.once(
        owner,
        http.encoder(_progress),
        performance.folded,
        executions.resume,
        owner,
        execution_id,
        actor=identity.actor(),
    )
    return http.reply(answer)


def _started(begun: Begun) -> Started:
    after, runs = begun.change.after, begun.runs
    return Started(
        execution_id=after.id,
        workflow_name=after.workflow_name,
        status=after.status,
        total_steps=after.total_steps,
        workflow_version=after.workflow_version,
        usage=Meter(begun.plan, runs.used, runs.limit, runs.warning),
    )


def _progress(change: Change) -> ProgressAnswer:
    after = change.after
    return ProgressAnswer(execution_id=after.id, status=after.status, progress=after.progress)


def _line(execution: Execution) -> ExecutionLine:
    return ExecutionLine(
        execution_id=execution.id,
        user_id=execution.user_id,
        workflow_name=execution.workflow_name,
        workflow_version=execution.workflow_version,
        status=execution.status,
        steps_completed=execution.steps_completed,
        total_steps=execution.total_steps,
        progress=execution.progress,
        started_at=clock.rfc3339(execution.started_at),
        completed_at=clock.rfc3339(execution.completed_at),
        updated_at=clock.rfc3339(execution.touched_at),
        goal=execution.goal,
        market=execution.market,
        skill_level=execution.skill_level,
        country=execution.country,
        recommendation_id=execution.recommendation_id,
    )


def _note(note: Note) -> NoteLine:
    return NoteLine(note.id, note.step, note.text, clock.rfc3339(note.created_at))


def _event(event: Event) -> EventLine:
    return EventLine(
        kind=event.kind,
        at=clock.rfc3339(event.at),
        actor=event.actor,
        step=event.step,
        steps_completed=event.steps_completed,
        result=event.result,
        seconds_spent=event.seconds_spent,
    )
