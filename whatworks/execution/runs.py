"""What happens on the page of a run: verdicts, notes, ticks, proofs.

Every verb locks the execution, appends what happened to `history`, and is a sign of life for the
timer (`routine`). A time that a device tells (`told_at`) counts where it lies between the start
and now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks import clock, db, errors
from whatworks.execution import executions, history, routine, step_notes, steps, timers
from whatworks.execution.executions import Change
from whatworks.execution.lifecycle import Event, Execution
from whatworks.execution.step_notes import Page
from whatworks.execution.steps import State
from whatworks.execution.timers import View
from whatworks.guides.guide import Guide
from whatworks.people import profiles
from whatworks.store.entitlements import Terms

MOST_PROOFS: Final = 50  # on one step


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as it stands at a moment (`at`): steps and pages by number, where there are any."""

    execution: Execution
    guide: Guide
    steps: dict[int, State]
    pages: dict[int, Page]
    timer: View
    at: float

    def step(self, number: int) -> State:
        """How a step stands."""
        return self.steps.get(number) or State(number)

    def page(self, number: int) -> Page:
        """A step's note."""
        return self.pages.get(number) or Page()


@dataclass(frozen=True, slots=True)
class Happened:
    """What a verb did; `change.event_id` is None when it did nothing. `page` after a note."""

    change: Change
    page: Page | None = None


def get(session: db.Session, user_id: str, execution_id: str) -> Standing:
    """How a run stands now. Raises NotFound."""
    execution, now = executions.get(session, user_id, execution_id), clock.timestamp()
    return Standing(
        execution,
        routine.guide_of(session, execution),
        steps.list_for(session, user_id, execution_id),
        step_notes.pages(session, user_id, execution_id),
        routine.view(session, execution, now),
        now,
    )


def begin(session: db.Session, user_id: str, workflow_name: str, *, terms: Terms | None) -> Change:
    """Start a workflow, or go on with the open run of it; the timer runs from then on.

    `terms` are those of the plans to be kept to. Raises NotFound and PaymentRequired.
    """
    profiles.lock(session, user_id)  # a second browser must not begin it as well
    change = None
    for one in executions.list_for(session, user_id):
        if one.workflow_name == workflow_name and one.is_open:
            change = Change(one, executions.lock(session, user_id, one.id))
            break
    change = change or executions.start(session, user_id, workflow_name, terms=terms)
    timed = routine.start(session, user_id, change.after.id)
    return Change(change.before, timed.after, change.event_id or timed.event_id)


def record_verdict(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    result: str,
    reason: str | None = None,
    note: str | None = None,
    told_at: float | None = None,
    actor: str = "owner",
) -> Happened:
    """How a step went. Worked and skipped go on to the next one, and the timer with them.

    The same verdict on a step that is done says nothing new, in a closed run as well. Raises
    NotFound, Invalid (no such step, or a reason of the other kind) and Conflict (it is closed).
    """
    before = executions.lock(session, user_id, execution_id)
    _require_reason(result, reason)
    known = steps.get(session, before, step)
    said = (known.result, known.reason) == (result, reason) and not note
    if said and step <= before.steps_completed:
        return Happened(Change(before, before))
    executions.require_step(before, step)
    executions.require_open(before)
    at = routine.moment(told_at, before)
    watched = routine.watch(session, before, at)
    logged = executions.record_step(
        session,
        user_id,
        execution_id,
        step=step,
        result=result,
        reason=reason,
        note=note,
        happened_at=at if told_at is not None else None,
        actor=actor,
    )
    change = Change(before, logged.after, logged.event_id)
    if result in steps.PASSED and step > logged.after.steps_completed:
        moved = executions.record_progress(session, user_id, execution_id, step, actor=actor)
        change = Change(before, moved.after, logged.event_id)
        routine.follow(session, moved.after, watched, at)
    elif watched is not None:
        timers.put(session, user_id, watched)
    return Happened(change)


