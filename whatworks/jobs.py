"""Housekeeping that nobody has to remember: in every server process, about once an hour, and every
minute for the shop.

Each part may run twice, or in several processes at once, and does no harm. Nothing here starts by
being imported.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Final

from whatworks import clock, db, idempotency, reconcile
from whatworks.evidence import performance
from whatworks.execution import executions
from whatworks.people import signins
from whatworks.shop import Shop
from whatworks.store import deliveries, duties

logger = logging.getLogger(__name__)
DAY: Final = 86_400.0
FIRST: Final = 60.0
EVERY: Final = 3_600.0
MINUTE: Final = 60.0
ROUND: Final = 900.0
BATCH: Final = 500
Chore = Callable[[], None]  # what needs more than the database: mail to be sent


def start(
    database: db.Database, abandon_after_days: int, chores: Sequence[Chore] = ()
) -> threading.Event:
    """Run the housekeeping in the background until the process ends or the event is set."""
    stop = threading.Event()
    atexit.register(stop.set)  # after the app's own, so it comes before the database closes
    threading.Thread(
        target=_loop,
        args=(database, abandon_after_days, chores, stop),
        name="housekeeping",
        daemon=True,
    ).start()
    return stop


def start_shop(shop: Shop) -> threading.Event:
    """Keep the shop in the background: a small round every minute, a large one in fifteen."""
    stop = threading.Event()
    atexit.register(stop.set)
    threading.Thread(target=_keep_shop, args=(shop, stop), name="shopkeeping", daemon=True).start()
    return stop


def run(database: db.Database, abandon_after_days: int) -> None:
    """All of it that needs nothing but the database, once."""
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


def _loop(
    database: db.Database, abandon_after_days: int, chores: Sequence[Chore], stop: threading.Event
) -> None:
    chance = secrets.SystemRandom()  # so that processes started together do not meet
    every: list[Chore] = [lambda: run(database, abandon_after_days), *chores]
    pause = FIRST
    while not stop.wait(pause * chance.uniform(0.9, 1.1)):
        pause = EVERY
        for chore in every:
            try:
                chore()
            except Exception as failure:  # noqa: BLE001 - the others must still be done
                if not stop.is_set():
                    logger.error("housekeeping failed: %s", type(failure).__name__)


def _keep_shop(shop: Shop, stop: threading.Event) -> None:
    chance = secrets.SystemRandom()
    while not stop.wait(MINUTE * chance.uniform(0.5, 1.0)):
        try:
            reconcile.tick(shop)
            deliveries.tidy(shop.settings.data_dir / deliveries.FOLDER)
            if shop.database.write(duties.claim_round, int(clock.timestamp() // ROUND)):
                reconcile.run(shop)
        except Exception as failure:  # noqa: BLE001 - the next round must still happen
            if not stop.is_set():
                logger.error("shopkeeping failed: %s", type(failure).__name__)
