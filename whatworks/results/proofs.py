"""Proofs: what people show for a result. Rows here; their pictures are in the file store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.execution import executions
from whatworks.models import Proof as ProofRow
from whatworks.people import profiles

KINDS: Final = ("image", "document", "text")
NEAR: Final = 3  # differing bits up to which two pictures look the same; see models.Proof
MOST_ALIKE: Final = 200
BANDS: Final = ("band_a", "band_b", "band_c", "band_d")


@dataclass(frozen=True, slots=True)
class Draft:
    """A proof after sanitising. `bytes` is all that is kept of it, `dhash` is None for a text and
    for a picture too plain to be told from others.
    """

    kind: str
    bytes: int
    sha256: str
    text: str | None = None
    pages: int = 0
    width: int | None = None
    height: int | None = None
    dhash: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as stored; width and height are of the first page, `created_at` epoch seconds."""

    user_id: str
    id: str
    execution_id: str | None
    step: int | None
    kind: str
    text: str | None
    pages: int
    width: int | None
    height: int | None
    bytes: int
    sha256: str
    dhash: int | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Quota:
    """What one person may keep."""

    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Alike:
    """Another proof with the same pixels (`is_same`) or hard to tell apart."""

    proof: Proof
    is_same: bool


_P = ProofRow
_COLUMNS: Final = select(
    _P.user_id,
    _P.id,
    _P.execution_id,
    _P.step,
    _P.kind,
    _P.text,
    _P.pages,
    _P.width,
    _P.height,
    _P.bytes,
    _P.sha256,
    _P.band_a,
    _P.band_b,
    _P.band_c,
    _P.band_d,
    _P.created_at,
).where(_P.taken_back_at.is_(None))  # who took one back has it no more, and neither has anybody
_GET: Final = db.Query(_COLUMNS.where(_P.user_id == bindparam("user_id"), _P.id == bindparam("id")))
_HOLD: Final = db.Query(
    _COLUMNS.where(_P.user_id == bindparam("user_id"), _P.id == bindparam("id")).with_for_update()
)
_OWNER: Final = db.Query(select(_P.user_id).where(_P.id == bindparam("id")))
_LIST: Final = db.Listing(_COLUMNS, _P.user_id, _P.created_at, _P.id)
_OF_EXECUTION: Final = db.Query(
    _COLUMNS.where(
        _P.user_id == bindparam("user_id"), _P.execution_id == bindparam("execution_id")
    ).order_by(_P.id)
)
_USAGE: Final = db.Query(
    select(func.count(), func.coalesce(func.sum(_P.bytes), 0)).where(
        _P.user_id == bindparam("user_id"), _P.taken_back_at.is_(None)
    )
)
_SAME: Final = db.Query(
    _COLUMNS.where(_P.sha256 == bindparam("sha256"), _P.id != bindparam("id"))
    .order_by(_P.id.desc())
    .limit(MOST_ALIKE)
)
_NEAR: Final = db.Query(
    _COLUMNS.where(
        or_(*(getattr(_P, band) == bindparam(band) for band in BANDS)),
        _P.id != bindparam("id"),
    )
    .order_by(_P.id.desc())
    .limit(MOST_ALIKE)
)
_KNOWN: Final = db.Query(
    select(_P.id).where(
        _P.id >= bindparam("first"), _P.id <= bindparam("last"), _P.taken_back_at.is_(None)
    )
)
_GONE: Final = db.Query(
    select(_P.id).where(_P.taken_back_at >= bindparam("since")).order_by(_P.taken_back_at)
)
_TAKE_BACK: Final = db.Query(
    update(_P)
    .where(
        _P.user_id == bindparam("the_user"),
        _P.id == bindparam("the_proof"),
        _P.taken_back_at.is_(None),
    )
    .values(taken_back_at=bindparam("now"), text=None)
)
_INSERT: Final = db.Query(insert(_P))


def add(
    session: db.Session,
    user_id: str,
    proof_id: str,
    draft: Draft,
    quota: Quota,
    *,
    execution_id: str | None = None,
    step: int | None = None,
) -> Proof:
    """Keep a proof whose files are stored already.

    Raises NotFound (the execution is not theirs), Invalid (it has no such step) and TooLarge (the
    quota is used up).
    """
    profiles.lock(session, user_id)  # two of their uploads must not both find the last free place
    check(session, user_id, quota, execution_id=execution_id, step=step, more=draft.bytes)
    proof = Proof(
        user_id=user_id,
        id=proof_id,
        execution_id=execution_id,
        step=step,
        kind=draft.kind,
        text=draft.text,
        pages=draft.pages,
        width=draft.width,
        height=draft.height,
        bytes=draft.bytes,
        sha256=draft.sha256,
        dhash=draft.dhash,
        created_at=clock.timestamp(),
    )
    columns = {name: getattr(proof, name) for name in Proof.__slots__ if name != "dhash"}
    session.run(_INSERT, **columns, **_bands(draft.dhash), taken_back_at=None)
    return proof


def check(
    session: db.Session,
    user_id: str,
    quota: Quota,
    *,
    execution_id: str | None = None,
    step: int | None = None,
    more: int = 0,
) -> None:
    """Whether one more proof of `more` bytes may be added there; raises what `add` does."""
    _require_step(session, user_id, execution_id, step)
    used_count, used_bytes = session.first(_USAGE, user_id=user_id) or (0, 0)
    if used_count >= quota.count:
        most = f"{quota.count} proofs"
    elif used_bytes + more > quota.bytes:
        most = f"{quota.bytes // 1_000_000} MB of proofs"
    else:
        return
    raise errors.TooLarge(
        f"You have {most} here, which is all there is room for; show this one as a text instead,"
        " or ask us for more room.",
        code="proof_quota",
        fields={"file": "there is no room for more files"},
    )


