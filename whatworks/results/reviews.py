"""Reviews of proofs: what operators decided, what owners answered, and what waits to be told.

A review is a row that nothing changes; `outcomes.review` is where an outcome's reviews have led,
set in the same transaction. Verbs that change it return an `OutcomeChange`, which
`performance.folded` turns into sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors
from whatworks.execution import executions
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import Review as ReviewRow
from whatworks.models import ReviewNotice, ReviewText
from whatworks.results import outcomes, proofs
from whatworks.results.outcomes import Outcome, OutcomeChange

DECISIONS: Final = ("approved", "rejected")
REASONS: Final = {
    "unreadable": "The important part cannot be read.",
    "does_not_show": "It does not show the result that was reported.",
    "too_much_covered": "So much is covered that the result cannot be seen.",
    "not_theirs": "It seems to be somebody else’s.",
    "altered": "It seems to have been changed.",
    "other": "Another reason.",
}
UNDO_SECONDS: Final = 10.0
GRACE: Final = 5.0  # for a tap in the last moment on a slow network
TOLD_WITHIN: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Review:
    """One row of an outcome's reviews; `number` counts from 1, `by` is a user_id."""

    user_id: str
    outcome_id: str
    number: int
    proof_id: str | None
    decision: str
    reason: str | None
    by: str
    at: float
    text: str | None

    @property
    def why(self) -> str | None:
        """The reason in words."""
        return REASONS.get(self.reason or "")


@dataclass(frozen=True, slots=True)
class Waiting:
    """An outcome in the queue; `seen` is how many reviews it has so far."""

    user_id: str
    outcome: Outcome
    seen: int


_R, _O, _T = ReviewRow, OutcomeRow, ReviewText
_later = aliased(OutcomeRow)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_COUNT: Final = (
    select(func.count())
    .where(_R.user_id == _O.user_id, _R.outcome_id == _O.id)
    .scalar_subquery()
    .label("seen")
)
# As the index ix_outcomes_waiting has it.
_WAITING: Final = (
    _O.proof_id.is_not(None),
    _O.review.is_(None),
    _O.user_id.is_not(None),
    _O.user_id != bindparam("reviewer_id"),
    _CURRENT,
)
_QUEUE: Final = db.Query(
    select(_O.user_id, _O.id, _COUNT)
    .where(*_WAITING)
    .order_by(_O.timestamp, _O.id)
    .limit(bindparam("limit"))
)
_QUEUE_LENGTH: Final = db.Query(select(func.count()).select_from(_O).where(*_WAITING))
_ALL: Final = (
    select(
        _R.user_id,
        _R.outcome_id,
        _R.number,
        _R.proof_id,
        _R.decision,
        _R.reason,
        _R.by,
        _R.at,
        _T.text,
    )
    .select_from(_R)
    .outerjoin(
        _T,
        (_T.user_id == _R.user_id) & (_T.outcome_id == _R.outcome_id) & (_T.number == _R.number),
    )
)
_OF_OUTCOME: Final = db.Query(
    _ALL.where(
        _R.user_id == bindparam("user_id"), _R.outcome_id == bindparam("outcome_id")
    ).order_by(_R.number)
)
_OF_PERSON: Final = db.Query(
    _ALL.where(_R.user_id == bindparam("user_id")).order_by(_R.outcome_id, _R.number)
)
_RECENT: Final = db.Query(
    _ALL.where(_R.decision.in_((*DECISIONS, "undone")), _R.user_id != bindparam("reviewer_id"))
    .order_by(_R.at.desc())
    .limit(bindparam("limit"))
)
_newer, _told = aliased(ReviewRow), ReviewNotice
_UNTOLD: Final = db.Query(
    _ALL.where(
        _R.at >= bindparam("since"),
        _R.at < bindparam("before"),
        _R.decision == "rejected",
        exists().where(  # and not taken back, or shown anew, since
            _O.user_id == _R.user_id, _O.id == _R.outcome_id, _O.proof_id == _R.proof_id
        ),
        ~exists().where(
            _newer.user_id == _R.user_id,
            _newer.outcome_id == _R.outcome_id,
            _newer.number > _R.number,
        ),
        ~exists().where(
            _told.user_id == _R.user_id,
            _told.outcome_id == _R.outcome_id,
            _told.number == _R.number,
        ),
    ).order_by(_R.at)
)
_INSERT: Final = db.Query(insert(_R).on_conflict_do_nothing())
_INSERT_TEXT: Final = db.Query(insert(_T))
_TELL: Final = db.Query(insert(_told).on_conflict_do_nothing())


