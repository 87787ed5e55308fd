"""How long, how many: the numbers that bound waiting for the database."""

from __future__ import annotations

GROUP_SIZE = 64  # verbs that share a commit, at most
GROUP_SECONDS = 0.020
QUEUE_SIZE = 1024
START_SECONDS = 5.0  # a verb not begun by then never begins
RUN_SECONDS = 30.0  # one that runs longer is uncertain
RETRIES = 3
