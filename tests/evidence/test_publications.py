"""What becomes public, and when; and that every process believes the same."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest

from tests.crowds import NAMES, live, rows, runs, sign_up, version
from whatworks import clock, db
from whatworks.advice import policies, recommendations, slates
from whatworks.evidence import (
    analytics,
    census,
    checks,
    findings,
    fits,
    performance,
    publications,
    recount,
    tallies,
    upkeep,
)
from whatworks.evidence.beliefs import Beliefs
from whatworks.evidence.findings import Evidence
from whatworks.evidence.fits import SEGMENTS
from whatworks.evidence.tallies import Tally
from whatworks.execution import executions
from whatworks.stats import ranking

FREELANCERS = ("freelancer", "beginner")


def published(database: db.Database, known: Beliefs, market: str = "freelancer") -> Evidence:
    """What the public sees of beginners of a market."""
    publications.keep_up_all(database, known)
    levels = database.read(findings.levels_of, NAMES[0])
    return levels.nearest(market, "beginner")


def test_a_rate_needs_five_people_and_a_value_ten(stocked: db.Database, known: Beliefs) -> None:
    """Counted in people whose end is known, and in people who reported."""
    runs(stocked, NAMES[0], 4, 0)
    assert published(stocked, known).rate_level is None
    runs(stocked, NAMES[0], 1, 0)
    found = published(stocked, known)
    assert (found.rate_level, found.value) == (FREELANCERS, None)
    assert found.is_own
    runs(stocked, NAMES[0], 5, 0)
    value = published(stocked, known).value
    assert value is not None
    assert (value.people, value.zeros, value.metric, value.currency) == (10, 0, "revenue", "INR")
    assert value.tops("revenue", "INR", 50_000.0)
    assert not value.tops("revenue", "USD", 50_000.0)
    assert not value.tops("revenue", "INR", 10_000.0)


def test_published_numbers_wait_for_enough_new_people(stocked: db.Database, known: Beliefs) -> None:
    """At least three, and a tenth of those a number rests on."""
    runs(stocked, NAMES[0], 40, 0)
    first = published(stocked, known)
    runs(stocked, NAMES[0], 0, 3)
    meanwhile = published(stocked, known)
    assert (meanwhile.rate, meanwhile.states, meanwhile.value, meanwhile.hours) == (
        first.rate,
        first.states,
        first.value,
        first.hours,
    )
    runs(stocked, NAMES[0], 0, 1)
    later = published(stocked, known)
    assert (first.states.ends, later.states.ends) == (40, 44)
    assert later.rate.mean < first.rate.mean


def test_a_small_cell_shows_the_wider_level_and_says_so(
    stocked: db.Database, known: Beliefs
) -> None:
    """Of each kind the narrowest that has enough: here beginners of any market."""
    runs(stocked, NAMES[0], 8, 2)
    student = sign_up(stocked, 1, market="student")
    stocked.write(performance.folded, executions.start, student.id, NAMES[0])
    found = published(stocked, known, "student")
    assert (found.rate_level, found.is_own) == (("", "beginner"), False)
    assert found.live.people == 1


def test_numbers_have_two_digits(stocked: db.Database, known: Beliefs) -> None:
    runs(stocked, NAMES[0], 23, 14, value=4_811.37)
    found = published(stocked, known)
    assert found.value is not None
    for number in (found.rate.mean, found.rate.low90, found.value.median, found.value.low90):
        assert number == float(f"{number:.2g}")


def test_every_process_believes_the_same(stocked: db.Database) -> None:
    """One that was there all along and one that has just begun agree, whoever wrote."""
    early, late = Beliefs(), Beliefs()
    early.sync(stocked)
    runs(stocked, NAMES[0], 15, 6)
    upkeep.run(stocked, early)
    runs(stocked, NAMES[1], 3, 9)
    early.sync(stocked)
    late.sync(stocked)
    for name in NAMES:
        for segment in SEGMENTS.values():
            mine, theirs = early.posterior(name, segment), late.posterior(name, segment)
            assert mine.mean == pytest.approx(theirs.mean, abs=1e-9)
            assert mine.variance == pytest.approx(theirs.variance, abs=1e-9)
    assert early.fit_id == late.fit_id is not None


def test_what_is_believed_follows_each_execution(stocked: db.Database, known: Beliefs) -> None:
    """Also without a new fit, and also back."""
    known.sync(stocked)
    before = known.posterior(NAMES[0], SEGMENTS[FREELANCERS])
    runs(stocked, NAMES[0], 6, 0)
    known.sync(stocked)
    after = known.posterior(NAMES[0], SEGMENTS[FREELANCERS])
    elsewhere = known.posterior(NAMES[0], SEGMENTS["agency", "advanced"])
    assert after.mean > before.mean
    assert after.variance < elsewhere.variance < before.variance


def test_a_fit_is_due_when_enough_is_new(stocked: db.Database, known: Beliefs) -> None:
    runs(stocked, NAMES[0], 10, 9)
    assert not stocked.read(fits.is_due)
    runs(stocked, NAMES[0], 1, 0)
    assert upkeep.run(stocked, known)
    assert not upkeep.run(stocked, known)
    runs(stocked, NAMES[0], 2, 0)
    assert upkeep.run(stocked, known)


def test_early_finishers_do_not_make_everybody_look_better(
    stocked: db.Database, known: Beliefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives up without a word is known a month later than whoever finishes."""
    then = clock.timestamp() - fits.SETTLED - 1
    with monkeypatch.context() as past:
        past.setattr(clock, "timestamp", lambda: then)
        runs(stocked, NAMES[0], 20, 20)
    runs(stocked, NAMES[0], 40, 0)
    upkeep.fit(stocked)
    known.sync(stocked)
    found = known.posterior(NAMES[0], SEGMENTS[FREELANCERS]).estimate()
    assert found.mean == pytest.approx(0.5, abs=0.1)  # of the known ends 75 % finished
    assert found.low90 < 0.5 < found.high90


