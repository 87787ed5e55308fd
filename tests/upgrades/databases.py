"""Databases as they lie there: read without our models, copied, and compared."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from whatworks import db, models
from whatworks.upgrades import migrations

FIXTURES = Path(__file__).parents[1] / "fixtures"
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
    """How many rows a table has."""
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


def old(url: str, name: str = "legacy-after") -> str:
    """An old database as it was; on PostgreSQL its rows in the tables of its revision."""
    source = FIXTURES / f"{name}.db"
    if url.startswith("sqlite"):
        shutil.copyfile(source, url.removeprefix("sqlite:///"))
        return url
    migrations.upgrade(url, revision=migrations.current(f"sqlite:///{source}"))
    copy_rows(f"sqlite:///{source}", url)
    return url


def copy_rows(source: str, target: str) -> None:
    """Every row of one database into the tables of another."""
    with connected(source) as old, connected(target) as new:
        for table in inspect(old).get_sorted_table_and_fkc_names():
            if table[0] in {None, "alembic_version"}:
                continue
            for row in old.exec_driver_sql(f"SELECT * FROM {table[0]}").mappings():
                insert(new, str(table[0]), dict(row))


def insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """One row, whatever its columns."""
    columns = ", ".join(f'"{column}"' for column in row)
    values = ", ".join(f":{column}" for column in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def definitions(path: Path) -> dict[str, str]:
    """The SQL of everything in a SQLite file, comparable."""
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        )
        return {name: "".join(sql.split()).replace('"', "") for name, sql in found}
