"""Doors to the catalogue: browse, look at a guide, begin."""

from __future__ import annotations

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, db, errors, evidence, executions, performance, phrases, profiles
from whatworks.catalogue import Workflow
from whatworks.evidence import Levels
from whatworks.executions import Change
from whatworks.lifecycle import Execution
from whatworks.profiles import Profile
from whatworks.store import entitlements
from whatworks.web import fields, http, identity, pages, views

site = Blueprint("workflows", __name__)


class Filter(msgspec.Struct):
    """What to show of the catalogue."""

    goal: fields.Goal | None = None
    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None


@site.get("/workflows")
def browse() -> Response:
    """The catalogue, the best evidence first."""
    given = {name: value for name, value in request.args.items() if value}
    chosen = http.convert(given, Filter, strict=False)
    person = identity.person()
    offered, known = http.read(_catalogue)
    market = chosen.market or (person.market if person else None)
    level = chosen.skill_level or (person.skill_level if person else None)
    shown = []
    for workflow in offered:
        if _matches(workflow, chosen):
            found = known.get(workflow.name, Levels((), ())).nearest(market, level)
            shown.append((workflow.guide, views.evidence(found)))
    shown.sort(key=lambda pair: (-pair[1].rate, pair[0].title))
    return pages.render(
        "workflows.html",
        workflows=shown,
        filters={"goal": "", "market": "", "skill_level": "", **given},
        total=len(offered),
        segment=phrases.people(2, market, level) if market else None,
    )


def show_guide(workflow: Workflow) -> Response:
    """The guide of a workflow, for anybody."""
    person = identity.person()
    market, level = (person.market, person.skill_level) if person else (None, None)
    found = http.read(evidence.levels_of, workflow.name).nearest(market, level)
    mine = http.read(_runs_of, person, workflow.name)
    return pages.render(
        "workflow.html",
        guide=workflow.guide,
        evidence=views.evidence(found),
        open_execution=next((e for e in mine if e.is_open), None),
        last=next((e for e in mine if not e.is_open), None),
        upgrade=http.read(_upgrade, person, workflow),
        recommendation_id=request.args.get("recommendation"),
    )


def begin(workflow: Workflow) -> Response:
    """Start a run, or go on with the open one."""
    person = identity.require_person()
    answer = http.once(
        person.id,
        lambda change: change.after.id.encode(),
        performance.folded,
        _start_or_resume,
        person.id,
        workflow.name,
        enforce_plan=http.platform().settings.plan_limits == "enforce",
    )
    return pages.go(f"/executor/{answer.body.decode()}")


def find_workflow(name: str) -> Workflow | None:
    """The workflow of this name, if it is on offer."""
    return http.read(catalogue.find, name)


def _start_or_resume(
    session: db.Session, user_id: str, workflow_name: str, *, enforce_plan: bool
) -> Change:
    profiles.lock(session, user_id)  # a second browser must not begin it as well
    for execution in executions.list_for(session, user_id):
        if execution.workflow_name == workflow_name and execution.is_open:
            return Change(execution, execution)
    return executions.start(session, user_id, workflow_name, enforce_plan=enforce_plan)


def _catalogue(session: db.Session) -> tuple[list[Workflow], dict[str, Levels]]:
    return catalogue.list_current(session), evidence.all_levels(session)


def _matches(workflow: Workflow, chosen: Filter) -> bool:
    guide = workflow.guide
    return (
        chosen.goal in (None, *guide.goals)
        and chosen.market in (None, *guide.markets)
        and chosen.skill_level in (None, *guide.skill_levels)
    )


def _runs_of(session: db.Session, person: Profile | None, name: str) -> list[Execution]:
    if person is None:
        return []
    return [e for e in executions.list_for(session, person.id) if e.workflow_name == name]


def _upgrade(
    session: db.Session, person: Profile | None, workflow: Workflow
) -> dict[str, str] | None:
    if http.platform().settings.plan_limits != "enforce":
        return None
    held = entitlements.plan(session, person.id) if person else "free"
    if entitlements.covers(held, workflow.tier):
        return None
    try:
        entitlements.require(session, person.id if person else "", workflow.tier)
    except errors.PaymentRequired as failure:
        return {"plan": workflow.tier, "reason": failure.message}
    return None
