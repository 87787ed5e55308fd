"""Doors to evidence: what is known of a workflow, per market and skill level."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from whatworks import clock, evidence
from whatworks.evidence import Evidence
from whatworks.web import fields, http

doors = http.Doors("Performance")


class Filter(msgspec.Struct):
    """Which cells."""

    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None


class Cell(msgspec.Struct):
    """One market × skill level.

    success_rate (0–100) is an estimate: the cell's counts drawn towards its market and workflow;
    the counts beside it are exact. avg_outcome_value is the typical value of the metric reported
    most (a geometric mean of values above zero; outcomes_zero counts the rest), likewise drawn
    towards its parents.
    """

    market: str
    skill_level: str
    success_rate: float | None
    success_rate_low: float | None
    success_rate_high: float | None
    avg_outcome_value: float | None
    metric_type: str | None
    currency: str | None
    completion_time_hours: float | None
    data_points: int
    people: int
    started: int
    completed: int
    abandoned: int
    pending: int
    reported: int
    outcomes: int
    outcomes_verified: int
    outcomes_zero: int
    method: str
    updated_at: str | None


class PerformanceAnswer(msgspec.Struct):
    """What is known of a workflow; an empty list for one that nobody knows."""

    workflow_name: str
    performance: list[Cell]
    success: Literal[True] = True


@doors.door(
    "GET",
    "/api/performance/<workflow_name>",
    query=Filter,
    answer=PerformanceAnswer,
    errors=(400,),
    private=False,
)
def get(workflow_name: str, query: Filter) -> Response:
    """Evidence per market and skill level; success_rate is a percentage."""

    def make() -> PerformanceAnswer:
        cells = http.read(evidence.list_cells, workflow_name, query.market, query.skill_level)
        return PerformanceAnswer(workflow_name, [_cell(found) for found in cells])

    mark = http.look(evidence.mark, workflow_name)
    if mark[0] == 0:
        return http.reply(PerformanceAnswer(workflow_name, []))
    return http.reply_kept((workflow_name, query.market, query.skill_level), mark, make)


def _cell(found: Evidence) -> Cell:
    old, sums = found.old, found.sums
    rated = old is None and sums.count.trials > 0
    return Cell(
        market=found.market or "",
        skill_level=found.skill_level or "",
        success_rate=_percent(found.rate.mean) if rated else old and old.success_rate,
        success_rate_low=_percent(found.rate.low90) if rated else None,
        success_rate_high=_percent(found.rate.high90) if rated else None,
        avg_outcome_value=_rounded(found.value.mean)
        if found.value
        else old and old.avg_outcome_value,
        metric_type=found.metric,
        currency=found.currency,
        completion_time_hours=(
            _rounded(found.duration.mean / 3600)
            if found.duration
            else old and old.completion_time_hours
        ),
        data_points=(old.data_points or 0) if old else sums.count.trials,
        people=sums.people,
        started=sums.started,
        completed=sums.completed,
        abandoned=sums.abandoned,
        pending=sums.pending,
        reported=sums.reported,
        outcomes=found.values.reports,
        outcomes_verified=found.values.verified,
        outcomes_zero=found.values.zeros,
        method="carried over" if old else "estimate",
        updated_at=clock.rfc3339(found.updated_at),
    )


def _percent(rate: float) -> float:
    return round(100 * rate, 1)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
