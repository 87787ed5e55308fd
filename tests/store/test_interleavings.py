"""Whatever gateways tell, in whatever order and how often: the same facts end alike."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import Figure
from whatworks import db
from whatworks.store import (
    entitlements,
    inbox,
    ledger,
    ordering,
    orders,
    products,
    settlement,
)
from whatworks.store.inbox import News
from whatworks.store.ledger import Fact, Snapshot
from whatworks.store.ordering import Buyer, Draft
from whatworks.store.subscriptions import Told

EMAIL = "asha@example.com"
NOW = 1_800_000_000.0
payments = st.sampled_from(("pay_1", "pay_2"))
moments = st.integers(0, 50).map(lambda minutes: NOW + minutes * 60.0)
ENTITLED: dict[str, int] = {"runs": 0, "events": 0}


class Shop(RuleBasedStateMachine):
    """Tells one order each fact as it happens, and another all of them afterwards, shuffled."""

    database: db.Database

    @initialize(monthly=st.booleans())
    def order(self, monthly: bool) -> None:
        """Two orders of the same product by the same buyer."""
        self.monthly = monthly
        product = products.load().get("pro_monthly" if monthly else "pro")
        draft = Draft(product, "INR", product.prices["INR"], None, "stripe")
        self.first, self.second = (
            self.database.write(ordering.begin, Buyer(None, EMAIL), draft, None)[0]
            for _ in range(2)
        )
        self.told: list[tuple[str, Any]] = []

    @rule(payment=payments, right=st.booleans())
    def pay(self, payment: str, right: bool) -> None:
        amount = self.first.amount if right else 1
        self.happen("fact", ledger.paid(payment, moment_of(payment, right), amount, "INR"))

    @rule(payment=payments, at=moments)
    def fail(self, payment: str, at: float) -> None:
        self.happen("fact", ledger.failed(payment, at))

    @rule(payment=payments, part=st.booleans())
    def give_back(self, payment: str, part: bool) -> None:
        amount = 100 if part else self.first.amount
        at = moment_of(payment, "back", part)
        self.happen("fact", ledger.refunded(payment, at, amount, "INR"))

    @rule(
        payment=payments,
        kind=st.sampled_from(("disputed", "dispute_won", "dispute_lost")),
    )
    def dispute(self, payment: str, kind: str) -> None:
        at = moment_of(payment, kind)
        self.happen("fact", ledger.disputed(kind, f"of {payment}", payment, at))

    @rule(at=moments, status=st.sampled_from(ledger.LIFE), cancels=st.booleans())
    def subscribe(self, at: float, status: str, cancels: bool) -> None:
        if self.monthly:
            key = f"evt_{at}_{status}_{cancels}"
            ended = at if status in ledger.ENDED else None
            end = at + 30 * 86_400
            told = Snapshot(key, at, status, "pro_monthly", "pro", at, end, cancels, ended)
            self.happen("snapshot", told)

    def happen(self, kind: str, what: Any) -> None:
        self.told.append((kind, what))
        tell(self.database, self.first.id, kind, what)

    @invariant()
    def never_more_than_paid(self) -> None:
        """At every moment: without the right money there is nothing."""
        if not getattr(self, "told", None) or self.monthly:
            return
        paid = any(
            k == "fact" and f.kind == "paid" and f.amount == self.first.amount for k, f in self.told
        )
        assert paid or entitled(self.database, self.first.id) == []

    def teardown(self) -> None:
        """The other order hears all of it in another order, and some of it twice."""
        if not getattr(self, "told", None):
            return
        for kind, what in sorted(
            self.told + self.told[::2], key=lambda t: zlib.crc32(repr(t).encode())
        ):
            tell(self.database, self.second.id, kind, what)
        first, second = (self.database.read(orders.get, o.id) for o in (self.first, self.second))
        assert (first.status, first.held) == (second.status, second.held)
        assert entitled(self.database, first.id) == entitled(self.database, second.id)
        ENTITLED["runs"] += 1
        ENTITLED["events"] += len(self.told)


def moment_of(*what: object) -> float:
    """When something happened: told again, it happened then."""
    return NOW + zlib.crc32(repr(what).encode()) % 50 * 60.0


def tell(database: db.Database, order_id: str, kind: str, what: Any) -> None:
    """One thing reaches an order as a letter's news."""
    if kind == "fact":
        own: Fact = what
        database.write(settlement.record, order_id, [own], "webhook")
        return
    told = Told("stripe", f"sub_{order_id}", "cus_1", order_id, what)
    database.write(inbox.apply, News(subscription=told), "webhook")


def entitled(database: db.Database, order_id: str) -> list[tuple[object, ...]]:
    """What an order and its subscription have given, with its times, but for names."""
    causes = order_id, f"sub_{order_id}"
    held = [one for c in causes for one in database.read(entitlements.list_of_cause, c)]
    return [(g.holder, g.product, g.plan, g.valid_from, g.valid_until, g.revoked_at) for g in held]


def run(database: db.Database, examples: int) -> None:
    machine = type("Machine", (Shop,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # a failure is short enough as it is
        ),
    )


def test_any_interleaving_ends_in_the_same_entitlements(
    database: db.Database, figure: Figure
) -> None:
    ENTITLED.update(runs=0, events=0)
    run(database, 25)
    figure("{runs} interleavings of {events} events: 0 differences".format(**ENTITLED))


@pytest.mark.drill
def test_many_interleavings_end_in_the_same_entitlements(
    database: db.Database, figure: Figure
) -> None:
    ENTITLED.update(runs=0, events=0)
    run(database, 300)
    figure("{runs} interleavings of {events} events: 0 differences".format(**ENTITLED))


def test_control_a_state_that_follows_the_last_event_differs(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ledger.standing

    def by_the_last(amount: int, currency: str, facts: list[Fact]) -> ledger.Standing:
        return right(amount, currency, facts[-1:])

    monkeypatch.setattr(ledger, "standing", by_the_last)
    with pytest.raises((AssertionError, ExceptionGroup)):
        run(database, 25)
