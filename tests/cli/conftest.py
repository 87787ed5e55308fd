"""The command, as somebody types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from whatworks.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, same_umask: None) -> Run:
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
