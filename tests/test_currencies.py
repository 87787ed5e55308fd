"""Money of one country in that of another, from rates that are there without a network."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime

import pytest

from whatworks import currencies
from whatworks.results import outcomes

SATURDAY = datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp()


def test_the_same_currency_needs_no_rate() -> None:
    assert currencies.convert(4800.0, "NGN", "NGN", None) == currencies.Converted(4800.0, None)


def test_a_weekend_has_the_rate_of_friday() -> None:
    found = currencies.convert(100.0, "USD", "INR", SATURDAY)
    assert found is not None
    assert found.day == date(2026, 10, 30)
    assert 5000 < found.amount < 20_000


@pytest.mark.parametrize("at", [None, 4e9, 1e30, float("nan")])
def test_after_the_newest_rate_it_holds_on(at: float | None) -> None:
    found = currencies.convert(1.0, "EUR", "USD", at)
    assert found is not None
    assert found.day == currencies.newest()


def test_there_and_back_again() -> None:
    there = currencies.convert(100.0, "GBP", "JPY", SATURDAY)
    assert there is not None
    back = currencies.convert(there.amount, "JPY", "GBP", SATURDAY)
    assert back is not None
    assert back.amount == pytest.approx(100.0)


@pytest.mark.parametrize("code", ["BDT", "NGN", "PKR", "AED", "RUB", "XXX", ""])
def test_what_has_no_rate_is_not_guessed(code: str) -> None:
    assert currencies.convert(1.0, code, "INR", SATURDAY) is None
    assert currencies.convert(1.0, "INR", code, SATURDAY) is None


def test_a_currency_that_has_ended_keeps_its_last_rate() -> None:
    found = currencies.convert(1.95583, "BGN", "EUR", SATURDAY)
    assert found is not None
    assert found.day == date(2025, 12, 31)
    assert found.amount == pytest.approx(1.0, rel=1e-3)


def test_most_people_have_a_currency_with_rates() -> None:
    countries = ("IN", "US", "GB", "DE", "BR", "ID", "PH", "ZA", "MX", "CA", "AU", "JP")
    codes = {outcomes.default_currency(country) for country in countries}
    assert all(currencies.convert(1.0, code, "INR", SATURDAY) for code in codes)


def test_nothing_is_asked_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise AssertionError("somebody called")

    monkeypatch.setattr(socket, "socket", refuse)
    currencies._load.cache_clear()
    currencies._rate.cache_clear()
    assert currencies.convert(1.0, "CHF", "SEK", SATURDAY) is not None
