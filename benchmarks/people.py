"""Synthetic people and their executions, the same for the same seed. No database here."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from benchmarks.peers.schema import GOALS, MARKETS, SKILL_LEVELS

DAY: Final = 86_400.0
RUNS_EACH: Final = 4
CALLERS: Final = 2_000  # people who can sign in
OPEN_RUNS_EACH: Final = 4  # of callers: open executions long enough to move through
OPEN_STEPS: Final = 200
GROUP: Final = 5_000
COUNTRIES: Final = ("IN", "IN", "IN", "US", "NG", "PH")
STATUSES: Final = ("completed", "abandoned", "in_progress", "started")
STATUS_SHARES: Final = (0.55, 0.20, 0.15, 0.10)
REPORTED_SHARE: Final = 0.7  # of completed executions
UNITS: Final = {"revenue": "INR", "time_saved": "hours"}


class Person(NamedTuple):
    """One person; `token` is set when they are one of the callers."""

    id: str
    email: str
    goal: str
    market: str
    skill_level: str
    country: str
    created_at: float
    token: str | None

    @property
    def session_hash(self) -> str:
        """The hash of their token; people without one get a hash that no token has."""
        return hashlib.sha256((self.token or self.id).encode()).hexdigest()


class Run(NamedTuple):
    """One execution, and what it brought when that was reported."""

    id: str
    person: Person
    workflow: str
    total_steps: int
    steps_completed: int
    status: str
    started_at: float
    touched_at: float
    outcome_id: str | None = None
    metric: str = "revenue"
    value: float | None = None

    @property
    def completed_at(self) -> float | None:
        return self.touched_at if self.status == "completed" else None

    @property
    def events(self) -> Iterator[tuple[str, float, int | None]]:
        """What happened: kind, when, steps done by then."""
        yield "started", self.started_at, None
        if self.status == "in_progress":
            yield "progressed", self.touched_at, self.steps_completed
        elif self.status == "completed":
            yield "completed", self.touched_at, self.total_steps
        elif self.status == "abandoned":
            yield "abandoned", self.touched_at, None


@dataclass(frozen=True)
class Group:
    """A batch of people with all their executions."""

    people: list[Person]
    runs: list[Run]  # ordinary ones
    open_runs: list[Run]  # long open ones of the callers


class Ids:
    """Reproducible identifiers: UUIDv7 of a given moment, or UUIDv4."""

    def __init__(self, seed: int, version: int) -> None:
        self._random = np.random.default_rng(seed)
        self._version = version
        self._drawn: Iterator[tuple[int, int, int]] = iter(())

    def __call__(self, at: float) -> str:
        drawn = next(self._drawn, None)
        if drawn is None:
            self._drawn = self._draw()
            drawn = next(self._drawn)
        high, middle, low = drawn
        if self._version == 7:
            high = int(at * 1000)
        return (
            f"{high >> 16:08x}-{high & 0xFFFF:04x}-{self._version}{middle & 0xFFF:03x}"
            f"-{0x8000 | middle >> 12:04x}-{low:012x}"
        )

    def _draw(self) -> Iterator[tuple[int, int, int]]:
        high, low = self._random.integers(0, 1 << 48, (2, 10_000)).tolist()
        middle = self._random.integers(0, 1 << 26, 10_000).tolist()
        return zip(high, middle, low, strict=True)


def groups(
    executions: int, workflows: dict[str, int], new_id: Ids, seed: int, now: float
) -> Iterator[Group]:
    """Everybody, in the order they came. `workflows` maps names to their number of steps."""
    random = np.random.default_rng(seed)
    total = max(executions // RUNS_EACH, 1)
    for first in range(0, total, GROUP):
        numbers = range(first, min(first + GROUP, total))
        people = list(_people(random, new_id, numbers, total, now))
        runs = list(_runs(random, new_id, people, workflows, now))
        callers = [person for person in people if person.token]
        opened = [run for caller in callers for run in _open_runs(new_id, caller, workflows, now)]
        yield Group(people, runs, opened)


def _people(
    random: np.random.Generator, new_id: Ids, numbers: range, total: int, now: float
) -> Iterator[Person]:
    def drawn(values: tuple[str, ...]) -> list[str]:
        return [values[index] for index in random.integers(0, len(values), len(numbers))]

    stride = max(total // CALLERS, 1)
    traits = zip(
        numbers, drawn(GOALS), drawn(MARKETS), drawn(SKILL_LEVELS), drawn(COUNTRIES), strict=True
    )
    for number, goal, market, skill_level, country in traits:
        created = now - 60 * DAY - 480 * DAY * (1 - number / total)
        user_id = new_id(created)
        token = _token(user_id, number) if number % stride == 0 else None
        email = f"person{number}@example.org"
        yield Person(user_id, email, goal, market, skill_level, country, created, token)


def _runs(
    random: np.random.Generator,
    new_id: Ids,
    people: list[Person],
    workflows: dict[str, int],
    now: float,
) -> Iterator[Run]:
    count = RUNS_EACH * len(people)
    names = list(workflows)
    popularity = 1 / np.arange(1, len(names) + 1)
    columns = zip(
        (person for person in people for _ in range(RUNS_EACH)),
        random.choice(names, count, p=popularity / popularity.sum()).tolist(),
        random.choice(STATUSES, count, p=STATUS_SHARES).tolist(),
        random.random((count, 4)).tolist(),
        np.exp(random.normal(7.5, 1.2, count)).round(2).tolist(),
        strict=True,
    )
    for person, workflow, status, (when, length, far, report), value in columns:
        steps = workflows[workflow]
        if status in {"completed", "abandoned"}:
            touched = person.created_at + 600 + when * (now - person.created_at - 600)
        else:  # still open, so touched within the last month
            touched = now - 29 * DAY * when
        started = max(touched - 60 - 3 * DAY * length**3, person.created_at + 1)
        done = {"completed": steps, "started": 0}.get(status, 1 + int(far * (steps - 1)))
        reported = status == "completed" and report < REPORTED_SHARE
        yield Run(
            new_id(started),
            person,
            workflow,
            steps,
            done,
            status,
            started,
            started if status == "started" else touched,
            new_id(touched) if reported else None,
            "revenue" if report < 0.5 else "time_saved",
            value if reported else None,
        )


def _open_runs(new_id: Ids, caller: Person, workflows: dict[str, int], now: float) -> Iterator[Run]:
    at = now - DAY
    for workflow in list(workflows)[:OPEN_RUNS_EACH]:
        yield Run(new_id(at), caller, workflow, OPEN_STEPS, 0, "started", at, at)


def _token(user_id: str, number: int) -> str:
    """In the form of `whatworks.sessions`: the owner, a dot, 32 secret bytes."""
    secret = hashlib.sha256(f"benchmark {number}".encode()).digest()
    return f"{_base64(user_id.encode())}.{_base64(secret)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
