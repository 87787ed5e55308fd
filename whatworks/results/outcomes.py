"""What executions brought: reported by their owners, corrected by superseding, never edited."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Final

import babel
from babel.numbers import get_territory_currencies
from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors
from whatworks.execution import executions
from whatworks.execution.lifecycle import Execution
from whatworks.models import Outcome as OutcomeRow
from whatworks.models import WorkflowExecution
from whatworks.results import links, proofs, shares
from whatworks.results.proofs import Proof

METRICS: Final = ("revenue", "time_saved", "customers", "custom")
PROOF_TYPES: Final = ("screenshot", "invoice", "text", "none")
_PROOF_TYPE_OF: Final = {"image": "screenshot", "document": "invoice", "text": "text"}
UNITS: Final = {"time_saved": "hours", "customers": "count"}
LARGEST: Final = 1e12
# Codes that the locale data knows and ISO 3166-1 does not assign.
NOT_COUNTRIES: Final = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"]
)
COUNTRIES: Final = (
    frozenset(
        code for code in map(str, babel.Locale("en").territories) if re.fullmatch("[A-Z]{2}", code)
    )
    - NOT_COUNTRIES
)
# What is legal tender somewhere today; test codes and currencies of the past are not.
CURRENCIES: Final = frozenset(
    str(code) for country in COUNTRIES for code in get_territory_currencies(country)
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reported result. Old rows may lack anything but an id; times are epoch seconds."""

    id: str
    execution_id: str
    metric_type: str
    value: float
    currency: str
    proof_type: str | None
    proof_url: str | None
    proof_id: str | None
    note: str | None
    verified: bool
    created_at: float | None
    supersedes_id: str | None
    review: str | None = None  # approved | rejected

    @property
    def is_nothing(self) -> bool:
        """Whether it says that there is nothing yet."""
        return self.value == 0

    @property
    def has_proof(self) -> bool:
        """Whether there is something to look at, not only the word that there was.

        What a reviewer rejected is no proof.
        """
        return bool(self.proof_url or self.proof_id) and self.review != "rejected"

    @property
    def tier(self) -> str:
        """How well it is founded: claimed < proof < reviewed."""
        if self.verified:
            return "reviewed"
        return "proof" if self.has_proof else "claimed"


@dataclass(frozen=True, slots=True)
class Report:
    """What a person says an execution brought."""

    metric_type: str
    value: float
    currency: str | None = None
    proof_type: str | None = None
    proof_url: str | None = None
    proof_id: str | None = None
    note: str | None = None
    supersedes_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """What a report changed: `before` is the outcome it supersedes, if any."""

    before: Outcome | None
    after: Outcome
    execution: Execution
    is_first: bool


MOST: Final = 500  # of one run, with those that were corrected: a year of daily reports and more
_O = OutcomeRow
_later = aliased(OutcomeRow)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
COLUMNS: Final = (  # what `from_row` reads
    _O.id,
    _O.execution_id,
    _O.metric_type,
    _O.value,
    _O.currency,
    _O.proof_type,
    _O.proof_url,
    _O.proof_id,
    _O.note,
    _O.verified,
    _O.timestamp,
    _O.supersedes_id,
    _O.review,
)
_COLUMNS: Final = select(*COLUMNS)
_GET: Final = db.Query(_COLUMNS.where(_O.user_id == bindparam("user_id"), _O.id == bindparam("id")))
_LATER: Final = db.Query(
    select(_O.id).where(
        _O.user_id == bindparam("user_id"), _O.supersedes_id == bindparam("supersedes_id")
    )
)
_OF_EXECUTION: Final = db.Query(
    _COLUMNS.where(
        _O.user_id == bindparam("user_id"),
        _O.execution_id == bindparam("execution_id"),
        _CURRENT,
    ).order_by(_O.timestamp)
)
_OF_PERSON: Final = db.Listing(_COLUMNS.where(_CURRENT), _O.user_id, _O.timestamp, _O.id)
_LOCK_AND_COUNT: Final = executions.locking(
    select(func.count())
    .where(_O.user_id == WorkflowExecution.user_id, _O.execution_id == WorkflowExecution.id)
    .correlate(WorkflowExecution)
    .scalar_subquery()
)
_INSERT: Final = db.Query(insert(_O).on_conflict_do_nothing())
_THIS: Final = (_O.user_id == bindparam("the_user"), _O.id == bindparam("the_outcome"))
_SET_REVIEW: Final = db.Query(
    update(_O)
    .where(*_THIS)
    .values(verified=bindparam("new_verified"), review=bindparam("new_review"))
)
_SET_PROOF: Final = db.Query(
    update(_O)
    .where(*_THIS)
    .values(proof_id=bindparam("new_proof"), proof_type=bindparam("new_type"), review=None)
)


