"""What people write down while they work: kept apart from events, so that it can be erased.

There are notes that are added, one after the other, and for each step one note that is kept up to
date: its page. A page has revisions. Who saves on top of a revision that is not the newest (two
devices, one of them offline) loses nothing: both texts are kept until the person has seen them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.execution.lifecycle import Execution
from whatworks.models import StepNote


@dataclass(frozen=True, slots=True)
class Note:
    """Something the person wrote down; `step` is None for the execution as a whole."""

    id: str
    step: int | None
    text: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Page:
    """The note of a step: its text, its revision (0: nothing yet), what else was kept.

    `id` is the revision's; None in the answer to a save that changed nothing.
    """

    text: str = ""
    rev: int = 0
    kept: tuple[Note, ...] = ()
    id: str | None = None
    conflict: bool = False


MOST: Final = 500
MOST_REVISIONS: Final = 5_000  # of one execution; later ones take the place of the newest
MOST_KEPT: Final = 10  # texts beside one page that nobody has looked at yet
BURST: Final = 120.0  # seconds of typing that make one revision
_N = StepNote
_RUN: Final = (
    _N.user_id == bindparam("user_id"),
    _N.execution_id == bindparam("execution_id"),
)
_ADD: Final = db.Query(insert(_N))
_COUNT: Final = db.Query(select(func.count()).where(*_RUN, _N.rev.is_(None)))
_COUNT_REVISIONS: Final = db.Query(select(func.count()).where(*_RUN, _N.rev.is_not(None)))
_NEWEST: Final = db.Query(
    select(_N.text)
    .where(*_RUN, _N.step.is_(None), _N.rev.is_(None))
    .order_by(_N.id.desc())
    .limit(1)
)
_LIST: Final = db.Query(
    select(_N.id, _N.step, _N.text, _N.created_at)
    .where(*_RUN, _N.superseded_at.is_(None), _N.text != "")
    .order_by(_N.id)
)
_ADDED: Final = db.Query(
    select(_N.id, _N.step, _N.text, _N.created_at).where(*_RUN, _N.rev.is_(None)).order_by(_N.id)
)
_LIVE: Final = (
    select(_N.id, _N.step, _N.text, _N.created_at, _N.rev)
    .where(*_RUN, _N.rev.is_not(None), _N.superseded_at.is_(None))
    .order_by(_N.rev)
)
_LIVE_OF_RUN: Final = db.Query(_LIVE)
_LIVE_OF_STEP: Final = db.Query(_LIVE.where(_N.step == bindparam("step")))
_ONE: Final = (_N.user_id == bindparam("the_user"), _N.id == bindparam("the_id"))
_SUPERSEDE: Final = db.Query(update(_N).where(*_ONE).values(superseded_at=bindparam("now")))
_REWRITE: Final = db.Query(
    update(_N).where(*_ONE).values(text=bindparam("new_text"), rev=bindparam("new_rev"))
)


def add(session: db.Session, execution: Execution, step: int | None, text: str, at: float) -> str:
    """Keep a note; returns its id. Raises Conflict when the execution has MOST of them."""
    if session.value(_COUNT, user_id=execution.user_id, execution_id=execution.id) >= MOST:
        raise errors.Conflict(
            f"This execution has {MOST} notes already; start it again for more.",
            code="too_many_notes",
        )
    return _insert(session, execution, step, text, at, rev=None)


def newest(session: db.Session, execution: Execution) -> str | None:
    """The last note on the execution as a whole."""
    text: str | None = session.value(_NEWEST, user_id=execution.user_id, execution_id=execution.id)
    return text


def list_for(session: db.Session, user_id: str, execution_id: str) -> list[Note]:
    """The notes of an execution, oldest first; of pages what is in force."""
    rows = session.all(_LIST, user_id=user_id, execution_id=execution_id)
    return [Note(*row) for row in rows]


def list_added(session: db.Session, user_id: str, execution_id: str) -> list[Note]:
    """The notes of an execution that are no pages, oldest first."""
    rows = session.all(_ADDED, user_id=user_id, execution_id=execution_id)
    return [Note(*row) for row in rows]


def pages(session: db.Session, user_id: str, execution_id: str) -> dict[int, Page]:
    """The page of each step that has one."""
    found: dict[int, list[Any]] = {}
    for row in session.all(_LIVE_OF_RUN, user_id=user_id, execution_id=execution_id):
        found.setdefault(row.step, []).append(row)
    return {step: _page(rows) for step, rows in found.items()}


def save(
    session: db.Session, execution: Execution, step: int, text: str, base_rev: int, at: float
) -> Page:
    """Write a step's page anew, on top of revision `base_rev`. The execution is locked.

    On top of the newest revision it takes its place. On top of an older one both stay, `conflict`
    says so, and the text at hand is the newest now; unless one of the two contains the other, in
    which case nothing would be lost. Raises Conflict when there are MOST_KEPT texts beside it that
    the person has not seen: each of them is told with every answer.
    """
    text = text.replace("\r\n", "\n")
    rows = session.all(
        _LIVE_OF_STEP, user_id=execution.user_id, execution_id=execution.id, step=step
    )
    page, last = _page(rows), rows[-1] if rows else None
    stale = last is not None and base_rev != page.rev
    if text == page.text or (stale and text in page.text):
        return Page(page.text, page.rev, page.kept)
    conflict = stale and page.text not in text
    if conflict and len(page.kept) >= MOST_KEPT:
        raise errors.Conflict(
            f"{MOST_KEPT} other texts are kept beside this note; look at them first.",
            code="too_many_texts",
        )
    if last is not None and not conflict and _is_same_burst(session, execution, last, at):
        note_id, rev = last.id, page.rev + 1
        session.run(
            _REWRITE, the_user=execution.user_id, the_id=note_id, new_text=text, new_rev=rev
        )
    else:
        rev = page.rev + 1
        note_id = _insert(session, execution, step, text, at, rev=rev)
        if last is not None and not conflict:
            session.run(_SUPERSEDE, the_user=execution.user_id, the_id=last.id, now=at)
    kept = (*page.kept, _note(last)) if conflict and last is not None else page.kept
    return Page(text, rev, kept, note_id, conflict)


def settle(session: db.Session, execution: Execution, step: int, note_id: str, at: float) -> Page:
    """The person has seen a text that was kept beside a page; it is no longer shown.

    Raises NotFound. The execution is locked.
    """
    rows = session.all(
        _LIVE_OF_STEP, user_id=execution.user_id, execution_id=execution.id, step=step
    )
    page = _page(rows)
    if note_id not in {note.id for note in page.kept}:
        raise errors.NotFound("There is no such text beside this note.")
    session.run(_SUPERSEDE, the_user=execution.user_id, the_id=note_id, now=at)
    kept = tuple(note for note in page.kept if note.id != note_id)
    return Page(page.text, page.rev, kept, note_id)


def _page(rows: list[Any]) -> Page:
    if not rows:
        return Page()
    last = rows[-1]
    return Page(last.text, last.rev, tuple(map(_note, rows[:-1])), last.id)


def _note(row: Any) -> Note:
    return Note(row.id, row.step, row.text, row.created_at)


def _is_same_burst(session: db.Session, execution: Execution, last: Any, at: float) -> bool:
    """Whether the newest revision is still being typed, or there is no room for more."""
    if 0 <= at - last.created_at < BURST:
        return True
    count = session.value(_COUNT_REVISIONS, user_id=execution.user_id, execution_id=execution.id)
    return bool(count >= MOST_REVISIONS)


def _insert(
    session: db.Session,
    execution: Execution,
    step: int | None,
    text: str,
    at: float,
    *,
    rev: int | None,
) -> str:
    note_id = clock.new_id()
    session.run(
        _ADD,
        user_id=execution.user_id,
        id=note_id,
        execution_id=execution.id,
        step=step,
        text=text,
        created_at=at,
        rev=rev,
        superseded_at=None,
    )
    return note_id
