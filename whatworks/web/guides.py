"""Doors to the catalogue: what there is to do, and a workflow's guide, as anybody may see it."""

from __future__ import annotations

from typing import Literal

import msgspec

from whatworks import catalogue
from whatworks.catalogue import Workflow
from whatworks.guides.guide import Step
from whatworks.web import http, workflows
from whatworks.web.workflows import WorkflowFilter

doors = http.Doors("Workflows")


class WorkflowLine(msgspec.Struct):
    """A workflow on offer: for whom it is, how long it takes, and the plan that covers it."""

    workflow_name: str
    title: str
    summary: str
    tier: str
    version: int
    language: str
    goals: tuple[str, ...]
    markets: tuple[str, ...]
    skill_levels: tuple[str, ...]
    total_steps: int
    minutes: int


class WorkflowList(msgspec.Struct):
    """The workflows on offer, by name."""

    workflows: list[WorkflowLine]
    success: Literal[True] = True


class GuideStep(msgspec.Struct):
    """One step; `done_when` says what one has at its end, `html` is its text, safe to show."""

    step: int
    title: str
    minutes: int
    done_when: str
    checklist: tuple[str, ...]
    html: str


class AskedOutcome(msgspec.Struct):
    """What is asked at the end, and the proof worth keeping."""

    metric_type: str
    ask: str
    proof: str


class GuideAnswer(msgspec.Struct):
    """A workflow with its guide, in the version that a run would begin now."""

    workflow: WorkflowLine
    introduction_html: str
    steps: list[GuideStep]
    outcome: AskedOutcome
    success: Literal[True] = True


@doors.door(
    "GET", "/api/workflows", query=WorkflowFilter, answer=WorkflowList, errors=(400,), private=False
)
def list_all(query: WorkflowFilter) -> WorkflowList:
    """What there is to do."""
    offered = http.read(catalogue.list_current)
    return WorkflowList([_line(one) for one in offered if workflows.matches(one, query)])


@doors.door(
    "GET", "/api/workflows/<workflow_name>", answer=GuideAnswer, errors=(404,), private=False
)
def get(workflow_name: str) -> GuideAnswer:
    """One workflow, with its steps."""
    found = http.read(catalogue.get, workflow_name)
    asked = found.guide.outcome
    return GuideAnswer(
        _line(found),
        found.guide.introduction_html,
        [_step(step) for step in found.guide.steps],
        AskedOutcome(asked.metric, asked.ask, asked.proof),
    )


def _line(one: Workflow) -> WorkflowLine:
    guide = one.guide
    return WorkflowLine(
        workflow_name=one.name,
        title=guide.title,
        summary=guide.summary,
        tier=guide.tier,
        version=one.version,
        language=guide.language,
        goals=guide.goals,
        markets=guide.markets,
        skill_levels=guide.skill_levels,
        total_steps=len(guide.steps),
        minutes=guide.minutes,
    )


def _step(step: Step) -> GuideStep:
    return GuideStep(
        step=step.number,
        title=step.title,
        minutes=step.minutes,
        done_when=step.done_when,
        checklist=step.checklist,
        html=step.html,
    )
