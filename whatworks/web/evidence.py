"""Operators' pages of evidence: the matrix, where people stop, versions, policies, exports."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from flask import Blueprint, send_file
from werkzeug.wrappers import Response

from whatworks import catalogue, clock
from whatworks.advice import dismissals, policies
from whatworks.advice.policies import Report
from whatworks.evidence import analytics, findings, fits, recount
from whatworks.evidence.analytics import Cell, Step, Version
from whatworks.evidence.findings import Level
from whatworks.guides.guide import Guide
from whatworks.stats.estimates import Estimate
from whatworks.web import http, identity, kept, pages
from whatworks.web.views import Amount

site = Blueprint("evidence", __name__)

QUARTER: Final = 900.0  # seconds for which a report on policies is kept


@dataclass(frozen=True)
class CellView:
    """One cell of the matrix. Percentages are 0 to 100; `faint` is too little to lean on."""

    level: Level
    people: int
    finished: int
    ends: int
    pending: int
    reported: int
    verified: int
    estimate: Estimate | None
    is_public: bool
    typical: Amount | None
    faint: bool


@site.get("/admin/evidence")
def overview() -> Response:
    """Every workflow in a line, the newest fit, and whether other policies would do better."""
    identity.require_operator()
    offered = http.read(catalogue.list_current)
    titles = {workflow.name: workflow.title for workflow in offered}
    said: dict[str, list[tuple[str, int]]] = {}
    for name, reason, people in http.read(dismissals.counts):
        said.setdefault(titles.get(name, name), []).append(
            (dismissals.WORDS.get(reason, reason), people)
        )
    return pages.render(
        "admin_evidence.html",
        workflows=offered,
        fit=http.read(fits.find_newest),
        reports=_policies(),
        dismissed=said,
        has_parquet=recount.is_installed(),
    )


@site.get("/admin/evidence/<workflow_name>")
def of_workflow(workflow_name: str) -> Response:
    """Market × skill level, where people stop and why, and versions side by side."""
    identity.require_operator()
    workflow = http.read(catalogue.get, workflow_name)
    known = http.platform().beliefs
    cells = analytics.rows_of(http.read(analytics.matrix, workflow_name, known))
    markets, levels = analytics.corners()
    return pages.render(
        "admin_workflow.html",
        guide=workflow.guide,
        markets=markets,
        levels=levels,
        cells={level: _cell(cell) for level, cell in cells.items()},
        steps=_steps(workflow.guide, http.read(analytics.steps, workflow_name, _size(workflow))),
        versions=_versions(http.read(analytics.versions, workflow_name), workflow_name),
        newest=analytics.NEWEST,
    )


@site.get("/admin/evidence.csv")
def as_csv() -> Response:
    """Every level of every workflow, for spreadsheets."""
    identity.require_operator()
    return _export("csv")


@site.get("/admin/evidence.parquet")
def as_parquet() -> Response:
    """The same for notebooks. Raises NotInstalled where DuckDB is not there."""
    identity.require_operator()
    return _export("parquet")


def _export(form: str) -> Response:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evidence.csv"
        with path.open("w+", encoding="utf-8", newline="") as file:
            http.read(analytics.write, http.platform().beliefs, file)
        if form == "parquet":
            recount.to_parquet(path, path.with_suffix(".parquet"))
            path = path.with_suffix(".parquet")
        made = io.BytesIO(path.read_bytes())
    kind = "text/csv" if form == "csv" else "application/vnd.apache.parquet"
    return send_file(made, kind, as_attachment=True, download_name=f"evidence.{form}")


def _policies() -> list[Report]:
    """Judged at most every quarter of an hour: it reads thousands of slates."""
    quarter = int(clock.timestamp() // QUARTER)

    def judge() -> list[Report]:
        chance = np.random.default_rng(quarter)
        return http.read(policies.report, http.platform().beliefs, chance)

    return kept.get(("policies",), quarter, judge)


def _cell(cell: Cell) -> CellView:
    states, typical = cell.states, cell.typical
    said = None
    if typical is not None and cell.unit is not None:
        said = Amount(cell.unit[0], float(f"{typical.median:.2g}"), cell.unit[1])
    return CellView(
        level=cell.level,
        people=states.people,
        finished=states.finished,
        ends=states.ends,
        pending=states.pending,
        reported=states.reported,
        verified=states.verified,
        estimate=_percent(cell.estimate) if cell.estimate else None,
        is_public=cell.published is not None,
        typical=said,
        faint=states.people < findings.EARLY,
    )


def _percent(found: Estimate) -> Estimate:
    return Estimate(
        100 * found.mean,
        100 * found.low50,
        100 * found.high50,
        100 * found.low90,
        100 * found.high90,
    )


def _steps(guide: Guide, found: list[Step]) -> list[tuple[str, Step]]:
    titles = [step.title for step in guide.steps]
    return [(titles[step.number - 1], step) for step in found]


def _versions(found: list[Version], name: str) -> list[dict[str, Any]]:
    began = dict(http.read(catalogue.versions, name))
    return [
        {
            "number": one.number,
            "since": began.get(one.number),
            "states": one.states,
            "estimate": _percent(one.estimate),
        }
        for one in found
    ]


def _size(workflow: catalogue.Workflow) -> int:
    return len(workflow.guide.steps)
