"""Outcomes: what counts as money, what as a link, and how a wrong one is put right."""

from __future__ import annotations

import math
from typing import Any, Final

import pytest

from tests.followers import sign_up, start
from whatworks import db, errors
from whatworks.execution import executions
from whatworks.models import Outcome as OutcomeRow
from whatworks.results import outcomes
from whatworks.results.outcomes import Outcome, Report


def report(database: db.Database, user_id: str, execution_id: str, **given: Any) -> Outcome:
    said = Report(**{"metric_type": "revenue", "value": 4800.0, **given})
    return database.write(outcomes.record, user_id, execution_id, said).after


# ---- units ----------------------------------------------------------------------------------


UNITS: Final = [
    ("revenue", None, "INR"),
    ("revenue", "USD", "USD"),
    ("revenue", "usd", "USD"),
    ("time_saved", None, "hours"),
    ("time_saved", "hours", "hours"),
    ("customers", None, "count"),
    ("customers", "count", "count"),
    ("custom", None, "count"),
    ("custom", "followers", "followers"),
]
NO_UNITS: Final = [
    *(("revenue", "QQQ"), ("revenue", "rupees"), ("revenue", "hours"), ("revenue", "₹")),
    *(("time_saved", "INR"), ("time_saved", "minutes"), ("customers", "INR")),
]