def save_note(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    text: str,
    base_rev: int,
    actor: str = "owner",
) -> Happened:
    """Write the page of a step anew, on top of a revision; see `step_notes.save`.

    Closed runs take notes as well. Raises NotFound and Invalid (no such step).
    """
    before = executions.lock(session, user_id, execution_id)
    executions.require_step(before, step)
    page = step_notes.save(session, before, step, text, base_rev, clock.timestamp())
    if page.id is None:
        return Happened(Change(before, before), page)
    result = "conflict" if page.conflict else None
    event = Event("noted", clock.timestamp(), actor, step, None, result, reference_id=page.id)
    return Happened(_record(session, before, event), page)


def settle_note(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    note_id: str,
    actor: str = "owner",
) -> Happened:
    """The text kept beside a step's page has been seen. Raises NotFound."""
    before = executions.lock(session, user_id, execution_id)
    page = step_notes.settle(session, before, step, note_id, clock.timestamp())
    event = Event("noted", clock.timestamp(), actor, step, result="settled", reference_id=note_id)
    return Happened(_record(session, before, event), page)


def tick(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    item: int,
    checked: bool,
    actor: str = "owner",
) -> Happened:
    """Tick an item of a step's checklist, or take the tick off; twice is once.

    Raises NotFound, Invalid (no such item) and Conflict (it is closed).
    """
    before = executions.lock(session, user_id, execution_id)
    executions.require_step(before, step)
    count = len(routine.guide_of(session, before).steps[step - 1].checklist)
    if item >= count:
        told = f"0 to {count - 1}" if count else "none: this step has no checklist"
        raise errors.Invalid("This step has no such item.", fields={"item": told})
    executions.require_open(before)
    if steps.get(session, before, step).ticks(count)[item] == checked:
        return Happened(Change(before, before))
    event = Event(
        "checked", clock.timestamp(), actor, step, result="on" if checked else "off", item=item
    )
    return Happened(_record(session, before, event))


def record_proof(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    proof_id: str,
    actor: str = "owner",
) -> Happened:
    """A proof belongs to a step; twice is once. Closed runs take proofs as well.

    Raises NotFound, Invalid (no such step) and Conflict (too many).
    """
    before = executions.lock(session, user_id, execution_id)
    executions.require_step(before, step)
    known = steps.get(session, before, step).proof_ids
    if proof_id in known:
        return Happened(Change(before, before))
    if len(known) >= MOST_PROOFS:
        raise errors.Conflict(f"A step takes {MOST_PROOFS} proofs.", code="too_many_proofs")
    event = Event("proof", clock.timestamp(), actor, step, reference_id=proof_id)
    return Happened(_record(session, before, event))


def take_back_proof(
    session: db.Session,
    user_id: str,
    execution_id: str,
    *,
    step: int,
    proof_id: str,
    actor: str = "owner",
) -> Happened:
    """A step shows this proof no longer; of one it does not show, nothing changes."""
    before = executions.lock(session, user_id, execution_id)
    if proof_id not in steps.get(session, before, step).proof_ids:
        return Happened(Change(before, before))
    event = Event("proof_gone", clock.timestamp(), actor, step, reference_id=proof_id)
    return Happened(_record(session, before, event))


def _record(session: db.Session, before: Execution, event: Event) -> Change:
    """Append an event, which is a sign of life."""
    watched = routine.watch(session, before, event.at)
    if watched is not None:
        timers.put(session, before.user_id, watched)
    return history.record(session, before, event)


def _require_reason(result: str, reason: str | None) -> None:
    known = {"failed": steps.FAILED, "skipped": steps.SKIPPED}.get(result, ())
    if reason is not None and reason not in known:
        told = "one of " + ", ".join(known) if known else "nothing: only failed and skipped have"
        raise errors.Invalid("This is no reason for that.", fields={"reason": told})
