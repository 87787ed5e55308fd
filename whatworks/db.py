"""The database: `write(verb, …)`, `read(verb, …)`, and the only commit.

A *verb* is a function that takes a `Session` first and returns plain values. On SQLite one writer
thread runs the verbs of all threads and commits waiting ones together, a savepoint each, so that
each waits for a durable commit but they share its cost. On PostgreSQL, which groups commits by
itself, every verb is its own transaction. A verb may run twice (a deadlock, a commit that has to
be repeated alone), so it must have no side effects but its rows.

Statements are SQLAlchemy Core. A `Query` compiles its statement once per dialect; rows come from
the bare driver as named tuples, which `models` allows by using core types only.
"""

from __future__ import annotations

import contextlib
import queue
import re
import sqlite3
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Dialect, Engine, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from whatworks import errors

try:  # the SQLite inside older Pythons can corrupt a write-ahead log that several threads use
    from pysqlite3 import dbapi2 as _newest
except ImportError:  # pragma: no cover - platforms without the wheel
    _newest = sqlite3

sqlite: Any = _newest

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate["Session", P], T]

# The magic number in a SQLite file's header that says whose it is: "wwks".
APPLICATION_ID: Final = 0x77776B73
SAFE_SQLITE: Final = (3, 51, 3)
GROUP_SIZE: Final = 64
GROUP_SECONDS: Final = 0.020
QUEUE_SIZE: Final = 1024
START_SECONDS: Final = 5.0
RUN_SECONDS: Final = 30.0
RETRIES: Final = 3


class Repeat(Exception):  # noqa: N818 - an instruction, not an error
    """Raised by a verb that lost a race: roll back and run it again, to see what the winner did."""


class Query:
    """A Core statement that is compiled once per dialect.

    >>> from sqlalchemy import literal_column, select
    >>> query = Query(select(literal_column("1").label("one")))
    >>> Database("sqlite://").read(lambda session: session.value(query))
    1
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
    """SQL text, the order and defaults of its parameters, and the shape of its rows."""

    __slots__ = ("defaults", "has_constants", "names", "required", "row", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.required = {name for name, bind in compiled.binds.items() if bind.required}
        # IN lists are written out with the values they have by now.
        expanded = compiled.construct_expanded_state(dict.fromkeys(self.required))
        self.sql: str = expanded.statement
        self.names: Sequence[str] | None = expanded.positiontup if compiled.positional else None
        self.defaults: dict[str, Any] = dict(expanded.parameters)
        self.has_constants = self.required != self.defaults.keys()
        self.row = _row_type(compiled)

    def arguments(self, values: dict[str, Any]) -> Any:
        """Values for the driver: by position on SQLite, by name on PostgreSQL."""
        if values.keys() != self.required:
            if not self.required <= values.keys() <= self.defaults.keys():
                wrong = self.required - values.keys() or values.keys() - self.defaults.keys()
                raise TypeError(f"parameters missing or unknown: {sorted(wrong)}")
            values = {**self.defaults, **values}
        elif self.has_constants:
            values = {**self.defaults, **values}
        return values if self.names is None else [values[name] for name in self.names]


def _row_type(compiled: Any) -> Any:
    columns = [entry[0] for entry in compiled._result_columns]
    return namedtuple("Row", columns, rename=True) if columns else None


class Session:
    """What a verb sees: one open transaction. It cannot commit."""

    __slots__ = ("_cursor", "_dialect")

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect

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
        self._cursor.executemany(prepared.sql, [prepared.arguments(row) for row in rows])

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

    def exclusive(self, *tables: type[DeclarativeBase]) -> None:
        """Keep everybody else from writing these tables until the transaction ends."""
        if self._dialect.name == "postgresql":  # on SQLite a writer is alone anyway
            names = ", ".join(table.__tablename__ for table in tables)
            self._cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")

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
        self._cursor.execute(prepared.sql, prepared.arguments(values))
        return prepared


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return tuple(int(part) for part in sqlite.sqlite_version.split("."))


def engine(url: str) -> Engine:
    """A plain SQLAlchemy engine for migrations and inspection; nobody else needs one."""
    parsed = make_url(_with_driver(url))
    if parsed.get_backend_name() == "sqlite":
        return create_engine(parsed, module=sqlite, poolclass=NullPool)
    return create_engine(parsed, poolclass=NullPool)


def _with_driver(url: str) -> str:
    """Understand the short forms that hosting providers hand out (postgres://, postgresql://)."""
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)


