"""Statements compiled once per dialect, and the session that runs them on the bare driver."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Delete, Dialect, Insert, Update
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import ClauseElement

from whatworks.db.changes import Change

_WHOSE: Final = ("user_id", "the_user")  # parameters that say whose row a statement changes
_OF_PEOPLE: Final = "user_profiles"  # there it is the row's own id


class Repeat(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a verb that lost a race: roll back and run it again, to see what the winner did."""


class Query:
    """A Core statement that is compiled once per dialect.

    >>> from sqlalchemy import literal_column, select
    >>> from sqlalchemy.dialects import sqlite
    >>> Query(select(literal_column("1").label("one"))).prepared(sqlite.dialect()).sql
    'SELECT 1 AS one'
    """

    __slots__ = ("_prepared", "statement")

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self._prepared: dict[str, _Prepared] = {}

    def prepared(self, dialect: Dialect) -> _Prepared:
        """The compiled form for one dialect."""
        found = self._prepared.get(dialect.name)
        if found is None:
            found = self._prepared[dialect.name] = _Prepared(self.statement, dialect)
        return found


class _Prepared:
    """SQL text, order and defaults of its parameters, the shape of its rows, what it changes."""

    __slots__ = (
        "changes",
        "defaults",
        "has_constants",
        "in_order",
        "names",
        "required",
        "row",
        "sql",
        "whose",
    )

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.required = {name for name, bind in compiled.binds.items() if bind.required}
        # IN lists are written out with the values they have by now.
        expanded = compiled.construct_expanded_state(dict.fromkeys(self.required))
        self.sql: str = expanded.statement
        names: Sequence[str] = expanded.positiontup if compiled.positional else ()
        self.in_order = itemgetter(*names) if len(names) > 1 else None
        self.names = names if compiled.positional else None
        self.defaults: dict[str, Any] = dict(expanded.parameters)
        self.has_constants = self.required != self.defaults.keys()
        self.row = _row_type(compiled)
        self.changes = _table_changed(statement)
        named = ("id",) if self.changes == _OF_PEOPLE else _WHOSE
        self.whose = next((name for name in named if name in compiled.binds), "")

    def arguments(self, values: dict[str, Any]) -> Any:
        """Values for the driver: by position on SQLite, by name on PostgreSQL."""
        if values.keys() != self.required:
            if not self.required <= values.keys() <= self.defaults.keys():
                wrong = self.required - values.keys() or values.keys() - self.defaults.keys()
                raise TypeError(f"parameters missing or unknown: {sorted(wrong)}")
            values = {**self.defaults, **values}
        elif self.has_constants:
            values = {**self.defaults, **values}
        if self.in_order:
            return self.in_order(values)
        return values if self.names is None else [values[name] for name in self.names]


def _row_type(compiled: Any) -> Any:
    columns = [entry[0] for entry in compiled._result_columns]
    return namedtuple("Row", columns, rename=True) if columns else None


def _table_changed(statement: ClauseElement) -> str | None:
    """The name of the table that a statement writes to."""
    if isinstance(statement, Insert | Update | Delete):
        return str(getattr(statement.table, "name", statement.table))
    return None


class Session:
    """What a verb sees: one open transaction. It cannot commit.

    `changed` collects the tables written to, and whose rows.
    """

    __slots__ = ("_cursor", "_dialect", "changed")

    def __init__(self, cursor: Any, dialect: Dialect, changed: set[Change] | None = None) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self.changed = set[Change]() if changed is None else changed

    @property
    def connection(self) -> Any:
        """The driver's connection underneath."""
        return self._cursor.connection

    def all(self, query: Query | ClauseElement, **values: Any) -> list[Any]:
        """Every row, as named tuples."""
        prepared = self._run(query, values)
        make = prepared.row._make
        return [make(row) for row in self._cursor.fetchall()]

    def first(self, query: Query | ClauseElement, **values: Any) -> Any | None:
        """The first row, or None."""
        prepared = self._run(query, values)
        row = self._cursor.fetchone()
        return None if row is None else prepared.row._make(row)

    def value(self, query: Query | ClauseElement, **values: Any) -> Any:
        """The first column of the first row, or None."""
        self._run(query, values)
        row = self._cursor.fetchone()
        return None if row is None else row[0]

    def run(self, query: Query | ClauseElement, **values: Any) -> int:
        """The number of rows changed."""
        self._run(query, values)
        return int(self._cursor.rowcount)

    def many(self, query: Query, rows: Iterable[dict[str, Any]]) -> None:
        """One statement for many rows of values."""
        prepared = query.prepared(self._dialect)
        arguments = []
        for row in rows:
            self._note(prepared, row)
            arguments.append(prepared.arguments(row))
        self._cursor.executemany(prepared.sql, arguments)

    def stream(self, query: Query | ClauseElement, **values: Any) -> Iterator[Any]:
        """Rows one by one, for tables that do not fit in memory; finish before the next query."""
        prepared = self._prepare(query)
        cursor = self._streaming_cursor()
        try:
            cursor.execute(prepared.sql, prepared.arguments(values))
            while rows := cursor.fetchmany(5000):
                yield from map(prepared.row._make, rows)
        finally:
            if cursor is not self._cursor:
                cursor.close()

    @property
    def groups_well(self) -> bool:
        """Whether the database is quicker at adding up many rows than whoever reads them is."""
        return self._dialect.name == "postgresql"

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can write until the transaction ends, as on SQLite."""
        return self._dialect.name != "postgresql"

    def exclusive(self, *tables: type[DeclarativeBase]) -> None:
        """Keep everybody else from writing these tables until the transaction ends."""
        if not self.is_alone:
            names = ", ".join(table.__tablename__ for table in tables)
            self._cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")

    def hold(self, name: str) -> None:
        """Let others who hold the same name wait until the transaction ends.

        Taken before any row, it keeps transactions that touch the same rows in different orders
        from waiting for each other for ever.
        """
        if not self.is_alone:
            self._cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    def _streaming_cursor(self) -> Any:
        """On PostgreSQL the rows stay on the server until they are asked for."""
        if self._dialect.name != "postgresql":
            return self._cursor
        connection = self._cursor.connection
        return connection.cursor("stream", withhold=not connection.info.transaction_status)

    def _prepare(self, query: Query | ClauseElement) -> _Prepared:
        if isinstance(query, Query):
            return query.prepared(self._dialect)
        return _Prepared(query, self._dialect)

    def _run(self, query: Query | ClauseElement, values: dict[str, Any]) -> _Prepared:
        prepared = self._prepare(query)
        self._note(prepared, values)
        self._cursor.execute(prepared.sql, prepared.arguments(values))
        return prepared

    def _note(self, prepared: _Prepared, values: dict[str, Any]) -> None:
        table = prepared.changes
        if table is not None:
            self.changed.add((table, values.get(prepared.whose)))
