"""Doors to recommendations: what to do next, and that it was followed."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from flask import Response

from whatworks import clock, errors
from whatworks.advice import dismissals, recommendations, slates
from whatworks.advice.slates import Impression
from whatworks.evidence import publications
from whatworks.store import entitlements
from whatworks.web import fields, gating, http, identity, kept

doors = http.Doors("Recommendations")

DRAWN: Final = 5  # at least, so that who is shown fewer sees the first of the same slate


class HowMany(msgspec.Struct):
    """How many to show."""

    limit: fields.Limit = 5


class Shown(msgspec.Struct):
    """What a reason rests on: the level it is about, that level's counts, the estimate (0..1).

    `counted` says who they are; `is_own` whether they are the person's own cell.
    `level` is cell, market, skill_level, workflow, or "any workflow" when too few people came to
    an end with this one; `uncounted` that older runs wait to be counted. `why` says the same in
    sentences. `needs_plan` names the plan without which one may not start it.
    """

    level: str = "any workflow"
    market: str | None = None
    skill_level: str | None = None
    counted: str = "people"
    is_own: bool = False
    people: int = 0
    started: int = 0
    pending: int = 0
    finished: int = 0
    stopped: int = 0
    completed: int = 0
    abandoned: int = 0
    reported: int = 0
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    low50: float | None = None
    high50: float | None = None
    metric_type: str | None = None
    currency: str | None = None
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    hours: float | None = None
    needs_plan: str | None = None
    uncounted: bool = False
    why: list[str] = []


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


class _StoredLine(msgspec.Struct):
    """A `Line` whose evidence is sent as it was stored, without being read."""

    recommendation_id: str
    workflow_name: str
    reason: str
    rank: int
    clicked: bool
    outcome: str | None
    evidence: msgspec.Raw
    created_at: str | None


class _StoredList(msgspec.Struct):
    user_id: str
    recommendations: list[_StoredLine]
    success: Literal[True] = True


class RecommendationList(msgspec.Struct):
    """Recommendations by rank."""

    user_id: str
    recommendations: list[Line]
    success: Literal[True] = True


class NotForMe(msgspec.Struct):
    """Why not."""

    reason: fields.WhyNot
    note: fields.Note | None = None


class Dismissed(msgspec.Struct):
    """That it will not be recommended again for a while."""

    recommendation_id: str
    dismissed: bool
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
    errors=(400, 401, 404, 429),
)
def get(user_id: str, query: HowMany) -> Response:
    """What to do next, and why; stays the same for a day or until something changes."""
    owner = identity.acting_for(user_id)
    watched = kept.watch_of(owner, slates.TABLES, entitlements.TABLES)
    kept.whole(watched)
    body = kept.get(
        ("recommendations", owner, query.limit),
        watched.mark,
        lambda: _encoded(owner, serve(owner, query.limit)),
    )
    return http.reply(http.Answer(body, replayed=False))


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
        slates.click,
        owner,
        recommendation_id,
    )
    return http.reply(answer)


@doors.door(
    "POST",
    "/api/recommendations/<recommendation_id>/dismiss",
    body=NotForMe,
    answer=Dismissed,
    errors=(400, 401, 404, 409, 415),
)
def dismiss(recommendation_id: str, body: NotForMe) -> Response:
    """Not for me, because …: it is not recommended again for a while, and the next ones fit."""
    owner = _owner(recommendation_id)
    answer = http.once(
        owner,
        http.encoder(lambda _: Dismissed(recommendation_id, dismissed=True)),
        dismissals.record,
        owner,
        recommendation_id,
        body.reason,
        body.note,
    )
    return http.reply(answer)


def serve(user_id: str, limit: int) -> list[Impression]:
    """The first of the slate that holds, else of a new one."""
    return _slate(user_id, max(limit, DRAWN))[:limit]


def _slate(user_id: str, limit: int) -> list[Impression]:
    """The slate that holds, else a new one, drawn while nobody waits for the writer."""
    shown = http.read(slates.find_current, user_id, limit)
    if shown is not None:
        return shown
    platform = http.platform()
    publications.keep_up_lately(platform.database, platform.beliefs)
    limits = gating.limits()
    terms = limits.terms if limits.enforced else None
    drawn = http.read(recommendations.draw, user_id, limit, platform.beliefs, terms)
    return http.write(slates.keep, drawn)


def _owner(recommendation_id: str) -> str:
    caller = identity.credential()
    if caller is None:
        raise errors.NotFound("There is no such recommendation.")
    if identity.may_act_for_others():
        return http.read(slates.find_owner, recommendation_id) or caller.user_id
    return caller.user_id


def _encoded(user_id: str, shown: list[Impression]) -> bytes:
    return msgspec.json.encode(_StoredList(user_id, [_line(one) for one in shown]))


def _line(one: Impression) -> _StoredLine:
    return _StoredLine(
        recommendation_id=one.id,
        workflow_name=one.workflow_name,
        reason=one.reason,
        rank=one.rank,
        clicked=one.clicked,
        outcome=one.outcome,
        evidence=msgspec.Raw(one.evidence.encode()),
        created_at=clock.rfc3339(one.created_at),
    )
