"""Old data keep every value; what cannot be used is told, and nothing is made up from it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.upgrades import dirt
from tests.upgrades.databases import (
    FIVE,
    FIXTURES,
    connected,
    contents,
    count,
    insert,
    schema,
    shape,
)
from whatworks.upgrades import legacy, migrations


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


def test_an_address_twice_does_not_stop_the_way_back(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        for name in "ab":
            insert(connection, "user_profiles", {"id": name, "email": "same@example.com"})
    migrations.downgrade(empty_url, FIVE)
    assert count(empty_url, "user_profiles") == 2


@pytest.fixture
def dirty_url(empty_url: str) -> str:
    """A database of the five tables full of what real ones contain."""
    migrations.upgrade(empty_url, revision=FIVE)
    dirt.soil(empty_url)
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
