"""Evidence on the command line: counted again, ended, exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from sqlalchemy import insert, literal, select, update

from tests import people
from tests.cli.answers import fails, works
from tests.cli.conftest import Run
from whatworks import clock, db
from whatworks.execution import executions
from whatworks.models import Outcome, WorkflowExecution

# ---- evidence --------------------------------------------------------------------------------


def test_rebuild_counts_what_was_kept(on: Run, database: db.Database, tmp_path: Path) -> None:
    people.stock(database.url)
    app = people.build(database.url, tmp_path / "data")
    for value in (100, 200, 0):
        asha = people.sign_up(app)
        started = asha.start()
        asha.finish(started)
        asha.report(started, value=value)
    before = database.read(people.read_model)
    result = on("rebuild")
    assert works(result) == "1 cells counted from 3 executions.\n"
    assert database.read(people.read_model) == before


def test_expire_abandons_what_nobody_touched(
    on: Run, database: db.Database, tmp_path: Path
) -> None:
    people.stock(database.url)
    app = people.build(database.url, tmp_path / "data")
    asha = people.sign_up(app)
    old, new = asha.start("resume_generator"), asha.start("whatsapp_bot")
    database.write(_touched, old, clock.timestamp() - 8 * 86_400)
    assert works(on("expire")) == "0 executions abandoned.\n"
    assert works(on("expire", "--days", "7")) == "1 executions abandoned.\n"
    statuses = {e.id: e.status for e in database.read(executions.list_for, asha.user_id)}
    assert statuses == {old: "abandoned", new: "started"}
    assert database.read(people.replayed, asha.user_id, old).status == "abandoned"


def _touched(session: db.Session, execution_id: str, at: float) -> None:
    session.run(
        update(WorkflowExecution).where(WorkflowExecution.id == execution_id).values(touched_at=at)
    )


# ---- export ----------------------------------------------------------------------------------


def test_exports_are_complete_safe_and_nameless(
    on: Run, database: db.Database, tmp_path: Path
) -> None:
    people.stock(database.url)
    app = people.build(database.url, tmp_path / "data")
    asha = people.sign_up(app, "asha@example.com")
    started = asha.start()
    asha.finish(started)
    asha.report(started, metric_type="custom", currency="pages", value=12.5, note="to x@y.example")
    database.write(_spoil, started)
    file = tmp_path / "out.csv"
    works(on("export", "--what", "outcomes", "--out", str(file)))
    with file.open(newline="") as opened:
        row, spoiled = sorted(
            csv.DictReader(opened), key=lambda line: line["currency"], reverse=True
        )
    assert spoiled["currency"] == "'=1+1"
    assert row["user_id"] == asha.user_id
    assert row["currency"] == "pages"
    assert float(row["value"]) == 12.5
    assert row["created_at"].endswith("Z")
    (execution,) = map(json.loads, works(on("export", "--format", "jsonl")).splitlines())
    assert execution["execution_id"] == started
    assert execution["steps_completed"] == 5
    (cell,) = map(
        json.loads,
        works(on("export", "--what", "performance", "--format", "jsonl")).splitlines(),
    )
    assert cell["completed"] == 1
    everything = file.read_text() + json.dumps([execution, cell])
    assert "@" not in everything


def _spoil(session: db.Session, execution_id: str) -> None:
    """An old outcome whose unit is a formula."""
    session.run(
        insert(Outcome).from_select(
            ["user_id", "id", "execution_id", "metric_type", "value", "currency"],
            select(
                WorkflowExecution.user_id,
                literal("spoiled"),
                WorkflowExecution.id,
                literal("custom"),
                literal(1.0),
                literal("=1+1"),
            ).where(WorkflowExecution.id == execution_id),
        )
    )


def test_an_export_replaces_its_file_only_when_it_is_complete(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("before")
    fails(run("export", "--out", str(file)))
    assert file.read_text() == "before"