def attach(session: db.Session, user_id: str, proof_id: str, outcome_id: str) -> OutcomeChange:
    """Show a proof for an outcome; in the place of one that was rejected, it is looked at again.

    Raises NotFound (either is not theirs) and Conflict (corrected since, or reviewed already).
    """
    proof = proofs.hold(session, user_id, proof_id)
    change = _begin(session, user_id, outcome_id)
    before = change.before or change.after
    if before.verified:
        raise errors.Conflict("This result has been reviewed already; it needs no other proof.")
    if before.proof_id == proof_id:
        return change
    return replace(change, after=outcomes.set_proof(session, user_id, before, proof))


def detach(session: db.Session, user_id: str, proof_id: str, outcome_id: str) -> OutcomeChange:
    """A proof that its owner took back counts for nothing, whatever was said about it.

    Raises NotFound (the outcome is not theirs) and Conflict (corrected since).
    """
    change = _begin(session, user_id, outcome_id)
    if change.after.proof_id != proof_id:
        return change
    return replace(change, after=outcomes.drop_proof(session, user_id, change.after))


def decide(
    session: db.Session,
    reviewer_id: str,
    user_id: str,
    outcome_id: str,
    decision: str,
    *,
    proof_id: str,
    seen: int,
    reason: str | None = None,
    text: str | None = None,
) -> OutcomeChange:
    """Approve or reject the proof of an outcome; `seen` is how many reviews the reviewer knew of.

    Raises NotFound, Invalid (a rejection without a reason) and Conflict (one's own, corrected
    since, or somebody else was faster).
    """
    if reviewer_id == user_id:
        raise errors.Conflict(
            "This is yours; another operator has to look at it.", code="own_proof"
        )
    if decision == "rejected" and reason not in REASONS:
        raise errors.Invalid("Say why.", fields={"reason": "choose what is wrong with it"})
    if decision == "rejected" and reason == "other" and not text:
        raise errors.Invalid("Say why.", fields={"text": "write what is wrong with it"})
    change = _begin(session, user_id, outcome_id)
    if change.after.proof_id != proof_id:
        raise _passed_by()
    return _record(
        session,
        user_id,
        change,
        decision,
        reviewer_id,
        number=seen + 1,
        reason=reason if decision == "rejected" else None,
        text=text,
    )


def undo(
    session: db.Session, reviewer_id: str, user_id: str, outcome_id: str, number: int
) -> OutcomeChange:
    """Take back one's own decision while nobody has acted on it: a new row that says so.

    Raises NotFound and Conflict (too late, or somebody has gone on from it).
    """
    change = _begin(session, user_id, outcome_id)
    last = _last(session, user_id, outcome_id)
    if last is None or last.number != number or last.by != reviewer_id:
        raise _passed_by()
    if last.decision not in DECISIONS:
        raise _passed_by()
    if clock.timestamp() - last.at > UNDO_SECONDS + GRACE:
        raise errors.Conflict("It is too late to undo this; decide on it again instead.")
    return _record(session, user_id, change, "undone", reviewer_id, number=number + 1)


def answer(session: db.Session, user_id: str, outcome_id: str, text: str) -> OutcomeChange:
    """The owner's word on a rejection: it is looked at again.

    Raises NotFound and Conflict (it has not been rejected).
    """
    change = _begin(session, user_id, outcome_id)
    last = _last(session, user_id, outcome_id)
    if last is None or change.after.review != "rejected":
        raise errors.Conflict("This has not been rejected; there is nothing to answer.")
    return _record(session, user_id, change, "answered", user_id, number=last.number + 1, text=text)


def list_waiting(session: db.Session, reviewer_id: str, limit: int = 20) -> list[Waiting]:
    """What this operator may decide on, the oldest first; never what is their own."""
    rows = session.all(_QUEUE, reviewer_id=reviewer_id, limit=limit)
    return [Waiting(r.user_id, outcomes.get(session, r.user_id, r.id), r.seen) for r in rows]


