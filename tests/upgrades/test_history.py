"""The database itself refuses to change or delete what has happened."""

from __future__ import annotations

import pytest
from sqlalchemy import exc

from tests.upgrades.databases import connected, contents, shape

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
