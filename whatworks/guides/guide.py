"""A workflow as people follow it: its steps, tips and texts, and their canonical JSON.

How a Markdown file becomes one is `guide_parser`'s matter. Nothing here knows files, the database
or the web.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

GOALS = ("earn_money", "save_time", "scale_business")
MARKETS = ("freelancer", "shop_owner", "content_creator", "agency", "student")
SKILL_LEVELS = ("beginner", "intermediate", "advanced")
TIERS = ("free", "pro", "scale")
METRICS = ("revenue", "time_saved", "customers", "custom")


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is and what to do about it."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}"


class GuideError(ValueError):
    """A text is not a guide; `problems` holds every reason, in the order of the lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Tip:
    """Advice for some people; an empty condition means everybody."""

    text: str
    goals: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    skill_levels: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    failed: bool | None = None


@dataclass(frozen=True)
class Step:
    """One step; `done_when` says what the person has at its end, `html` is safe to show."""

    number: int
    title: str
    minutes: int
    done_when: str
    checklist: tuple[str, ...] = ()
    proof: str | None = None
    tips: tuple[Tip, ...] = ()
    html: str = ""


@dataclass(frozen=True)
class Outcome:
    """What to ask at the end: the metric, the question, and the proof worth keeping."""

    metric: str
    ask: str
    proof: str


@dataclass(frozen=True)
class Guide:
    """A checked and rendered workflow."""

    name: str
    title: str
    summary: str
    language: str
    tier: str
    goals: tuple[str, ...]
    markets: tuple[str, ...]
    skill_levels: tuple[str, ...]
    outcome: Outcome
    steps: tuple[Step, ...]
    introduction_html: str = ""

    @property
    def minutes(self) -> int:
        """The planned length of all steps."""
        return sum(step.minutes for step in self.steps)


def to_json(guide: Guide) -> str:
    """The canonical text of a guide: compact, keys sorted, equal for equal guides."""
    return msgspec.json.encode(guide, order="sorted").decode()


def from_json(text: str) -> Guide:
    """The guide that `to_json` wrote; keys a later version added are passed over.
    Raises msgspec.DecodeError on anything else."""
    return msgspec.json.decode(text, type=Guide)


def digest(guide: Guide) -> str:
    """SHA-256 of the canonical text, in hex."""
    return hashlib.sha256(to_json(guide).encode()).hexdigest()


def tips_for(
    step: Step,
    *,
    goal: str | None,
    market: str | None,
    skill_level: str | None,
    country: str | None,
    failed: bool = False,
) -> tuple[Tip, ...]:
    """The tips of a step whose every named condition holds for this person, in their order."""

    def applies(tip: Tip) -> bool:
        conditions = (
            (tip.goals, goal),
            (tip.markets, market),
            (tip.skill_levels, skill_level),
            (tip.countries, country),
        )
        return all(not wanted or actual in wanted for wanted, actual in conditions) and (
            tip.failed is None or tip.failed == failed
        )

    return tuple(tip for tip in step.tips if applies(tip))
