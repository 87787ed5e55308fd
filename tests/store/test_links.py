"""Signed links: one order, one product, a quarter of an hour, current and previous keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from whatworks.store import links

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY, OLD, STRANGE = "k" * 40, "o" * 40, "s" * 40
ORDER = "0193a0f0-0000-7000-8000-000000000001"


@pytest.fixture
def clock() -> time_machine.Traveller:  # type: ignore[misc]
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def live(token: str, product: str = "pro", keys: tuple[str, ...] = (KEY,)) -> bool:
    found = links.read(keys, token, product)
    return found is not None and found.order_id == ORDER and found.is_live


def test_it_opens_for_a_quarter_of_an_hour(clock: time_machine.Traveller) -> None:
    token = links.sign(KEY, ORDER, "pro")
    for seconds, opens in ((0, True), (899, True), (900, False), (3600, False)):
        clock.move_to(NOON + timedelta(seconds=seconds), tick=False)
        assert live(token) is opens, seconds


def test_a_clock_turned_back_opens_nothing(clock: time_machine.Traveller) -> None:
    token = links.sign(KEY, ORDER, "pro")
    for seconds, opens in ((-60, True), (-61, False), (-3600, False)):
        clock.move_to(NOON + timedelta(seconds=seconds), tick=False)
        assert live(token) is opens, seconds


def test_it_is_bound_to_its_order_and_product(clock: time_machine.Traveller) -> None:
    token = links.sign(KEY, ORDER, "pro")
    assert not live(token, "premium")
    assert links.read((KEY,), token.replace("0001.", "0002."), "pro") is None


def test_keys_can_be_changed(clock: time_machine.Traveller) -> None:
    token = links.sign(OLD, ORDER, "pro")
    assert live(token, keys=(KEY, OLD))
    assert not live(token, keys=(KEY,))
    assert not live(links.sign(STRANGE, ORDER, "pro"), keys=(KEY, OLD))


def test_no_edit_of_it_opens(clock: time_machine.Traveller) -> None:
    token = links.sign(KEY, ORDER, "pro")
    for place in range(len(token)):
        other = "0" if token[place] != "0" else "1"
        assert not live(token[:place] + other + token[place + 1 :]), place
        assert not live(token[:place] + token[place + 1 :]), place


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", f"{ORDER}.9999999999.", f"{ORDER}.१२३.x", "é.1.é", "\0.1.x",
     f"{ORDER}.{'9' * 5000}.x", "x" * 100_000, f"{ORDER}.-1.x", f"{ORDER}.1e9.x"],
)  # fmt: skip
def test_nonsense_opens_nothing(token: str) -> None:
    assert links.read((KEY,), token, "pro") is None


def test_an_orders_page_opens_for_a_day(clock: time_machine.Traveller) -> None:
    path, _, key = links.order_path(KEY, ORDER).partition("?key=")
    assert path == f"/order/{ORDER}"
    assert links.opens_page((KEY,), key, ORDER)
    assert not links.opens_page((KEY,), key, ORDER[::-1])
    clock.move_to(NOON + timedelta(days=1), tick=False)
    assert not links.opens_page((KEY,), key, ORDER)


def test_a_page_is_no_download_and_a_download_no_page(clock: time_machine.Traveller) -> None:
    page = links.order_key(KEY, ORDER)
    download = links.sign(KEY, ORDER, "pro").removeprefix(f"{ORDER}.")
    assert links.read((KEY,), f"{ORDER}.{page}", "pro") is None
    assert not links.opens_page((KEY,), download, ORDER)
