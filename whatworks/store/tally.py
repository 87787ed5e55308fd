"""Counting what happens too often to be written down each time. In memory, by process."""

from __future__ import annotations

import threading
from typing import Final

STEP: Final = 25  # what a process that ends forgets, at most, of each person


class Tally:
    """Counts per person, handed over in steps to be kept; one by one for whoever is at a limit."""

    def __init__(self, step: int = STEP) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._close: set[str] = set()

    def add(self, user_id: str) -> int:
        """One more; returns how many to keep now, mostly none.

        >>> tally = Tally(step=3)
        >>> [tally.add("asha") for _ in range(4)]
        [0, 0, 3, 0]
        """
        with self._lock:
            count = self._waiting.pop(user_id, 0) + 1
            if count >= self._step or user_id in self._close:
                return count
            self._waiting[user_id] = count
            return 0

    def note(self, user_id: str) -> bool:
        """One more, if that is all there is to do; False, and nothing, when `add` has more to say.

        >>> tally = Tally(step=3)
        >>> [tally.note("asha") for _ in range(4)], tally.add("asha")
        ([True, True, False, False], 3)
        """
        with self._lock:
            count = self._waiting.get(user_id, 0) + 1
            if count >= self._step or user_id in self._close:
                return False
            self._waiting[user_id] = count
            return True

    def watch(self, user_id: str, *, closely: bool) -> None:
        """Whether to hand over every single one of this person's from now on."""
        with self._lock:
            if closely:
                self._close.add(user_id)
            else:
                self._close.discard(user_id)
