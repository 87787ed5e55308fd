"""The command line: what it does, what it says, and that no failure shows a traceback."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, literal, select, update

from tests import people
from whatworks import catalogue, clock, db
from whatworks.cli import main
from whatworks.execution import executions
from whatworks.models import Outcome, WorkflowExecution
from whatworks.people import operators, sessions
from whatworks.store import entitlements

Run = Callable[..., Result]
FIXTURES = Path(__file__).parent / "fixtures"
GUIDE = catalogue.BUNDLED / "resume_generator.md"


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """Commands keep what they write to themselves; the tests' own process stays as it is."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command with a data folder of its own, whatever the environment says."""
    nothing = {"DATABASE_URL": None, "PORT": None, "WHATWORKS_CONFIG": None}

    def run(*arguments: str, data_dir: Path | None = None, **environment: str) -> Result:
        env = nothing | {"DATA_DIR": str(data_dir or tmp_path / "data")} | environment
        return CliRunner().invoke(main.main, arguments, env=env)

    return run


@pytest.fixture
def on(run: Run, database_url: str) -> Run:
    """The command on a migrated database, SQLite and PostgreSQL."""
    return lambda *arguments: run("--database-url", database_url, *arguments)


def fails(result: Result, *said: str) -> str:
    """Exit status 2, one line on stderr that says so, and no traceback. Returns the line."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    for text in said:
        assert text in result.stderr
    return lines[0]


def works(result: Result) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


# ---- help and settings -----------------------------------------------------------------------


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(main.main)], ids=" ".join)
def test_every_command_explains_itself(run: Run, path: tuple[str, ...]) -> None:
    said = works(run(*path, "--help"))
    assert len(said.split("Options:")[0].split()) > 8
    assert "..." not in works(run("--help")).split("Commands:")[1]


def test_it_is_a_module_as_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "whatworks", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("whatworks ")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PORT": "abc"}, "PORT is 'abc'; write a whole number."),
        ({"DATABASE_URL": "mysql://me:hidden@host/x"}, "DATABASE_URL is neither"),
        ({"WHATWORKS_CONFIG": "/nowhere.toml"}, "/nowhere.toml cannot be read"),
        ({"WHATWORKS_SECRET_KEY": "short"}, "at least 32"),
    ],
)
def test_a_bad_setting_is_told_in_one_line(
    run: Run, environment: dict[str, str], said: str
) -> None:
    assert "hidden" not in fails(run("settings", **environment), said)


def test_settings_are_shown_without_their_secrets(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text('session_days = 7\nsmtp_url = "smtp://me:hidden@mail.example:587"\n')
    said = works(
        run(
            *("--config", str(config), "--database-url", "postgresql://me:hidden@host/x"),
            "settings",
            WHATWORKS_SECRET_KEY="hidden" * 6,
            WHATWORKS_RATE_LIMITS="off",
        )
    )
    assert "hidden" not in said
    for line in (
        "session_days = 7",
        "smtp_url = smtp://me:***@mail.example:587",
        "database_url = postgresql://me:***@host/x",
        "secret_key = ***",
        "rate_limits = off",
    ):
        assert line in said.splitlines()


# ---- migrate ---------------------------------------------------------------------------------


def test_migrate_builds_upgrades_and_goes_back(run: Run, tmp_path: Path) -> None:
    assert "built" in works(run("migrate"))
    assert "up to date" in works(run("migrate"))
    assert "up to date" in works(run("migrate", "--check"))
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "data.db").stat().st_mode & 0o077 == 0
    assert run("migrate", "--to", "d27fa85d1bf4").exit_code == 1  # asks, and nobody answers
    assert "at d27fa85d1bf4" in works(run("migrate", "--to", "d27fa85d1bf4", "--yes"))
    behind = run("migrate", "--check")
    assert behind.exit_code == 1
    assert "`whatworks migrate` leads to" in behind.stdout
    fails(run("catalogue", "list"), "run `whatworks migrate` first")
    assert "upgraded d27fa85d1bf4 to" in works(run("migrate"))
    fails(run("migrate", "--to", "nowhere"), "Can't locate revision")


def test_migrate_refuses_what_is_not_ours_and_leaves_it(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "data.db").write_bytes(b"scrambled " * 1000)
    fails(run("migrate"), "is not a database", "was not touched")
    fails(run("rebuild"), "is not a database")
    assert (folder / "data.db").read_bytes() == b"scrambled " * 1000


def test_the_report_lists_what_cannot_be_used(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(FIXTURES / "legacy-after.db", folder / "data.db")
    with contextlib.closing(db.sqlite_driver.connect(folder / "data.db")) as connection:
        connection.execute("UPDATE user_profiles SET market = 'mars', email = id || '@x@y'")
        connection.commit()
    result = run("migrate", "--report")
    assert "market 'mars' is not a market we know" in works(result)
    assert "***@x@y" in result.stdout
    assert "old values cannot be used" in result.stderr
    works(run("migrate"))


def test_a_backup_is_whole_and_never_overwrites(run: Run, tmp_path: Path) -> None:
    fails(run("backup", str(tmp_path / "early.db")), "does not exist")
    works(run("migrate"))
    works(run("catalogue", "load"))
    copy = tmp_path / "copy" / "data.db"
    fails(run("backup", str(copy)), "could not be written")
    copy.parent.mkdir()
    opened = db.Database(f"sqlite:///{tmp_path / 'data' / 'data.db'}")
    opened.read(catalogue.list_current)  # somebody uses it
    assert "MB" in works(run("backup", str(copy)))
    opened.close()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in copy.parent.iterdir()] == ["data.db"]
    fails(run("backup", str(copy)), "is there already")
    assert "up to date" in works(run("migrate", "--check", data_dir=copy.parent))
    assert "resume_generator" in works(run("catalogue", "list", data_dir=copy.parent))
    fails(run("--database-url", "postgresql://host/x", "backup", "x.db"), "pg_dump")


# ---- catalogue -------------------------------------------------------------------------------


def write(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_catalogue_is_loaded_listed_and_retired(run: Run, tmp_path: Path) -> None:
    works(run("migrate"))
    assert works(run("catalogue", "load")).count("loaded") >= 12
    assert "loaded" not in works(run("catalogue", "load"))
    changed = GUIDE.read_text().replace("title: ", "title: New ", 1)
    write(tmp_path / "mine" / "resume_generator.md", changed)
    assert "loaded resume_generator v2" in works(run("catalogue", "load", str(tmp_path / "mine")))
    assert "loaded" not in works(run("catalogue", "load"))  # the bundled one does not come back
    line = next(
        line
        for line in works(run("catalogue", "list")).splitlines()
        if line.startswith("resume_generator ")
    )
    assert line.split()[1] == "2"
    assert "New " in line
    works(run("catalogue", "retire", "resume_generator"))
    assert "resume_generator" not in works(run("catalogue", "list"))
    fails(run("catalogue", "retire", "whatsap_bot"), "Did you mean whatsapp_bot?")
    (tmp_path / "empty").mkdir()
    fails(run("catalogue", "load", str(tmp_path / "empty")), "holds no guides")


def test_mistakes_in_guides_are_explained_with_file_and_line(run: Run, tmp_path: Path) -> None:
    assert "no mistakes" in works(run("catalogue", "check", str(GUIDE)))
    bad = write(tmp_path / "bad" / "bad_one.md", GUIDE.read_text().replace("tier: free", "tier: x"))
    odd = tmp_path / "bad" / "odd_one.md"
    odd.write_bytes(b"\xff\xfe")
    result = run("catalogue", "check", bad, str(odd))
    fails(result, f'{bad}:2: workflow is "resume_generator"', 'tier is "x"', f"{odd}:1: is not UTF")
    works(run("migrate"))
    fails(run("catalogue", "load", str(tmp_path / "bad")), 'tier is "x"')
    assert len(works(run("catalogue", "list")).splitlines()) == 1


def test_an_old_workflows_json_comes_in_with_one_command(run: Run, tmp_path: Path) -> None:
    works(run("migrate"))
    steps = [{"number": 1, "title": "Write", "estimated_time": "15 min"}]
    old = {"workflows": {"cold_email": {"title": "Cold e-mail", "tier": "pro", "steps": steps}}}
    file = write(tmp_path / "workflows.json", json.dumps(old))
    said = works(run("catalogue", "import", file))
    assert "loaded cold_email v1" in said
    assert "placeholders" in said
    guide = tmp_path / "data" / "workflows" / "cold_email.md"
    works(run("catalogue", "check", str(guide)))
    fails(run("catalogue", "import", file), "--force overwrites")
    assert "1 unchanged" in works(run("catalogue", "import", file, "--force"))
    fails(run("catalogue", "import", write(tmp_path / "x.json", "{")), "is not valid JSON")


# ---- operators -------------------------------------------------------------------------------


def test_operators_keys_and_plans(on: Run, database: db.Database, tmp_path: Path) -> None:
    app = people.build(database.url, tmp_path / "data")
    asha = people.sign_up(app, "asha@example.com")
    assert "/admin/claim?token=" in works(on("operator", "link"))
    fails(on("operator", "add", "nobody@example.com"), "Nobody has signed up")
    fails(on("operator", "add", "nobody"), "no e-mail address")
    fails(on("operator", "key", asha.email, "--label", "x"), "Only an operator")
    works(on("operator", "add", "Asha@Example.com"))
    works(on("operator", "add", "asha@example.com"))
    listed = works(on("operator", "list")).splitlines()
    assert len(listed) == 2
    assert listed[1].startswith("asha@example.com")
    fails(on("operator", "link"), "There is an operator already")
    key = works(on("operator", "key", asha.email, "--label", "import")).strip()
    found = database.read(sessions.find, key)
    assert found is not None
    assert (found.kind, found.label, found.is_operator) == ("key", "import", True)
    assert database.read(operators.is_operator, asha.user_id)
    assert database.read(entitlements.plan, asha.user_id) == "scale"  # their own place
    ravi = people.sign_up(app, "ravi@example.com")
    works(on("operator", "grant", ravi.email, "--plan", "pro", "--days", "30"))
    assert database.read(entitlements.plan, ravi.user_id) == "pro"
    works(on("operator", "grant", ravi.email, "--plan", "scale"))
    assert database.read(entitlements.plan, ravi.user_id) == "scale"


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


# ---- demo data -------------------------------------------------------------------------------


def test_demo_data_stay_apart(on: Run, run: Run, database: db.Database, tmp_path: Path) -> None:
    """Even with DATABASE_URL set, nothing invented reaches the real database."""
    said = works(on("demo", "--people", "3"))
    assert said.startswith("3 people, ")
    assert "asha@demo.example" in said
    assert database.read(catalogue.list_current) == []
    assert (tmp_path / "data" / "demo" / "demo-data").exists()
    fails(on("demo"), "has demo data already")
    assert works(on("demo", "--people", "2", "--fresh")).startswith("2 people, ")
    assert "demo.example" not in works(run("export", data_dir=tmp_path / "data" / "demo"))
