"""What happened to others at each step of a workflow: counts of people, for tips to quote."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from sqlalchemy import and_, bindparam, select

from whatworks import db
from whatworks.models import ExecutionStep, WorkflowExecution

NEWEST: Final = 2_000  # runs that are looked at, so that no page waits for more


@dataclass(frozen=True)
class Group:
    """People to whom the same happened at a step, and what they had in common.

    `skipped`: earlier step → how many of them had skipped it. `open_items`: item of the checklist
    → how many of `listed` (those whose ticks are known) had not ticked it.
    """

    people: int = 0
    skipped: Counter[int] = field(default_factory=Counter)
    listed: int = 0
    open_items: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class Hint:
    """One step: those it failed for at least once, those it worked for at once, why, and after.

    `recovered` of the failed got it to work later.
    """

    failed: Group = field(default_factory=Group)
    worked: Group = field(default_factory=Group)
    reasons: Counter[str] = field(default_factory=Counter)
    recovered: int = 0


People = dict[tuple[Any, ...], set[str]]  # what happened → to whom
_S, _E = ExecutionStep, WorkflowExecution
_runs = (
    select(_E.user_id, _E.id)
    .where(
        _E.workflow_name == bindparam("workflow_name"),
        _E.workflow_version == bindparam("version"),
    )
    .order_by(_E.id.desc())
    .limit(NEWEST)
    .subquery()
)
_STEPS: Final = db.Query(
    select(
        *(_S.user_id, _S.execution_id, _S.step, _S.result, _S.failures),
        *(_S.failed_reason, _S.failed_checks, _S.checks),
    )
    .join(_runs, and_(_S.user_id == _runs.c.user_id, _S.execution_id == _runs.c.id))
    .order_by(_S.user_id, _S.execution_id, _S.step)
)


def gather(
    session: db.Session, workflow_name: str, version: int, most_items: int
) -> dict[int, People]:
    """What happened to whom at every step, in the NEWEST runs of one version of a workflow."""
    rows = session.all(_STEPS, workflow_name=workflow_name, version=version)
    found: dict[int, People] = defaultdict(lambda: defaultdict(set))
    for _, steps in groupby(rows, key=lambda row: (row.user_id, row.execution_id)):
        skipped: list[int] = []
        for row in steps:
            for what in _what(row, skipped, most_items):
                found[row.step][what].add(row.user_id)
            if row.result == "skipped":
                skipped.append(row.step)
    return dict(found)


def of_others(happened: Mapping[int, People], user_id: str) -> dict[int, Hint]:
    """The counts of every step, without one person: tips speak of others."""
    return {step: _hint(people, user_id) for step, people in happened.items()}


def _what(row: Any, skipped: list[int], most_items: int) -> list[tuple[Any, ...]]:
    """What one run says of a step."""
    if row.failures:
        kind, marks = "failed", row.failed_checks
    elif row.result == "worked":
        kind, marks = "worked", row.checks
    else:
        return []
    found: list[tuple[Any, ...]] = [(kind,), *((kind, "skipped", step) for step in skipped)]
    if marks is not None:
        ticked = marks.ljust(most_items, "0")
        found.append((kind, "listed"))
        found += [(kind, "open", i) for i in range(most_items) if ticked[i] != "1"]
    if row.failures and row.failed_reason:
        found.append(("reason", row.failed_reason))
    if row.failures and row.result == "worked":
        found.append(("recovered",))
    return found


def _hint(people: People, user_id: str) -> Hint:
    counts = {what: len(who) - (user_id in who) for what, who in people.items()}

    def group(kind: str) -> Group:
        skipped, open_items = Counter[int](), Counter[int]()
        for what, count in counts.items():
            if what[:2] == (kind, "skipped"):
                skipped[what[2]] = count
            elif what[:2] == (kind, "open"):
                open_items[what[2]] = count
        return Group(counts.get((kind,), 0), skipped, counts.get((kind, "listed"), 0), open_items)

    reasons = Counter({what[1]: n for what, n in counts.items() if what[0] == "reason"})
    return Hint(group("failed"), group("worked"), reasons, counts.get(("recovered",), 0))
