"""The executor's pages: a workflow's guide, or a person's run through it; and its one form."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, clock, db, errors
from whatworks.advice import hints, tips
from whatworks.advice.hints import Hint, People
from whatworks.advice.tips import Advice, Context
from whatworks.evidence import performance
from whatworks.execution import executions, routine, runs, step_notes, steps, timers
from whatworks.execution.lifecycle import Execution
from whatworks.execution.runs import Standing
from whatworks.execution.step_notes import Note, Page
from whatworks.execution.steps import State
from whatworks.guides import comparison
from whatworks.guides.comparison import GuideChange
from whatworks.guides.guide import Step
from whatworks.results import outcomes
from whatworks.web import guards, http, identity, kept, pages, proof_uploads, workflows
from whatworks.web import runs as run_doors
from whatworks.web.runs import RunEvent

HINTS_FOR: Final = 600  # seconds for which what happened to others is not counted again
site = Blueprint("executor", __name__)


class Sent(RunEvent):
    """What a form of a run sends: an event as at the door, with what is typed on its step.

    A step's form has its note (`text`, `base_rev`) and `checks`, which says that `check` lists
    every tick there is; what the pressed button is called says what happened besides, `add` that
    it was to add a file. `finish` says that steps left for later may stay so.
    """

    kind: Literal["verdict", "note", "kept", "check", "timer", "proof"] = "note"
    checks: str | None = None
    finish: Literal["1"] | None = None
    add: Literal["file"] | None = None


@site.get("/executor/<place>")
def show(place: str) -> Response:
    """One's own run; or a workflow: the open run of it, else its guide, for anybody."""
    workflow = workflows.find_workflow(place)
    person = identity.person()
    if workflow is None and person is None and "-" not in place:
        raise errors.NotFound("There is no workflow of this name.")  # for no run is called so
    if workflow is None:
        return _show_run(place, {}, {})
    if person is not None and "guide" not in request.args:
        mine = http.read(executions.list_for, person.id)
        for one in mine:
            if one.workflow_name == workflow.name and one.is_open:
                return _show_run(one.id, {}, {})
    return workflows.show_guide(workflow)


@site.post("/executor/<place>")
def begin(place: str) -> Response:
    """Begin a workflow, or go on with the open run."""
    workflow = workflows.find_workflow(place)
    if workflow is None:
        raise errors.NotFound("There is no workflow of this name.")
    return workflows.begin(workflow)


@site.post("/executor/<execution_id>/event")
@guards.limiter.limit(guards.UPLOAD, exempt_when=lambda: proof_uploads.chosen_file() is None)
def event(execution_id: str) -> Response | tuple[Response, int]:
    """What happened in a run, by form; then the file that came along, as a proof of the step."""
    person = identity.require_person()
    given, typed, wrong = pages.read_form(Sent)
    if given is None:
        return _show_run(execution_id, wrong, typed), 400
    _complete(given)
    run_doors.require(given)
    said = _take(person.id, execution_id, given)
    kind, words = _keep_file(person.id, execution_id, given, said)
    message = " ".join(filter(None, (said.message, words))) or None
    place = f"/executor/{execution_id}#step-{said.step}"
    if said.asks_first:
        asked = urlencode({"finish": given.result, "reason": given.reason or ""})
        place = f"/executor/{execution_id}?{asked}#unfinished"
    elif said.finished:
        place = f"/outcome/{execution_id}"
    return pages.go(place, message, kind)


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


# ---- the form --------------------------------------------------------------------------------


class Said(msgspec.Struct):
    """What a form did, for the next page to say."""

    step: int
    message: str | None = None
    finished: bool = False
    asks_first: bool = False


def _complete(given: Sent) -> None:
    """What a form does not say in so many words: the kind of event is that of the button."""
    if "text" in request.form:  # an empty field is a text as well
        given.text, given.base_rev = given.text or "", given.base_rev or 0
    if given.result is not None:
        given.kind = "verdict"
    elif given.keep is not None:
        given.kind, given.action = "timer", "gap"
    elif given.action is not None:
        given.kind = "timer"
    elif given.note_id is not None:
        given.kind = "kept"


