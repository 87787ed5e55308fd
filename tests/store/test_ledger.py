"""A state is what a set of facts says, however they came."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.store import ledger
from whatworks.store.ledger import Fact, Snapshot

AMOUNT, CURRENCY = 49_900, "INR"
PAYMENTS = ("pay_1", "pay_2")


def fact() -> st.SearchStrategy[Fact]:
    """Anything that a gateway may tell of an order."""
    payment = st.sampled_from(PAYMENTS)
    at = st.integers(0, 9).map(float)
    amount = st.sampled_from((AMOUNT, AMOUNT - 1))
    currency = st.sampled_from((CURRENCY, "USD"))
    part = st.sampled_from((100, AMOUNT))
    disputes = st.sampled_from(("disputed", "dispute_won", "dispute_lost"))
    return st.one_of(
        st.builds(ledger.paid, payment, at, amount, currency),
        st.builds(ledger.authorized, payment, at, st.just(AMOUNT), st.just(CURRENCY)),
        st.builds(ledger.failed, payment, at),
        st.builds(ledger.refunded, payment, at, part, st.just(CURRENCY)),
        st.builds(ledger.refund_failed, payment, st.sampled_from(("r1", "r2")), at),
        st.builds(ledger.disputed, disputes, st.sampled_from(("d1", "d2")), payment, at),
    )


@given(st.lists(fact(), max_size=8), st.randoms())
def test_the_order_of_facts_means_nothing(facts: list[Fact], chance: object) -> None:
    shuffled = list(facts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    twice = shuffled + facts
    expected = ledger.standing(AMOUNT, CURRENCY, facts)
    assert ledger.standing(AMOUNT, CURRENCY, shuffled) == expected
    assert ledger.standing(AMOUNT, CURRENCY, twice) == expected


@given(st.lists(fact(), max_size=8))
def test_what_is_given_is_paid_for_and_not_given_back(facts: list[Fact]) -> None:
    found = ledger.standing(AMOUNT, CURRENCY, facts)
    right = {
        f.payment_id
        for f in facts
        if f.kind == "paid" and (f.amount, f.currency) == (AMOUNT, CURRENCY)
    }
    returned = {f.payment_id for f in facts if f.kind == "refunded" and f.amount == AMOUNT}
    lost = {f.payment_id for f in facts if f.kind == "dispute_lost"}
    if found.status == "paid":
        assert right - returned - lost
    else:
        assert found.paid_at is None or found.ended_at is not None


def test_paid_never_goes_back_to_unpaid() -> None:
    paid = ledger.paid("pay_1", 5.0, AMOUNT, CURRENCY)
    failures = [ledger.failed(f"pay_{n}", float(n)) for n in range(9)]
    for facts in itertools.permutations([paid, *failures[:3]]):
        assert ledger.standing(AMOUNT, CURRENCY, facts).status == "paid"


def test_control_a_last_word_that_counts_is_found_out() -> None:
    """What would happen were the newest event the state: two orders, two answers."""
    paid, failed = ledger.paid("p", 5.0, AMOUNT, CURRENCY), ledger.failed("p", 6.0)
    assert [facts[-1].kind for facts in ([paid, failed], [failed, paid])] == ["failed", "paid"]
    assert (
        len({ledger.standing(AMOUNT, CURRENCY, f) for f in ([paid, failed], [failed, paid])}) == 1
    )


def test_part_of_the_money_back_takes_nothing_away() -> None:
    facts = [
        ledger.paid("p", 1.0, AMOUNT, CURRENCY),
        ledger.refunded("p", 2.0, 100, CURRENCY),
        ledger.refunded("p", 3.0, AMOUNT - 1, CURRENCY),
    ]
    assert ledger.standing(AMOUNT, CURRENCY, facts).status == "paid"
    whole = ledger.refunded("p", 4.0, AMOUNT, CURRENCY)
    found = ledger.standing(AMOUNT, CURRENCY, [whole, *facts])
    assert (found.status, found.paid_at, found.ended_at) == ("refunded", 1.0, 4.0)


def test_other_money_beside_the_right_one_is_shown() -> None:
    right, other = ledger.paid("a", 1.0, 100, "INR"), ledger.paid("b", 2.0, 100, "USD")
    both = ledger.standing(100, "INR", [other, right])
    assert (both.status, both.held) == ("paid", "paid_twice")
    back = ledger.refunded("b", 3.0, 100, "USD")
    assert ledger.standing(100, "INR", [other, right, back]).held is None


def test_a_dispute_that_is_won_gives_back() -> None:
    facts = [
        ledger.paid("p", 1.0, AMOUNT, CURRENCY),
        ledger.disputed("disputed", "d", "p", 2.0),
    ]
    assert ledger.standing(AMOUNT, CURRENCY, facts).status == "disputed"
    facts.append(ledger.disputed("dispute_won", "d", "p", 3.0))
    assert ledger.standing(AMOUNT, CURRENCY, facts[::-1]).status == "paid"
    facts.append(ledger.disputed("disputed", "another", "p", 4.0))
    assert ledger.standing(AMOUNT, CURRENCY, facts).status == "disputed"


def test_an_old_order_whose_payment_has_no_name() -> None:
    old = ledger.paid("", 1.0, AMOUNT, CURRENCY)
    assert ledger.standing(AMOUNT, CURRENCY, [old]).status == "paid"
    back = ledger.refunded("pay_9", 2.0, AMOUNT, CURRENCY)
    assert ledger.standing(AMOUNT, CURRENCY, [back, old]).status == "refunded"


# ---- subscriptions --------------------------------------------------------------------------


def snapshot() -> st.SearchStrategy[Snapshot]:
    return st.builds(
        lambda at, status, end, cancels, number: Snapshot(
            f"evt_{number}_{at}_{status}_{end}_{cancels}", float(at), status, "p", "pro",
            0.0, end, cancels, float(at) if status == "canceled" else None,
        ),
        st.integers(0, 5),
        st.sampled_from(ledger.LIFE),
        st.sampled_from((10.0, 20.0)),
        st.booleans(),
        st.integers(0, 3),
    )  # fmt: skip


@given(st.lists(fact(), max_size=9), st.randoms())
def test_no_more_goes_than_came_however_it_is_told(told: list[Fact], chance: object) -> None:
    moves = ledger.moves(told)
    shuffled = list(told)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(map(repr, ledger.moves(shuffled))) == sorted(map(repr, moves))
    came = sum(move.amount for move in moves if move.amount > 0)
    assert 0 <= sum(move.amount for move in moves) <= came
    stands = ledger.standing(AMOUNT, CURRENCY, told).status
    assert stands != "paid" or sum(move.amount for move in moves) > 0


def test_money_goes_when_it_goes_and_once() -> None:
    told = [
        ledger.paid("pay_1", 1.0, AMOUNT, CURRENCY),
        ledger.refunded("pay_1", 2.0, 100, CURRENCY),
        ledger.refunded("pay_1", 3.0, 300, CURRENCY),
        ledger.disputed("dispute_lost", "d", "pay_1", 4.0),
        ledger.paid("", 1.0, AMOUNT, CURRENCY),  # an old order's, which is the one above
        ledger.refunded("pay_of_nobody", 5.0, 700, CURRENCY),
    ]
    found = [(move.at, move.amount) for move in ledger.moves(told)]
    assert found == [(1.0, AMOUNT), (2.0, -100), (3.0, -200), (4.0, 300 - AMOUNT)]


@given(st.lists(snapshot(), min_size=1, max_size=7), st.randoms())
def test_the_order_of_snapshots_means_nothing(told: list[Snapshot], chance: object) -> None:
    shuffled = list(told)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ledger.current(shuffled) == ledger.current(told)
    assert ledger.span(shuffled + told) == ledger.span(told)


@pytest.mark.parametrize(
    ("status", "cancels", "until", "revoked"),
    [
        ("active", False, 100.0 + ledger.GRACE, None),
        ("active", True, 100.0, None),
        ("past_due", False, 50.0 + ledger.DUNNING, None),
        ("unpaid", False, 100.0, 60.0),
        ("canceled", False, 100.0, 60.0),
    ],
)
def test_how_long_a_subscription_gives(
    status: str, cancels: bool, until: float, revoked: float | None
) -> None:
    began = Snapshot("a", 1.0, "active", "p", "pro", 0.0, 50.0)
    now = Snapshot("b", 60.0, status, "p", "pro", 50.0, 100.0, cancels)
    span = ledger.span([now, began])
    assert span is not None
    assert (span.since, span.until, span.revoked_at) == (0.0, until, revoked)


def test_what_never_ran_gives_nothing_and_what_ended_stays_ended() -> None:
    assert ledger.span([Snapshot("a", 1.0, "incomplete")]) is None
    late = Snapshot("b", 99.0, "active", "p", "pro", 0.0, 50.0)
    ended = Snapshot("c", 2.0, "canceled", "p", "pro", 0.0, 50.0, ended_at=2.0)
    assert ledger.current([late, ended]) == ended
