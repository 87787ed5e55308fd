"""SQLite: connections that are durable, and the one thread that writes.

The writer's shape: a bounded queue; a verb not begun in time never begins; one that runs too long
is uncertain; waiting verbs share a commit, with a savepoint each once one of them has to be undone;
a commit that fails is repeated verb by verb; it drains at shutdown and is restarted if it dies.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from sqlalchemy import Dialect, make_url

from whatworks import errors
from whatworks.db import limits, refusals
from whatworks.db.changes import Change
from whatworks.db.checkpoints import BACKSTOP, Checkpoints
from whatworks.db.query import Session

try:  # the SQLite inside older Pythons can corrupt a write-ahead log that several threads use
    from pysqlite3 import dbapi2 as _newest
except ImportError:  # pragma: no cover - platforms without the wheel
    _newest = sqlite3

driver: Any = _newest

logger = logging.getLogger(__name__)
T = TypeVar("T")
Aside = Callable[[], contextlib.AbstractContextManager[None]]
SAFE: Final = (3, 51, 3)
READERS_CACHE: Final = 8192  # KiB of pages
WRITERS_CACHE: Final = 4096  # more cost more: the library looks through all of them as it commits


@functools.cache
def version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return tuple(int(part) for part in driver.sqlite_version.split("."))


def is_safe() -> bool:
    """Whether several connections may write and checkpoint at the same moment."""
    return version() >= SAFE


def _ensure_exp(connection: Any) -> None:
    """SQLite may be built without mathematics."""
    try:
        connection.execute("SELECT exp(0)")
    except driver.OperationalError:  # pragma: no cover - depends on the library
        connection.create_function("exp", 1, math.exp, deterministic=True)


class Connector:
    """Opens SQLite connections with the pragmas that durability rests on."""

    lost = driver.OperationalError

    def __init__(self, url: str) -> None:
        self.path = make_url(url).database or ":memory:"

    def connect(self, *, writer: bool = False) -> Any:
        connection = driver.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=limits.START_SECONDS
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size={-(WRITERS_CACHE if writer else READERS_CACHE)}",
            f"wal_autocheckpoint={BACKSTOP if is_safe() else 4000}",
            f"query_only={'OFF' if writer else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _ensure_exp(connection)
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
            cursor.close()  # see `database._cursor`

    def is_lost(self, connection: Any, failure: Exception) -> bool:
        del connection, failure
        return False

    def interrupt(self, connection: Any) -> None:
        """Break off what another thread does on it."""
        connection.interrupt()

    def tolerates(self, connection: Any, failure: BaseException) -> bool:
        """Old rows may hold text that is not UTF-8: from now on the connection replaces it.

        True when that has just been arranged, so that trying again will help.
        """
        if "decode" not in str(failure) or connection.text_factory is not str:
            return False
        connection.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
        return True

    def file(self) -> tuple[int, int] | None:
        """Which file is at the path by now; None where there is none."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def is_busy(self, failure: Exception) -> bool:
        return _may_pass(failure) and "readonly" not in str(failure)  # that is a reader writing


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


