"""Old databases upgrade with nothing lost; what is not ours is refused and stays untouched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, exc, inspect, text

from whatworks import db, models
from whatworks.upgrades import legacy, migrations, opening, revisions

FIXTURES = Path(__file__).parent / "fixtures"
SHOP = migrations.SHOP
FIVE = migrations.FIVE_TABLES
OURS = models.Base.metadata.tables


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A plain connection that commits; on SQLite without foreign keys, as the old shop had it."""
    with db.engine(url).begin() as connection:
        yield connection


Shape = dict[str, list[str]]
Rows = dict[str, list[tuple[object, ...]]]


def shape(url: str) -> Shape:
    """Which columns each table has."""
    with connected(url) as connection:
        found = inspect(connection).get_multi_columns()
        return {
            table: [str(column["name"]) for column in columns]
            for (_, table), columns in found.items()
            if table != "alembic_version"
        }


def contents(url: str, columns: Shape | None = None) -> Rows:
    """The rows of every table as they lie there: on SQLite with their types, text as bytes."""
    named = {
        table: ", ".join(f'"{name}"' for name in names)
        for table, names in (shape(url) if columns is None else columns).items()
    }
    with connected(url) as connection:
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.text_factory = bytes
            named = {
                table: f"{names}, typeof({names.replace(', ', '), typeof(')})"
                for table, names in named.items()
            }
        return {
            table: sorted(
                (tuple(row) for row in connection.exec_driver_sql(f"SELECT {names} FROM {table}")),
                key=repr,
            )
            for table, names in named.items()
        }


def count(url: str, table: str) -> int:
    with connected(url) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def schema(url: str) -> dict[str, object]:
    """Tables with columns, keys and indexes, comparable between two databases of one kind."""
    with connected(url) as connection:
        seen = inspect(connection)
        return {
            table: (
                [
                    (column["name"], str(column["type"]), column["nullable"])
                    for column in seen.get_columns(table)
                ],
                seen.get_pk_constraint(table)["constrained_columns"],
                sorted(
                    (
                        key["constrained_columns"],
                        key["referred_table"],
                        key["referred_columns"],
                        key["options"],
                    )
                    for key in seen.get_foreign_keys(table)
                ),
                sorted(
                    (index["name"], index["column_names"], index["unique"])
                    for index in seen.get_indexes(table)
                ),
                sorted(seen.get_unique_constraints(table), key=repr),
            )
            for table in seen.get_table_names()
            if table != "alembic_version"
        }


@pytest.fixture(params=["legacy-before", "legacy-after"])
def old_url(request: pytest.FixtureRequest, empty_url: str) -> str:
    """A copy of an old database; on PostgreSQL its rows in the tables of its revision."""
    source = FIXTURES / f"{request.param}.db"
    if empty_url.startswith("sqlite"):
        shutil.copyfile(source, empty_url.removeprefix("sqlite:///"))
        return empty_url
    stamp = migrations.current(f"sqlite:///{source}")
    migrations.upgrade(empty_url, revision=stamp)
    copy_rows(f"sqlite:///{source}", empty_url)
    return empty_url


def copy_rows(source: str, target: str) -> None:
    with connected(source) as old, connected(target) as new:
        for table in inspect(old).get_sorted_table_and_fkc_names():
            if table[0] in {None, "alembic_version"}:
                continue
            for row in old.exec_driver_sql(f"SELECT * FROM {table[0]}").mappings():
                insert(new, str(table[0]), dict(row))


def insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    columns = ", ".join(f'"{column}"' for column in row)
    values = ", ".join(f":{column}" for column in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


# ---- the old databases ----------------------------------------------------------------------


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


def test_old_executions_get_their_place_in_the_history(tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(FIXTURES / 'legacy-after.db', tmp_path / 'data.db')}"
    before = time.time()
    migrations.upgrade(url)
    with connected(url) as connection:
        open_runs = connection.exec_driver_sql(
            "SELECT at FROM execution_events WHERE result IN ('started', 'in_progress')"
        ).scalars()
        assert all(before - 1 < at < time.time() + 1 for at in open_runs)
        found = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT v.id), sum(v.at = e.touched_at),"
            " sum(v.at = coalesce(e.completed_at, e.started_at)), sum(v.result = e.status),"
            " sum(v.steps_completed = e.steps_completed),"
            " sum(e.goal = p.goal AND e.market = p.market AND e.skill_level = p.skill_level"
            " AND e.country = p.country AND e.touched_at = coalesce(e.completed_at, e.started_at))"
            " FROM execution_events v"
            " JOIN workflow_executions e ON e.user_id = v.user_id AND e.id = v.execution_id"
            " JOIN user_profiles p ON p.id = e.user_id"
            " WHERE v.kind = 'imported' AND v.actor = 'system'"
        ).one()
        emails = connection.exec_driver_sql("SELECT count(*) FROM emails").scalar()
    assert tuple(found) == (168, 168, 68, 68, 168, 168, 168)
    assert emails == 120


