"""Asking again by mail what a run brought: the mails, the pages that their links open, the switch.

A link opened with GET changes nothing, since mail scanners open links; what it says is done by the
page's button. The pages need no sign-in: a token speaks for one mail or one switch only.
"""

from __future__ import annotations

import contextlib
import logging
import smtplib
from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Blueprint, Flask, render_template, request
from werkzeug.wrappers import Response

from whatworks import db, errors, reminders, signed
from whatworks.execution import executions
from whatworks.execution.lifecycle import Execution
from whatworks.guides.guide import Guide
from whatworks.reminders import BATCH, Due
from whatworks.results import outcomes
from whatworks.results.outcomes import Outcome, Report
from whatworks.web import fields, http, identity, outcome_pages, pages, views

site = Blueprint("reminders", __name__)
logger = logging.getLogger(__name__)
ASK: Final = "reminder"
UNSUBSCRIBE: Final = "unsubscribe"
LINES: Final = {
    "revenue": "I earned money",
    "customers": "I won customers",
    "time_saved": "I saved time",
    "nothing": "Nothing yet",
}


class AnswerForm(msgspec.Struct):
    """What the page of a mail's link sends; `nothing` and `stop` need no value."""

    metric_type: fields.Answer
    value: fields.Value | None = None
    currency: str | None = None
    unit: str | None = None


class Switch(msgspec.Struct):
    """Whether to be asked by mail."""

    on: fields.OnOff


@dataclass(frozen=True)
class _Mail:
    """What a mail is about. `known` are the run's results so far."""

    user_id: str
    days: int
    execution: Execution
    guide: Guide
    known: list[Outcome]
    is_answered: bool


def send_due(app: Flask) -> None:
    """Send all reminders that are due; one of the hourly chores, in every process."""
    with app.app_context():
        if not http.platform().settings.reminders:
            return
        while found := http.read(reminders.find_due):
            if not all(_send_all(found[at : at + BATCH]) for at in range(0, len(found), BATCH)):
                return


def _send_all(found: list[Due]) -> bool:
    """Claim and send; False when none could be claimed, or none can be sent now."""
    claimed = http.write(reminders.claim, found)
    for number, due in enumerate(claimed):
        if not _send(due):  # the server is not there; an hour later it may be
            http.write(reminders.put_back, claimed[number:])
            return False
    return bool(claimed)


@site.get("/reminder/<token>")
def look(token: str) -> Response:
    """Where a mail's link leads: what it will do, and the button that does it."""
    mail = _read(token)
    answer = request.args.get("answer", "")
    currency = outcomes.default_currency(mail.execution.country)
    return _render(token, mail, {"metric_type": answer, "currency": currency}, {})


@site.post("/reminder/<token>")
def answer(token: str) -> Response | tuple[Response, int]:
    """Do what the mail's reader decided, once."""
    mail = _read(token)
    given, typed, wrong = pages.read_form(AnswerForm, "value")
    if given is not None and given.metric_type not in ("nothing", "stop") and given.value is None:
        wrong = {"value": "Write it as a number, such as 4800; if it was nothing, write 0."}
    if given is None or wrong:
        return _render(token, mail, typed, wrong), 400
    try:
        with contextlib.suppress(errors.Conflict):  # a second press finds the first one's answer
            http.write(
                reminders.answer,
                mail.user_id,
                mail.execution.id,
                mail.days,
                given.metric_type,
                _report(given, mail.guide),
            )
    except errors.Invalid as failure:
        return _render(token, mail, typed, failure.fields), 400
    return pages.go(f"/reminder/{token}")


@site.get("/unsubscribe/<token>")
def ask_unsubscribe(token: str) -> Response:
    """Ask once; looking changes nothing."""
    _whose(token)
    return pages.render("unsubscribe.html", token=token, done=False)


@site.post("/unsubscribe/<token>")
def unsubscribe(token: str) -> Response:
    """No more such mails. Mail programs call this by themselves (RFC 8058)."""
    http.write(reminders.switch, _whose(token), on=False)
    return pages.render("unsubscribe.html", token=token, done=True)


