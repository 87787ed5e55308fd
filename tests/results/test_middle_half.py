"""The middle half of people like me: of enough of them, of one number each."""

from __future__ import annotations

from typing import Final

from tests.followers import GUIDE
from whatworks import clock, db
from whatworks.evidence import performance
from whatworks.execution import executions
from whatworks.people import profiles
from whatworks.results import middle_half, outcomes
from whatworks.results.middle_half import MiddleHalf
from whatworks.results.outcomes import Report

CELL: Final = ("freelancer", "beginner")


def somebody(
    database: db.Database, number: int, *runs: list[float], currency: str = "INR", **more: str
) -> None:
    """A person with runs, each with what was reported of it."""
    who = {"goal": "earn_money", "market": "freelancer", "skill_level": "beginner", **more}
    email = f"{number}-{currency}-{sorted(more)}@example.com"
    user_id = database.write(profiles.create, email=email, country="IN", **who).id
    for values in runs:
        run = database.write(performance.folded, executions.start, user_id, GUIDE.name)
        for value in values:
            said = Report("revenue", value, currency)
            database.write(performance.folded, outcomes.record, user_id, run.after.id, said)


def half(database: db.Database, metric: str = "revenue", unit: str = "INR") -> MiddleHalf | None:
    return database.read(middle_half.middle_half, *CELL, metric, unit, clock.timestamp() + 1)


def test_nine_are_too_few_and_ten_are_enough(stocked: db.Database) -> None:
    for number in range(9):
        somebody(stocked, number, [100.0 * number])
    somebody(stocked, 100, [5000.0], currency="USD")  # who reports in other money is no neighbour
    somebody(stocked, 101, [5000.0], market="agency")
    somebody(stocked, 102, [5000.0], skill_level="advanced")
    somebody(stocked, 103)
    assert half(stocked) is None
    somebody(stocked, 9, [900.0])
    assert half(stocked) == MiddleHalf(10, 220.0, 680.0)
    assert half(stocked, "time_saved", "hours") is None


def test_what_was_logged_since_is_not_in_it_yet(stocked: db.Database) -> None:
    for number in range(10):
        somebody(stocked, number, [100.0 * number])
    before = clock.timestamp() - 1
    assert stocked.read(middle_half.middle_half, *CELL, "revenue", "INR", before) is None


def test_one_number_a_person_whatever_they_report(stocked: db.Database) -> None:
    """Somebody with a hundred reports weighs as much as somebody with one."""
    for number in range(11):
        somebody(stocked, number, [100.0 * number])
    before = half(stocked)
    somebody(stocked, 50, *([500.0] * 3 for _ in range(4)))  # 1,500 a run
    after = half(stocked)
    assert before == MiddleHalf(11, 250.0, 750.0)
    assert after == MiddleHalf(12, 280.0, 820.0)


def test_corrections_replace_and_nothing_counts(stocked: db.Database) -> None:
    for number in range(10):
        somebody(stocked, number, [0.0])
    assert half(stocked) == MiddleHalf(10, 0.0, 0.0)
    user_id = stocked.write(
        profiles.create,
        email="late@example.com",
        country="IN",
        goal="earn_money",
        market="freelancer",
        skill_level="beginner",
    ).id
    run = stocked.write(performance.folded, executions.start, user_id, GUIDE.name).after.id
    wrong = stocked.write(outcomes.record, user_id, run, Report("revenue", 1e9)).after
    stocked.write(outcomes.record, user_id, run, Report("revenue", 0.0, supersedes_id=wrong.id))
    assert half(stocked) == MiddleHalf(11, 0.0, 0.0)
