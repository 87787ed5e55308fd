"""Keeping evidence fresh in the background: fit when enough is new, publish what is due.

A thread of its own in every server process, so that neither requests nor housekeeping wait for a
fit. Two processes may do the same at once; the later one changes nothing.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from whatworks import db
from whatworks.evidence import fits, publications
from whatworks.evidence.beliefs import Beliefs

logger = logging.getLogger(__name__)
FIRST: Final = 10.0
EVERY: Final = 60.0
RESTS: Final = 9.0  # after each part, times as long as it took: requests come first


def start(database: db.Database, beliefs: Beliefs) -> threading.Event:
    """Run the upkeep in the background until the process ends or the event is set."""
    stop = threading.Event()
    atexit.register(stop.set)
    threading.Thread(
        target=_loop, args=(database, beliefs, stop), name="upkeep", daemon=True
    ).start()
    return stop


def run(
    database: db.Database, beliefs: Beliefs, rest: Callable[[float], object] = lambda _: None
) -> bool:
    """All of it, once; returns whether there is a new fit.

    `rest` is called after each part with the seconds that it took.
    """
    begun = time.monotonic()
    fitted = database.read(fits.is_due)
    if fitted:
        fit(database)
    beliefs.sync(database)
    for name in beliefs.changed(10**9):
        rest(time.monotonic() - begun)
        begun = time.monotonic()
        publications.keep_up(database, beliefs, [name], largest=10**12)
    return fitted


def fit(database: db.Database) -> fits.Fit:
    """Fit to everything there is and keep it."""
    found = database.read(fits.compute)
    database.write(fits.store, found)
    return found


def _loop(database: db.Database, beliefs: Beliefs, stop: threading.Event) -> None:
    chance = secrets.SystemRandom()  # so that processes started together do not meet
    pause = FIRST
    while not stop.wait(pause * chance.uniform(0.9, 1.1)):
        pause = EVERY
        try:
            run(database, beliefs, lambda seconds: stop.wait(RESTS * seconds))
        except Exception as failure:  # noqa: BLE001 - the next time it may work again
            if not stop.is_set():
                logger.error("upkeep of evidence failed: %s", type(failure).__name__)