def _take(user_id: str, execution_id: str, given: Sent) -> Said:
    ticked = frozenset(request.form.getlist("check", type=int)) if given.checks else None
    answer = http.once(user_id, msgspec.json.encode, _happen, user_id, execution_id, given, ticked)
    return msgspec.json.decode(answer.body, type=Said)


def _keep_file(user_id: str, execution_id: str, given: Sent, said: Said) -> tuple[str, str | None]:
    """What became of the file: the kind of message, and its words. Nothing else waits for it."""
    try:
        proof_id = proof_uploads.take_file(user_id, execution_id, given.step or said.step)
    except (errors.Invalid, errors.TooLarge, errors.UnsupportedMedia, errors.Conflict) as failure:
        return "error", failure.message
    if proof_id is not None:
        return "done", "Your proof is kept. Only you and our reviewers can see it."
    return ("error", "Choose a picture or a PDF first.") if given.add else ("done", None)


def _happen(
    session: db.Session,
    user_id: str,
    execution_id: str,
    given: Sent,
    ticked: frozenset[int] | None,
) -> Said:
    """All that a form says, in one transaction: the note and the ticks first, so none is lost."""
    before = executions.get(session, user_id, execution_id)
    step = given.step or before.current_step
    conflict = False
    if given.text is not None:
        rev = given.base_rev or 0
        saved = runs.save_note(
            session, user_id, execution_id, step=step, text=given.text, base_rev=rev
        )
        conflict = saved.page is not None and saved.page.conflict
    if ticked is not None and before.is_open:
        _tick(session, before, step, ticked)
    _forget_wrong_reason(given)
    if given.finish is None and _leaves_some(session, before, given, step):
        return Said(step, asks_first=True)
    if given.kind != "note":
        happened = run_doors.perform(session, user_id, execution_id, given, "owner")
        performance.fold_all(session, [happened.change])
    after = executions.get(session, user_id, execution_id)
    moved = given.result in steps.PASSED
    return Said(
        step=after.current_step if moved else step,
        message=_message(given, step, after, conflict=conflict),
        finished=moved and after.status == "completed",
    )


def _leaves_some(session: db.Session, run: Execution, given: Sent, step: int) -> bool:
    """Whether this would end the run while steps wait that were skipped for later."""
    if given.result not in steps.PASSED or step != run.total_steps or not run.is_open:
        return False
    known = steps.list_for(session, run.user_id, run.id)
    known[step] = State(step, given.result, given.reason)
    return any(state.is_for_later for state in known.values())


def _tick(session: db.Session, run: Execution, step: int, ticked: frozenset[int]) -> None:
    executions.require_step(run, step)
    for item in range(len(routine.guide_of(session, run).steps[step - 1].checklist)):
        runs.tick(session, run.user_id, run.id, step=step, item=item, checked=item in ticked)


def _forget_wrong_reason(given: Sent) -> None:
    """Without scripts one list has the reasons of failures and of skips; the button decides."""
    known = {"failed": steps.FAILED, "skipped": steps.SKIPPED}.get(given.result or "", ())
    if given.reason not in known:
        given.reason = None


def _message(given: Sent, step: int, after: Execution, *, conflict: bool) -> str | None:
    if conflict:
        return "Another device had changed this note meanwhile. Both texts are kept."
    if given.result in steps.PASSED:
        if after.status == "completed":
            return None  # the next page says it
        return f"Step {step} is {'done' if given.result == 'worked' else 'skipped'}."
    if given.result == "failed":
        return f"Kept: step {step} failed. There may be a tip for it below."
    return "Saved." if given.kind == "note" and given.add is None else None


# ---- the page --------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepView:
    """A step of the guide, and how it stands. `on_failure` are the tips that a failure adds."""

    plan: Step
    state: State
    page: Page
    ticks: list[bool]
    earlier: list[Note]
    tips: list[Advice]
    on_failure: list[Advice]


