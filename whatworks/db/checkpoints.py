"""Moving what is committed from SQLite's write-ahead log into its file, beside the writer.

SQLite would do that by itself, within a commit, every so many pages: that commit takes as long as
all of them take to reach the disk, 30 to 100 ms in which nobody's change is saved. Here a thread
of its own moves most of them while the writer goes on. It never catches up with a writer that has
much to do, and only a log that was moved entirely begins anew; so when the log has become long, the
writer moves the rest, which is little by then.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final

VERBS: Final = 250  # committed before their pages are moved
LONG: Final = 8_000  # pages, 32 MB; from here on the log should begin anew
BACKSTOP: Final = 16_000  # pages after which SQLite does it by itself after all
_MOVE: Final = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody; (busy, pages, moved pages)


class Checkpoints:
    """Told of every commit by the writer. `failures` are what a sick disk raises; the writer meets
    the same, and says so.
    """

    def __init__(self, connect: Callable[[], Any], failures: type[Exception]) -> None:
        self._connect = connect
        self._failures = failures
        self._waiting = 0
        self._is_almost_done = False
        self._is_stopped = False
        self._due = threading.Event()
        self._thread: threading.Thread | None = None

    def committed(self, connection: Any, verbs: int) -> None:
        """So many verbs more have been committed on the writer's connection."""
        self._waiting += verbs
        if self._is_almost_done:
            self._is_almost_done = False
            self._move(connection)
        elif self._waiting >= VERBS:
            self._waiting = 0
            self._ensure_running()
            self._due.set()

    def stop(self) -> None:
        """End the thread; whoever closes the file last moves the rest."""
        self._is_stopped = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _ensure_running(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="checkpoints", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            while self._due.wait() and not self._is_stopped:
                self._due.clear()
                self._is_almost_done = self._move(connection) >= LONG

    def _move(self, connection: Any) -> int:
        """Move what can be moved; returns how long the log is, in pages."""
        with contextlib.suppress(self._failures):
            _, pages, _ = connection.execute(_MOVE).fetchone()
            return int(pages)
        return 0
