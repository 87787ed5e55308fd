"""Asking again what a run brought: who is due, that nobody is asked twice, and what they answer.

`find_due` reads, which takes seconds where very many people are, and keeps nobody from writing.
Then a mail goes in three steps: `claim` commits a row before anything is sent, the caller sends,
`sent` marks the row. A claim whose sender vanished is taken over after LEASE, so a crash loses no
mail; and since the mail then has the same Message-ID, one that had left already is not shown twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors
from whatworks.evidence import performance
from whatworks.models import Email, Outcome, Reminder, ReminderChoice, WorkflowExecution
from whatworks.results import outcomes
from whatworks.results.outcomes import OutcomeChange, Report

DAY: Final = 86_400.0
STAGES: Final = (7, 30, 60)  # days after a run ended
WINDOW: Final = 14 * DAY  # so late may a stage still be asked; after that it is left out
QUIET: Final = 6 * DAY  # whoever has just answered is left in peace
APART: Final = 20 * 3600.0  # between two mails to one person
LEASE: Final = 3600.0
TRIES: Final = 5
AT_ONCE: Final = 1_000  # found by one look; claimed in batches
BATCH: Final = 50
ANSWERABLE: Final = 120 * DAY  # how long the links of a mail work


@dataclass(frozen=True, slots=True)
class Due:
    """A mail that is due; who has claimed it has to send it. `name` is the same for each try."""

    user_id: str
    execution_id: str
    days: int
    email: str

    @property
    def name(self) -> str:
        """What the mail is called, for its Message-ID."""
        text = f"{self.user_id} {self.execution_id} {self.days}"
        return f"reminder.{hashlib.sha256(text.encode()).hexdigest()[:32]}"


_E, _O, _R = WorkflowExecution, Outcome, Reminder
_later, _other, _same = aliased(Outcome), aliased(Reminder), aliased(Reminder)
_OUTCOME: Final = and_(
    _O.user_id == _E.user_id,
    _O.execution_id == _E.id,
    ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id),
)
_OF_THIS_RUN: Final = and_(_other.user_id == _E.user_id, _other.execution_id == _E.id)
_THIS_MAIL: Final = and_(
    _same.user_id == _E.user_id, _same.execution_id == _E.id, _same.days == bindparam("days")
)
_ANOTHER_MAIL: Final = and_(
    _other.user_id == _E.user_id,
    or_(_other.execution_id != _E.id, _other.days != bindparam("days")),
)
_due: Final = (
    select(_E.user_id, _E.id, Email.email)
    .join(Email, Email.user_id == _E.user_id)
    .where(
        _E.status.in_(("completed", "abandoned")),
        _E.touched_at > bindparam("after"),
        _E.touched_at <= bindparam("until"),
        or_(_E.status == "completed", exists().where(_OUTCOME)),
        ~exists().where(_OUTCOME, _O.value > 0),
        ~exists().where(_OUTCOME, _O.timestamp > bindparam("quiet")),
        ~exists().where(
            _OF_THIS_RUN, or_(_other.answer == "stop", _other.answered_at > bindparam("quiet"))
        ),
        ~exists().where(_ANOTHER_MAIL, _other.claimed_at > bindparam("apart")),
        ~exists().where(ReminderChoice.user_id == _E.user_id, ReminderChoice.off_at.is_not(None)),
        # An address that nobody proved may be a stranger's: one mail, never a second.
        or_(Email.verified_at.is_not(None), ~exists().where(_ANOTHER_MAIL)),
        ~exists().where(
            _THIS_MAIL,
            or_(
                _same.sent_at.is_not(None),
                _same.claimed_at > bindparam("lease"),
                _same.tries >= TRIES,
            ),
        ),
    )
)
_DUE: Final = db.Query(_due.order_by(_E.touched_at, _E.id).limit(bindparam("limit")))
_STILL_DUE: Final = db.Query(
    _due.where(_E.user_id == bindparam("user_id"), _E.id == bindparam("execution_id"))
)
_claim: Final = insert(_R)
_CLAIM: Final = db.Query(
    _claim.on_conflict_do_update(
        index_elements=["user_id", "execution_id", "days"],
        set_={"claimed_at": _claim.excluded.claimed_at, "tries": _R.tries + 1},
        where=and_(_R.sent_at.is_(None), _R.claimed_at <= bindparam("lease"), _R.tries < TRIES),
    )
)
_THE_MAIL: Final = and_(
    _R.user_id == bindparam("the_user"),
    _R.execution_id == bindparam("the_execution"),
    _R.days == bindparam("the_days"),
)
_SENT: Final = db.Query(update(_R).where(_THE_MAIL).values(sent_at=bindparam("now")))
_GIVE_UP: Final = db.Query(update(_R).where(_THE_MAIL).values(tries=TRIES))
_PUT_BACK: Final = db.Query(delete(_R).where(_THE_MAIL, _R.sent_at.is_(None)))
_GET: Final = db.Query(
    select(_R.claimed_at, _R.answer, _R.answered_at).where(
        _R.user_id == bindparam("user_id"),
        _R.execution_id == bindparam("execution_id"),
        _R.days == bindparam("days"),
    )
)
_ANSWER: Final = db.Query(
    update(_R)
    .where(_THE_MAIL, _R.answered_at.is_(None))
    .values(answer=bindparam("what"), answered_at=bindparam("now"))
)
_choose: Final = insert(ReminderChoice)
_CHOOSE: Final = db.Query(
    _choose.on_conflict_do_update(
        index_elements=["user_id"],
        set_={"off_at": _choose.excluded.off_at, "changed_at": _choose.excluded.changed_at},
    )
)
_OFF: Final = db.Query(
    select(ReminderChoice.off_at).where(ReminderChoice.user_id == bindparam("user_id"))
)


def find_due(session: db.Session, limit: int = AT_ONCE) -> list[Due]:
    """Mails that are due, one a person at most, those waiting longest first. Reads only."""
    now = clock.timestamp()
    chosen: dict[str, Due] = {}
    for days in STAGES:
        for row in session.all(_DUE, limit=limit, **_terms(days, now)):
            chosen.setdefault(row.user_id, Due(row.user_id, row.id, days, row.email))
    return list(chosen.values())[:limit]


def claim(session: db.Session, found: Iterable[Due]) -> list[Due]:
    """Take those that are still due; nobody else gets them for LEASE seconds."""
    now = clock.timestamp()
    ordered = sorted(found, key=lambda due: due.user_id)  # so that no two wait for each other
    return [due for due in ordered if _is_due(session, due, now) and _take(session, due, now)]


def sent(session: db.Session, due: Due) -> None:
    """The mail has left."""
    session.run(
        _SENT,
        the_user=due.user_id,
        the_execution=due.execution_id,
        the_days=due.days,
        now=clock.timestamp(),
    )


def put_back(session: db.Session, claimed: Sequence[Due]) -> None:
    """These could not be tried after all; whoever comes next may claim them at once."""
    for due in claimed:
        session.run(
            _PUT_BACK,
            the_user=due.user_id,
            the_execution=due.execution_id,
            the_days=due.days,
        )


def give_up(session: db.Session, due: Due) -> None:
    """The mail can never be sent to this address; it is not tried again."""
    session.run(_GIVE_UP, the_user=due.user_id, the_execution=due.execution_id, the_days=due.days)


def is_answered(session: db.Session, user_id: str, execution_id: str, days: int) -> bool:
    """Whether a mail was answered. Raises Gone when there is no such mail, or it is too old."""
    row = session.first(_GET, user_id=user_id, execution_id=execution_id, days=days)
    if row is None or row.claimed_at < clock.timestamp() - ANSWERABLE:
        raise errors.Gone(
            "This link is too old; sign in and log your result on the dashboard.",
            code="reminder_expired",
        )
    return row.answered_at is not None


def answer(
    session: db.Session,
    user_id: str,
    execution_id: str,
    days: int,
    what: str,
    report: Report | None = None,
) -> OutcomeChange | None:
    """Answer a mail, once; a report is logged in the place of an earlier "nothing yet".

    `what` is a metric, `nothing` or `stop`. "Nothing yet" changes nothing where there are results.
    Raises Gone (no such mail, too old), Conflict (answered already) and as `outcomes.record`.
    """
    is_answered(session, user_id, execution_id, days)
    done = session.run(
        _ANSWER,
        the_user=user_id,
        the_execution=execution_id,
        the_days=days,
        what=what,
        now=clock.timestamp(),
    )
    if not done:
        raise errors.Conflict("You have answered this mail already.", code="reminder_answered")
    known = outcomes.list_for_execution(session, user_id, execution_id)
    if report is None or (not report.value and any(not one.is_nothing for one in known)):
        return None
    return performance.folded(session, outcomes.log, user_id, execution_id, report)


def switch(session: db.Session, user_id: str, *, on: bool) -> None:
    """Whether this person is asked by mail at all; the last word counts."""
    now = clock.timestamp()
    session.run(_CHOOSE, user_id=user_id, off_at=None if on else now, changed_at=now)


def are_on(session: db.Session, user_id: str) -> bool:
    """Whether this person is asked by mail: yes, until they say no."""
    return session.value(_OFF, user_id=user_id) is None


def _is_due(session: db.Session, due: Due, now: float) -> bool:
    """Whether nothing has happened since it was found."""
    session.hold(due.user_id)
    terms = _terms(due.days, now)
    return bool(
        session.all(_STILL_DUE, user_id=due.user_id, execution_id=due.execution_id, **terms)
    )


def _terms(days: int, now: float) -> dict[str, Any]:
    until = now - days * DAY
    return {
        "days": days,
        "after": until - WINDOW,
        "until": until,
        "quiet": now - QUIET,
        "apart": now - APART,
        "lease": now - LEASE,
    }


def _take(session: db.Session, due: Due, now: float) -> bool:
    """False when somebody else was first."""
    taken = session.run(
        _CLAIM,
        user_id=due.user_id,
        execution_id=due.execution_id,
        days=due.days,
        claimed_at=now,
        tries=1,
        sent_at=None,
        answer=None,
        answered_at=None,
        lease=now - LEASE,
    )
    return taken > 0