def count_waiting(session: db.Session, reviewer_id: str) -> int:
    """How much waits for this operator."""
    return int(session.value(_QUEUE_LENGTH, reviewer_id=reviewer_id))


def list_for_outcome(session: db.Session, user_id: str, outcome_id: str) -> list[Review]:
    """All that was said about an outcome, in order."""
    rows = session.all(_OF_OUTCOME, user_id=user_id, outcome_id=outcome_id)
    return [Review(*row) for row in rows]


def last_for(session: db.Session, user_id: str) -> dict[str, Review]:
    """The last word on each of a person's outcomes, by outcome id."""
    return {row.outcome_id: Review(*row) for row in session.all(_OF_PERSON, user_id=user_id)}


def list_recent(session: db.Session, reviewer_id: str, limit: int = 20) -> list[Review]:
    """What was decided lately about others, the newest first."""
    return [Review(*row) for row in session.all(_RECENT, reviewer_id=reviewer_id, limit=limit)]


def list_untold(session: db.Session) -> list[Review]:
    """Rejections that can no longer be undone, and whose owners have not been told."""
    now = clock.timestamp()
    rows = session.all(_UNTOLD, since=now - TOLD_WITHIN, before=now - UNDO_SECONDS - GRACE)
    return [Review(*row) for row in rows]


def claim_notice(session: db.Session, review: Review) -> bool:
    """Whether the caller is the one to tell the owner; true once."""
    told = session.run(
        _TELL,
        user_id=review.user_id,
        outcome_id=review.outcome_id,
        number=review.number,
        at=clock.timestamp(),
    )
    return bool(told)


def _begin(session: db.Session, user_id: str, outcome_id: str) -> OutcomeChange:
    """An outcome that nothing supersedes, its run locked; a change that changes nothing yet."""
    found = outcomes.get(session, user_id, outcome_id)
    execution = executions.lock(session, user_id, found.execution_id)
    outcome = outcomes.get(session, user_id, outcome_id)  # as it is now that nobody else is at it
    if outcomes.is_superseded(session, user_id, outcome_id):
        raise errors.Conflict(
            "This result has been corrected since; look at the newer one.",
            code="outcome_superseded",
        )
    return OutcomeChange(before=outcome, after=outcome, execution=execution, is_first=False)


def _record(
    session: db.Session,
    user_id: str,
    change: OutcomeChange,
    decision: str,
    by: str,
    *,
    number: int,
    reason: str | None = None,
    text: str | None = None,
) -> OutcomeChange:
    """Append the row and set where the outcome stands."""
    outcome = change.after
    reviews = list_for_outcome(session, user_id, outcome.id)
    earlier = [(review.decision, review.proof_id) for review in reviews]
    if number != len(earlier) + 1:
        raise _passed_by()
    stored = session.run(
        _INSERT,
        user_id=user_id,
        outcome_id=outcome.id,
        number=number,
        proof_id=outcome.proof_id,
        decision=decision,
        reason=reason,
        by=by,
        at=clock.timestamp(),
    )
    if not stored:
        raise _passed_by()
    if text:
        session.run(_INSERT_TEXT, user_id=user_id, outcome_id=outcome.id, number=number, text=text)
    standing = _standing([*earlier, (decision, outcome.proof_id)], outcome.proof_id)
    return replace(change, after=outcomes.set_review(session, user_id, outcome, standing))


def _standing(said: list[tuple[str, str | None]], proof_id: str | None) -> str | None:
    """Where reviews, as (decision, proof looked at), lead for this proof.

    >>> _standing([("rejected", "a"), ("approved", "a"), ("undone", "a")], "a")
    'rejected'
    >>> _standing([("rejected", "a"), ("answered", "a")], "a")
    """
    stands: list[str | None] = [None]
    for decision, about in said:
        if decision == "undone":
            stands.append(stands[-2])
        else:
            stands.append(decision if decision in DECISIONS and about == proof_id else None)
    return stands[-1]


def _last(session: db.Session, user_id: str, outcome_id: str) -> Review | None:
    reviews = list_for_outcome(session, user_id, outcome_id)
    return reviews[-1] if reviews else None


def _passed_by() -> errors.Conflict:
    return errors.Conflict(
        "Somebody else has just said something about this; look at it again.",
        code="review_passed_by",
    )
