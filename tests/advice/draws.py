"""Slates that are drawn, and what stands in them."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from tests.crowds import sign_up
from tests.shopping import TERMS
from whatworks import db
from whatworks.advice import recommendations, slates
from whatworks.advice.slates import Impression
from whatworks.evidence import publications
from whatworks.evidence.beliefs import Beliefs
from whatworks.models import Recommendation
from whatworks.people.profiles import Profile


def names(shown: list[Impression]) -> list[str]:
    """The workflows of a slate, by rank."""
    return [one.workflow_name for one in shown]


def draw(
    database: db.Database, known: Beliefs, person: Profile, limit: int = 5
) -> list[Impression]:
    """The slate that holds, else a new one, as the doors do it."""
    found = database.read(slates.find_current, person.id, limit)
    if found is not None:
        return found
    publications.keep_up_lately(database, known)
    drawn = database.read(recommendations.draw, person.id, limit, known, TERMS)
    return database.write(slates.keep, drawn)


def firsts(database: db.Database, known: Beliefs, count: int = 40) -> Counter[str]:
    """What comes first, for so many people who have just arrived."""
    found: Counter[str] = Counter()
    for _ in range(count):
        drawn = database.read(recommendations.draw, sign_up(database).id, 3, known)
        found[drawn.shown[0].workflow_name] += 1
    return found


def rows(database: db.Database) -> dict[str, tuple[str, int, float | None]]:
    """Every impression as it is stored: its slate, place and probability."""
    columns = (Recommendation.slate_id, Recommendation.rank, Recommendation.propensity)
    query = select(Recommendation.id, *columns)
    return {row.id: tuple(row[1:]) for row in database.read(lambda session: session.all(query))}