@dataclass(frozen=True)
class _Run:
    """All that the page of a run shows."""

    standing: Standing
    notes: list[Note]
    outcomes: int
    since: int | None
    changes: tuple[GuideChange, ...]


def _show_run(execution_id: str, wrong: dict[str, str], typed: dict[str, str]) -> Response:
    person = identity.require_person()
    run = http.read(_load, person.id, execution_id)
    standing = run.standing
    others = hints.of_others(_happened(standing), person.id)
    notes = _by_step(run)
    return pages.render(
        "executor.html",
        execution=standing.execution,
        guide=standing.guide,
        steps=[_step(standing, plan, notes, others) for plan in standing.guide.steps],
        notes=notes[None],
        timer=standing.timer,
        routine=timers.ROUTINE,
        server_time=clock.rfc3339(standing.at),
        outcomes=run.outcomes,
        since=run.since,
        changes=run.changes,
        shown=_typed_step(standing, typed) or standing.execution.current_step,
        skipped=sum(one.result == "skipped" for one in standing.steps.values()),
        finish=request.args.get("finish"),
        errors=wrong,
        draft=typed,
    )


def _typed_step(standing: Standing, typed: dict[str, str]) -> int:
    numbers = (step.number for step in standing.guide.steps)
    return next((number for number in numbers if str(number) == typed.get("step")), 0)


def _load(session: db.Session, user_id: str, execution_id: str) -> _Run:
    standing = runs.get(session, user_id, execution_id)
    execution = standing.execution
    since, changes = _since_last(session, execution, standing)
    return _Run(
        standing,
        step_notes.list_added(session, user_id, execution_id),
        len(outcomes.list_for_execution(session, user_id, execution_id)),
        since,
        changes,
    )


def _since_last(
    session: db.Session, execution: Execution, standing: Standing
) -> tuple[int | None, tuple[GuideChange, ...]]:
    """The version of the person's run before this one, where it was another, and what changed."""
    for one in executions.list_for(session, execution.user_id):
        earlier = one.workflow_name == execution.workflow_name and one.id < execution.id
        if earlier and one.workflow_version is not None:
            known = catalogue.find(session, one.workflow_name, one.workflow_version)
            if known is None or one.workflow_version == execution.workflow_version:
                return None, ()
            return known.version, comparison.between(known.guide, standing.guide)
    return None, ()


def _happened(standing: Standing) -> dict[int, People]:
    """What happened to everybody at its steps, looked up every few minutes."""
    name = standing.execution.workflow_name
    version = standing.execution.workflow_version or 0
    most_items = max((len(step.checklist) for step in standing.guide.steps), default=0)
    return kept.get(
        ("hints", name, version),
        int(clock.timestamp() // HINTS_FOR),
        lambda: http.look(hints.gather, name, version, most_items),
    )


def _step(
    standing: Standing, plan: Step, notes: dict[int | None, list[Note]], others: dict[int, Hint]
) -> StepView:
    state, execution = standing.step(plan.number), standing.execution
    context = Context(
        execution.goal,
        execution.market,
        execution.skill_level,
        execution.country,
        standing.steps,
        standing.timer.elapsed_seconds,
        execution.is_open and plan.number == execution.current_step,
    )
    hint = others.get(plan.number)
    chosen = tips.choose(standing.guide, plan, context, hint)
    after = tips.if_it_fails(standing.guide, plan, context, hint)
    return StepView(
        plan,
        state,
        standing.page(plan.number),
        state.ticks(len(plan.checklist)),
        notes[plan.number],
        chosen,
        [tip for tip in after if tip not in chosen and state.result != "failed"],
    )


def _by_step(run: _Run) -> dict[int | None, list[Note]]:
    found: dict[int | None, list[Note]] = defaultdict(list)
    old = run.standing.execution
    if old.old_notes:
        found[None].append(Note("", None, old.old_notes, old.started_at or 0))
    for note in run.notes:
        found[note.step].append(note)
    return found
