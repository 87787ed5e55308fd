"""`write(verb, …)` and `read(verb, …)`: the two ways to the rows, and the only commit."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Dialect, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from whatworks import errors
from whatworks.db import limits, postgres, refusals, sqlite
from whatworks.db.changes import Changes, Mark
from whatworks.db.query import Repeat, Session

P = ParamSpec("P")
T = TypeVar("T")
ENDS_SOON: Final = 0.25  # seconds that a reading may go on while the database is closed
Verb = Callable[Concatenate[Session, P], T]


def engine(url: str) -> Engine:
    """A plain SQLAlchemy engine for migrations and inspection; nobody else needs one."""
    parsed = make_url(_with_driver(url))
    if parsed.get_backend_name() == "sqlite":
        return create_engine(parsed, module=sqlite.driver, poolclass=NullPool)
    return create_engine(parsed, poolclass=NullPool)


def _with_driver(url: str) -> str:
    """Understand the short forms that hosting providers hand out (postgres://, postgresql://)."""
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)


class _Held:
    """A connection that ends with whoever holds it: servers let threads go that have been idle."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.in_use = threading.RLock()

    def close(self, interrupt: Callable[[Any], None]) -> None:
        """Break off what another thread does with it, then close it: neither library survives both
        at once. What cannot be broken off keeps it; the process is about to end.
        """
        deadline = time.monotonic() + limits.START_SECONDS
        while not self.in_use.acquire(timeout=ENDS_SOON):
            if time.monotonic() > deadline:
                return
            interrupt(self.connection)
        try:
            self.connection.close()
        finally:
            self.in_use.release()

    def __del__(self) -> None:
        # Nobody is left to be told, whatever it is; but `Database.close` still finds it.
        with contextlib.suppress(Exception), self.in_use:
            self.connection.close()


class Database:
    """One database behind two functions. Shape: `write(verb, *args)`, `read(verb, *args)`.

    Raises `errors.Unavailable` when nothing was done and a retry is safe, `errors.Uncertain` when
    only a retry with the same Idempotency-Key can tell. A caller's wait for the writer happens
    inside `aside()`. A command that nobody waits for may give a
    verb longer than limits.RUN_SECONDS: `patience`.
    """

    def __init__(
        self,
        url: str,
        *,
        group_size: int = limits.GROUP_SIZE,
        patience: float | None = None,
        aside: sqlite.Aside = contextlib.nullcontext,
    ) -> None:
        self.url = url
        created = engine(url)
        self.dialect: Dialect = created.dialect
        self.is_sqlite = self.dialect.name == "sqlite"
        self._connector: Any
        self._writer: sqlite.Writer | None = None
        self._changes: Changes | None = None
        if self.is_sqlite:
            self._connector = sqlite.Connector(url)
            self._changes = changes = Changes(self._version, self._let_writer_look)
            self._writer = sqlite.Writer(
                self._connector,
                self.dialect,
                group_size,
                patience,
                aside,
                changes.add,
                changes.of_others,
            )
        else:
            self._connector = postgres.Connector(created)
        self._watching: _Held | None = None
        self._local = threading.local()
        self._open = weakref.WeakSet[_Held]()
        self._lock = threading.Lock()
        self._closed = False

    def mark(self, *tables: str) -> Mark | None:
        """Changes with every commit of this process to one of the tables, and within a second of
        another process's commit.

        So what was read after taking a mark may be served while the mark stays the same. None
        where other processes write all the time (PostgreSQL): read again.
        """
        return self._changes.mark(tables) if self._changes else None

    def mark_of(self, user_id: str, *tables: str) -> Mark | None:
        """As `mark`, for what is read from one person's rows of these tables: other people's
        commits do not change it.
        """
        return self._changes.mark_of(user_id, tables) if self._changes else None

    def write(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb in a transaction and return what it returned once that is durable."""
        if self._writer is not None:
            return self._writer.submit(lambda session: verb(session, *args, **kwargs))
        return self._write_alone(lambda session: verb(session, *args, **kwargs))

    def write_soon(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        """Hand over a small write that nobody waits for and nobody would miss."""
        if self._writer is not None:
            self._writer.submit_soon(lambda session: verb(session, *args, **kwargs))
        else:
            self.write(verb, *args, **kwargs)

    def read(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb that only reads, on one consistent snapshot where the database has one."""
        return self._read(
            lambda cursor: verb(Session(cursor, self.dialect), *args, **kwargs),
            self._connector.snapshot,
        )

    def look(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, cheaper, for a verb with a single query: a snapshot of its own."""
        return self._read(
            lambda cursor: verb(Session(cursor, self.dialect), *args, **kwargs), _cursor
        )

    def _read(
        self,
        run: Callable[[Any], T],
        cursor_of: Callable[[Any], contextlib.AbstractContextManager[Any]],
    ) -> T:
        for attempt in range(limits.RETRIES):
            with self._own_connection() as connection:
                try:
                    with cursor_of(connection) as cursor:
                        return run(cursor)
                except self._connector.lost as failure:
                    if self._closed:
                        raise refusals.ending() from failure
                    if self._connector.tolerates(connection, failure):
                        continue
                    if not self._connector.is_lost(connection, failure):
                        if self._connector.is_busy(failure):
                            raise refusals.busy(failure) from failure
                        raise
                    self._forget(connection)
                    if attempt == limits.RETRIES - 1:
                        raise refusals.unreachable() from failure
        raise AssertionError("unreachable")  # pragma: no cover

    @contextlib.contextmanager
    def _own_connection(self) -> Iterator[Any]:
        """This thread's own driver connection, in autocommit, which nobody closes meanwhile."""
        held: _Held | None = getattr(self._local, "held", None)
        if held is None and not self._closed:
            try:
                held = self._local.held = self._connected()
            except self._connector.lost as failure:
                raise refusals.unreachable() from failure
        if held is None:
            raise refusals.ending()
        with held.in_use:
            if self._closed:
                raise refusals.ending()
            yield held.connection

    def _connected(self) -> _Held:
        held = _Held(self._connector.connect())
        with self._lock:
            self._open.add(held)
        return held

    def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        if self._writer is not None:
            self._writer.stop()
        self._closed = True
        with self._lock:
            still_held = list(self._open)
        for held in still_held:
            held.close(self._connector.interrupt)
        self._local = threading.local()

    def _version(self) -> int:
        """Of SQLite's file, as one connection sees it; another one after every commit of others."""
        if self._watching is None:
            self._watching = self._connected()
        with self._watching.in_use:
            if self._closed:
                raise refusals.ending()
            found: int = self._watching.connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    def _let_writer_look(self) -> None:
        with contextlib.suppress(errors.Unavailable):  # it is at its end, and so is what was read
            self.write_soon(_nothing)

    def _forget(self, connection: Any) -> None:
        self._local.held = None
        with contextlib.suppress(self.dialect.loaded_dbapi.Error):
            connection.close()

    def _write_alone(self, job: Callable[[Session], T]) -> T:
        """PostgreSQL: one transaction, repeated after a lost race or a connection found dead."""
        for _ in range(limits.RETRIES):
            with contextlib.suppress(Repeat):
                return self._write_once(job)
        raise refusals.unreachable()

    def _write_once(self, job: Callable[[Session], T]) -> T:
        """Raises Repeat when nothing was done and the verb should run again."""
        committing = False
        with self._own_connection() as connection:
            try:
                cursor = connection.cursor()
                cursor.execute("BEGIN READ WRITE")
                result = job(Session(cursor, self.dialect))
                committing = True
                cursor.execute("COMMIT")
            except self._connector.lost as failure:
                if self._connector.is_lost(connection, failure):
                    self._forget(connection)
                    raise (refusals.uncertain() if committing else Repeat) from failure
                connection.rollback()
                if self._connector.is_transient(failure):
                    raise Repeat from failure
                if self._connector.is_busy(failure):
                    raise refusals.busy(failure) from failure
                raise
            except BaseException:
                connection.rollback()
                raise
        return result


def _nothing(_session: Session) -> None:
    """What begins a group of the writer without changing anything."""


def _cursor(connection: Any) -> contextlib.closing[Any]:
    """Closed by whoever used it: one that is let go of later does so beside whoever closes the
    connection, which SQLite's library does not survive.
    """
    return contextlib.closing(connection.cursor())