def test_units(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for metric, given, kept in UNITS:
        found = report(database, asha, execution_id, metric_type=metric, currency=given)
        assert found.currency == kept, (metric, given)


def test_units_that_do_not_fit(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for metric, given in NO_UNITS:
        with pytest.raises(errors.Invalid) as refused:
            report(database, asha, execution_id, metric_type=metric, currency=given)
        assert refused.value.fields.keys() == {"currency"}, (metric, given)
    assert database.read(outcomes.list_for, asha) == []


@pytest.mark.parametrize(
    ("country", "currency"),
    [("IN", "INR"), ("US", "USD"), ("NG", "NGN"), ("DE", "EUR"), ("JP", "JPY"), ("", "INR"),
     ("India", "INR"), ("ZZ", "INR")],
)  # fmt: skip
def test_currency_of_a_country(country: str, currency: str) -> None:
    assert outcomes.default_currency(country) == currency


def test_every_country_has_a_currency_that_is_taken() -> None:
    assert len(outcomes.COUNTRIES) > 240
    assert {outcomes.default_currency(code) for code in outcomes.COUNTRIES} <= outcomes.CURRENCIES


# ---- reports and corrections ----------------------------------------------------------------


def test_values_are_kept_as_they_are(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    for value in (0.0, -0.0, 5e-324, 0.1, 1e11, 999_999_999_999.99):
        report(database, asha, execution_id, value=value)
        kept = database.read(outcomes.list_for, asha)[0]
        assert (kept.value, math.copysign(1, kept.value)) == (value, 1.0)


def test_a_report_is_in_the_history(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    before = database.read(executions.get, asha, execution_id)
    found = report(database, asha, execution_id, note="paid", proof_type="invoice")
    events = database.read(executions.list_events, asha, execution_id)
    assert [(e.kind, e.reference_id) for e in events] == [("started", None), ("outcome", found.id)]
    assert database.read(executions.get, asha, execution_id) == before
    assert (found.note, found.proof_type, found.verified) == ("paid", "invoice", False)


def test_the_first_report_of_a_run_is_known(database: db.Database, asha: str) -> None:
    runs = [start(database, asha) for _ in range(2)]
    said = Report("customers", 1.0)
    first = [database.write(outcomes.record, asha, run, said).is_first for run in runs * 2]
    assert first == [True, True, False, False]


def test_a_correction_takes_the_place_of_the_old_one(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    wrong = report(database, asha, execution_id, value=48_000.0)
    change = database.write(
        outcomes.record,
        asha,
        execution_id,
        Report("customers", 3.0, supersedes_id=wrong.id),
    )
    assert change.before == wrong
    assert change.is_first is False
    assert database.read(outcomes.list_for, asha) == [change.after]
    assert database.read(outcomes.list_for_execution, asha, execution_id) == [change.after]
    again = report(database, asha, execution_id, supersedes_id=change.after.id)
    assert database.read(outcomes.list_for, asha) == [again]


def test_what_cannot_be_corrected(database: db.Database, asha: str) -> None:
    mine, other_run = start(database, asha), start(database, asha)
    wrong = report(database, asha, mine)
    report(database, asha, mine, supersedes_id=wrong.id)
    ravi = sign_up(database, "ravi@example.com")
    theirs = report(database, ravi, start(database, ravi))
    elsewhere = report(database, asha, other_run)
    for outcome_id in (wrong.id, theirs.id, elsewhere.id, "nothing"):
        with pytest.raises((errors.NotFound, errors.Conflict)):
            report(database, asha, mine, supersedes_id=outcome_id)
    assert len(database.read(outcomes.list_for_execution, asha, mine)) == 1


def test_only_ones_own_run_brings_anything(database: db.Database, asha: str) -> None:
    ravi = sign_up(database, "ravi@example.com")
    for execution_id in (start(database, ravi), "nothing", ""):
        with pytest.raises(errors.NotFound):
            report(database, asha, execution_id)
    assert database.read(outcomes.list_for, asha) == []


def test_closed_runs_bring_something_too(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    database.write(executions.abandon, asha, execution_id)
    assert report(database, asha, execution_id).value == 4800.0


def test_the_newest_comes_first_and_a_limit_holds(database: db.Database, asha: str) -> None:
    execution_id = start(database, asha)
    made = [report(database, asha, execution_id, value=float(n)).value for n in range(5)]
    listed = [one.value for one in database.read(outcomes.list_for, asha)]
    assert listed == made[::-1]
    assert len(database.read(outcomes.list_for, asha, 2)) == 2
    of_run = database.read(outcomes.list_for_execution, asha, execution_id)
    assert [one.value for one in of_run] == made


# ---- old rows -------------------------------------------------------------------------------


class Row:
    """A row as an old database may hold it."""

    def __init__(self, **values: object) -> None:
        names = OutcomeRow.__table__.columns.keys()
        self.__dict__.update(dict.fromkeys(names) | {"id": "x"} | values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"metric_type": "fame", "value": 3.0},
        {"metric_type": "revenue", "value": None},
        {"metric_type": "revenue", "value": "a lot"},
        {"metric_type": "revenue", "value": -1.5},
        {"metric_type": "revenue", "value": 1e300},
        {"metric_type": "revenue", "value": float("nan")},
        {"metric_type": "revenue", "value": float("inf")},
        {"metric_type": b"\0", "value": 1.0},
    ],
)
def test_old_rows_that_count_for_nothing(values: dict[str, object]) -> None:
    found = outcomes.from_row(Row(**values))
    assert not outcomes.is_countable(found)


def test_old_rows_lose_what_is_dangerous() -> None:
    row = Row(metric_type="revenue", value=5, verified=7, proof_url="javascript:x", currency=3)
    found = outcomes.from_row(row)
    assert outcomes.is_countable(found)
    assert (found.value, found.verified, found.proof_url, found.currency) == (5.0, False, None, "")
    assert outcomes.from_row(Row(verified=1)).verified is True
    assert outcomes.from_row(Row(timestamp="now")).created_at is None


# ---- without end ----------------------------------------------------------------------------


def test_a_run_has_room_for_so_many_results(
    database: db.Database, asha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reports without end fills neither the database nor their own pages."""
    monkeypatch.setattr(outcomes, "MOST", 3)
    run = start(database, asha)
    first = report(database, asha, run)
    report(database, asha, run, supersedes_id=first.id)
    report(database, asha, run)
    with pytest.raises(errors.Conflict, match="3 results already") as refused:
        report(database, asha, run)
    assert refused.value.code == "too_many_outcomes"
    assert len(database.read(outcomes.list_for_execution, asha, run)) == 2
    assert report(database, asha, start(database, asha)).value == 4800  # of another run there is
