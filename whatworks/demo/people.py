"""Synthetic people and what they did, the same for the same seed. No database here.

Rates differ by workflow, market and level, as they would in life; nobody in here exists.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from whatworks import clock
from whatworks.catalogue import Workflow
from whatworks.execution import lifecycle, steps
from whatworks.execution.lifecycle import Event, Execution
from whatworks.execution.step_notes import Note
from whatworks.guides.guide import Step
from whatworks.people import profiles
from whatworks.people.profiles import Profile
from whatworks.results import outcomes
from whatworks.results.outcomes import Outcome
from whatworks.store import entitlements

HOUR: Final = 3_600.0
DAY: Final = 24 * HOUR
SPAN: Final = 150 * DAY  # how long ago the first of them began
WINDOW: Final = 30 * DAY
RESULTS: Final = 3  # of the first of them

NAMES: Final = (
    *("asha", "ravi", "meera", "arjun", "divya", "kabir", "nisha", "rohan", "priya", "vikram"),
    *("amina", "chidi", "ngozi", "tunde", "maria", "jose", "liza", "emma", "noah", "olivia"),
)
COUNTRIES: Final = {"IN": 62, "US": 12, "NG": 8, "PH": 8, "GB": 5, "DE": 5}
RUPEES: Final = {"INR": 1.0, "USD": 85.0, "NGN": 0.055, "PHP": 1.5, "GBP": 110.0, "EUR": 95.0}
PLANS: Final = {"free": 70, "pro": 24, "scale": 6}
LEVELS: Final = {"beginner": 50, "intermediate": 35, "advanced": 15}
TYPICAL: Final = {"revenue": 4_000.0, "time_saved": 4.0, "customers": 4.0, "custom": 5.0}
WHY_FAILED: Final = dict(zip(steps.FAILED, (28, 22, 12, 34, 4), strict=True))
WHY_SKIPPED: Final = dict(zip(steps.SKIPPED, (45, 30, 20, 5), strict=True))
WORKED_NOTES: Final = (
    "Done in one go.",
    "Took longer than planned, but it holds.",
    "Skipped the last tip, the rest was enough.",
    "Second version; the first was too long.",
)
FAILED_NOTES: Final = (
    "Nobody answered; trying another text.",
    "Got stuck at the settings.",
    "Too little time this week.",
    "The example does not fit my trade.",
)
OUTCOME_NOTES: Final = ("First month.", "Two regulars.", "Estimated from my calendar.", None, None)


@dataclass(frozen=True, slots=True)
class Run:
    """An execution as it stands now, and everything that led there. Events carry their ids."""

    execution: Execution
    events: list[tuple[str, Event]]
    notes: list[Note] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def brought(self) -> Outcome | None:
        """What it brought as last reported, if that is anything."""
        return self.outcomes[-1] if self.outcomes and self.outcomes[-1].value else None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, the plan they hold, and their runs."""

    profile: Profile
    plan: str
    runs: list[Run]

    @property
    def seen_at(self) -> float:
        """When something happened in one of their runs for the last time, or they joined."""
        told: list[float] = [event.at for run in self.runs for _, event in run.events]
        return max(told, default=self.profile.created_at or 0.0)


def people(offered: Sequence[Workflow], count: int, seed: int, now: float) -> Iterator[Person]:
    """So many people. The first is asha@demo.example, who holds every plan and did a lot."""
    chance = random.Random(seed)  # noqa: S311 - invented data, not secrets
    for number in range(count):
        yield _person(chance, offered, number, now)


def chance_of_success(profile: Profile, workflow: Workflow) -> float:
    """How likely such a person finishes this workflow, from 0.08 to 0.95."""
    guide = workflow.guide
    rate = 0.5 + 0.3 * _fixed(workflow.name)
    rate += 0.16 * (_fixed(workflow.name, profile.market) - 0.5)
    rate += {"beginner": -0.08, "advanced": 0.06}.get(profile.skill_level, 0.0)
    rate -= 0.0 if profile.market in guide.markets else 0.18
    rate -= 0.0 if profile.skill_level in guide.skill_levels else 0.08
    return min(max(rate, 0.08), 0.95)