class Writer:
    """The one thread that writes to SQLite, committing waiting verbs together."""

    def __init__(
        self,
        connector: Connector,
        dialect: Dialect,
        group_size: int,
        patience: float | None,
        aside: Aside,
        committed: Callable[[set[Change]], None],
        of_others: Callable[[], None],
    ) -> None:
        self._aside = aside
        self._committed = committed  # told what a commit changed, before its callers
        self._of_others = of_others  # told that another process has committed something
        self._version = 0
        self._connector = connector
        self._dialect = dialect
        self._group_size = group_size
        self._patience = patience
        self._checkpoints = Checkpoints(
            functools.partial(connector.connect, writer=True), driver.Error
        )
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._stopped = False

    def submit(self, run: Callable[[Session], T]) -> T:
        """Wait until the verb is durable, and return its result or raise its failure."""
        self._ensure_running()
        if self._is_full():
            raise errors.Unavailable(
                "Too much is being saved at once; try again in a few seconds.", retry_after=3
            )
        job = _Job(run)
        self._jobs.put(job)
        with self._aside():
            self._wait(job)
        if job.failure is not None:
            raise job.failure
        result: T = job.result
        return result

    def submit_soon(self, run: Callable[[Session], Any]) -> None:
        """Let the verb share the next commit; dropped when too much is waiting already."""
        self._ensure_running()
        if not self._is_full():
            self._jobs.put(_Job(run))

    def _is_full(self) -> bool:
        """Whether so much is waiting that more had better come later; a few over it do no harm."""
        return self._jobs.qsize() >= limits.QUEUE_SIZE

    def _wait(self, job: _Job) -> None:
        """Until the job is done; raises when it takes too long."""
        if not job.done.acquire(timeout=limits.START_SECONDS):
            if job.claimed.acquire(blocking=False):
                raise errors.Unavailable(
                    "Saving takes too long right now; nothing was changed, try again.",
                    retry_after=5,
                )
            if not job.done.acquire(timeout=self._patience or limits.RUN_SECONDS):
                raise refusals.uncertain()

    def stop(self) -> None:
        """Refuse new verbs, run the accepted ones, end the thread."""
        with self._start:
            self._stopped = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            self._jobs.put(None)
            thread.join()
        self._checkpoints.stop()

    def _ensure_running(self) -> None:
        thread = self._thread
        if thread is threading.current_thread():
            raise RuntimeError("a verb must not call write(); call the other verb directly")
        if thread is not None and thread.is_alive() and not self._stopped:
            return
        with self._start:
            if self._stopped:
                raise refusals.ending()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        connection = self._connector.connect(writer=True)
        file = self._connector.file()
        self._look_for_others(connection)  # what came before this connection it cannot see
        try:
            while (job := self._jobs.get()) is not None:
                if self._connector.file() == file:
                    self._run_group(connection, job)
                else:  # what is written to a file that was moved away or replaced would be lost
                    logger.error("%s is not the file that was opened", self._connector.path)
                    self._finish([job], refusals.unreachable())
        finally:
            connection.close()

    def _run_group(self, connection: Any, first: _Job) -> None:
        """Begin, run what is waiting, commit, and only then tell the callers."""
        cursor = connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except driver.Error as failure:
            self._finish([first], refusals.busy(failure) if _may_pass(failure) else failure)
            return
        self._look_for_others(cursor)
        claimed: list[_Job] = []
        changed = set[Change]()
        try:
            if not self._run_waiting(Session(cursor, self._dialect, changed), first, claimed):
                self._start_over(cursor, claimed, changed)
            cursor.execute("COMMIT")
        except driver.Error:  # a full disk ends the whole transaction, not one savepoint
            _rollback(connection)
            for job in claimed:
                self._run_again(connection, job)
        except BaseException:  # the thread dies; nobody may wait for it
            self._finish(claimed, refusals.uncertain())
            raise
        else:
            self._committed(changed)
            for job in claimed:
                job.done.release()
            if is_safe():
                self._checkpoints.committed(connection, len(claimed))

    def _look_for_others(self, connection: Any) -> None:
        """This connection's view of the file changes with the commits of others only."""
        version: int = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._of_others()

    def _run_waiting(self, session: Session, first: _Job, claimed: list[_Job]) -> bool:
        """Run what waits; False when a verb failed that had already written something."""
        deadline = time.monotonic() + limits.GROUP_SECONDS
        job: _Job | None = first
        while job is not None:
            if job.claimed.acquire(blocking=False):
                claimed.append(job)
                if not self._run_plainly(session, job):
                    return False
            if len(claimed) >= self._group_size or time.monotonic() > deadline:
                return True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return True
        self._jobs.put(None)  # the stop sign: hand it back for the loop to see
        return True

    def _run_plainly(self, session: Session, job: _Job) -> bool:
        """Run one verb without a savepoint, which most do not need; False when it did need one."""
        connection = session.connection
        written = connection.total_changes
        try:
            job.result = job.run(session)
        except BaseException as failure:  # noqa: BLE001 - handed to the caller, never swallowed
            job.failure = refusals.busy(failure) if _may_pass(failure) else failure
            clean: bool = connection.total_changes == written
            return clean and not self._connector.tolerates(connection, failure)
        return True

    def _start_over(self, cursor: Any, claimed: list[_Job], changed: set[Change]) -> None:
        """Undo the group and run its verbs again, each inside a savepoint of its own."""
        _rollback(cursor.connection)
        cursor.execute("BEGIN IMMEDIATE")
        session = Session(cursor, self._dialect, changed)
        for job in claimed:
            self._run_one(cursor, session, job)

    def _run_one(self, cursor: Any, session: Session, job: _Job) -> None:
        """Run one verb inside its savepoint; its failure costs nobody else a row."""
        job.result = job.failure = None
        cursor.execute("SAVEPOINT verb")
        try:
            job.result = job.run(session)
        except BaseException as failure:  # noqa: BLE001 - handed to the caller, never swallowed
            job.failure = refusals.busy(failure) if _may_pass(failure) else failure
            cursor.execute("ROLLBACK TO verb")
        cursor.execute("RELEASE verb")
        if job.failure and self._connector.tolerates(cursor.connection, job.failure):
            self._run_one(cursor, session, job)

    def _run_again(self, connection: Any, job: _Job) -> None:
        """After a failed group commit: this verb alone, already claimed."""
        cursor = connection.cursor()
        try:
            session = Session(cursor, self._dialect)
            cursor.execute("BEGIN IMMEDIATE")
            self._run_one(cursor, session, job)
            cursor.execute("COMMIT")
            self._committed(session.changed)
        except driver.Error as failure:
            _rollback(connection)
            if job.failure is None:  # else the verb itself failed, and took its savepoint with it
                job.failure = refusals.busy(failure) if _may_pass(failure) else failure
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
    return isinstance(failure, driver.OperationalError) and any(s in str(failure) for s in signs)
