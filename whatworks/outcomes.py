"""What executions brought: reported by their owners, corrected by superseding, never edited."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import babel
from babel.numbers import get_territory_currencies
from sqlalchemy import bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from whatworks import clock, db, errors, executions
from whatworks.lifecycle import Execution
from whatworks.models import Outcome as OutcomeRow

METRICS: Final = ("revenue", "time_saved", "customers", "custom")
PROOF_TYPES: Final = ("screenshot", "invoice", "text", "none")
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

    @property
    def has_proof(self) -> bool:
        """Whether there is something to look at, not only the word that there was."""
        return bool(self.proof_url or self.proof_id)


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


# NAT64, 6to4 and Teredo: addresses that lead to an IPv4 address of anybody's choice.
_IPV4_INSIDE: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "2001::/32")))

_O = OutcomeRow
_later = aliased(OutcomeRow)
_CURRENT: Final = ~exists().where(_later.user_id == _O.user_id, _later.supersedes_id == _O.id)
_COLUMNS: Final = select(
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
)
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
_OF_PERSON: Final = db.Query(
    _COLUMNS.where(_O.user_id == bindparam("user_id"), _CURRENT)
    .order_by(_O.timestamp.desc())
    .limit(bindparam("limit"))
)
_ANY: Final = db.Query(
    select(_O.id)
    .where(_O.user_id == bindparam("user_id"), _O.execution_id == bindparam("execution_id"))
    .limit(1)
)
_INSERT: Final = db.Query(insert(_O).on_conflict_do_nothing())


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
    currency or unit does not fit the metric) and Conflict (it has been superseded already).
    """
    execution = executions.lock(session, user_id, execution_id)
    before = _superseded(session, user_id, execution_id, report.supersedes_id)
    is_first = session.value(_ANY, user_id=user_id, execution_id=execution_id) is None
    outcome = Outcome(
        id=clock.new_id(),
        execution_id=execution_id,
        metric_type=report.metric_type,
        value=report.value + 0.0,
        currency=_currency(report, execution.country),
        proof_type=report.proof_type or "none",
        proof_url=report.proof_url,
        proof_id=report.proof_id,
        note=report.note,
        verified=False,
        created_at=clock.timestamp(),
        supersedes_id=report.supersedes_id,
    )
    _insert(session, user_id, outcome)
    executions.record_outcome(session, execution, outcome.id, outcome.created_at or 0.0, actor)
    return OutcomeChange(before, outcome, execution, is_first)


def list_for_execution(session: db.Session, user_id: str, execution_id: str) -> list[Outcome]:
    """The outcomes of one execution that nothing supersedes, oldest first."""
    rows = session.all(_OF_EXECUTION, user_id=user_id, execution_id=execution_id)
    return [from_row(row) for row in rows]


def list_for(session: db.Session, user_id: str, limit: int = 200) -> list[Outcome]:
    """A person's outcomes that nothing supersedes, newest first."""
    return [from_row(row) for row in session.all(_OF_PERSON, user_id=user_id, limit=limit)]


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


def check_proof_url(url: str) -> str | None:
    """What is wrong with a proof link, or None. It is kept as text and never fetched.

    >>> check_proof_url("https://example.com/receipt.png")
    >>> check_proof_url("javascript:alert(1)")
    'give a link that starts with https://'
    """
    if url[:8].lower() != "https://" or not url.isprintable() or " " in url or "\\" in url:
        return "give a link that starts with https://"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "this is not a link"
    if "@" in parts.netloc or not _is_public(host):
        return "give a link to a public website"
    return None


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
        proof_url=row.proof_url if row.proof_url and not check_proof_url(row.proof_url) else None,
        proof_id=row.proof_id,
        note=row.note,
        verified=row.verified == 1,
        created_at=row.timestamp if isinstance(row.timestamp, int | float) else None,
        supersedes_id=row.supersedes_id,
    )


def _is_public(host: str) -> bool:
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        hidden = any(address in network for network in _IPV4_INSIDE)
        return address.is_global and not address.is_multicast and not hidden
    labels = host.rstrip(".").split(".")
    private = {"localhost", "local", "internal", "lan", "home", "corp", "test", "invalid", "onion"}
    return (
        len(labels) >= 2
        and all(re.fullmatch(r"[\w-]{1,63}", label) for label in labels)
        and labels[-1] not in private
        and not labels[-1].isdigit()
        and not labels[-1].startswith("0x")
    )


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
    if session.value(_LATER, user_id=user_id, supersedes_id=outcome_id) is not None:
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
    )
    if not stored:
        raise _superseded_already()