class Database:
    """One database behind two functions. Shape: `write(verb, *args)`, `read(verb, *args)`.

    Raises `errors.Unavailable` when nothing was done and a retry is safe, `errors.Uncertain` when
    only a retry with the same Idempotency-Key can tell. A command that nobody waits for may give a
    verb longer than RUN_SECONDS: `patience`.
    """

    def __init__(
        self, url: str, *, group_size: int = GROUP_SIZE, patience: float | None = None
    ) -> None:
        self.url = url
        created = engine(url)
        self.dialect: Dialect = created.dialect
        self.is_sqlite = self.dialect.name == "sqlite"
        self._connector: Any = (
            _SqliteConnector(url) if self.is_sqlite else _PostgresConnector(created)
        )
        self._local = threading.local()
        self._open: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False
        self._writer = _Writer(self, group_size, patience) if self.is_sqlite else None

    def write(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb in a transaction and return what it returned once that is durable."""
        if self._writer is not None:
            return self._writer.submit(lambda session: verb(session, *args, **kwargs))
        return self._write_alone(lambda session: verb(session, *args, **kwargs))

    def read(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads, on one consistent snapshot where the database has one."""
        for attempt in range(RETRIES):
            connection = self.connection()
            try:
                with self._connector.snapshot(connection) as cursor:
                    return verb(Session(cursor, self.dialect), *args, **kwargs)
            except self._connector.lost as failure:
                if not self._connector.is_lost(connection, failure):
                    if self._connector.is_busy(failure):
                        raise _busy(failure) from failure
                    raise
                self._forget(connection)
                if attempt == RETRIES - 1:
                    raise _unreachable() from failure
        raise AssertionError("unreachable")  # pragma: no cover

    def connection(self) -> Any:
        """This thread's own driver connection, in autocommit."""
        held = getattr(self._local, "connection", None)
        if held is None:
            if self._closed:
                raise errors.Unavailable("The server is shutting down; try again.", retry_after=2)
            try:
                held = self._connector.connect()
            except self._connector.lost as failure:
                raise _unreachable() from failure
            with self._lock:
                self._open.append(held)
            self._local.connection = held
        return held

    def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        if self._writer is not None:
            self._writer.stop()
        self._closed = True
        with self._lock:
            held, self._open = self._open, []
        for connection in held:
            connection.close()
        self._local = threading.local()

    def _forget(self, connection: Any) -> None:
        self._local.connection = None
        with self._lock, contextlib.suppress(ValueError):
            self._open.remove(connection)
        with contextlib.suppress(self.dialect.loaded_dbapi.Error):
            connection.close()

    def _write_alone(self, job: Callable[[Session], T]) -> T:
        """PostgreSQL: one transaction, repeated after a lost race or a connection found dead."""
        for _ in range(RETRIES):
            with contextlib.suppress(Repeat):
                return self._write_once(job)
        raise _unreachable()

    def _write_once(self, job: Callable[[Session], T]) -> T:
        """Raises Repeat when nothing was done and the verb should run again."""
        connection = self.connection()
        committing = False
        try:
            cursor = connection.cursor()
            cursor.execute("BEGIN READ WRITE")
            result = job(Session(cursor, self.dialect))
            committing = True
            cursor.execute("COMMIT")
        except self._connector.lost as failure:
            if self._connector.is_lost(connection, failure):
                self._forget(connection)
                raise (_uncertain() if committing else Repeat) from failure
            connection.rollback()
            if self._connector.is_transient(failure):
                raise Repeat from failure
            if self._connector.is_busy(failure):
                raise _busy(failure) from failure
            raise
        except BaseException:
            connection.rollback()
            raise
        return result


def _unreachable() -> errors.Unavailable:
    return errors.Unavailable(
        "The database cannot be reached right now; nothing was changed, try again shortly.",
        retry_after=5,
    )


def _uncertain() -> errors.Uncertain:
    return errors.Uncertain(
        "It is not certain that this was saved; send it again with the same Idempotency-Key."
    )


class _SqliteConnector:
    """Opens SQLite connections with the pragmas that durability rests on."""

    lost = sqlite.OperationalError

    def __init__(self, url: str) -> None:
        self.path = make_url(url).database or ":memory:"

    def connect(self, *, writer: bool = False) -> Any:
        connection = sqlite.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=START_SECONDS
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            f"query_only={'OFF' if writer else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    @contextlib.contextmanager
    def snapshot(self, connection: Any) -> Iterator[Any]:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        try:
            yield cursor
        finally:
            if connection.in_transaction:  # a failing disk may have ended it
                cursor.execute("COMMIT")

    def is_lost(self, connection: Any, failure: Exception) -> bool:
        del connection, failure
        return False

    def is_busy(self, failure: Exception) -> bool:
        return _may_pass(failure) and "readonly" not in str(failure)  # that is a reader writing


class _PostgresConnector:
    """Opens PostgreSQL connections in autocommit, and knows a dead one when it sees it."""

    TRANSIENT: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
    # lock not available, statement timeout, disk full, out of memory
    BUSY: Final = frozenset({"55P03", "57014", "53100", "53200"})

    def __init__(self, created: Engine) -> None:
        self.dialect = created.dialect
        self.lost = created.dialect.loaded_dbapi.OperationalError
        self._arguments = created.dialect.create_connect_args(created.url)

    def connect(self) -> Any:
        args, kwargs = self._arguments
        connection = self.dialect.loaded_dbapi.connect(*args, autocommit=True, **kwargs)
        connection.execute(  # only `write` says READ WRITE, and nobody waits for a lock for ever
            f"SET default_transaction_read_only = on; SET lock_timeout = {START_SECONDS * 1000:.0f}"
        )
        return connection

    @contextlib.contextmanager
    def snapshot(self, connection: Any) -> Iterator[Any]:
        yield connection.cursor()

    def is_lost(self, connection: Any, failure: Exception) -> bool:
        del failure
        return bool(connection.closed or connection.broken)

    def is_transient(self, failure: Exception) -> bool:
        return getattr(failure, "sqlstate", None) in self.TRANSIENT

    def is_busy(self, failure: Exception) -> bool:
        return getattr(failure, "sqlstate", None) in self.BUSY


class _Job:
    """One verb on its way to the writer, and the latch its caller waits at."""

    __slots__ = ("claimed", "done", "failure", "result", "run")

    def __init__(self, run: Callable[[Session], Any]) -> None:
        self.run = run
        self.claimed = threading.Lock()  # taken once: by the writer, or by a caller giving up
        self.done = threading.Lock()
        self.done.acquire()
        self.result: Any = None
        self.failure: BaseException | None = None


class _Writer:
    """The one thread that writes to SQLite, committing waiting verbs together.

    Shape (performance.md): bounded queue; a verb not started in 5 s never starts; one that runs
    too long is uncertain; at most 64 verbs or 20 ms a group; a commit that fails is repeated verb
    by verb; drains at shutdown and is restarted if it dies.
    """

    def __init__(self, database: Database, group_size: int, patience: float | None) -> None:
        self._database = database
        self._group_size = group_size
        self._patience = patience
        self._jobs: queue.Queue[_Job | None] = queue.Queue(QUEUE_SIZE)
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._stopped = False

    def submit(self, run: Callable[[Session], T]) -> T:
        """Wait until the verb is durable, and return its result or raise its failure."""
        self._ensure_running()
        job = _Job(run)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise errors.Unavailable(
                "Too much is being saved at once; try again in a few seconds.", retry_after=3
            ) from None
        if not job.done.acquire(timeout=START_SECONDS):
            if job.claimed.acquire(blocking=False):
                raise errors.Unavailable(
                    "Saving takes too long right now; nothing was changed, try again.",
                    retry_after=5,
                )
            if not job.done.acquire(timeout=self._patience or RUN_SECONDS):
                raise _uncertain()
        if job.failure is not None:
            raise job.failure
        result: T = job.result
        return result

    def stop(self) -> None:
        """Refuse new verbs, run the accepted ones, end the thread."""
        with self._start:
            self._stopped = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            self._jobs.put(None)
            thread.join()

    def _ensure_running(self) -> None:
        thread = self._thread
        if thread is threading.current_thread():
            raise RuntimeError("a verb must not call write(); call the other verb directly")
        if thread is not None and thread.is_alive() and not self._stopped:
            return
        with self._start:
            if self._stopped:
                raise errors.Unavailable("The server is shutting down; try again.", retry_after=2)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        connection = self._database._connector.connect(writer=True)
        try:
            while (job := self._jobs.get()) is not None:
                self._run_group(connection, job)
        finally:
            connection.close()

    def _run_group(self, connection: Any, first: _Job) -> None:
        """Begin, run what is waiting, commit, and only then tell the callers."""
        cursor = connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite.Error as failure:
            self._finish([first], _busy(failure) if _may_pass(failure) else failure)
            return
        claimed: list[_Job] = []
        try:
            self._run_waiting(cursor, first, claimed)
            cursor.execute("COMMIT")
        except sqlite.Error:  # a full disk ends the whole transaction, not one savepoint
            _rollback(connection)
            for job in claimed:
                self._run_again(connection, job)
        else:
            for job in claimed:
                job.done.release()

    def _run_waiting(self, cursor: Any, first: _Job, claimed: list[_Job]) -> None:
        session = Session(cursor, self._database.dialect)
        deadline = time.monotonic() + GROUP_SECONDS
        job: _Job | None = first
        while job is not None:
            if job.claimed.acquire(blocking=False):
                claimed.append(job)
                self._run_one(cursor, session, job)
            if len(claimed) >= self._group_size or time.monotonic() > deadline:
                return
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
        self._jobs.put(None)  # the stop sign: hand it back for the loop to see

    def _run_one(self, cursor: Any, session: Session, job: _Job) -> None:
        """Run one verb inside its savepoint; its failure costs nobody else a row."""
        job.result = job.failure = None
        cursor.execute("SAVEPOINT verb")
        try:
            job.result = job.run(session)
        except BaseException as failure:  # noqa: BLE001 - handed to the caller, never swallowed
            job.failure = _busy(failure) if _may_pass(failure) else failure
            cursor.execute("ROLLBACK TO verb")
        cursor.execute("RELEASE verb")

    def _run_again(self, connection: Any, job: _Job) -> None:
        """After a failed group commit: this verb alone, already claimed."""
        cursor = connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            self._run_one(cursor, Session(cursor, self._database.dialect), job)
            cursor.execute("COMMIT")
        except sqlite.Error as failure:
            _rollback(connection)
            if job.failure is None:  # else the verb itself failed, and took its savepoint with it
                job.failure = _busy(failure) if _may_pass(failure) else failure
        job.done.release()

    def _finish(self, jobs: list[_Job], failure: BaseException) -> None:
        for job in jobs:
            job.failure = failure
            job.done.release()


def _rollback(connection: Any) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _may_pass(failure: BaseException) -> bool:
    """Whether SQLite lacked a lock, space or a healthy disk, and not a right statement."""
    signs = ("locked", "full", "disk I/O", "readonly", "unable to open")
    return isinstance(failure, sqlite.OperationalError) and any(s in str(failure) for s in signs)


def _busy(failure: BaseException) -> errors.Unavailable:
    """Locked, full or unwritable: nothing was changed, and it may pass."""
    full = "full" in str(failure) or getattr(failure, "sqlstate", None) == "53100"
    message = (
        "The disk is full; nothing was changed. Free some space and try again."
        if full
        else "The database is busy; nothing was changed, try again in a few seconds."
    )
    raised = errors.Unavailable(message, retry_after=5)
    raised.__cause__ = failure
    return raised
