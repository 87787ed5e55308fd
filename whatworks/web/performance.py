"""Doors to evidence: what is known of a workflow, per market and skill level."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from flask import Response

from whatworks import clock
from whatworks.evidence import findings, publications
from whatworks.evidence.findings import Evidence
from whatworks.evidence.fits import SEGMENTS
from whatworks.stats import values
from whatworks.web import fields, http, kept

doors = http.Doors("Performance")


class Segment(msgspec.Struct):
    """Which cells."""

    market: fields.Market | None = None
    skill_level: fields.SkillLevel | None = None


class Cell(msgspec.Struct):
    """One market × skill level, as published.

    Numbers appear from 5 people (rates, times) or 10 (values) on and change in batches. Below
    that they are those of the nearest wider level that has enough: `level` and `value_level` say
    which (cell, market, skill_level, workflow, or "any workflow": what to expect of anything), and
    then the cell's own counts of how people ended are null. Everybody counts once: `started`,
    `completed` and `abandoned` are executions, the other counts are people.

    success_rate (0–100) is an estimate of who finishes out of those whose end is known, with the
    ranges that hold it with 90 % (low, high) and 50 % probability. avg_outcome_value is the typical
    value: a robust median of those who got something, by `value_method`, never a mean;
    value_low and value_high hold half of them; outcomes_zero got nothing.
    """

    market: str
    skill_level: str
    success_rate: float | None
    success_rate_low: float | None
    success_rate_high: float | None
    success_rate_low50: float | None
    success_rate_high50: float | None
    level: str
    based_on: int
    avg_outcome_value: float | None
    value_low: float | None
    value_high: float | None
    value_low90: float | None
    value_high90: float | None
    value_level: str | None
    value_method: str
    metric_type: str | None
    currency: str | None
    completion_time_hours: float | None
    hours_low: float | None
    hours_high: float | None
    data_points: int
    people: int
    started: int
    finished: int | None
    stopped: int | None
    pending: int
    completed: int | None
    abandoned: int | None
    reported: int
    verified: int
    outcomes: int | None
    outcomes_verified: int | None
    outcomes_zero: int | None
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
    query=Segment,
    answer=PerformanceAnswer,
    errors=(400,),
    private=False,
)
def get(workflow_name: str, query: Segment) -> Response:
    """Evidence per market and skill level; success_rate is a percentage."""

    def make() -> PerformanceAnswer:
        platform = http.platform()
        platform.beliefs.sync(platform.database)
        publications.keep_up_meanwhile(platform.database, platform.beliefs, [workflow_name])
        cells = http.read(findings.list_cells, workflow_name, query.market, query.skill_level)
        return PerformanceAnswer(workflow_name, [_cell(found) for found in cells])

    watched = kept.watch(*findings.TABLES)
    mark = kept.get(("evidence", workflow_name), watched.mark, lambda: _mark(workflow_name))
    if mark is None:
        return http.reply(PerformanceAnswer(workflow_name, []))
    kept.whole(watched)
    return kept.reply((workflow_name, query.market, query.skill_level), mark, make)


def _mark(workflow_name: str) -> tuple[Any, ...] | None:
    """Changes with a workflow's evidence; None where there is none."""
    found = http.look(findings.mark, workflow_name)
    return found if found[0] else None


def publish_due() -> None:
    """Publish what has become due, so that a page shows what the rules allow by now."""
    platform = http.platform()
    publications.keep_up_lately(platform.database, platform.beliefs)


def _cell(found: Evidence) -> Cell:
    old, value, hours = found.old, found.value, found.hours
    live = found.live
    own = found.states if found.is_own else None
    rate = found.rate
    if not found.is_enough:
        segment = SEGMENTS[found.market or "", found.skill_level or ""]
        rate = http.platform().beliefs.anything(segment).estimate()
    is_own_value = value is not None and found.value_level == (found.market, found.skill_level)
    return Cell(
        market=found.market or "",
        skill_level=found.skill_level or "",
        success_rate=_percent(rate.mean) if old is None else old.success_rate,
        success_rate_low=_percent(rate.low90) if old is None else None,
        success_rate_high=_percent(rate.high90) if old is None else None,
        success_rate_low50=_percent(rate.low50) if old is None else None,
        success_rate_high50=_percent(rate.high50) if old is None else None,
        level=findings.name_of(found.rate_level) if old is None else "cell",
        based_on=found.states.ends,
        avg_outcome_value=value.median if value else old and old.avg_outcome_value,
        value_low=value.low if value else None,
        value_high=value.high if value else None,
        value_low90=value.low90 if value else None,
        value_high90=value.high90 if value else None,
        value_level=findings.name_of(found.value_level) if value else None,
        value_method=values.METHOD,
        metric_type=value.metric if value else None,
        currency=value.currency if value else None,
        completion_time_hours=hours.median if hours else old and old.completion_time_hours,
        hours_low=hours.low if hours else None,
        hours_high=hours.high if hours else None,
        data_points=(old.data_points or 0) if old else (own or live).ends,
        people=(own or live).people,
        started=(own or live).started,
        finished=own.finished if own else None,
        stopped=own.stopped if own else None,
        pending=(own or live).pending,
        completed=own.completed if own else None,
        abandoned=own.abandoned if own else None,
        reported=(own or live).reported,
        verified=(own or live).verified,
        outcomes=value.people if value and is_own_value else None,
        outcomes_verified=value.verified if value and is_own_value else None,
        outcomes_zero=value.zeros if value and is_own_value else None,
        method=found.method,
        updated_at=clock.rfc3339(found.updated_at),
    )


def _percent(rate: float) -> float:
    return float(f"{100 * rate:.2g}")