@site.post("/profile/reminders")
def switch() -> Response:
    """Turn the mails off or on again."""
    person = identity.require_person()
    given, _, _ = pages.read_form(Switch)
    on = given is None or given.on == "on"
    http.write(reminders.switch, person.id, on=on)
    return pages.go(
        "/profile", "We will ask you by mail." if on else "We will not ask you by mail any more."
    )


def _send(due: Due) -> bool:
    """False when the mail server could not be spoken to; then nothing was sent."""
    platform = http.platform()
    subject, text, unsubscribe_url = _write(due)
    try:
        platform.mailer.deliver(
            due.email, subject, text, name=due.name, unsubscribe=unsubscribe_url
        )
    except (ValueError, OSError, smtplib.SMTPException) as failure:
        logger.warning("a reminder could not be sent: %s", type(failure).__name__)
        if not _is_final(failure):
            return False
        http.write(reminders.give_up, due)
        return True
    http.write(reminders.sent, due)
    return True


def _is_final(failure: Exception) -> bool:
    """Whether it is this mail that cannot be sent, now or ever, and not the server that is away."""
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in failure.recipients.values())
    if isinstance(failure, smtplib.SMTPDataError):
        return failure.smtp_code >= 500
    return isinstance(failure, ValueError | smtplib.SMTPNotSupportedError)


def _write(due: Due) -> tuple[str, str, str]:
    """Subject and text of a mail, and the address that ends such mails."""
    settings = http.platform().settings
    execution, guide = http.read(_run, due.user_id, due.execution_id)
    parts = due.user_id, due.execution_id, str(due.days)
    url = f"{settings.address}/reminder/{signed.token(settings.secret_key, ASK, *parts)}"
    token = signed.token(settings.secret_key, UNSUBSCRIBE, due.user_id)
    unsubscribe_url = f"{settings.address}/unsubscribe/{token}"
    text = render_template(
        "mail/reminder.txt",
        title=guide.title,
        days=due.days,
        finished=execution.status == "completed",
        answers=[(said, f"{url}?answer={value}") for value, said in LINES.items()],
        stop=f"{url}?answer=stop",
        unsubscribe=unsubscribe_url,
    )
    return f"Did “{guide.title}” bring you something?", text, unsubscribe_url


def _read(token: str) -> _Mail:
    """What a token is about. Raises NotFound (not one of ours) and Gone (too old)."""
    parts = signed.read(http.platform().settings.secret_key, ASK, token)
    if parts is None:
        raise _broken()
    return http.read(_load, parts[0], parts[1], int(parts[2]))


def _whose(token: str) -> str:
    parts = signed.read(http.platform().settings.secret_key, UNSUBSCRIBE, token)
    if parts is None:
        raise _broken()
    return parts[0]


def _broken() -> errors.NotFound:
    return errors.NotFound("This link is not whole; copy all of it from the mail.")


def _run(session: db.Session, user_id: str, execution_id: str) -> tuple[Execution, Guide]:
    execution = executions.get(session, user_id, execution_id)
    return execution, views.guide_for(session, execution)


def _load(session: db.Session, user_id: str, execution_id: str, days: int) -> _Mail:
    execution, guide = _run(session, user_id, execution_id)
    return _Mail(
        user_id,
        days,
        execution,
        guide,
        outcomes.list_for_execution(session, user_id, execution_id),
        reminders.is_answered(session, user_id, execution_id, days),
    )


def _report(given: AnswerForm, guide: Guide) -> Report | None:
    if given.metric_type == "stop":
        return None
    return outcome_pages.report(given.metric_type, given.value, given.currency, given.unit, guide)


def _render(token: str, mail: _Mail, form: dict[str, str], wrong: dict[str, str]) -> Response:
    return pages.render(
        "reminder.html",
        token=token,
        execution=mail.execution,
        title=mail.guide.title,
        form=form,
        errors=wrong,
        currencies=outcome_pages.CURRENCIES,
        known=mail.known,
        answered=mail.is_answered,
    )
