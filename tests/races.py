"""Races: several who do the same thing at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


def at_once(n: int, job: Callable[[int], R]) -> list[R]:
    """What n threads get that start a job together."""
    barrier = threading.Barrier(n)

    def wait(number: int) -> R:
        barrier.wait(60)
        return job(number)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(wait, range(n)))
