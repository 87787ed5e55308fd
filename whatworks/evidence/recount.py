"""DuckDB, where it is installed: counting a SQLite file's history sooner, and Parquet.

It reads the columns it needs through an extension that comes as a package, and groups on every
core. Nothing is loaded over the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url
from sqlalchemy.dialects import postgresql

from whatworks import db, errors
from whatworks.evidence import census, tallies
from whatworks.evidence.performance import Count
from whatworks.evidence.tallies import Tally

try:
    import duckdb as _engine
    import duckdb_ext as _extensions
except ImportError:  # an extra: whatworks[fast]
    _engine = _extensions = None  # type: ignore[assignment]

duckdb: Any = _engine
duckdb_ext: Any = _extensions
_POSTGRES: Final[Any] = postgresql.dialect()  # type: ignore[no-untyped-call]
EXTENSION: Final = "sqlite_scanner.duckdb_extension"


class NotInstalled(errors.Failure):
    """What was asked for comes with an extra that is not there."""

    code = "not_installed"


def counter(database: db.Database, way: str = "auto") -> Count | None:
    """A way to count for `performance.rebuild`; None for the usual one.

    `way` is auto, read or duckdb. Raises NotInstalled.
    """
    if way == "duckdb" and not (is_installed() and database.is_sqlite):
        raise NotInstalled(
            "DuckDB counts SQLite files alone; pip install 'whatworks[fast]' brings it."
        )
    if way == "read" or not database.is_sqlite or not is_installed():
        return None
    return lambda _session: tally(database.url)


def is_installed() -> bool:
    """Whether DuckDB and its reader of SQLite files are there, and fit together."""
    return duckdb is not None and _extension() is not None


def tally(url: str) -> Tally:
    """What a SQLite file's history adds up to. Whoever calls it keeps others from writing."""
    with connected() as connection:
        connection.execute(f"LOAD '{_extension()}'")
        path = str(make_url(url).database).replace("'", "''")
        connection.execute(f"ATTACH '{path}' AS history (TYPE sqlite, READ_ONLY)")
        connection.execute("USE history")
        return tallies.of_groups(_rows(connection, census.GROUPS))


def connected() -> Any:
    """A DuckDB of one's own, in memory. Raises NotInstalled."""
    if duckdb is None:
        raise NotInstalled("This needs DuckDB: pip install 'whatworks[fast]'.")
    return duckdb.connect(":memory:")


def to_parquet(source: Path, target: Path) -> None:
    """A CSV file as Parquet. Raises NotInstalled."""
    with connected() as connection:
        connection.from_csv_auto(str(source)).write_parquet(str(target))


def _rows(connection: Any, query: db.Query) -> Iterator[Any]:
    text = query.statement.compile(dialect=_POSTGRES, compile_kwargs={"literal_binds": True})
    found = connection.execute(str(text))
    while rows := found.fetchmany(5000):
        yield from rows


def _extension() -> Path | None:
    """Where the reader for this very version of DuckDB lies."""
    if duckdb is None or duckdb_ext is None:
        return None
    for folder in duckdb_ext.__path__:
        for path in Path(folder).glob(f"extensions/v{duckdb.__version__}/*/{EXTENSION}"):
            return path
    return None
