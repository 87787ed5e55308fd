"""Few do it, it works: workflows that deserve more people, found by what one needs of them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Annotated

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, db
from whatworks.advice import phrases
from whatworks.catalogue import Workflow
from whatworks.evidence import findings
from whatworks.evidence.findings import Evidence
from whatworks.guides.guide import Guide
from whatworks.web import fields, http, identity, pages, performance, views

site = Blueprint("rare", __name__)

Percent = Annotated[float, msgspec.Meta(ge=0, le=100, description="a number from 0 to 100")]
Positive = Annotated[float, msgspec.Meta(ge=0, le=1e12, description="a number from 0 on")]


class Wanted(msgspec.Struct):
    """What somebody needs: for whom, how sure, how much, how fast."""

    goal: fields.Goal | None = None
    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None
    success: Percent | None = None
    value: Positive | None = None
    hours: Positive | None = None


@dataclass(frozen=True)
class Rare:
    """One find: the guide, what is published for such people, how many have begun it at all."""

    guide: Guide
    evidence: views.EvidenceView
    people: int


@site.get("/workflows/rare")
def browse() -> Response:
    """What few people do and it works, the surest first."""
    given = {name: value for name, value in request.args.items() if value}
    wanted = http.convert(given, Wanted, strict=False)
    person = identity.person()
    market = wanted.market or (person.market if person else None)
    level = wanted.skill_level or (person.skill_level if person else None)
    performance.publish_due()
    offered, known = http.read(_everything)
    begun = {w.name: known[w.name].live(findings.WHOLE).people for w in offered if w.name in known}
    few = statistics.median(begun.values()) if begun else 0
    found = [
        (known[w.name].nearest(market, level), w)
        for w in offered
        if w.name in known and begun[w.name] <= few
    ]
    shown = [
        Rare(workflow.guide, views.evidence(one), begun[workflow.name])
        for one, workflow in sorted(found, key=lambda pair: -pair[0].rate.low50)
        if _fits(one, workflow, wanted)
    ]
    names = ("goal", "market", "skill_level", "success", "value", "hours")
    return pages.render(
        "rare.html",
        finds=shown,
        filters={name: given.get(name, "") for name in names},
        few=few,
        segment=phrases.people(2, market, level) if market or level else None,
    )


def _everything(session: db.Session) -> tuple[list[Workflow], findings.Known]:
    return catalogue.list_current(session), findings.all_levels(session)


def _fits(found: Evidence, workflow: Workflow, wanted: Wanted) -> bool:
    """Whether enough is known, and all of it is as wanted; what is not known does not count."""
    value, hours = found.value, found.hours
    return (
        found.is_enough
        and wanted.goal in (None, *workflow.guide.goals)
        and found.rate.mean * 100 >= (wanted.success or 50.0)
        and (wanted.value is None or (value is not None and value.median >= wanted.value))
        and (wanted.hours is None or (hours is not None and hours.median <= wanted.hours))
    )
