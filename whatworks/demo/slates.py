"""What was recommended to the invented people, and what they made of it.

Told by the verbs of the product, each at its time: a slate is drawn from what the model believes,
kept, and followed, dismissed or passed over; what was begun is finished or not. The dice are the
product's own, so the slates are others each time; how people take to them follows the seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from whatworks import catalogue, clock, db
from whatworks.advice import dismissals, recommendations, slates
from whatworks.advice.slates import Impression
from whatworks.demo import people
from whatworks.demo.people import DAY, HOUR, Person
from whatworks.evidence import performance
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import executions, runs
from whatworks.store.entitlements import Terms

SIZE: Final = 5
VISITS: Final = 3
SINCE: Final = 30 * DAY  # how long ago the first of these slates was drawn
LATEST: Final = 6 * DAY  # what is begun later would not be finished by now
WHY_NOT: Final = (30, 14, 8, 22, 6, 18, 2)  # how likely each of dismissals.REASONS is given
TEMPTING: Final = (6, 2, 1, 1, 1)  # how much likelier the first place is followed than the last


def tell(
    session: db.Session,
    few: Sequence[Person],
    known: Beliefs,
    terms: Terms,
    seed: int,
    now: float,
) -> None:
    """These people came back a few times, after all that is told of them elsewhere."""
    for person in few:
        _visits(session, person, known, terms, seed, now)


def _visits(
    session: db.Session, person: Person, known: Beliefs, terms: Terms, seed: int, now: float
) -> None:
    chance = random.Random(f"{seed}/{person.profile.email}/slates")  # noqa: S311 - invented data
    at = max(person.seen_at, now - SINCE) + chance.uniform(0.1, 4) * DAY
    for _ in range(VISITS):
        if at > now - LATEST:
            return
        with clock.told_at(at):
            drawn = recommendations.draw(session, person.profile.id, SIZE, known, terms)
            shown = slates.keep(session, drawn)
        if not shown:
            return
        at = _answer(session, person, shown, chance, at) + chance.uniform(1.1, 4) * DAY


def _answer(
    session: db.Session,
    person: Person,
    shown: list[Impression],
    chance: random.Random,
    at: float,
) -> float:
    """Follow one of them, dismiss the first, or do neither; returns when that was over."""
    open_ = [one for one in shown if one.propensity is not None]  # the others need a larger plan
    mood, at = chance.random(), at + 60
    if mood < 0.1:
        (why,) = chance.choices(list(dismissals.REASONS), WHY_NOT)
        with clock.told_at(at):
            dismissals.record(session, person.profile.id, shown[0].id, why)
    elif mood < 0.7 and open_:
        (followed,) = chance.choices(open_, TEMPTING[: len(open_)])
        with clock.told_at(at):
            slates.click(session, person.profile.id, followed.id)
        return _work(session, person, followed.workflow_name, chance, at + 60)
    return at


def _work(
    session: db.Session, person: Person, name: str, chance: random.Random, at: float
) -> float:
    """Begin it and go on, step by step, to the end or until it is too much."""
    user_id, workflow = person.profile.id, catalogue.get(session, name)
    with clock.told_at(at):
        begun = performance.folded(session, executions.start, user_id, name)
    keeps_on = people.keeps_on(person.profile, workflow)
    for step in workflow.guide.steps:
        at += step.minutes * 60 * chance.lognormvariate(0, 0.4)
        at += min(chance.lognormvariate(0, 1.2) * 5, 14) * HOUR
        with clock.told_at(at):
            if chance.random() > keeps_on:
                performance.folded(session, executions.abandon, user_id, begun.after.id)
                break
            happened = runs.record_verdict(
                session, user_id, begun.after.id, step=step.number, result="worked"
            )
            performance.fold_all(session, [happened.change])
    return at