def test_tables_at_the_five_tables_equal_the_old_ones(tmp_path: Path) -> None:
    for name, revision in (("legacy-before", SHOP), ("legacy-after", FIVE)):
        url = f"sqlite:///{tmp_path / name}"
        migrations.upgrade(url, revision=revision)
        assert definitions(tmp_path / name) == definitions(FIXTURES / f"{name}.db")


def definitions(path: Path) -> dict[str, str]:
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        )
        return {name: "".join(sql.split()).replace('"', "") for name, sql in found}


def test_an_address_twice_does_not_stop_the_way_back(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        for name in "ab":
            insert(connection, "user_profiles", {"id": name, "email": "same@example.com"})
    migrations.downgrade(empty_url, FIVE)
    assert count(empty_url, "user_profiles") == 2


WRITE_AHEAD = """
import os, signal, sys
from whatworks import db

connection = db.sqlite_driver.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("INSERT INTO user_profiles (id) VALUES ('only in the log')")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_write_ahead_log_left_by_a_crash_is_not_lost(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    child(WRITE_AHEAD, str(path)).communicate(timeout=30)
    assert (tmp_path / "data.db-wal").stat().st_size
    migrations.upgrade(f"sqlite:///{path}")
    assert count(f"sqlite:///{path}", "user_profiles") == 121


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
    shutil.copytree(Path(__file__).parent.parent / "alembic", tmp_path / "_alembic")
    monkeypatch.setattr(revisions, "_package", tmp_path)
    migrations.upgrade(f"sqlite:///{tmp_path / 'data.db'}")
    assert migrations.current(f"sqlite:///{tmp_path / 'data.db'}") == migrations.head()


# ---- the models -----------------------------------------------------------------------------


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


# ---- dirty data -----------------------------------------------------------------------------

LONG = "x" * 100_000
DIRTY: dict[str, list[dict[str, Any]]] = {
    "user_profiles": [
        {"id": "d1", "email": "Twice@Example.com", "goal": "win", "market": "Freelancer",
         "skill_level": "", "country": "India", "created_at": 20.0},
        {"id": "d2", "email": " twice@example.com ", "goal": "save_time", "market": "agency",
         "skill_level": "beginner", "country": "IN", "created_at": 10.0},
        {"id": "d3", "email": None, "goal": None, "market": None, "skill_level": None,
         "country": None, "created_at": None},
        {"id": "", "email": "", "goal": LONG, "market": "🛒", "skill_level": "advanced",
         "country": "in", "created_at": -5.0},
        {"id": "d5", "email": "no address", "goal": "earn_money", "market": "student",
         "skill_level": "advanced", "country": "GB", "created_at": 5.0},
    ],
    "workflow_executions": [
        {"id": "e1", "user_id": "d2", "workflow_name": "resume_generator", "status": "completed",
         "steps_completed": 9, "total_steps": 5, "started_at": 100.0, "completed_at": 50.0},
        {"id": "e2", "user_id": "d1", "workflow_name": "no such", "status": "paused",
         "steps_completed": -3, "total_steps": 0, "started_at": 7.0, "execution_notes": LONG},
        {"id": "e3", "user_id": None, "workflow_name": None, "status": None,
         "steps_completed": None, "total_steps": None, "started_at": 0.1},
        {"id": "e4", "user_id": "ghost", "workflow_name": "prompt_selling", "status": "started",
         "steps_completed": 1, "total_steps": 6, "execution_notes": "🚀 done"},
        {"id": "e5", "user_id": None, "workflow_name": "🧪", "status": "in_progress",
         "started_at": 1e308, "completed_at": 1.0000000000000002},
    ],
    "outcomes": [
        {"id": "o1", "execution_id": "e1", "user_id": "d2", "metric_type": "revenue",
         "value": -1.5, "currency": "rupees", "proof_type": "selfie",
         "proof_url": "javascript:alert(1)", "timestamp": 1.0, "verified": 7},
        {"id": "o2", "execution_id": "none", "user_id": "d2", "metric_type": "fame",
         "value": None, "currency": None},
        {"id": "o3", "execution_id": "e1", "user_id": "d1", "metric_type": None, "value": 1e300},
        {"id": "o4", "execution_id": "e3", "user_id": None, "metric_type": "revenue",
         "value": 0.1, "currency": "₿"},
        {"id": "o5", "execution_id": None, "user_id": "ghost", "metric_type": "customers"},
    ],
    "workflow_performance": [
        {"id": "p1", "workflow_name": "w", "market": "agency", "skill_level": "beginner",
         "success_rate": 250.0, "data_points": 3},
        {"id": "p2", "workflow_name": "w", "market": "agency", "skill_level": "beginner",
         "success_rate": None, "data_points": -1},
        {"id": "p3", "workflow_name": None, "market": "moon", "skill_level": None},
    ],
    "recommendations": [
        {"id": "r1", "user_id": "ghost", "workflow_name": "w", "rank": -1, "clicked": 3},
        {"id": "r2", "user_id": None, "workflow_name": None, "rank": None, "reason": "📈" * 999},
        {"id": "r3", "user_id": "d2", "workflow_name": "w", "created_at": 0.1},
    ],
    "orders": [
        {"id": "order_d1", "amount": 49900, "currency": "INR", "receipt": "r1", "product": "pro",
         "status": "paid", "created_at": 5.0, "paid_at": 6.0},
        {"id": "order_d2", "amount": -5, "currency": "rupees", "receipt": None, "product": None,
         "status": "shipped", "created_at": None},
        {"id": "order_d3", "amount": 9900, "currency": "INR", "receipt": "r3", "product": "starter",
         "status": "paid", "paid_at": None},
    ],
    "payments": [
        {"id": "pay_d1", "order_id": "order_d1", "payload": "{not json"},
        {"id": "pay_d2", "order_id": "order_none", "payload": "[1, 2]"},
        {"id": "pay_d3", "order_id": "order_d3", "payload": None},
        {"id": "pay_d4", "order_id": "order_d3", "payload": '{"payload": {"email": "noone"}}'},
    ],
    "webhooks": [{"id": "w1", "event": "payment.captured", "payload": "🧨"}],
    "coupons": [
        {"code": "Half", "discount_percent": 50, "current_uses": 1, "is_active": 1},
        {"code": "HALF", "discount_percent": 500, "current_uses": -1, "is_active": 1,
         "created_at": 1.0},
    ],
    "subscriptions": [
        {"id": "s1", "receipt": "lost", "tier": "pro", "status": "ACTIVE",
         "current_period_end": 9e9},
        {"id": "s2", "receipt": "r3", "tier": "gold", "status": "?"},
    ],
}  # fmt: skip
# Only SQLite lets anything into any column.
DIRTIER: dict[str, list[dict[str, Any]]] = {
    "user_profiles": [
        {"id": "d6", "email": b"\xff\xfe@bytes", "created_at": "yesterday"},
        {"id": "d7", "email": "TWICE@example.com", "created_at": "long ago"},
    ],
    "workflow_executions": [
        {"id": "e6", "user_id": "d6", "status": "completed", "steps_completed": "two",
         "total_steps": 2.5, "started_at": "noon", "completed_at": b"\x00\x01"},
        {"id": "e7", "user_id": "d6", "status": "started", "started_at": float("inf"),
         "completed_at": "later"},
    ],
    "outcomes": [{"id": "o6", "user_id": "d6", "value": "a lot", "verified": "yes"}],
    "workflow_performance": [{"id": "p4", "success_rate": "often"}],
    "recommendations": [{"id": "r4", "user_id": "d6", "rank": "first", "created_at": "now"}],
    "orders": [
        {"id": "order_d4", "amount": "a lot", "currency": b"\xff", "receipt": "r4",
         "product": "pro", "status": "paid", "created_at": "noon", "paid_at": "later"},
        {"id": "order_d5", "amount": 1.5, "currency": "INR", "receipt": "r4", "product": "pro",
         "status": b"paid", "created_at": float("inf")},
    ],
    "payments": [{"id": "pay_d5", "order_id": "order_d4", "payload": b"\xff\xfe"}],
    "coupons": [{"code": "odd", "discount_percent": "ten", "max_uses": "many"}],
}  # fmt: skip


@pytest.fixture
def dirty_url(empty_url: str) -> str:
    """A database of the five tables full of what real ones contain."""
    migrations.upgrade(empty_url, revision=FIVE)
    sets = [DIRTY, DIRTIER] if empty_url.startswith("sqlite") else [DIRTY]
    with connected(empty_url) as connection:
        if connection.dialect.name == "postgresql":  # let orphans in
            connection.exec_driver_sql("SET session_replication_role = replica")
        for table, found in ((t, r) for some in sets for t, many in some.items() for r in many):
            insert(connection, table, found)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "INSERT INTO user_profiles (id, email) VALUES ('d8', CAST(x'E9406C61' AS TEXT))"
            )
    return empty_url


def test_dirty_data_keeps_every_value(dirty_url: str) -> None:
    before, columns, old_schema = contents(dirty_url), shape(dirty_url), schema(dirty_url)
    migrations.upgrade(dirty_url)
    kept = contents(dirty_url, columns)
    if not dirty_url.startswith("sqlite"):
        for table, names in columns.items():
            kept[table] = sorted(kept[table] + unowned(dirty_url, table, names), key=repr)
    assert kept == before
    migrations.downgrade(dirty_url, FIVE)
    assert contents(dirty_url) == before
    assert schema(dirty_url) == old_schema
    migrations.upgrade(dirty_url)


def unowned(url: str, table: str, columns: list[str]) -> list[tuple[object, ...]]:
    with connected(url) as connection:
        found = connection.execute(
            text("SELECT row FROM legacy_unowned WHERE table_name = :table"), {"table": table}
        ).scalars()
        return [tuple(json.loads(row)[column] for column in columns) for row in found]


def test_dirty_data_derives_only_what_can_be_relied_on(dirty_url: str) -> None:
    before = time.time()
    migrations.upgrade(dirty_url)
    with connected(dirty_url) as connection:
        emails = connection.exec_driver_sql("SELECT email, user_id FROM emails").fetchall()
        segments = connection.exec_driver_sql(
            "SELECT id, goal, market, skill_level, country FROM workflow_executions"
            " WHERE user_id IS NOT NULL"
        ).fetchall()
        events = connection.exec_driver_sql(
            "SELECT v.execution_id, v.steps_completed, v.result, v.at, e.touched_at"
            " FROM execution_events v JOIN workflow_executions e"
            " ON e.user_id = v.user_id AND e.id = v.execution_id"
        ).fetchall()
        cells = connection.exec_driver_sql(
            "SELECT count(*), count(started) FROM workflow_performance"
        ).one()
    assert {tuple(row) for row in emails} == {("twice@example.com", "d2"), ("no address", "d5")}
    found = {row.id: tuple(row)[1:] for row in segments}
    assert found.pop("e1") == ("save_time", "agency", "beginner", "IN")
    assert set(found.values()) == {(None, None, None, None)}
    assert {tuple(row)[:3] for row in events} >= {
        ("e1", 9, "completed"),
        ("e2", -3, "paused"),
        ("e4", 1, "started"),
    }
    at = {row.execution_id: (row.at, row.touched_at) for row in events}
    assert at["e1"] == (50.0, 50.0)
    for still_open in at.keys() - {"e1", "e6"}:
        assert before - 1 < at[still_open][0] < time.time() + 1  # their window begins here
    if "e6" in at:  # completed at no time that can be read, with no count that can be
        assert at["e6"] == (0.0, None)
        assert ("e6", None, "completed") in {tuple(row)[:3] for row in events}
    assert cells[0] >= 3
    assert cells[1] == 0


def test_report_names_what_cannot_be_used_and_masks_addresses(dirty_url: str) -> None:
    for found in (migrations.report(dirty_url), upgraded_report(dirty_url)):
        told = {(item.table, item.id, item.column) for item in found}
        assert told >= {
            ("user_profiles", "d1", "email"),
            ("user_profiles", "d1", "goal"),
            ("user_profiles", "d1", "market"),
            ("user_profiles", "d1", "country"),
            ("user_profiles", "d3", "email"),
            ("workflow_executions", "e1", "steps_completed"),
            ("workflow_executions", "e1", "completed_at"),
            ("workflow_executions", "e2", "status"),
            ("workflow_executions", "e2", "steps_completed"),
            ("workflow_executions", "e4", "user_id"),
            ("outcomes", "o1", "value"),
            ("outcomes", "o1", "currency"),
            ("outcomes", "o1", "proof_url"),
            ("outcomes", "o2", "execution_id"),
            ("outcomes", "o2", "metric_type"),
            ("outcomes", "o3", "execution_id"),
            ("workflow_performance", "p1", "success_rate"),
            ("workflow_performance", "p2", "workflow_name"),
            ("recommendations", "r1", "user_id"),
            ("orders", "order_d1", "status"),
            ("orders", "order_d2", "amount"),
            ("orders", "order_d2", "currency"),
            ("orders", "order_d2", "status"),
            ("orders", "order_d3", "status"),
            ("payments", "pay_d1", "payload"),
            ("payments", "pay_d2", "order_id"),
            ("webhooks", "w1", "payload"),
            ("coupons", "HALF", "discount_percent"),
            ("subscriptions", "s1", "receipt"),
            ("subscriptions", "s2", "tier"),
        }
        assert {item.id for item in found} >= {"e3", "e5", "o4", "r2"}
        assert ("user_profiles", "d2", "email") not in told
        shown = {item.value for item in found if item.id == "d1"}
        assert "T***@Example.com" in shown
        assert "Twice" not in repr(found)
        assert max(len(item.value) for item in found) <= legacy.LONGEST


def upgraded_report(url: str) -> list[legacy.Finding]:
    migrations.upgrade(url)
    return migrations.report(url)


def test_report_of_good_data_names_its_one_bad_letter_and_touches_nothing(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    before = path.read_bytes()
    found = migrations.report(f"sqlite:///{path}")
    assert [(item.table, item.id[:8], item.column) for item in found] == [
        ("webhooks", "deadbeef", "payload")
    ]
    assert migrations.report(f"sqlite:///{tmp_path / 'absent.db'}") == []
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["data.db"]


def test_many_profiles_are_read_in_batches(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data.db'}"
    migrations.upgrade(url, revision=FIVE)
    with connected(url) as connection:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
            " INSERT INTO user_profiles (id, email, created_at)"
            " SELECT 'u' || i, 'Person' || i || '@example.com', i FROM n"
        )
    migrations.upgrade(url)
    assert count(url, "emails") == 12_000


# ---- what other people built on our tables --------------------------------------------------


def test_tables_views_and_triggers_of_others_survive_on_sqlite(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    url = f"sqlite:///{path}"
    with contextlib.closing(db.sqlite_driver.connect(path)) as theirs:
        theirs.executescript(
            """
            ALTER TABLE workflow_executions ADD COLUMN colour VARCHAR NOT NULL DEFAULT 'red';
            CREATE TABLE badges (id INTEGER PRIMARY KEY,
                owner VARCHAR REFERENCES user_profiles (id),
                run VARCHAR REFERENCES workflow_executions (id));
            INSERT INTO badges SELECT NULL, user_id, id FROM workflow_executions LIMIT 3;
            CREATE VIEW finished AS SELECT * FROM workflow_executions WHERE status = 'completed';
            CREATE VIEW broken AS SELECT * FROM gone_long_ago;
            CREATE TABLE seen (id VARCHAR);
            CREATE TRIGGER notice AFTER INSERT ON workflow_executions
                BEGIN INSERT INTO seen VALUES (NEW.id); END;
            CREATE INDEX by_colour ON workflow_executions (colour);
            """
        )
    theirs_before = {n: s for n, s in definitions(path).items() if n not in OURS}
    before = contents(url)

    for change in (migrations.upgrade, lambda url: migrations.downgrade(url, FIVE)):
        change(url)
        after = definitions(path)
        for name in ("badges", "finished", "broken", "seen", "notice", "by_colour"):
            assert after[name] == theirs_before[name]
        assert contents(url)["badges"] == before["badges"]
        with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            assert connection.execute("SELECT count(*) FROM finished").fetchone() == (33,)
            assert connection.execute("SELECT DISTINCT colour FROM finished").fetchall() == [
                ("red",)
            ]
            connection.execute(
                "INSERT INTO workflow_executions (id, user_id) SELECT 'new', id FROM user_profiles"
                " LIMIT 1"
            )
            connection.execute("INSERT INTO badges (run) VALUES ('new')")
            with pytest.raises(db.sqlite_driver.IntegrityError):
                connection.execute("INSERT INTO badges (run) VALUES ('nowhere')")
            assert connection.execute("SELECT id FROM seen").fetchall() == [("new",)]
            connection.rollback()
    assert contents(url) == before


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_tables_and_views_of_others_survive_on_postgresql(empty_url: str) -> None:
    migrations.upgrade(empty_url, revision=FIVE)
    copy_rows(f"sqlite:///{FIXTURES / 'legacy-after.db'}", empty_url)
    with connected(empty_url) as connection:
        for statement in (
            "CREATE TABLE badges (id integer PRIMARY KEY, owner varchar REFERENCES user_profiles,"
            " run varchar REFERENCES workflow_executions ON DELETE CASCADE)",
            "INSERT INTO badges SELECT row_number() OVER (), user_id, id"
            " FROM workflow_executions LIMIT 3",
            "CREATE VIEW finished AS SELECT * FROM workflow_executions WHERE status = 'completed'",
        ):
            connection.exec_driver_sql(statement)
    before, old_schema = contents(empty_url), schema(empty_url)
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM finished").scalar() == 33
        keys = inspect(connection).get_foreign_keys("badges")
        assert {key["referred_table"] for key in keys} == {"user_profiles", "workflow_executions"}
    migrations.downgrade(empty_url, FIVE)
    assert (contents(empty_url), schema(empty_url)) == (before, old_schema)


def test_a_stranger_that_has_one_of_our_names_is_refused(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("CREATE TABLE sessions (theirs TEXT)")
    refused(path, "sessions")


# ---- append-only ----------------------------------------------------------------------------


OWNERS = {
    "execution_events": "user_id",
    "workflow_versions": "workflow_name",
    "order_events": "order_id",
    "subscription_events": "subscription_id",
}


@pytest.mark.parametrize("table", OWNERS)
def test_raw_sql_cannot_change_history(database_url: str, table: str) -> None:
    with connected(database_url) as connection:
        for statement in (
            "INSERT INTO user_profiles (id) VALUES ('u')",
            "INSERT INTO workflow_executions (user_id, id) VALUES ('u', 'e')",
            "INSERT INTO execution_events (user_id, id, execution_id, kind, at, actor)"
            " VALUES ('u', 'v', 'e', 'started', 1, 'owner')",
            "INSERT INTO workflows (name, version, title, tier, source, loaded_at)"
            " VALUES ('w', 1, 'W', 'free', 'test', 1)",
            "INSERT INTO workflow_versions (workflow_name, version, digest, guide, created_at)"
            " VALUES ('w', 1, 'd', '{}', 1)",
            "INSERT INTO orders (id) VALUES ('o')",
            "INSERT INTO order_events (order_id, id, key, kind, at, recorded_at, source)"
            " VALUES ('o', 'v', 'k', 'paid', 1, 1, 'webhook')",
            "INSERT INTO subscriptions (id) VALUES ('s')",
            "INSERT INTO subscription_events (subscription_id, id, key, at, recorded_at, source,"
            " status, cancel_at_period_end) VALUES ('s', 'v', 'k', 1, 1, 'webhook', 'active', 0)",
        ):
            connection.exec_driver_sql(statement)
    before = contents(database_url)
    key = OWNERS[table]
    attempts = [f"UPDATE {table} SET {key} = {key}", f"DELETE FROM {table}"]
    if database_url.startswith("sqlite"):
        columns = ", ".join(shape(database_url)[table])
        changed = columns.replace("kind", "'abandoned'").replace("guide", "'forged'")
        attempts += [
            f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {changed} FROM {table}",
            f"UPDATE OR REPLACE {table} SET {key} = {key}",
        ]
    else:
        attempts += [f"TRUNCATE {table}", f"TRUNCATE {table} CASCADE"]
    for attempt in attempts:
        with pytest.raises(exc.DBAPIError, match="append-only"), connected(database_url) as raw:
            raw.exec_driver_sql(attempt)
    assert contents(database_url) == before


# ---- several at once, and crashes -----------------------------------------------------------

UPGRADE = "import sys; from whatworks.upgrades import migrations; migrations.upgrade(sys.argv[1])"


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("empty_url", "old"),
    [("sqlite", False), ("sqlite", True), ("postgresql", True)],
    indirect=["empty_url"],
)
def test_four_processes_upgrade_at_once(empty_url: str, old: bool) -> None:
    if old:
        migrations.upgrade(empty_url, revision=FIVE)
        copy_rows(f"sqlite:///{FIXTURES / 'legacy-after.db'}", empty_url)
    children = [child(UPGRADE, empty_url) for _ in range(4)]
    for process in children:
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
    assert migrations.current(empty_url) == migrations.head()
    assert count(empty_url, "execution_events") == (168 if old else 0)


CRASH = """
import os, signal, sys
from whatworks.upgrades import migrations

def die(title, done, total):
    if done == total - 1:
        os.kill(os.getpid(), signal.SIGKILL)

migrations.upgrade(sys.argv[1], die)
"""


@pytest.mark.parametrize("old_url", ["legacy-after"], indirect=True)
def test_killed_in_the_middle_the_old_state_is_there(old_url: str) -> None:
    before, old_schema = contents(old_url), schema(old_url)
    revision = migrations.current(old_url)
    process = child(CRASH, old_url)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    migrations.check(old_url)
    assert migrations.current(old_url) == revision
    assert (contents(old_url), schema(old_url)) == (before, old_schema)
    migrations.upgrade(old_url)
    assert migrations.current(old_url) == migrations.head()


def test_killed_while_building_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    process = child(CRASH, f"sqlite:///{path}")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    migrations.upgrade(f"sqlite:///{path}")
    assert os.listdir(tmp_path) == ["data.db"]


@pytest.mark.parametrize("old_url", ["legacy-after"], indirect=True)
def test_a_failure_in_the_middle_changes_nothing(old_url: str) -> None:
    before, old_schema = contents(old_url), schema(old_url)

    def fail(_title: str, done: int, _total: int) -> None:
        if done:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        migrations.upgrade(old_url, fail)
    assert (contents(old_url), schema(old_url)) == (before, old_schema)


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
    root = Path(__file__).parent.parent
    process = subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={empty_url}", "upgrade", "head"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert migrations.current(empty_url) == migrations.head()


# ---- what is refused ------------------------------------------------------------------------


def refused(path: Path, sign: str) -> None:
    """Assert that checking and upgrading refuse the file, with advice, and leave no trace."""
    before = {entry.name: entry.is_file() and entry.read_bytes() for entry in path.parent.iterdir()}
    changed = path.stat().st_mtime_ns
    for verb in (migrations.check, migrations.upgrade, migrations.report):
        with pytest.raises(migrations.Refused) as caught:
            verb(f"sqlite:///{path}")
        assert sign in caught.value.message
        assert path.name in caught.value.message
        assert "not touched" in caught.value.message
        assert "Copy it" in caught.value.message
    after = {entry.name: entry.is_file() and entry.read_bytes() for entry in path.parent.iterdir()}
    assert after == before
    assert path.stat().st_mtime_ns == changed


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("dear diary\n" * 400)


def make_random(path: Path) -> None:
    path.write_bytes(os.urandom(40_960))


def make_truncated(path: Path) -> None:
    path.write_bytes((FIXTURES / "legacy-after.db").read_bytes()[:200_000])


def make_stub(path: Path) -> None:
    path.write_bytes((FIXTURES / "legacy-after.db").read_bytes()[:50])


def make_scrambled(path: Path) -> None:
    pages = bytearray((FIXTURES / "legacy-after.db").read_bytes())
    for page in range(3, len(pages) // 4096, 3):
        pages[page * 4096 : page * 4096 + 4096] = os.urandom(4096)
    path.write_bytes(pages)


def make_foreign(path: Path) -> None:
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER PRIMARY KEY, dish TEXT)")
        connection.commit()


def make_marked_foreign(path: Path) -> None:
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 252006673")


def make_newer(path: Path) -> None:
    migrations.upgrade(f"sqlite:///{path}")
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "sign"),
    [
        (make_empty, "is empty"),
        (make_text, "not a database"),
        (make_random, "not a database"),
        (make_truncated, "cut short"),
        (make_stub, "cut short"),
        (make_scrambled, "damaged"),
        (make_foreign, "another program"),
        (make_marked_foreign, "another program"),
        (make_newer, "newer version"),
        (make_folder, "folder"),
    ],
)
def test_bad_file_is_refused_and_untouched(
    tmp_path: Path, make: Callable[[Path], None], sign: str
) -> None:
    path = tmp_path / "data.db"
    make(path)
    refused(path, sign)


def test_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))

    def deny(_path: Path) -> bytes:  # the superuser may read everything, so mode 000 proves nothing
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(opening, "header", deny)
        with pytest.raises(migrations.Refused, match="cannot be read: Permission denied"):
            migrations.upgrade(f"sqlite:///{path}")
    assert path.read_bytes() == (FIXTURES / "legacy-after.db").read_bytes()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_foreign_and_newer_postgresql_is_refused(empty_url: str) -> None:
    with connected(empty_url) as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id integer)")
    with pytest.raises(migrations.Refused, match="another program"):
        migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.exec_driver_sql("DROP TABLE recipes")
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(migrations.Refused, match="newer version"):
        migrations.upgrade(empty_url)


def test_unreachable_postgresql_is_refused_in_a_sentence() -> None:
    with pytest.raises(migrations.Refused, match="The database nowhere cannot be read"):
        migrations.check("postgresql://nobody:secret@127.0.0.1:1/nowhere")


def test_absent_file_and_file_without_tables_are_a_beginning(tmp_path: Path) -> None:
    migrations.check(f"sqlite:///{tmp_path / 'absent.db'}")
    assert os.listdir(tmp_path) == []
    path = tmp_path / "vacuumed.db"
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("VACUUM")
    if path.stat().st_size:
        migrations.upgrade(f"sqlite:///{path}")


def test_no_folder_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(migrations.Refused, match="folder"):
        migrations.upgrade(f"sqlite:///{tmp_path / 'none' / 'data.db'}")
    with pytest.raises(migrations.Refused, match="memory"):
        migrations.upgrade("sqlite://")


def test_a_database_in_use_is_left_alone_and_checked_without_a_trace(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data.db'}"
    migrations.upgrade(url)
    database = db.Database(url)
    database.write(lambda session: session.run(text("INSERT INTO user_profiles (id) VALUES ('u')")))
    listed = sorted(os.listdir(tmp_path))
    migrations.check(url)
    assert sorted(os.listdir(tmp_path)) == listed
    assert database.read(lambda session: session.value(text("SELECT count(*) FROM user_profiles")))
    database.close()
    assert os.listdir(tmp_path) == ["data.db"]
    migrations.check(url)
    assert os.listdir(tmp_path) == ["data.db"]


LOCK = """
import sys
from whatworks import db

connection = db.sqlite_driver.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_locked_database_is_refused_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0)
    other = child(LOCK, str(path))
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(migrations.Refused, match="locked"):
        migrations.upgrade(f"sqlite:///{path}")
    other.communicate(timeout=30)
    assert path.read_bytes() == (FIXTURES / "legacy-after.db").read_bytes()


FULL = """
import resource, signal, sys
from whatworks.upgrades import migrations

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (450_000, 450_000))
try:
    migrations.upgrade(sys.argv[1])
except migrations.Refused as refused:
    print(refused.message)
"""


def test_a_full_disk_leaves_the_old_database(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    url = f"sqlite:///{path}"
    before = contents(url)
    told, complaint = child(FULL, url).communicate(timeout=60)
    assert "is as it was before" in told
    assert complaint == ""
    assert contents(url) == before
    migrations.upgrade(url)


def test_the_upgraded_file_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    migrations.upgrade(f"sqlite:///{path}")
    assert path.read_bytes()[68:72] == db.APPLICATION_ID.to_bytes(4, "big")
    migrations.downgrade(f"sqlite:///{path}", FIVE)
    assert path.read_bytes()[68:72] == bytes(4)


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
