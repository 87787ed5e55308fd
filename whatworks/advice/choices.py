"""What could be shown to somebody: which workflows, how promising, and which of them is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks import clock, db
from whatworks.advice.dismissals import Dismissal
from whatworks.catalogue import Workflow
from whatworks.evidence import census
from whatworks.evidence.beliefs import Beliefs, Person
from whatworks.evidence.fits import SEGMENTS
from whatworks.execution.lifecycle import Execution
from whatworks.people.profiles import Profile
from whatworks.stats import ranking
from whatworks.stats.arrays import Floats32, Ints
from whatworks.store import entitlements
from whatworks.store.entitlements import Reach

DAY: Final = 86_400.0
JUST_DONE: Final = 30 * DAY
ROOM: Final = 5  # slates of so many keep a place for the best one that needs another plan


@dataclass(frozen=True, slots=True)
class Choice:
    """What could be shown: places one may run, places that need another plan, and their scores."""

    open: Ints
    locked: Ints
    scores: Floats32
    passed_over: frozenset[str]
    limit: int

    def draw(self, chance: np.random.Generator) -> list[tuple[int, float | None]]:
        """Places to show and their propensities: drawn ones first, then those out of reach."""
        room = self.limit
        best = [int(p) for p in self.locked[np.argsort(-self.scores[self.locked], kind="stable")]]
        if best and room >= ROOM and len(self.open) >= room and self._stands_out(best[0]):
            room -= 1
        slate = ranking.draw(self.scores[self.open], room, chance)
        drawn: list[tuple[int, float | None]] = [
            (int(self.open[at]), float(p))
            for at, p in zip(slate.items, slate.propensities, strict=True)
        ]
        return drawn + [(place, None) for place in best[: self.limit - len(drawn)]]

    def _stands_out(self, place: int) -> bool:
        """Whether it promises more than half of what may be run."""
        return bool(self.scores[place] > np.median(self.scores[self.open]))


def person_of(
    session: db.Session, profile: Profile, known: Beliefs, said: Sequence[Dismissal]
) -> Person:
    """Somebody as the model sees them: their segment, their own history, what they said."""
    lengths = [
        workflow.guide.minutes
        for one in said
        if one.reason == "too_long" and (workflow := _offered(known, one.workflow_name))
    ]
    return Person(
        segment=SEGMENTS.get(profile.segment, -1),
        goal=profile.goal,
        market=profile.market,
        skill_level=profile.skill_level,
        offset=known.own_offset(census.own_ends(session, profile.id)),
        longest=min(lengths, default=np.inf),
        is_strict=any(one.reason in ("not_my_field", "too_hard", "too_easy") for one in said),
    )


def choose(
    known: Beliefs,
    person: Person,
    reach: Reach,
    done: Sequence[Execution],
    said: Sequence[Dismissal],
    limit: int,
    shown: frozenset[str] = frozenset(),
) -> Choice:
    """Workflows on offer that the person is not doing, has not just done and did not dismiss.

    Those done before come back only when nothing else is left. `shown` are in the slate already.
    """
    scores, _ = known.scores(person)
    recent = _recent(done)
    dismissed = {one.workflow_name for one in said}
    passed = frozenset(recent.keys() | dismissed)
    out = passed | shown
    locked = np.setdiff1d(
        eligible(known, entitlements.EVERYTHING, out),
        eligible(known, reach, out),
        assume_unique=True,
    )
    if not len(eligible(known, reach, passed)):
        again = {name for name, status in recent.items() if status in ("completed", "abandoned")}
        out -= again - dismissed - shown
    return Choice(eligible(known, reach, out), locked, scores, out, limit)


def eligible(known: Beliefs, reach: Reach, passed: frozenset[str]) -> Ints:
    """The places on offer that somebody may run, without those passed over."""
    free = np.isin(known.tiers, reach.tiers)
    free[[place for place in _places(known, reach.workflows) if known.offered[place]]] = True
    free[_places(known, passed)] = False
    return np.flatnonzero(free)


def _places(known: Beliefs, names: Iterable[str]) -> list[int]:
    places = (known.place(name) for name in names)
    return [place for place in places if place >= 0]


def _offered(known: Beliefs, name: str) -> Workflow | None:
    place = known.place(name)
    return known.offered[place] if place >= 0 else None


def _recent(done: Sequence[Execution]) -> dict[str, str]:
    """Workflow → status, for those open now or closed within the last month."""
    since = clock.timestamp() - JUST_DONE
    found: dict[str, str] = {}
    for execution in done:
        if execution.is_open:
            found[execution.workflow_name] = execution.status
        elif (execution.touched_at or 0) > since:
            found.setdefault(execution.workflow_name, execution.status)
    return found
