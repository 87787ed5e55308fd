"""Housekeeping that nobody has to remember: in every server process, about once an hour.

Each part may run twice, or in several processes at once, and does no harm. Nothing here starts by
being imported.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
from collections.abc import Callable
from typing import Final

from whatworks import clock, db, executions, idempotency, performance, signins

logger = logging.getLogger(__name__)
DAY: Final = 86_400.0
FIRST: Final = 60.0
EVERY: Final = 3_600.0
BATCH: Final = 500


def start(database: db.Database, abandon_after_days: int) -> threading.Event:
    """Run the housekeeping in the background until the process ends or the event is set."""
    stop = threading.Event()
    atexit.register(stop.set)  # after the app's own, so it comes before the database closes
    threading.Thread(
        target=_loop, args=(database, abandon_after_days, stop), name="housekeeping", daemon=True
    ).start()
    return stop


def run(database: db.Database, abandon_after_days: int) -> None:
    """All of it, once."""
    now = clock.timestamp()
    expire(database, now - abandon_after_days * DAY)
    database.write(idempotency.forget, now - idempotency.KEPT)
    database.write(signins.forget, now - DAY)


def expire(
    database: db.Database, before: float, progress: Callable[[int], None] | None = None
) -> int:
    """Abandon what nobody touched since `before`, a batch at a time; returns how many."""
    total = 0
    while done := database.write(_expire_batch, before):
        total += done
        if progress is not None:
            progress(done)
    return total


def _expire_batch(session: db.Session, before: float) -> int:
    return performance.fold_all(session, executions.expire(session, before, BATCH))


def _loop(database: db.Database, abandon_after_days: int, stop: threading.Event) -> None:
    chance = secrets.SystemRandom()  # so that processes started together do not meet
    pause = FIRST
    while not stop.wait(pause * chance.uniform(0.9, 1.1)):
        pause = EVERY
        try:
            run(database, abandon_after_days)
        except Exception as failure:  # noqa: BLE001 - tomorrow's housekeeping must still happen
            if not stop.is_set():
                logger.error("housekeeping failed: %s", type(failure).__name__)