def get(session: db.Session, user_id: str, proof_id: str) -> Proof:
    """A proof of this person. Raises NotFound."""
    row = session.first(_GET, user_id=user_id, id=proof_id)
    if row is None:
        raise errors.NotFound("There is no such proof.")
    return _from_row(row)


def hold(session: db.Session, user_id: str, proof_id: str) -> Proof:
    """As `get`, and nobody takes it back before this is committed. Raises NotFound."""
    row = session.first(_HOLD, user_id=user_id, id=proof_id)
    if row is None:
        raise errors.NotFound("There is no such proof.")
    return _from_row(row)


def take_back(session: db.Session, user_id: str, proof_id: str) -> Proof:
    """Mark it as gone, and let go of its text; `retractions` does the rest. Raises NotFound."""
    proof = hold(session, user_id, proof_id)
    session.run(_TAKE_BACK, the_user=user_id, the_proof=proof_id, now=clock.timestamp())
    return proof


def find_owner(session: db.Session, proof_id: str) -> str | None:
    """Whose proof this is, for operators."""
    owner: str | None = session.value(_OWNER, id=proof_id)
    return owner


def list_for(
    session: db.Session, user_id: str, limit: int = 200, after: str | None = None
) -> list[Proof]:
    """A person's proofs, newest first; those after the one named.

    Raises Invalid when that one is not theirs.
    """
    return [_from_row(row) for row in _LIST.rows(session, user_id, limit, after)]


def list_for_execution(session: db.Session, user_id: str, execution_id: str) -> list[Proof]:
    """The proofs of one run, oldest first."""
    rows = session.all(_OF_EXECUTION, user_id=user_id, execution_id=execution_id)
    return [_from_row(row) for row in rows]


def list_alike(session: db.Session, proof: Proof) -> list[Alike]:
    """Proofs of anybody with the same pixels or text, then those that look the same; newest first.

    Screens of one app may look alike without being the same: a hint for reviewers, no verdict.
    """
    same = {row.id: row for row in session.all(_SAME, sha256=proof.sha256, id=proof.id)}
    found = [Alike(_from_row(row), is_same=True) for row in same.values()]
    if proof.dhash is None:
        return found
    near = map(_from_row, session.all(_NEAR, id=proof.id, **_bands(proof.dhash)))
    return found + [
        Alike(other, is_same=False)
        for other in near
        if other.id not in same and distance(proof.dhash, other.dhash) <= NEAR
    ]


def list_known(session: db.Session, first: str, last: str) -> set[str]:
    """The ids there are from `first` to `last`."""
    return {row.id for row in session.all(_KNOWN, first=first, last=last)}


def list_gone(session: db.Session, since: float) -> list[str]:
    """The ids of those taken back since then."""
    return [row.id for row in session.all(_GONE, since=since)]


def distance(one: int, other: int | None) -> int:
    """In how many bits two dHashes differ; all of them where there is none.

    >>> distance(0b1011, 0b0001), distance(1, None)
    (2, 64)
    """
    return 64 if other is None else (one ^ other).bit_count()


def folder(proof_id: str) -> str:
    """Where a proof's files are in the store: under the day its id was made, then the id.

    >>> folder("019a1b2c-3d4e-7000-8000-000000000000")
    'proofs/2025-10-25/019a1b2c-3d4e-7000-8000-000000000000'
    """
    return f"{folder_of_day(made_at(proof_id))}/{proof_id}"


def folder_of_day(seconds: float) -> str:
    """Where the files of all proofs of a day are."""
    return f"proofs/{(clock.rfc3339(seconds) or '')[:10]}"


def made_at(proof_id: str) -> float:
    """When an id was made, epoch seconds: a UUIDv7 begins with it."""
    return int(proof_id[:8] + proof_id[9:13], 16) / 1000


def _require_step(
    session: db.Session, user_id: str, execution_id: str | None, step: int | None
) -> None:
    if execution_id is None:
        if step is not None:
            raise errors.Invalid(
                "A step belongs to an execution.",
                fields={"execution_id": "name the execution of this step"},
            )
        return
    execution = executions.get(session, user_id, execution_id)
    if step is not None and step > execution.total_steps:
        raise errors.Invalid(
            f"This workflow has {execution.total_steps} steps.",
            fields={"step": f"give a number from 1 to {execution.total_steps}"},
        )


def _bands(dhash: int | None) -> dict[str, int | None]:
    """A dHash as four numbers of 16 bits, the columns that near ones are found by."""
    if dhash is None:
        return dict.fromkeys(BANDS)
    return {band: dhash >> (16 * place) & 0xFFFF for place, band in enumerate(BANDS)}


def _from_row(row: Any) -> Proof:
    bands = [getattr(row, band) for band in BANDS]
    known = all(band is not None for band in bands)
    dhash = sum(band << (16 * place) for place, band in enumerate(bands)) if known else None
    plain = {name: getattr(row, name) for name in Proof.__slots__ if name != "dhash"}
    return Proof(**plain, dhash=dhash)
