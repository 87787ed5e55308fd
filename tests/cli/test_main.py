"""The command line: what it does, what it says, and that no failure shows a traceback."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.answers import fails, works
from tests.cli.conftest import Run
from tests.upgrades import databases
from whatworks import catalogue, db
from whatworks.cli import main

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
    databases.old(f"sqlite:///{folder / 'data.db'}")
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
