"""What executions and outcomes add up to, per cell (workflow × market × skill level). Pure.

All sums are integers, so that folding changes one by one and counting history afresh agree to the
last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from whatworks import lifecycle, outcomes, profiles
from whatworks.lifecycle import Execution
from whatworks.outcomes import Outcome
from whatworks.stats.estimates import Count, LogSample

Cell = tuple[str, str, str]  # workflow_name, market, skill_level
Unit = tuple[str, str]  # metric_type, currency or unit


@dataclass(frozen=True, slots=True)
class Sums:
    """What a cell's executions add up to. Addable and subtractable, all integers."""

    people: int = 0
    started: int = 0
    completed: int = 0
    abandoned: int = 0
    reported: int = 0
    durations: int = 0
    duration_log: int = 0
    duration_log_squared: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.people + other.people,
            self.started + other.started,
            self.completed + other.completed,
            self.abandoned + other.abandoned,
            self.reported + other.reported,
            self.durations + other.durations,
            self.duration_log + other.duration_log,
            self.duration_log_squared + other.duration_log_squared,
        )

    def __sub__(self, other: Sums) -> Sums:
        return Sums(
            self.people - other.people,
            self.started - other.started,
            self.completed - other.completed,
            self.abandoned - other.abandoned,
            self.reported - other.reported,
            self.durations - other.durations,
            self.duration_log - other.duration_log,
            self.duration_log_squared - other.duration_log_squared,
        )

    @property
    def pending(self) -> int:
        """Still inside their window: neither completed nor abandoned."""
        return self.started - self.completed - self.abandoned

    @property
    def count(self) -> Count:
        """Completed out of those whose end is known."""
        return Count(self.completed, self.completed + self.abandoned)

    @property
    def duration(self) -> LogSample:
        """Seconds from start to completion."""
        return LogSample(self.durations, self.duration_log, self.duration_log_squared)


@dataclass(frozen=True, slots=True)
class ValueSums:
    """What a cell's outcomes of one metric and currency add up to."""

    reports: int = 0
    zeros: int = 0
    proofs: int = 0
    verified: int = 0
    value_log: int = 0
    value_log_squared: int = 0

    def __add__(self, other: ValueSums) -> ValueSums:
        return ValueSums(
            self.reports + other.reports,
            self.zeros + other.zeros,
            self.proofs + other.proofs,
            self.verified + other.verified,
            self.value_log + other.value_log,
            self.value_log_squared + other.value_log_squared,
        )

    def __sub__(self, other: ValueSums) -> ValueSums:
        return ValueSums(
            self.reports - other.reports,
            self.zeros - other.zeros,
            self.proofs - other.proofs,
            self.verified - other.verified,
            self.value_log - other.value_log,
            self.value_log_squared - other.value_log_squared,
        )

    @property
    def sample(self) -> LogSample:
        """The values above zero."""
        return LogSample(self.reports - self.zeros, self.value_log, self.value_log_squared)


SUM_NAMES: Final = tuple(f.name for f in fields(Sums))
SMALLEST: Final = 0.01  # less than a hundredth of anything is nothing
METRIC_ORDER: Final = {metric: place for place, metric in enumerate(outcomes.METRICS)}
VALUE_NAMES: Final = tuple(f.name for f in fields(ValueSums))


def cell_of(execution: Execution) -> Cell | None:
    """The cell an execution counts in; None when old data do not say."""
    if execution.market in profiles.MARKETS and execution.skill_level in profiles.SKILL_LEVELS:
        return execution.workflow_name, execution.market, execution.skill_level
    return None


def contribution(execution: Execution | None) -> Sums:
    """What one execution adds to its cell, people and reports apart."""
    if execution is None:
        return Sums()
    taken = lifecycle.seconds_taken(execution)
    duration = LogSample.of(taken) if taken else LogSample()
    return Sums(
        started=1,
        completed=execution.status == "completed",
        abandoned=execution.status == "abandoned",
        durations=duration.n,
        duration_log=duration.total,
        duration_log_squared=duration.squares,
    )


def unit_of(outcome: Outcome) -> Unit:
    """Where an outcome is summed; what people call their own units is not published."""
    custom = outcome.metric_type == "custom"
    return outcome.metric_type, "count" if custom else outcome.currency


def value_contribution(outcome: Outcome) -> ValueSums:
    """What one outcome adds to its cell, metric and currency."""
    sample = LogSample.of(outcome.value) if outcome.value >= SMALLEST else LogSample()
    return ValueSums(
        reports=1,
        zeros=1 - sample.n,
        proofs=int(outcome.has_proof),
        verified=int(outcome.verified),
        value_log=sample.total,
        value_log_squared=sample.squares,
    )


def most_reported(reports: Mapping[Unit, int]) -> Unit | None:
    """Ties go to the metric named first in METRICS, then to the currency first by name."""
    counted = {unit: n for unit, n in reports.items() if n > 0 and unit[0] != "custom"}
    if not counted:
        return None
    return min(counted, key=lambda u: (-counted[u], METRIC_ORDER[u[0]], u[1]))