def record(
    session: db.Session,
    user_id: str,
    execution_id: str,
    report: Report,
    *,
    actor: str = "owner",
) -> OutcomeChange:
    """Store a report about an execution of this person, open or closed.

    Raises NotFound (the execution, or the outcome to supersede, is not theirs), Invalid (the
    currency or unit does not fit the metric, or there is no such proof of theirs) and Conflict
    (it has been superseded already, or the run has MOST of them).
    """
    execution, count = executions.lock_and_count(session, _LOCK_AND_COUNT, user_id, execution_id)
    proof = _proof(session, user_id, report.proof_id)
    before = _superseded(session, user_id, execution_id, report.supersedes_id)
    if count >= MOST:
        raise errors.Conflict(
            f"This run has {MOST} results already; start it again for more.",
            code="too_many_outcomes",
        )
    outcome = Outcome(
        id=clock.new_id(),
        execution_id=execution_id,
        metric_type=report.metric_type,
        value=report.value + 0.0,
        currency=_currency(report, execution.country),
        proof_type=proof_type(report.proof_type, proof),
        proof_url=report.proof_url,
        proof_id=report.proof_id,
        note=report.note,
        verified=False,
        created_at=clock.timestamp(),
        supersedes_id=report.supersedes_id,
    )
    _insert(session, user_id, outcome)
    if proof and (before is None or before.proof_id != proof.id):
        shares.revoke(session, user_id, proof.id)  # the yes was for other results
    executions.record_outcome(session, execution, outcome.id, outcome.created_at or 0.0, actor)
    return OutcomeChange(before, outcome, execution, is_first=count == 0)


def get(session: db.Session, user_id: str, outcome_id: str) -> Outcome:
    """An outcome of this person, corrected since or not. Raises NotFound."""
    row = session.first(_GET, user_id=user_id, id=outcome_id)
    if row is None:
        raise errors.NotFound("There is no such outcome.")
    return from_row(row)


def is_superseded(session: db.Session, user_id: str, outcome_id: str) -> bool:
    """Whether it has been corrected by a newer one."""
    return session.value(_LATER, user_id=user_id, supersedes_id=outcome_id) is not None


def set_review(session: db.Session, user_id: str, outcome: Outcome, review: str | None) -> Outcome:
    """Where its reviews have led: approved, rejected, or None; the row behind them is theirs."""
    verified = review == "approved"
    session.run(
        _SET_REVIEW,
        the_user=user_id,
        the_outcome=outcome.id,
        new_verified=int(verified),
        new_review=review,
    )
    return replace(outcome, verified=verified, review=review)


def set_proof(session: db.Session, user_id: str, outcome: Outcome, proof: Proof) -> Outcome:
    """Show this proof for it, not yet looked at."""
    kind = proof_type(None, proof)
    shares.revoke(session, user_id, proof.id)  # the yes was for other results
    session.run(
        _SET_PROOF,
        the_user=user_id,
        the_outcome=outcome.id,
        new_proof=proof.id,
        new_type=kind,
    )
    return replace(outcome, proof_id=proof.id, proof_type=kind, review=None)


def drop_proof(session: db.Session, user_id: str, outcome: Outcome) -> Outcome:
    """Its proof was taken back: it is what its owner says, and no reviewer is asked."""
    session.run(
        _SET_PROOF, the_user=user_id, the_outcome=outcome.id, new_proof=None, new_type="none"
    )
    bare = replace(outcome, proof_id=None, proof_type="none")
    return set_review(session, user_id, bare, None)


def log(session: db.Session, user_id: str, execution_id: str, report: Report) -> OutcomeChange:
    """As `record`; a report that corrects nothing takes the place of an earlier "nothing yet"."""
    executions.lock(session, user_id, execution_id)
    known = list_for_execution(session, user_id, execution_id)
    nothing = [outcome.id for outcome in known if outcome.is_nothing]
    if nothing and report.supersedes_id is None:
        report = replace(report, supersedes_id=nothing[-1])
    return record(session, user_id, execution_id, report)


