"""How a column of old data is looked at: when it cannot be used, and how to say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """A column, when it cannot be used, and how to say so."""

    column: str
    broken: Callable[[Mapping[Any, Any]], bool]
    problem: str


def absent(column: str, problem: str) -> Rule:
    """The column has nothing in it."""
    return Rule(column, lambda row: row[column] is None or row[column] == "", problem)


def outside(column: str, known: Iterable[str], problem: str) -> Rule:
    """The column holds something else than these or nothing."""
    allowed = (None, *known)
    return Rule(column, lambda row: row[column] not in allowed, problem)


def not_a_number(column: str) -> Rule:
    """The column holds something that is no number."""
    return Rule(
        column, lambda row: row[column] is not None and not number(row[column]), "is not a number"
    )


def number(value: object) -> bool:
    """Whether a value is a number that a calendar or a counter could hold."""
    return isinstance(value, int | float) and math.isfinite(value)


def below_zero(column: str) -> Rule:
    """The column holds a number below zero."""
    return Rule(column, lambda row: number(row[column]) and row[column] < 0, "is below zero")


class Repeated:
    """Whether something that should be there once was there before."""

    def __init__(self, key: Callable[[Mapping[Any, Any]], object]) -> None:
        self.key = key
        self.seen: set[object] = set()

    def __call__(self, row: Mapping[Any, Any]) -> bool:
        key = self.key(row)
        if key is None:
            return False
        before = key in self.seen
        self.seen.add(key)
        return before
