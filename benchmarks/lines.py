"""Results as JSON with one record a line, so that what changed between two days can be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

DIGITS: Final = 6  # that count: more than anything here is measured to


def written(records: Iterable[Mapping[str, object]]) -> str:
    """A JSON list; numbers as DIGITS digits tell them."""
    lines = (json.dumps({k: _rounded(v) for k, v in r.items()}, allow_nan=False) for r in records)
    return "[\n" + ",\n".join(lines) + "\n]"


def _rounded(value: object) -> object:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