def list_for_execution(session: db.Session, user_id: str, execution_id: str) -> list[Outcome]:
    """The outcomes of one execution that nothing supersedes, oldest first."""
    rows = session.all(_OF_EXECUTION, user_id=user_id, execution_id=execution_id)
    return [from_row(row) for row in rows]


def list_for(
    session: db.Session, user_id: str, limit: int = 200, after: str | None = None
) -> list[Outcome]:
    """A person's outcomes that nothing supersedes, newest first; those after the one named.

    Raises Invalid when that one is not theirs.
    """
    return [from_row(row) for row in _OF_PERSON.rows(session, user_id, limit, after)]


def is_countable(outcome: Outcome) -> bool:
    """Whether evidence can use it: old rows hold unknown metrics and impossible values."""
    return (
        outcome.metric_type in METRICS
        and math.isfinite(outcome.value)
        and 0 <= outcome.value < LARGEST
    )


@functools.lru_cache(512)
def default_currency(country: str) -> str:
    """The currency of a country, ISO 4217; INR for a country nobody knows.

    >>> default_currency("US"), default_currency("IN"), default_currency("??")
    ('USD', 'INR', 'INR')
    """
    known = get_territory_currencies(country) if country in COUNTRIES else []
    return str(known[0]) if known else "INR"


def from_row(row: Any) -> Outcome:
    """An outcome as stored. What old rows lack or spoil becomes empty, never an error."""
    value = row.value
    return Outcome(
        id=row.id,
        execution_id=row.execution_id or "",
        metric_type=row.metric_type if isinstance(row.metric_type, str) else "",
        value=float(value) if isinstance(value, int | float) else math.nan,
        currency=row.currency if isinstance(row.currency, str) else "",
        proof_type=row.proof_type,
        proof_url=row.proof_url if row.proof_url and not links.problem(row.proof_url) else None,
        proof_id=row.proof_id,
        note=row.note,
        verified=row.verified == 1,
        created_at=row.timestamp if isinstance(row.timestamp, int | float) else None,
        supersedes_id=row.supersedes_id,
        review=row.review,
    )


def proof_type(given: str | None, proof: Proof | None) -> str:
    """What an outcome says its proof is: the owner's word, else what kind of file it is."""
    if given not in (None, "none"):
        return str(given)
    return "none" if proof is None else _PROOF_TYPE_OF[proof.kind]


def _proof(session: db.Session, user_id: str, proof_id: str | None) -> Proof | None:
    if proof_id is None:
        return None
    try:
        return proofs.hold(session, user_id, proof_id)
    except errors.NotFound as absent:
        raise errors.Invalid(
            "There is no such proof; add it first, with POST /api/proof.",
            fields={"proof_id": "no proof of yours has this id"},
        ) from absent


def _currency(report: Report, country: str) -> str:
    unit = UNITS.get(report.metric_type)
    given = report.currency
    if unit:
        if given not in (None, unit):
            raise errors.Invalid(
                f"{report.metric_type} is counted in {unit}.", fields={"currency": f"write {unit}"}
            )
        return unit
    if report.metric_type == "revenue":
        code = given.upper() if given else default_currency(country)
        if code not in CURRENCIES:
            raise errors.Invalid(
                f"{given} is not a currency.",
                fields={"currency": "write an ISO 4217 code such as INR or USD"},
            )
        return code
    return given or "count"


def _superseded(
    session: db.Session, user_id: str, execution_id: str, outcome_id: str | None
) -> Outcome | None:
    if outcome_id is None:
        return None
    row = session.first(_GET, user_id=user_id, id=outcome_id)
    if row is None or row.execution_id != execution_id:
        raise errors.NotFound("There is no such outcome to correct.")
    if is_superseded(session, user_id, outcome_id):
        raise _superseded_already()
    return from_row(row)


def _superseded_already() -> errors.Conflict:
    return errors.Conflict(
        "This outcome has been corrected already; correct the newer one.",
        code="outcome_superseded",
    )


def _insert(session: db.Session, user_id: str, outcome: Outcome) -> None:
    stored = session.run(
        _INSERT,
        user_id=user_id,
        id=outcome.id,
        execution_id=outcome.execution_id,
        metric_type=outcome.metric_type,
        value=outcome.value,
        currency=outcome.currency,
        proof_type=outcome.proof_type,
        proof_url=outcome.proof_url,
        timestamp=outcome.created_at,
        verified=0,
        proof_id=outcome.proof_id,
        note=outcome.note,
        supersedes_id=outcome.supersedes_id,
        review=None,
    )
    if not stored:
        raise _superseded_already()
