"""Somebody's own history: used when it says something, left alone when it does not."""

from __future__ import annotations

import numpy as np

from tests.stats.worlds import MARKETS, SKILLS, world
from whatworks.stats import evaluation, fitting, people


def test_an_intercept_helps_those_it_knows() -> None:
    """People who differ are told apart by what they did."""
    trials, _ = world(rows=6000, people=1.0)
    known = np.random.default_rng(0).random(len(trials)) < 0.8
    model = fitting.fit(trials.where(known), MARKETS, SKILLS)
    later = trials.where(~known)
    own = evaluation.log_loss(later.successes, model.predict(later))
    profile = evaluation.log_loss(later.successes, model.predict(later.only()))
    assert own < 0.97 * profile


def test_tastes_are_found_where_there_are_any() -> None:
    """Two kinds of people, two kinds of items: one taste, and better predictions for it."""
    trials, _ = world(rows=12_000, users=300, items=40, tastes=0.9)
    known = np.random.default_rng(0).random(len(trials)) < 0.8
    model, tastes = people.fit(trials.where(known), MARKETS, SKILLS)
    plain = fitting.fit(trials.where(known), MARKETS, SKILLS)
    later = trials.where(~known)
    with_taste = evaluation.log_loss(later.successes, people.predict(model, tastes, later))
    assert tastes.rank == 1
    assert with_taste < 0.97 * evaluation.log_loss(later.successes, plain.predict(later))


def test_no_tastes_where_there_are_none() -> None:
    """Noise does not become taste, and nothing changes."""
    trials, _ = world(rows=4000)
    model, tastes = people.fit(trials, MARKETS, SKILLS)
    assert tastes.rank == 0
    plain = fitting.fit(trials, MARKETS, SKILLS)
    assert np.allclose(people.predict(model, tastes, trials), plain.predict(trials))


def test_one_persons_many_runs_move_nobody_else_much() -> None:
    """A thousand failures of one person lower a workflow for others by a few points at most."""
    trials, _ = world(rows=4000)
    before = fitting.fit(trials, MARKETS, SKILLS).cell(0, 0).probability
    segment = int(trials.segment[trials.groups["user"] == 7][0])
    liar = trials.where(np.zeros(0, dtype=np.int64)).of(
        np.zeros(1000), np.full(1000, segment), np.zeros(1000), user=np.full(1000, 7)
    )
    after = fitting.fit(trials + liar, MARKETS, SKILLS).cell(0, 0).probability
    blind = fitting.fit((trials + liar).only(), MARKETS, SKILLS).cell(0, segment).probability
    assert blind < 0.1  # the attack works where nobody asks who it was
    assert before - after < 0.25
