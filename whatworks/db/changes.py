"""What this process has changed since it started, so that what was read may be served again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

Change = tuple[str, str | None]  # a table, and whose rows; None where a statement names nobody
Mark = tuple[int, ...]
LOOK_SECONDS: Final = 1.0
MAX_PEOPLE: Final = 200_000  # what is remembered of them is forgotten then, and read again


class Changes:
    """Counts of commits by table and by person; `version` tells whether the file was changed.

    Another process (a command) may write as well: once a second `version` is asked. When it is
    another one and nothing was committed here, everything counts as changed. When something was,
    only the writer can tell whose change it was: its own connection sees those of others alone, so
    it is asked to look (`ask_writer`), and says so if there are any (`of_others`).
    """

    def __init__(self, version: Callable[[], int], ask_writer: Callable[[], None]) -> None:
        self._version = version
        self._ask_writer = ask_writer
        self._commits = 0
        self._last_commits = 0
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._last_version = -1
        self._epoch = 0
        self._tables = Counter[str]()
        self._of_everybody = Counter[str]()
        self._of_person = Counter[Change]()

    def add(self, changes: set[Change]) -> None:
        """Take note of a commit."""
        self._commits += 1
        for change in changes:
            table, person = change
            self._tables[table] += 1
            if person is None:
                self._of_everybody[table] += 1
            else:
                self._of_person[change] += 1
        if len(self._of_person) > MAX_PEOPLE:
            self._of_person = Counter[Change]()
            self.of_others()

    def of_others(self) -> None:
        """Another process has changed something: everything counts as changed."""
        with self._lock:
            self._epoch += 1

    def mark(self, tables: tuple[str, ...]) -> Mark:
        """Changes with every commit to one of the tables."""
        return self._current_epoch(), *(self._tables[table] for table in tables)

    def mark_of(self, user_id: str, tables: tuple[str, ...]) -> Mark:
        """Changes with every commit to this person's rows of one of the tables, or to anybody's."""
        epoch = self._current_epoch()
        own, everybody = self._of_person, self._of_everybody
        return epoch, *(own[table, user_id] + everybody[table] for table in tables)

    def _current_epoch(self) -> int:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            with self._lock:
                if now - self._looked_at >= LOOK_SECONDS:
                    self._look(now)
        return self._epoch

    def _look(self, now: float) -> None:
        commits, version = self._commits, self._version()
        if version != self._last_version:
            if commits != self._last_commits and now - self._looked_at < 2 * LOOK_SECONDS:
                self._ask_writer()  # ours, most likely; if not, it is seen in a moment
            else:
                self._epoch += 1
        self._last_version, self._last_commits = version, commits
        self._looked_at = now
