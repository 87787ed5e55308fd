"""Doors to the catalogue: browse, look at a guide, begin."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, db
from whatworks.advice import phrases
from whatworks.catalogue import Workflow
from whatworks.evidence import findings
from whatworks.execution import executions
from whatworks.execution.lifecycle import Execution
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.web import fields, gating, http, identity, offers, pages, rhythm, views
from whatworks.web import performance as performance_door
from whatworks.web.gating import Limits

site = Blueprint("workflows", __name__)


class WorkflowFilter(msgspec.Struct):
    """What to show of the catalogue."""

    goal: fields.Goal | None = None
    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None


@site.get("/workflows")
def browse() -> Response:
    """The catalogue, the best evidence first."""
    given = {name: value for name, value in request.args.items() if value}
    chosen = http.convert(given, WorkflowFilter, strict=False)
    person = identity.person()
    performance_door.publish_due()
    offered, known = http.read(_catalogue)
    market = chosen.market or (person.market if person else None)
    level = chosen.skill_level or (person.skill_level if person else None)
    shown = []
    for workflow in offered:
        if matches(workflow, chosen):
            found = known[workflow.name].nearest(market, level)
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
    performance_door.publish_due()
    levels = http.read(findings.levels_of, workflow.name)
    found = levels.nearest(market, level)
    mine = http.read(_runs_of, person, workflow.name)
    return pages.render(
        "workflow.html",
        guide=workflow.guide,
        evidence=views.evidence(found),
        open_execution=next((e for e in mine if e.is_open), None),
        last=next((e for e in mine if not e.is_open), None),
        upgrade=_upgrade(person, workflow, gating.limits()),
        recommendation_id=request.args.get("recommendation"),
        funnel=views.funnel(levels),
    )


def begin(workflow: Workflow) -> Response:
    """Start a run, or go on with the open one."""
    person = identity.require_person()
    if not person.time_zone and (zone := rhythm.zone_of_device()):
        http.write(profiles.change, person.id, {"time_zone": zone})
    answer = http.once(
        person.id,
        lambda begun: f"{begun.change.after.id} {begun.warning}".encode(),
        gating.start_or_resume,
        person.id,
        workflow.name,
        gating.limits(),
    )
    execution_id, _, warning = answer.body.decode().partition(" ")
    return pages.go(f"/executor/{execution_id}", warning, "info")


def find_workflow(name: str) -> Workflow | None:
    """The workflow of this name, if it is on offer."""
    return http.read(catalogue.find, name)


def _catalogue(session: db.Session) -> tuple[list[Workflow], findings.Known]:
    return catalogue.list_current(session), findings.all_levels(session)


def matches(workflow: Workflow, chosen: WorkflowFilter) -> bool:
    """Whether a workflow is one of those chosen."""
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


def _upgrade(person: Profile | None, workflow: Workflow, limits: Limits) -> dict[str, Any] | None:
    """What keeps somebody from starting it, the plan that would not, and if that can be bought."""
    failure = http.read(gating.refusal, person.id if person else "", workflow, limits)
    if failure is None:
        return None
    plan = gating.remedy(failure, limits)
    is_sold = offers.sells_plan(http.platform().shop, plan)
    is_tier = failure.details["reason"] == "tier"
    return {"plan": plan, "reason": failure.message, "is_tier": is_tier, "is_sold": is_sold}
