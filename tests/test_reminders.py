"""Asking again: who is due, that nobody is asked twice, and what an answer does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
import time_machine
from sqlalchemy import func, select, update

from tests import people
from tests.followers import GUIDE, sign_up, start
from tests.races import at_once
from whatworks import catalogue, clock, db, errors, reminders
from whatworks.evidence import performance
from whatworks.execution import executions
from whatworks.models import Email, Reminder
from whatworks.reminders import Due
from whatworks.results import outcomes
from whatworks.results.outcomes import Report

DAY: Final = 86_400.0
NOTHING: Final = Report("revenue", 0.0)
SOMETHING: Final = Report("revenue", 4800.0)


@pytest.fixture
def began() -> float:
    """When the runs of these tests ended."""
    return clock.timestamp()


@pytest.fixture
def asha(database: db.Database) -> str:
    """A person whose address is proved, and a workflow."""
    database.write(catalogue.load, [GUIDE], source="test")
    return proved(database, "asha@example.com")


@pytest.fixture
def run(database: db.Database, asha: str, began: float) -> str:
    """A run of hers that is finished."""
    with time_machine.travel(began):
        return finished(database, asha)


def proved(database: db.Database, email: str) -> str:
    user_id = sign_up(database, email)
    statement = update(Email).where(Email.user_id == user_id).values(verified_at=1.0)
    database.write(lambda session: session.run(statement))
    return user_id


def finished(database: db.Database, user_id: str) -> str:
    execution_id = start(database, user_id)
    database.write(performance.folded, executions.record_progress, user_id, execution_id, 5)
    return execution_id


def log(database: db.Database, user_id: str, execution_id: str, report: Report) -> str:
    change = database.write(performance.folded, outcomes.log, user_id, execution_id, report)
    return change.after.id


def claim(database: db.Database) -> list[Due]:
    return database.write(reminders.claim, database.read(reminders.find_due))


def asked(database: db.Database, at: float) -> list[tuple[str, int]]:
    """What is sent at a time, as (run, days)."""
    with time_machine.travel(at):
        claimed = claim(database)
        for due in claimed:
            database.write(reminders.sent, due)
        return [(due.execution_id, due.days) for due in claimed]


def every_day(database: db.Database, began: float, days: int = 76) -> Iterator[tuple[int, int]]:
    """(day, stage) of all that is sent, hour after hour being a day here."""
    for day in range(days):
        for _, stage in asked(database, began + day * DAY + 60):
            yield day, stage


# ---- who is due -----------------------------------------------------------------------------


def test_three_times_and_never_again(database: db.Database, run: str, began: float) -> None:
    assert list(every_day(database, began)) == [(7, 7), (30, 30), (60, 60)]


def test_whoever_has_a_result_is_left_alone(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    log(database, asha, run, SOMETHING)
    assert list(every_day(database, began)) == []


def test_nothing_yet_is_asked_again(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    with time_machine.travel(began + 5 * DAY):
        log(database, asha, run, NOTHING)
    # Not two days after she said so, but when some time has passed.
    assert list(every_day(database, began)) == [(11, 7), (30, 30), (60, 60)]


def test_an_answer_by_mail_ends_it_when_it_is_a_result(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    assert asked(database, began + 8 * DAY) == [(run, 7)]
    with time_machine.travel(began + 9 * DAY):
        database.write(reminders.answer, asha, run, 7, "nothing", NOTHING)
    assert asked(database, began + 31 * DAY) == [(run, 30)]
    with time_machine.travel(began + 32 * DAY):
        database.write(reminders.answer, asha, run, 30, "revenue", SOMETHING)
    assert list(every_day(database, began)) == []
    (only,) = database.read(outcomes.list_for, asha)  # the result is in the place of "nothing yet"
    assert only.value == 4800.0


def test_stop_is_for_one_run_and_the_switch_for_all(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    with time_machine.travel(began + 3600):
        other = finished(database, asha)
    assert asked(database, began + 8 * DAY) == [(run, 7)]
    with time_machine.travel(began + 8 * DAY):
        assert database.write(reminders.answer, asha, run, 7, "stop") is None
    assert asked(database, began + 9 * DAY) == [(other, 7)]
    database.write(reminders.switch, asha, on=False)
    assert not database.read(reminders.are_on, asha)
    assert asked(database, began + 31 * DAY) == []
    database.write(reminders.switch, asha, on=True)
    database.write(reminders.switch, asha, on=True)
    assert asked(database, began + 31 * DAY) == [(other, 30)]


def test_one_mail_a_day_to_one_person(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    with time_machine.travel(began + 60):
        runs = [run, finished(database, asha), finished(database, asha)]
    sent = [asked(database, began + (8 + day) * DAY) for day in range(4)]
    assert [len(mails) for mails in sent] == [1, 1, 1, 0]
    assert sorted(mail[0] for mails in sent for mail in mails) == sorted(runs)


def test_an_address_nobody_proved_gets_one_mail(database: db.Database, began: float) -> None:
    database.write(catalogue.load, [GUIDE], source="test")
    stranger = sign_up(database, "stranger@example.com")
    with time_machine.travel(began):
        finished(database, stranger)
        finished(database, stranger)
    assert list(every_day(database, began)) == [(7, 7)]


def test_only_what_has_ended_is_asked_about(database: db.Database, asha: str, began: float) -> None:
    with time_machine.travel(began):
        start(database, asha)
        silent, spoken = start(database, asha), start(database, asha)
        log(database, asha, spoken, NOTHING)
        for execution_id in (silent, spoken):
            database.write(performance.folded, executions.abandon, asha, execution_id)
    assert {mail for day in range(9) for mail in asked(database, began + day * DAY + 60)} == {
        (spoken, 7)
    }


def test_what_ended_long_ago_is_not_dug_up(database: db.Database, run: str, began: float) -> None:
    assert asked(database, began + 22 * DAY) == []
    assert asked(database, began + 300 * DAY) == []


# ---- claim, send, mark ----------------------------------------------------------------------


def test_what_was_claimed_is_nobody_elses(database: db.Database, run: str, began: float) -> None:
    with time_machine.travel(began + 8 * DAY):
        assert len(claim(database)) == 1
        assert claim(database) == []


def test_many_processes_at_once_send_one_mail_each(
    database: db.Database, asha: str, began: float
) -> None:
    everybody = [asha, *(proved(database, f"p{n}@example.com") for n in range(11))]
    with time_machine.travel(began):
        for user_id in everybody:
            finished(database, user_id)
    with time_machine.travel(began + 8 * DAY):
        claimed = [due for found in at_once(6, lambda _: claim(database)) for due in found]
    assert sorted(due.user_id for due in claimed) == sorted(everybody)


def test_without_the_claim_they_would_send_it_again(
    database: db.Database, run: str, began: float
) -> None:
    """The control: what is due is due until somebody claims it."""
    with time_machine.travel(began + 8 * DAY):
        found = [database.read(reminders.find_due) for _ in range(2)]
    assert [len(due) for due in found] == [1, 1]


def test_whoever_answers_after_being_found_is_not_asked(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    with time_machine.travel(began + 8 * DAY):
        found = database.read(reminders.find_due)
        log(database, asha, run, Report("revenue", 4800.0, "INR"))
        assert len(found) == 1
        assert database.write(reminders.claim, found) == []


def test_a_crash_between_claim_and_sending_loses_nothing(
    database: db.Database, run: str, began: float
) -> None:
    with time_machine.travel(began + 8 * DAY):
        (first,) = claim(database)  # and the process ends
    with time_machine.travel(began + 8 * DAY + reminders.LEASE + 1):
        (again,) = claim(database)
        database.write(reminders.sent, again)
    assert again.name == first.name  # so that a mailbox that has it already knows it
    assert asked(database, began + 9 * DAY) == []


def test_what_was_put_back_may_be_claimed_at_once(
    database: db.Database, run: str, began: float
) -> None:
    with time_machine.travel(began + 8 * DAY):
        database.write(reminders.put_back, claim(database))
        (again,) = claim(database)
        database.write(reminders.sent, again)
        database.write(reminders.put_back, [again])  # too late: it has left
        assert claim(database) == []


def test_a_mail_that_ends_every_process_is_left_alone(
    database: db.Database, run: str, began: float
) -> None:
    tries = 0
    for hour in range(20):
        with time_machine.travel(began + 8 * DAY + hour * (reminders.LEASE + 1)):
            tries += len(claim(database))
    assert tries == reminders.TRIES


def test_an_address_that_refuses_is_not_tried_again(
    database: db.Database, run: str, began: float
) -> None:
    with time_machine.travel(began + 8 * DAY):
        (due,) = claim(database)
        database.write(reminders.give_up, due)
    assert asked(database, began + 9 * DAY) == []
    assert asked(database, began + 31 * DAY) == [(run, 30)]


# ---- answers --------------------------------------------------------------------------------


def test_a_mail_is_answered_once(database: db.Database, asha: str, run: str, began: float) -> None:
    asked(database, began + 8 * DAY)
    assert not database.read(reminders.is_answered, asha, run, 7)

    def press(_finger: int) -> bool:
        try:
            database.write(reminders.answer, asha, run, 7, "revenue", SOMETHING)
        except errors.Conflict:
            return False
        return True

    with time_machine.travel(began + 9 * DAY):
        assert sorted(at_once(4, press)) == [False, False, False, True]
        assert database.read(reminders.is_answered, asha, run, 7)
    assert len(database.read(outcomes.list_for, asha)) == 1


def test_nothing_yet_does_not_undo_a_result(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    asked(database, began + 8 * DAY)
    with time_machine.travel(began + 9 * DAY):
        log(database, asha, run, SOMETHING)
        assert database.write(reminders.answer, asha, run, 7, "nothing", NOTHING) is None
    (only,) = database.read(outcomes.list_for, asha)
    assert only.value == 4800.0


def test_links_that_are_too_old_or_about_no_mail(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    with pytest.raises(errors.Gone):
        database.write(reminders.answer, asha, run, 7, "nothing", NOTHING)
    asked(database, began + 8 * DAY)
    with time_machine.travel(began + 200 * DAY), pytest.raises(errors.Gone):
        database.write(reminders.answer, asha, run, 7, "nothing", NOTHING)
    assert database.read(outcomes.list_for, asha) == []


def test_a_report_that_cannot_be_leaves_the_mail_unanswered(
    database: db.Database, asha: str, run: str, began: float
) -> None:
    asked(database, began + 8 * DAY)
    with time_machine.travel(began + 9 * DAY):
        wrong = Report("revenue", 1.0, "QQQ")
        with pytest.raises(errors.Invalid):
            database.write(reminders.answer, asha, run, 7, "revenue", wrong)
        assert not database.read(reminders.is_answered, asha, run, 7)


def test_the_evidence_stays_right(database: db.Database, asha: str, run: str, began: float) -> None:
    asked(database, began + 8 * DAY)
    with time_machine.travel(began + 9 * DAY):
        database.write(reminders.answer, asha, run, 7, "nothing", NOTHING)
        log(database, asha, run, NOTHING)
        log(database, asha, run, SOMETHING)
    assert database.read(people.read_model) == people.rebuilt(database)
    assert database.read(_rows) == 1


def _rows(session: db.Session) -> int:
    return int(session.value(select(func.count()).select_from(Reminder)))
