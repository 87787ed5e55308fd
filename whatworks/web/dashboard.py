"""The dashboard's pages: what is open, what it brought, what next."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from flask import Blueprint
from werkzeug.wrappers import Response

from whatworks import catalogue, db, executions, outcomes
from whatworks import recommendations as rooms
from whatworks.outcomes import Outcome
from whatworks.profiles import Profile
from whatworks.recommendations import Impression
from whatworks.web import http, identity, pages, recommendations, views
from whatworks.web.views import Amount, OutcomeLine, Rec, Run

site = Blueprint("dashboard", __name__)


@dataclass(frozen=True)
class _Mine:
    """A person's runs and results."""

    open: list[Run]
    closed: list[Run]
    unlogged: list[Run]
    outcomes: list[OutcomeLine]
    totals: list[Amount]


@site.get("/dashboard")
def show() -> Response:
    """My place."""
    person = identity.require_person()
    mine = http.read(_mine, person.id)
    return pages.render(
        "dashboard.html",
        open=mine.open,
        runs=mine.closed,
        unlogged=mine.unlogged,
        outcomes=mine.outcomes,
        totals=mine.totals,
        recommendations=_recommended(person, 3),
    )


@site.get("/dashboard/next")
def what_next() -> Response:
    """One answer to "what now?"."""
    person = identity.require_person()
    mine = http.read(_mine, person.id)
    shown = _recommended(person, 3)
    return pages.render(
        "next.html",
        open=mine.open[0] if mine.open else None,
        recommendation=shown[0] if shown else None,
        others=shown[1:],
    )


@site.post("/recommendations/<recommendation_id>/click")
def follow(recommendation_id: str) -> Response:
    """Remember that a recommendation was followed, and go there."""
    person = identity.require_person()
    workflow_name = http.write(rooms.click, person.id, recommendation_id)
    return pages.go(f"/executor/{workflow_name}?recommendation={recommendation_id}")


def _recommended(person: Profile, limit: int) -> list[Rec]:
    return http.read(_with_guides, recommendations.serve(person.id, limit), person.goal)


def _with_guides(session: db.Session, shown: list[Impression], goal: str) -> list[Rec]:
    found = ((catalogue.find(session, one.workflow_name), one) for one in shown)
    return [views.recommendation(w, one, goal) for w, one in found if w is not None]


def _mine(session: db.Session, user_id: str) -> _Mine:
    mine = executions.list_for(session, user_id)
    logged = outcomes.list_for(session, user_id)
    runs = [views.run(one, views.guide_for(session, one)) for one in mine]
    titles = {run.execution.id: run.title for run in runs}
    reported = {outcome.execution_id for outcome in logged}
    return _Mine(
        open=[run for run in runs if run.execution.is_open],
        closed=[run for run in runs if not run.execution.is_open],
        unlogged=[
            run
            for run in runs
            if run.execution.status == "completed" and run.execution.id not in reported
        ],
        outcomes=[
            views.outcome_line(one, titles.get(one.execution_id, "An older run"))
            for one in logged
            if outcomes.is_countable(one)
        ],
        totals=_totals(logged),
    )


def _totals(logged: list[Outcome]) -> list[Amount]:
    """Sums per metric and currency; money of different currencies is never added up."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for outcome in logged:
        if outcomes.is_countable(outcome) and outcome.value:
            sums[outcome.metric_type, outcome.currency] += outcome.value
    return [Amount(metric, value, unit) for (metric, unit), value in sorted(sums.items())]
