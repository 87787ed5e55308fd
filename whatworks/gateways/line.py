"""A line to a provider: what is asked over it is answered in time, or it is not answered.

Time-outs of sockets bound each byte and not the whole, so a provider that drips is bounded here: a
question runs in a thread of its own, and whoever asked stops waiting after `seconds`. Few
questions are open at once; when a provider hangs, the next are told so at once instead of taking
the server's threads.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from whatworks import errors

T = TypeVar("T")
Aside = Callable[[], contextlib.AbstractContextManager[None]]
SECONDS: Final = 10.0
SOCKET: Final = (3.05, 8.0)  # to connect, to hear the next bytes
PLACES: Final = 16


class Line:
    """One provider's line. A caller's wait happens inside `aside()`, as for the database."""

    seconds: float = SECONDS

    def __init__(self, name: str, *, aside: Aside = contextlib.nullcontext) -> None:
        self.name = name
        self._places = threading.BoundedSemaphore(PLACES)
        self._aside = aside

    def ask(self, question: Callable[[], T]) -> T:
        """The answer, or what it raised. Raises Unavailable when it takes too long."""
        if not self._places.acquire(blocking=False):
            raise unavailable(self.name)
        answer: list[Any] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                answer.append(question())
            except BaseException as raised:  # noqa: BLE001 - handed to whoever asked
                failure.append(raised)
            finally:
                self._places.release()
                done.set()

        threading.Thread(target=run, name=f"line to {self.name}", daemon=True).start()
        with self._aside():
            if not done.wait(self.seconds):
                raise unavailable(self.name)
        if failure:
            raise failure[0]
        found: T = answer[0]
        return found


def unavailable(name: str) -> errors.Unavailable:
    """The provider cannot be asked now; nothing was charged."""
    return errors.Unavailable(
        f"{name} does not answer right now. You have not been charged; try again in a minute.",
        code="gateway_unavailable",
        retry_after=30,
    )


def not_sent_back(name: str) -> errors.Unavailable:
    """The provider answered, and will not send this money back; asked again, it may."""
    return errors.Unavailable(
        f"{name} refused to send this money back, and none went. Look at the payment there.",
        code="refund_refused",
    )


def refused(name: str) -> errors.Unavailable:
    """The provider answered, and will not do it."""
    return errors.Unavailable(
        f"{name} did not accept this. You have not been charged; the seller has to look into it.",
        code="gateway_refused",
        retry_after=300,
    )
