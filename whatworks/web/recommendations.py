"""Doors to recommendations: what to do next, and that it was followed."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from whatworks import clock, errors, recommendations
from whatworks.recommendations import Impression
from whatworks.web import fields, http, identity

doors = http.Doors("Recommendations")


class HowMany(msgspec.Struct):
    """How many to show."""

    limit: fields.Limit = 5


class Shown(msgspec.Struct):
    """What a reason rests on: counts of the person's own cell, the estimate (0..1), its ranges."""

    market: str | None = None
    skill_level: str | None = None
    people: int = 0
    pending: int = 0
    completed: int = 0
    abandoned: int = 0
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    low50: float | None = None
    high50: float | None = None


class Line(msgspec.Struct):
    """One recommendation as shown. `evidence` is what the reason rests on."""

    recommendation_id: str
    workflow_name: str
    reason: str
    rank: int
    clicked: bool
    outcome: str | None
    evidence: Shown
    created_at: str | None


class RecommendationList(msgspec.Struct):
    """Recommendations by rank."""

    user_id: str
    recommendations: list[Line]
    success: Literal[True] = True


class Clicked(msgspec.Struct):
    """That it was followed."""

    recommendation_id: str
    clicked: bool
    success: Literal[True] = True


@doors.door(
    "GET",
    "/api/recommendations/<user_id>",
    query=HowMany,
    answer=RecommendationList,
    errors=(400, 401, 404),
)
def get(user_id: str, query: HowMany) -> RecommendationList:
    """What to do next, and why; stays the same for a day or until something changes."""
    shown = serve(identity.acting_for(user_id), query.limit)
    return RecommendationList(user_id, [_line(one) for one in shown])


@doors.door(
    "POST",
    "/api/recommendations/<recommendation_id>/click",
    answer=Clicked,
    errors=(400, 401, 404, 409),
)
def click(recommendation_id: str) -> Response:
    """Remember that it was followed."""
    owner = _owner(recommendation_id)
    answer = http.once(
        owner,
        http.encoder(lambda _: Clicked(recommendation_id, clicked=True)),
        recommendations.click,
        owner,
        recommendation_id,
    )
    return http.reply(answer)


def serve(user_id: str, limit: int) -> list[Impression]:
    """The slate that holds, else a new one."""
    shown = http.look(recommendations.find_current, user_id, limit)
    return http.write(recommendations.draw, user_id, limit) if shown is None else shown


def _owner(recommendation_id: str) -> str:
    caller = identity.credential()
    if caller is None:
        raise errors.NotFound("There is no such recommendation.")
    if identity.may_act_for_others():
        return http.read(recommendations.find_owner, recommendation_id) or caller.user_id
    return caller.user_id


def _line(one: Impression) -> Line:
    return Line(
        recommendation_id=one.id,
        workflow_name=one.workflow_name,
        reason=one.reason,
        rank=one.rank,
        clicked=one.clicked,
        outcome=one.outcome,
        evidence=msgspec.json.decode(one.evidence, type=Shown),
        created_at=clock.rfc3339(one.created_at),
    )
