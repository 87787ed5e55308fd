"""The whole product learns: people who come later are recommended what worked for earlier ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests import people
from tests.web.world import Life, seeded_ids
from whatworks import clock
from whatworks.app import close

log = logging.getLogger(__name__)


@pytest.fixture
def seed() -> int:
    """Which world it is, and which draws are made in it. With so few people much of what comes
    first is luck: a third of the worlds take longer, which is what the drill is for.
    """
    return 4


@pytest.fixture
def open_app(
    database_url: str, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """Everybody may run everything. The same seed makes the same ids, and so the same slates."""
    monkeypatch.setattr(clock, "new_id", seeded_ids(seed))
    built = people.build(database_url, tmp_path, plan_limits="observe")
    yield built
    close(built)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_people_are_soon_better_advised_than_by_chance(open_app: Flask, seed: int) -> None:
    """Already after a hundred."""
    life = Life.begin(open_app, seed)
    life.go_on(160)
    assert life.share_of_chance(last=60) < 0.6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_control_without_learning_it_is_chance(
    open_app: Flask, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were nothing taken over from the counts, nobody would be better advised."""
    monkeypatch.setattr("whatworks.evidence.beliefs.Beliefs._put", lambda *_: set())
    monkeypatch.setattr("whatworks.evidence.upkeep.run", lambda *_: False)
    life = Life.begin(open_app, seed)
    life.go_on(60)
    assert life.share_of_chance(last=60) > 0.8


@pytest.mark.drill
@pytest.mark.parametrize("seed", [1, 2, 3, 7])
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_after_three_thousand_people_a_third_of_chance(open_app: Flask, seed: int) -> None:
    """Regret per recommendation of those who come then, in worlds of several kinds.

    `--log-cli-level INFO` tells it, halfway too.
    """
    life = Life.begin(open_app, seed)
    for people_so_far in (1500, 3000):
        life.go_on(1500)
        share = life.share_of_chance(last=500)
        log.info("world %d, after %d people: %.3f of chance", seed, people_so_far, share)
    assert life.share_of_chance(last=500) <= 1 / 3
