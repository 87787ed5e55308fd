"""A simulated world that uses the product through its HTTP API, and knows the truth about it."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from flask import Flask

from tests import people
from tests.people import Person
from whatworks import catalogue
from whatworks.evidence import upkeep
from whatworks.people import profiles
from whatworks.web import http

STEPS_BETWEEN_FITS: Final = 25


@dataclass(frozen=True)
class Truth:
    """What really works: chance to finish and what that brings, [workflow, market, level]."""

    names: list[str]
    chance: np.typing.NDArray[np.float64]
    worth: np.typing.NDArray[np.float64]

    def benefit(self, market: int, level: int) -> np.typing.NDArray[np.float64]:
        """What each workflow is worth to somebody, the best being 1."""
        found = self.chance[:, market, level] * self.worth
        return np.asarray(found / found.max())


def world(names: list[str], seed: int) -> Truth:
    """A world: workflows differ a lot, markets within one somewhat, levels a little."""
    draw = np.random.default_rng(seed)
    count = len(names)
    logit = (
        draw.normal(-0.3, 0.9, (count, 1, 1))
        + draw.normal(0, 0.4, (count, len(profiles.MARKETS), 1))
        + draw.normal(0, 0.2, (count, 1, len(profiles.SKILL_LEVELS)))
    )
    return Truth(names, 1 / (1 + np.exp(-logit)), np.exp(draw.normal(8.3, 0.5, count)))


def seeded_ids(seed: int) -> Callable[[], str]:
    """Makes ids as `clock.new_id` does, ever greater, but the same ones whenever it runs."""
    chance = random.Random(seed)
    times = itertools.count(1_800_000_000_000)  # milliseconds

    def new_id() -> str:
        number = next(times) << 80 | 7 << 76 | chance.getrandbits(12) << 64
        return str(uuid.UUID(int=number | 0b10 << 62 | chance.getrandbits(62)))

    return new_id


@dataclass
class Life:
    """People come, are recommended something, try it, and say what it brought."""

    app: Flask
    truth: Truth
    draw: np.random.Generator
    regrets: list[float]
    by_chance: list[float]

    @classmethod
    def begin(cls, app: Flask, seed: int) -> Life:
        """A new life in an application."""
        offered = people.platform(app).database.read(catalogue.list_current)
        truth = world([workflow.name for workflow in offered], seed)
        return cls(app, truth, np.random.default_rng(seed + 1), [], [])

    def go_on(self, count: int) -> None:
        """So many people more, one after the other; the upkeep runs as in a server."""
        platform: http.Platform = people.platform(self.app)
        for number in range(count):
            self.live()
            if number % STEPS_BETWEEN_FITS == 0:
                upkeep.run(platform.database, platform.beliefs)

    def live(self) -> None:
        """One person: sign up, take what is recommended first, finish or stop, report."""
        market = int(self.draw.integers(len(profiles.MARKETS)))
        level = int(self.draw.integers(len(profiles.SKILL_LEVELS)))
        asha = people.sign_up(
            self.app,
            goal="earn_money",
            market=profiles.MARKETS[market],
            skill_level=profiles.SKILL_LEVELS[level],
        )
        answer = asha.client.get(f"/api/recommendations/{asha.user_id}?limit=3").get_json()
        shown: dict[str, Any] = answer["recommendations"][0]
        place = self.truth.names.index(shown["workflow_name"])
        benefit = self.truth.benefit(market, level)
        self.regrets.append(1 - float(benefit[place]))
        self.by_chance.append(1 - float(benefit.mean()))
        asha.client.post(f"/api/recommendations/{shown['recommendation_id']}/click")
        self.attempt(asha, place, self.truth.chance[place, market, level])

    def attempt(self, asha: Person, place: int, chance: float) -> None:
        """Try it, with that chance to finish, and report about half of what it brought."""
        body = {"user_id": asha.user_id, "workflow_name": self.truth.names[place]}
        begun = people.made(asha.post("/api/execution", body))
        run = begun["execution_id"]
        if self.draw.random() < chance:
            asha.finish(run, begun["total_steps"])
            if self.draw.random() < 0.6:
                value = self.truth.worth[place] * np.exp(self.draw.normal(0, 0.6))
                asha.report(run, value=round(float(value), 2))
        else:
            asha.client.delete(f"/api/execution/{run}")

    def share_of_chance(self, last: int) -> float:
        """Regret per recommendation of the last people, as a share of what chance would have."""
        return sum(self.regrets[-last:]) / sum(self.by_chance[-last:])
