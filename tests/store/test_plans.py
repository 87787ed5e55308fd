"""What plans allow is enforced where a run begins, to the last one and under a race."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.races import at_once
from tests.shopping import TERMS
from whatworks import catalogue, db, errors
from whatworks.execution import executions
from whatworks.guides import parser
from whatworks.people import operators
from whatworks.store import entitlements, products

NAME = "resume_generator"
TEXT = (catalogue.BUNDLED / f"{NAME}.md").read_text(encoding="utf-8")


def test_a_paid_workflow_needs_its_plan(database: db.Database, asha: str) -> None:
    paid = parser.parse(TEXT.replace("tier: free", "tier: pro"), NAME)
    database.write(catalogue.load, [paid], source="test")

    def begin() -> None:
        database.write(executions.start, asha, NAME, terms=TERMS)

    with pytest.raises(errors.PaymentRequired):
        begin()
    database.write(executions.start, asha, NAME)  # where nobody enforces plans
    grant = database.write(entitlements.grant, asha, "pro", cause="test")
    begin()
    database.write(entitlements.revoke, asha, grant)
    with pytest.raises(errors.PaymentRequired):
        begin()


def test_operators_have_all_of_their_own_place(database: db.Database, asha: str) -> None:
    paid = parser.parse(TEXT.replace("tier: free", "tier: pro"), NAME)
    database.write(catalogue.load, [paid], source="test")
    pack = next(one for one in products.load().list_() if one.plan)
    assert not entitlements.may_download(database.read(entitlements.holdings, asha), pack)
    database.write(operators.grant, asha, by="test")
    database.write(executions.start, asha, NAME, terms=TERMS)
    held = database.read(entitlements.holdings, asha)
    assert held.plan == database.read(entitlements.plan, asha) == "scale"
    assert entitlements.may_download(held, pack)


def test_ten_runs_a_month_are_free(database: db.Database, asha: str) -> None:
    november = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    with time_machine.travel(november, tick=False):
        for _ in range(10):
            database.write(executions.start, asha, NAME, terms=TERMS)
        with pytest.raises(errors.PaymentRequired) as refused:
            database.write(executions.start, asha, NAME, terms=TERMS)
        assert refused.value.details == {
            "reason": "executions",
            "plan": "free",
            "limit": 10,
            "used": 10,
            "upgrade_url": "/pricing",
            "resets_at": "2026-12-01T00:00:00Z",
        }
    with time_machine.travel(november + timedelta(minutes=1), tick=False):
        database.write(executions.start, asha, NAME, terms=TERMS)


def test_of_two_starts_that_race_for_the_last_run_one_wins(
    database: db.Database, asha: str
) -> None:
    for _ in range(8):
        database.write(executions.start, asha, NAME)

    def begin(_: int) -> bool:
        try:
            database.write(executions.start, asha, NAME, terms=TERMS)
        except errors.PaymentRequired:
            return False
        return True

    assert sorted(at_once(8, begin)) == [False] * 6 + [True] * 2
