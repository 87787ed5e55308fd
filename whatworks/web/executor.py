"""The executor's pages: a workflow's guide, or a person's run through it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import msgspec
from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import db, errors, executions, outcomes, performance, step_notes
from whatworks import guide as guides
from whatworks.executions import Change
from whatworks.guide import Guide, Step, Tip
from whatworks.lifecycle import Event, Execution
from whatworks.step_notes import Note
from whatworks.web import fields, http, identity, pages, views, workflows

site = Blueprint("executor", __name__)


class Verdict(msgspec.Struct):
    """What the verdict bar sends."""

    step: fields.StepNumber
    result: fields.Verdict | None = None
    reason: fields.Text | None = None
    note: fields.Text | None = None


@site.get("/executor/<place>")
def show(place: str) -> Response:
    """A workflow's guide, for anybody; or one's own run."""
    workflow = workflows.find_workflow(place)
    if workflow is not None:
        return workflows.show_guide(workflow)
    return _show_run(place, {}, {})


@site.post("/executor/<place>")
def begin(place: str) -> Response:
    """Begin a workflow, or go on with the open run."""
    workflow = workflows.find_workflow(place)
    if workflow is None:
        raise errors.NotFound("There is no workflow of this name.")
    return workflows.begin(workflow)


@site.post("/executor/<execution_id>/progress")
def progress(execution_id: str) -> Response | tuple[Response, int]:
    """Worked, failed because, go on, or just a note."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(Verdict)
    if given is None:
        return _show_run(execution_id, wrong, typed), 400
    http.once(
        person.id,
        lambda change: change.after.id.encode(),
        performance.folded,
        _judge,
        person.id,
        execution_id,
        given,
    )
    after = http.read(executions.get, person.id, execution_id)
    if after.status == "completed" and given.result in ("worked", "next"):
        return pages.go(f"/outcome/{execution_id}")
    moved = given.result in ("worked", "next")
    step = after.current_step if moved else given.step
    return pages.go(f"/executor/{execution_id}#step-{step}", _said(given, after))


@site.post("/executor/<execution_id>/resume")
def resume(execution_id: str) -> Response:
    """Go on with a run that was stopped."""
    person = identity.require_person()
    http.write(performance.folded, executions.resume, person.id, execution_id)
    return pages.go(f"/executor/{execution_id}", "Welcome back; everything is where you left it.")


@site.post("/executor/<execution_id>/abandon")
def abandon(execution_id: str) -> Response:
    """Stop a run; it can be resumed."""
    person = identity.require_person()
    http.write(performance.folded, executions.abandon, person.id, execution_id)
    return pages.go(f"/executor/{execution_id}")


def _said(given: Verdict, after: Execution) -> str:
    """What was done, for the next page to say."""
    if given.result in ("worked", "next"):
        return f"Step {given.step} is done." if given.step < after.total_steps else "All done."
    if given.reason:
        return f"Kept: step {given.step} failed. Try it again, or go on without it."
    return "Your note is saved."


def _judge(session: db.Session, user_id: str, execution_id: str, given: Verdict) -> Change:
    """One button of the verdict bar as one verb."""
    if given.result == "worked":
        return executions.record_verdict(
            session, user_id, execution_id, step=given.step, result="worked", note=given.note
        )
    if given.reason:
        note = "\n\n".join(part for part in (given.reason, given.note) if part)
        return executions.record_step(
            session, user_id, execution_id, step=given.step, result="failed", note=note
        )
    change = None
    if given.note:
        change = executions.record_note(
            session, user_id, execution_id, step=given.step, text=given.note
        )
    if given.result == "next":
        return executions.record_progress(session, user_id, execution_id, given.step)
    if change is None:
        raise errors.Invalid("There is nothing to save yet.", fields={"note": "write something"})
    return change


def _show_run(execution_id: str, wrong: dict[str, str], typed: dict[str, str]) -> Response:
    person = identity.require_person()
    run = http.read(_load, person.id, execution_id)
    results = {e.step: e.result for e in run.events if e.kind == "logged" and e.step}
    return pages.render(
        "executor.html",
        execution=run.execution,
        guide=run.guide,
        notes=_by_step(run),
        tips={step.number: _tips(step, run.execution, results) for step in run.guide.steps},
        results=results,
        outcomes=run.outcomes,
        errors=wrong,
        draft={"step": _typed_step(run.guide, typed), "note": typed.get("note", "")},
    )


@dataclass(frozen=True)
class _Run:
    """All that the page of a run shows."""

    execution: Execution
    guide: Guide
    notes: list[Note]
    events: list[Event]
    outcomes: int


def _load(session: db.Session, user_id: str, execution_id: str) -> _Run:
    execution = executions.get(session, user_id, execution_id)
    return _Run(
        execution,
        views.guide_for(session, execution),
        step_notes.list_for(session, user_id, execution_id),
        executions.list_events(session, user_id, execution_id),
        len(outcomes.list_for_execution(session, user_id, execution_id)),
    )


def _typed_step(guide: Guide, typed: dict[str, str]) -> int:
    return next((s.number for s in guide.steps if str(s.number) == typed.get("step")), 0)


def _by_step(run: _Run) -> dict[int | None, list[Note]]:
    found: dict[int | None, list[Note]] = defaultdict(list)
    if run.execution.old_notes:
        found[None].append(Note("", None, run.execution.old_notes, run.execution.started_at or 0))
    for note in run.notes:
        found[note.step].append(note)
    return found


def _tips(step: Step, execution: Execution, results: dict[int, str | None]) -> tuple[Tip, ...]:
    return guides.tips_for(
        step,
        goal=execution.goal or None,
        market=execution.market or None,
        skill_level=execution.skill_level or None,
        country=execution.country or None,
        failed=results.get(step.number) == "failed",
    )