def keeps_on(profile: Profile, workflow: Workflow) -> float:
    """How likely such a person goes on after any one step."""
    rate: float = chance_of_success(profile, workflow) ** (1 / len(workflow.guide.steps))
    return rate


def _fixed(*words: str) -> float:
    """A number between 0 and 1 that belongs to these words."""
    return random.Random("/".join(words)).random()  # noqa: S311 - invented data, not secrets


def _pick(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _person(chance: random.Random, offered: Sequence[Workflow], number: int, now: float) -> Person:
    joined = now - chance.uniform(0.5 * DAY, SPAN)
    profile = Profile(
        id=clock.new_id(),
        email=f"{chance.choice(NAMES)}.{number}@demo.example",
        goal=chance.choice(profiles.GOALS),
        market=chance.choice(profiles.MARKETS),
        skill_level=_pick(chance, LEVELS),
        country=_pick(chance, COUNTRIES),
        created_at=joined,
        updated_at=joined,
    )
    plan, runs = _pick(chance, PLANS), 1 + min(int(chance.expovariate(0.6)), 6)
    if number == 0:
        return _asha(chance, profile.id, offered, now)
    return Person(profile, plan, list(_runs(chance, profile, plan, runs, offered, now)))


def _asha(chance: random.Random, user_id: str, offered: Sequence[Workflow], now: float) -> Person:
    """She has something to show: of the lives she may have had it is the first with results."""
    joined = now - SPAN
    profile = Profile(
        user_id, "asha@demo.example", "earn_money", "freelancer", "beginner", "IN", joined, joined
    )
    while True:
        runs = list(_runs(chance, profile, "scale", 6, offered, now))
        if sum(run.brought is not None for run in runs) >= RESULTS:
            return Person(profile, "scale", runs)


def _runs(
    chance: random.Random,
    profile: Profile,
    plan: str,
    count: int,
    offered: Sequence[Workflow],
    now: float,
) -> Iterator[Run]:
    covered = [w for w in offered if entitlements.covers(plan, w.tier)]
    weights = [4 if profile.market in w.guide.markets else 1 for w in covered]
    starts = sorted(chance.uniform(profile.created_at or now, now) for _ in range(count))
    for started in starts:
        workflow = chance.choices(covered, weights)[0]
        yield _Attempt(chance, profile, workflow, started, now).run()


class _Attempt:
    """One try at a workflow, told step by step."""

    def __init__(
        self,
        chance: random.Random,
        profile: Profile,
        workflow: Workflow,
        started: float,
        now: float,
    ) -> None:
        self.chance, self.profile, self.workflow = chance, profile, workflow
        self.at, self.now = started, now
        self.skipped = 0
        self.notes: list[Note] = []
        self.events: list[tuple[str, Event]] = []
        self._add(Event("started", started))

    def run(self) -> Run:
        planned = self.workflow.guide.steps
        goes_on = keeps_on(self.profile, self.workflow)
        for step in planned:
            if self.chance.random() > goes_on:
                self._give_up(step)
                break
            if not self._take(step, last=step.number == len(planned)):
                break
        execution = functools.reduce(
            lifecycle.advance, (event for _, event in self.events), self._opening()
        )
        return Run(execution, self.events, self.notes, self._outcomes(execution))

    def _take(self, step: Step, *, last: bool) -> bool:
        """Do a step, perhaps after a failure, or skip it; False when it is not done by now.

        Whoever skipped a step fails more often at the next ones, as tips then tell others.
        """
        self._tick(step)
        if self.chance.random() < 0.12 + 0.2 * self.skipped and not self._fail(step):
            return False
        if self.chance.random() < 0.06:
            self.skipped += 1
            if not self._log(step, "skipped", (), _pick(self.chance, WHY_SKIPPED)):
                return False
        elif not self._log(step, "worked", WORKED_NOTES):
            return False
        kind = "completed" if last else "progressed"
        self._add(Event(kind, self.at, steps_completed=step.number))
        return True

    def _tick(self, step: Step) -> None:
        for item in range(len(step.checklist)):
            if self.chance.random() < 0.75:
                self._add(Event("checked", self.at, step=step.number, result="on", item=item))

    def _fail(self, step: Step) -> bool:
        return self._log(step, "failed", FAILED_NOTES, _pick(self.chance, WHY_FAILED))

    def _log(
        self, step: Step, result: str, notes: Sequence[str], reason: str | None = None
    ) -> bool:
        spent = step.minutes * 60 * self.chance.lognormvariate(0, 0.4)
        pause = self.chance.lognormvariate(0, 1.2) * 5 * HOUR
        if self.at + spent + pause > self.now:
            return False
        self.at += spent + pause
        note = self._note(step, notes) if notes and self.chance.random() < 0.2 else None
        logged = Event(
            "logged",
            self.at,
            step=step.number,
            result=result,
            seconds_spent=round(spent),
            reference_id=note,
            reason=reason,
        )
        self._add(logged)
        return True

    def _give_up(self, step: Step) -> None:
        """Stop here: with a failed step or silently; the rest is abandoned by them or by time."""
        if self.chance.random() < 0.5 and not self._fail(step):
            return
        by_owner = self.chance.random() < 0.25
        end = self.at + (self.chance.uniform(1, 72) * HOUR if by_owner else WINDOW + HOUR)
        if end < self.now:
            self._add(Event("abandoned", end, "owner" if by_owner else "system"))

    def _note(self, step: Step, texts: Sequence[str]) -> str:
        note = Note(clock.new_id(), step.number, self.chance.choice(texts), self.at)
        self.notes.append(note)
        return note.id

    def _add(self, event: Event) -> None:
        self.events.append((clock.new_id(), event))

    def _opening(self) -> Execution:
        _, started = self.events[0]
        return Execution(
            id=clock.new_id(),
            user_id=self.profile.id,
            workflow_name=self.workflow.name,
            workflow_version=self.workflow.version,
            status="started",
            steps_completed=0,
            total_steps=len(self.workflow.guide.steps),
            started_at=started.at,
            completed_at=None,
            touched_at=started.at,
            goal=self.profile.goal,
            market=self.profile.market,
            skill_level=self.profile.skill_level,
            country=self.profile.country,
            recommendation_id=None,
        )

    def _outcomes(self, execution: Execution) -> list[Outcome]:
        """What was reported: mostly after completion, sometimes nothing, sometimes corrected."""
        share = {"completed": 0.7, "abandoned": 0.05}.get(execution.status, 0.0)
        at = (execution.touched_at or 0.0) + self.chance.uniform(0, 5) * DAY
        if self.chance.random() > share or at > self.now:
            return []
        reported = [self._outcome(execution, at, None)]
        if self.chance.random() < 0.05 and at + DAY < self.now:
            reported.append(self._outcome(execution, at + DAY, reported[0].id))
        for outcome in reported:
            self._add(Event("outcome", outcome.created_at or at, reference_id=outcome.id))
        return reported

    def _outcome(self, execution: Execution, at: float, supersedes: str | None) -> Outcome:
        metric = self.workflow.guide.outcome.metric
        proof = self.chance.choice(("none", "none", "screenshot", "invoice", "text"))
        outcome_id = clock.new_id()
        return Outcome(
            id=outcome_id,
            execution_id=execution.id,
            metric_type=metric,
            value=self._value(metric),
            currency=self._unit(metric),
            proof_type=proof,
            proof_url=None if proof == "none" else f"https://proofs.example/{outcome_id}",
            proof_id=None,
            note=self.chance.choice(OUTCOME_NOTES),
            verified=False,
            created_at=at,
            supersedes_id=supersedes,
        )

    def _value(self, metric: str) -> float:
        if self.chance.random() < 0.08:
            return 0.0
        typical = TYPICAL[metric] * (0.5 + 1.5 * _fixed(self.workflow.name, "value"))
        value = typical * self.chance.lognormvariate(0, 0.7) / RUPEES.get(self._unit(metric), 1.0)
        return float(max(1, round(value))) if metric == "customers" else float(f"{value:.2g}")

    def _unit(self, metric: str) -> str:
        if metric == "revenue":
            return outcomes.default_currency(self.profile.country)
        return outcomes.UNITS.get(metric, "count")
