"""Small invented worlds for the statistics, seeded."""

from __future__ import annotations

import numpy as np

from whatworks.stats.arrays import Floats, sigmoid
from whatworks.stats.hierarchy import Variances
from whatworks.stats.trials import Trials

MARKETS, SKILLS = 3, 2
SIZE = MARKETS * SKILLS


def world(
    rows: int = 4000,
    items: int = 60,
    users: int = 400,
    seed: int = 0,
    own: Variances | None = None,
    people: float = 0.5,
    tastes: float = 0.0,
) -> tuple[Trials, Floats]:
    """Executions with their users, and the true logits [item, segment]."""
    random = np.random.default_rng(seed)
    kernel = (own or Variances(0.6, 0.1, 0.1, 0.05)).kernel(MARKETS, SKILLS)
    root = np.linalg.cholesky(kernel + 1e-9 * np.eye(SIZE))
    truth = 0.2 + random.standard_normal((items, SIZE)) @ root.T
    home = random.integers(0, SIZE, users)
    offset = np.sqrt(people) * random.standard_normal(users)
    likes = random.standard_normal((users, 1)), random.standard_normal((items, 1))
    user, item = random.integers(0, users, rows), random.integers(0, items, rows)
    logit = truth[item, home[user]] + offset[user]
    logit = logit + tastes * likes[0][user, 0] * likes[1][item, 0]
    success = random.random(rows) < sigmoid(logit)
    return Trials.of(item, home[user], success, user=user), truth
