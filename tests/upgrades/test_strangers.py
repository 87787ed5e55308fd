"""What other people built on our tables survives."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from sqlalchemy import inspect

from tests.upgrades.databases import (
    FIVE,
    FIXTURES,
    OURS,
    connected,
    contents,
    copy_rows,
    definitions,
    schema,
)
from whatworks import db
from whatworks.upgrades import migrations


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
