"""The dashboard's pages: what is open, what it brought, how others like me fare, what next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, clock, db
from whatworks.advice import phrases, slates
from whatworks.advice.slates import Impression
from whatworks.execution import executions, rhythm, steps, timers
from whatworks.execution.rhythm import Week
from whatworks.people.profiles import Profile
from whatworks.results import middle_half, outcomes
from whatworks.web import http, identity, kept, pages, recommendations, trends, views
from whatworks.web.trends import Beside
from whatworks.web.views import OutcomeLine, Rec, Run

site = Blueprint("dashboard", __name__)

DAY: Final = 86_400.0
# What somebody with this goal looks at first.
METRICS: Final = {
    "earn_money": "revenue",
    "save_time": "time_saved",
    "scale_business": "customers",
}


@dataclass(frozen=True)
class _Mine:
    """A person's runs and results; `hours` worked for each metric, by the timer or as planned."""

    open: list[Run]
    closed: list[Run]
    unlogged: list[Run]
    outcomes: list[OutcomeLine]
    skipped: dict[str, int]  # steps of a run
    week: Week
    hours: dict[str, float]


@site.get("/dashboard")
def show() -> Response:
    """My place."""
    person = identity.require_person()
    mine = http.read(_mine, person)
    currency = outcomes.default_currency(person.country)
    shown = _recommended(person, 5)
    return pages.render(
        "dashboard.html",
        open=mine.open,
        runs=mine.closed,
        unlogged=mine.unlogged,
        outcomes=mine.outcomes,
        skipped=mine.skipped,
        week=mine.week,
        days=trends.week_days(mine.week),
        trends=trends.trends(mine.outcomes, currency, clock.timestamp(), mine.hours),
        beside=_beside(person, currency, mine.outcomes),
        too_few=middle_half.PEOPLE,
        segment=phrases.people(2, person.market, person.skill_level),
        recommendations=shown[:3],
        recommended=len(shown),
    )


@site.get("/dashboard/next")
def what_next() -> Response:
    """One answer to "what now?"."""
    person = identity.require_person()
    mine = http.read(_mine, person)
    shown = _recommended(person, 5)
    return pages.render(
        "next.html",
        open=mine.open[0] if mine.open else None,
        has_runs=bool(mine.open or mine.closed),
        recommendation=shown[0] if shown else None,
        others=shown[1:],
    )


@site.post("/recommendations/<recommendation_id>/click")
def follow(recommendation_id: str) -> Response:
    """Remember that a recommendation was followed, and go there."""
    person = identity.require_person()
    workflow_name = http.write(slates.click, person.id, recommendation_id)
    return pages.go(f"/executor/{workflow_name}?recommendation={recommendation_id}")


def _recommended(person: Profile, limit: int) -> list[Rec]:
    return http.read(_with_guides, recommendations.serve(person.id, limit))


def _with_guides(session: db.Session, shown: list[Impression]) -> list[Rec]:
    found = ((catalogue.find(session, one.workflow_name), one) for one in shown)
    return [views.recommendation(w, one) for w, one in found if w is not None]


def _mine(session: db.Session, person: Profile) -> _Mine:
    found = executions.list_for(session, person.id)
    guides = views.guides_for(session, found)
    runs = [views.run(one, guides[one.id]) for one in found]
    logged = views.list_outcomes(session, person.id)
    reported = {line.execution_id for line in logged}
    return _Mine(
        open=[run for run in runs if run.execution.is_open],
        closed=[run for run in runs if not run.execution.is_open],
        unlogged=[
            run
            for run in runs
            if run.execution.status == "completed" and run.execution.id not in reported
        ],
        outcomes=logged,
        skipped=steps.skipped(session, person.id),
        week=rhythm.week(session, person.id),
        hours=_hours(runs, logged, timers.seconds_spent(session, person.id)),
    )


def _hours(
    runs: list[Run], logged: list[OutcomeLine], measured: Mapping[str, float]
) -> dict[str, float]:
    """What was worked for each metric: on workflows about it, and on runs that brought it."""
    hours: dict[str, float] = defaultdict(float)
    for run in runs:
        seconds = measured.get(run.execution.id) or run.seconds_planned
        brought = {one.metric_type for one in logged if one.execution_id == run.execution.id}
        for metric in {run.metric, *brought}:
            hours[metric] += seconds / 3600
    return hours


def _beside(person: Profile, currency: str, mine: list[OutcomeLine]) -> Beside | None:
    """Me and the middle half of my market and level; None while they are too few."""
    metric = METRICS.get(person.goal, "revenue")
    unit = outcomes.UNITS.get(metric, currency)
    cell = (person.market, person.skill_level, metric, unit)
    # As of last midnight (UTC), so that nobody can tell from it who has just logged what.
    midnight = clock.timestamp() // DAY * DAY
    (half,) = kept.get(  # that they are too few is worth keeping as well
        ("middle half", *cell),
        midnight,
        lambda: (http.read(middle_half.middle_half, *cell, before=midnight),),
    )
    return None if half is None else trends.beside(half, metric, unit, mine)