def test_counting_by_groups_by_reading_and_by_duckdb_is_the_same(stocked: db.Database) -> None:
    """Three ways of counting history, one read model; with a control that differs."""
    live(stocked, 7, 200)
    by_reading = stocked.read(lambda s: tallies.of_history(s.stream(census._ALL), lambda _: None))
    by_groups = stocked.read(lambda s: tallies.of_groups(list(s.stream(census.GROUPS))))
    assert summary(by_reading) == summary(by_groups)
    assert len(by_reading.cells) > 4
    if stocked.is_sqlite:
        assert recount.is_installed()
        stocked.write(lambda _: None)
        assert summary(recount.tally(stocked.url)) == summary(by_groups)
        kept = stocked.read(rows)
        stocked.write(performance.rebuild, lambda _: None, recount.counter(stocked, "duckdb"))
        assert stocked.read(rows) == kept
    person = sign_up(stocked, 77)
    stocked.write(executions.start, person.id, NAMES[0])
    later = stocked.read(lambda s: tallies.of_history(s.stream(census._ALL), lambda _: None))
    assert summary(later) != summary(by_groups)


def summary(tally: Tally) -> tuple[object, ...]:
    """All that a tally says; what adds up to nothing left out."""
    versions = {k: v for k, v in tally.versions.items() if v.people}
    weights = {k: v for k, v in tally.weights().items() if any(v)}
    return dict(tally.cells), versions, tally.sources, weights


def test_policies_are_judged_only_with_enough(stocked: db.Database, known: Beliefs) -> None:
    """A handful of slates gives no verdict; many do, and chance loses against what works."""
    runs(stocked, NAMES[0], 40, 5)
    runs(stocked, NAMES[1], 5, 40)
    upkeep.run(stocked, known)
    chance = np.random.default_rng(3)
    follow(stocked, known, 12)
    few = {r.policy: r.verdict for r in stocked.read(policies.report, known, chance)}
    assert all(v.better is None for v in few.values())
    assert "needed" in few["by chance"].why
    follow(stocked, known, 200)
    many = {r.policy: r.verdict for r in stocked.read(policies.report, known, chance)}
    assert many["as it is now"].rows >= 200
    assert many["as it is now"].effective > 100
    assert many["by chance"].better is not True


def test_the_policy_as_it_is_now_draws_as_slates_are_drawn() -> None:
    scores = np.array([0.7, 0.1, 0.4, 0.02], dtype=np.float32)
    now = policies.POLICIES["as it is now"](scores.astype(np.float64), np.ones(4))
    for seed in range(20):
        slate = ranking.draw(scores, 1, np.random.default_rng(seed))
        assert now[slate.items[0]] == pytest.approx(slate.propensities[0], rel=1e-6)


def follow(database: db.Database, known: Beliefs, count: int) -> None:
    """So many people take the first that is shown to them; the first workflow works for most."""
    chance = random.Random(4)
    for number in range(count):
        person = sign_up(database, 10_000 + number + 1000 * count)
        drawn = database.read(recommendations.draw, person.id, 2, known)
        shown = database.write(slates.keep, drawn)
        database.write(slates.click, person.id, shown[0].id)
        name = shown[0].workflow_name
        run = database.write(performance.folded, executions.start, person.id, name).after
        if chance.random() < (0.85 if name == NAMES[0] else 0.1):
            database.write(performance.folded, executions.record_progress, person.id, run.id, 3)
        else:
            database.write(performance.folded, executions.abandon, person.id, run.id)


def test_the_model_is_checked_on_people_it_has_not_seen(stocked: db.Database) -> None:
    assert stocked.read(checks.run, 0) is None
    runs(stocked, NAMES[0], 60, 20)
    runs(stocked, NAMES[1], 20, 60)
    found = stocked.read(checks.run, 160)
    assert found is not None
    by_method = {check.method: check for check in found.checks}
    assert found.predicted == 32
    assert 0.3 < by_method["H"].log_loss < 0.75


def test_operators_see_where_people_stop_and_versions_apart(
    stocked: db.Database, known: Beliefs
) -> None:
    """Of three steps: two people finish, one stops before the second, one at the third."""
    for number, done in enumerate((3, 3, 1, 2)):
        person = sign_up(stocked, number)
        run = stocked.write(performance.folded, executions.start, person.id, NAMES[0]).after
        stocked.write(performance.folded, executions.record_progress, person.id, run.id, done)
        if done < 3:
            record = functools.partial(executions.record_step, step=done + 1, result="failed")
            stocked.write(performance.folded, record, person.id, run.id)
            stocked.write(performance.folded, executions.abandon, person.id, run.id)
    steps = stocked.read(analytics.steps, NAMES[0], 3)
    assert [(s.reached, s.stopped, sum(s.failed.values())) for s in steps] == [
        (4, 0, 0),
        (4, 1, 1),
        (3, 1, 1),
    ]
    version(stocked, NAMES[0], 77)
    runs(stocked, NAMES[0], 3, 0)
    found = stocked.read(analytics.versions, NAMES[0])
    assert [(v.number, v.states.people, v.states.finished) for v in found] == [
        (1, 4, 2),
        (2, 3, 3),
    ]
    cells = analytics.rows_of(stocked.read(analytics.matrix, NAMES[0], known))
    assert cells[FREELANCERS].states.people == cells[findings.WHOLE].states.people == 7
