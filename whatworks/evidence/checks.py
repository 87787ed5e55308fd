"""Are the numbers right? The model held against people it has not seen, on our own data.

A part of the people is left out of the fit; how they did is then predicted from their market,
level and goal alone, by the model and by the plain averages that it has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from whatworks import db
from whatworks.evidence import fits
from whatworks.evidence.fits import MARKETS, SKILLS
from whatworks.stats import evaluation, fitting
from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.trials import Trials

SHARE: Final = 5  # every fifth person is left out
LEAST: Final = 5  # people from whom on the plain average of a cell is used


@dataclass(frozen=True, slots=True)
class Check:
    """How well one way of predicting did with people it had not seen; smaller is better."""

    method: str
    log_loss: float
    brier: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Checked:
    """The checks, and how many people's ends they rest on."""

    fitted: int
    predicted: int
    checks: tuple[Check, ...]
    calibration: tuple[tuple[float, float, int], ...]  # of the model: said, seen, people


def run(session: db.Session, ends: int) -> Checked | None:
    """Leave people out, predict them, compare; None when there are too few to do so."""
    names, trials, _ = fits.people_trials(session, ends)
    left_out = trials.groups["user"] % SHARE == 0
    known, unseen = trials.where(~left_out), trials.where(left_out)
    if len(known) < 10 * SHARE or not len(unseen):
        return None
    model = fitting.fit(known, MARKETS, SKILLS, len(names))
    seen = unseen.successes / unseen.trials
    strangers = unseen.only("goal", "country", "item:goal")
    predictions = {
        "H": model.predict(strangers),
        "cell average": _averages(known, unseen, len(names), by_cell=True),
        "workflow average": _averages(known, unseen, len(names), by_cell=False),
    }
    return Checked(
        fitted=len(known),
        predicted=len(unseen),
        checks=tuple(_check(name, seen, found) for name, found in predictions.items()),
        calibration=tuple(evaluation.calibration(seen, predictions["H"])),
    )


def _check(method: str, seen: Floats, predicted: Floats) -> Check:
    return Check(
        method,
        evaluation.log_loss(seen, predicted),
        evaluation.brier(seen, predicted),
        evaluation.calibration_error(seen, predicted),
    )


def _averages(known: Trials, unseen: Trials, items: int, *, by_cell: bool) -> Floats:
    """Raw rates of cells with enough people, else of the workflow, else of everything."""
    overall = float(known.successes.sum() / known.trials.sum())
    of_item = _rates(known, known.item, items)[unseen.item]
    rate = np.where(np.isnan(of_item), overall, of_item)
    if not by_cell:
        return rate
    size = MARKETS * SKILLS
    of_cell = _rates(known, known.item * size + known.segment, items * size)
    found = of_cell[unseen.item * size + unseen.segment]
    return np.where(np.isnan(found), rate, found)


def _rates(known: Trials, index: Ints, size: int) -> Floats:
    """Successes of trials, place by place; nan of too few."""
    trials = np.bincount(index, known.trials, size)
    won = np.bincount(index, known.successes, size)
    return np.where(trials >= LEAST, won / np.maximum(trials, 1e-9), np.nan)
