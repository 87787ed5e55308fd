"""Every revision up and down: nothing is lost, and the tables equal the models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from tests.upgrades.databases import (
    FIVE,
    FIXTURES,
    OURS,
    SHOP,
    connected,
    contents,
    count,
    definitions,
    schema,
    shape,
)
from whatworks import models
from whatworks.upgrades import migrations, revisions

ROOT = Path(__file__).parents[2]


def test_old_database_keeps_every_value_up_down_and_up_again(old_url: str) -> None:
    before, columns, old_schema = contents(old_url), shape(old_url), schema(old_url)
    revision = migrations.current(old_url)
    assert revision in {SHOP, FIVE}

    migrations.upgrade(old_url)
    assert migrations.current(old_url) == migrations.head()
    assert contents(old_url, columns) == before
    if old_url.startswith("sqlite"):
        with connected(old_url) as connection:
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"

    migrations.downgrade(old_url, revision)
    assert schema(old_url) == old_schema
    assert contents(old_url) == before

    migrations.upgrade(old_url)
    assert contents(old_url, columns) == before


@pytest.mark.parametrize("old_url", ["legacy-after"], indirect=True)
def test_running_twice_changes_nothing(old_url: str) -> None:
    migrations.upgrade(old_url)
    before, shaped = contents(old_url), schema(old_url)
    migrations.upgrade(old_url)
    assert (contents(old_url), schema(old_url)) == (before, shaped)


def test_tables_at_the_five_tables_equal_the_old_ones(tmp_path: Path) -> None:
    for name, revision in (("legacy-before", SHOP), ("legacy-after", FIVE)):
        url = f"sqlite:///{tmp_path / name}"
        migrations.upgrade(url, revision=revision)
        assert definitions(tmp_path / name) == definitions(FIXTURES / f"{name}.db")


def test_odd_folder_names(tmp_path: Path) -> None:
    folder = tmp_path / "my data 100% ü #1"
    folder.mkdir()
    url = f"sqlite:///{folder / 'data.db'}"
    migrations.upgrade(url)
    migrations.downgrade(url, FIVE)
    migrations.check(url)
    assert migrations.current(url) == FIVE
    assert os.listdir(folder) == ["data.db"]


def test_an_installed_package_brings_its_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "alembic", tmp_path / "_alembic")
    monkeypatch.setattr(revisions, "_package", tmp_path)
    migrations.upgrade(f"sqlite:///{tmp_path / 'data.db'}")
    assert migrations.current(f"sqlite:///{tmp_path / 'data.db'}") == migrations.head()


def test_migrated_schema_equals_the_models(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or name in OURS,
            },
        )
        assert not [
            change
            for change in compare_metadata(context, models.Base.metadata)
            if not owner_is_nullable_only_on_sqlite(change)
        ]
        seen = inspect(connection)
        for name, table in OURS.items():
            key = seen.get_pk_constraint(name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key.columns]
            if connection.dialect.name == "sqlite":
                found = {column["name"]: column["nullable"] for column in seen.get_columns(name)}
                assert found == {column.name: column.nullable for column in table.columns}


def owner_is_nullable_only_on_sqlite(change: Any) -> bool:
    """A PostgreSQL primary key has no NULL; rows without an owner are in legacy_unowned there."""
    first = change[0] if isinstance(change, list) else change
    return bool(first[0] == "modify_nullable" and first[3] == "user_id")


def test_progress_goes_from_nothing_to_everything(empty_url: str) -> None:
    told: list[tuple[str, int, int]] = []
    migrations.upgrade(empty_url, lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert told[-1][1] == told[-1][2]
    assert all(title for title, _, _ in told)


def test_shop_rows_are_never_dropped(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-before.db", tmp_path / "data.db"))
    before = contents(f"sqlite:///{path}")
    with pytest.raises(migrations.Refused, match="rows of the shop"):
        migrations.downgrade(f"sqlite:///{path}", "base")
    assert contents(f"sqlite:///{path}") == before


def test_down_to_nothing_and_up_again(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    built = schema(empty_url)
    migrations.downgrade(empty_url, "base")
    assert schema(empty_url) == {}
    migrations.upgrade(empty_url)
    assert schema(empty_url) == built


def test_the_alembic_command_upgrades_too(empty_url: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={empty_url}", "upgrade", "head"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert migrations.current(empty_url) == migrations.head()


def test_a_hundred_thousand_executions_upgrade_in_seconds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data.db'}"
    migrations.upgrade(url, revision=FIVE)
    with connected(url) as connection:
        connection.exec_driver_sql("INSERT INTO user_profiles (id, goal) VALUES ('u', 'save_time')")
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " INSERT INTO workflow_executions (id, user_id, status, steps_completed, started_at)"
            " SELECT 'e' || i, 'u', 'started', 1, i FROM n"
        )
    began = time.monotonic()
    migrations.upgrade(url)
    assert time.monotonic() - began < 20
    assert count(url, "execution_events") == 100_000
