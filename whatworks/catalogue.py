"""The workflows on offer: immutable versions of guides, and which one new executions begin with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.guides import guide, parser
from whatworks.models import Workflow as WorkflowRow
from whatworks.models import WorkflowVersion

BUNDLED: Final = Path(__file__).parent / "workflows"


@dataclass(frozen=True, slots=True)
class Workflow:
    """One version of a workflow, its guide parsed."""

    name: str
    version: int
    guide: guide.Guide

    @property
    def title(self) -> str:
        """What people call it."""
        return self.guide.title

    @property
    def tier(self) -> str:
        """The plan that covers it: free, pro or scale."""
        return self.guide.tier


_CURRENT: Final = db.Query(
    select(WorkflowRow.name, WorkflowRow.version, WorkflowVersion.digest)
    .join(
        WorkflowVersion,
        (WorkflowVersion.workflow_name == WorkflowRow.name)
        & (WorkflowVersion.version == WorkflowRow.version),
    )
    .where(WorkflowRow.retired_at.is_(None))
    .order_by(WorkflowRow.name)
)
_ONE: Final = db.Query(
    select(WorkflowRow.version, WorkflowRow.source, WorkflowRow.retired_at).where(
        WorkflowRow.name == bindparam("name")
    )
)
_VERSION: Final = db.Query(
    select(WorkflowVersion.digest).where(
        WorkflowVersion.workflow_name == bindparam("name"),
        WorkflowVersion.version == bindparam("version"),
    )
)
_TEXT: Final = db.Query(
    select(WorkflowVersion.guide).where(
        WorkflowVersion.workflow_name == bindparam("name"),
        WorkflowVersion.version == bindparam("version"),
    )
)
_VERSIONS: Final = db.Query(
    select(WorkflowVersion.version, WorkflowVersion.created_at)
    .where(WorkflowVersion.workflow_name == bindparam("name"))
    .order_by(WorkflowVersion.version)
)
_MARK: Final = db.Query(
    select(
        func.count(),
        func.sum(WorkflowRow.version),
        func.max(WorkflowRow.loaded_at),
        func.count(WorkflowRow.retired_at),
    )
)
_ADD: Final = db.Query(insert(WorkflowRow))
_ADD_VERSION: Final = db.Query(insert(WorkflowVersion))

# Guides never change once stored, so the parsed form is kept by its digest for good.
_parsed: dict[str, guide.Guide] = {}


def read_folder(folder: Path) -> Iterator[guide.Guide]:
    """Parse every `*.md` of a folder. Raises guide.GuideError with all mistakes of a file."""
    for path in sorted(folder.glob("*.md")):
        yield parser.parse(path.read_text(encoding="utf-8"), str(path))


def load(session: db.Session, guides: Iterable[guide.Guide], *, source: str) -> list[str]:
    """Store what is new as a further version; returns lines like `resume_generator v2`.

    Doing it twice changes nothing. A workflow that came from elsewhere is not taken over by the
    bundled one of the same name.
    """
    return [line for one in guides if (line := _load_one(session, one, source))]


def list_current(session: db.Session) -> list[Workflow]:
    """All workflows on offer, by name."""
    return [
        Workflow(row.name, row.version, _guide(session, row.name, row.version, row.digest))
        for row in session.all(_CURRENT)
    ]


def mark(session: db.Session) -> tuple[object, ...]:
    """Changes whenever what is on offer does."""
    return tuple(session.first(_MARK) or ())


def find(session: db.Session, name: str, version: int | None = None) -> Workflow | None:
    """A workflow in its current or a given version; retired ones only by version."""
    if version is None:
        row = session.first(_ONE, name=name)
        if row is None or row.retired_at is not None:
            return None
        version = int(row.version)
    digest = session.value(_VERSION, name=name, version=version)
    if digest is None:
        return None
    return Workflow(name, version, _guide(session, name, version, digest))


def get(session: db.Session, name: str) -> Workflow:
    """The current version. Raises NotFound (`workflow_not_found`) that names close matches."""
    found = find(session, name)
    if found is None:
        names = [row.name for row in session.all(_CURRENT)]
        close = difflib.get_close_matches(name.lower().replace("-", "_"), names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise errors.NotFound(
            f"There is no workflow of this name.{hint}",
            code="workflow_not_found",
            details={"close_matches": close},
        )
    return found


def followed(session: db.Session, name: str, version: int | None, total_steps: int) -> guide.Guide:
    """The guide that a run follows, with exactly its steps.

    Its own version; for old runs the current one; steps alone where there is no guide at all.
    """
    known = find(session, name, version)
    own = known.guide if known else _without_text(name)
    missing = range(len(own.steps) + 1, total_steps + 1)
    return replace(own, steps=(*own.steps[:total_steps], *map(_bare_step, missing)))


def versions(session: db.Session, name: str) -> list[tuple[int, float]]:
    """Every version and when it was loaded."""
    return [tuple(row) for row in session.all(_VERSIONS, name=name)]


def retire(session: db.Session, name: str) -> None:
    """Take a workflow off the offer; open executions go on. Raises NotFound."""
    get(session, name)
    session.run(
        update(WorkflowRow).where(WorkflowRow.name == name).values(retired_at=clock.timestamp())
    )


def _without_text(name: str) -> guide.Guide:
    return guide.Guide(
        name=name,
        title=name.replace("_", " ").capitalize() or "Old run",
        summary="",
        language="en",
        tier="free",
        goals=(),
        markets=(),
        skill_levels=(),
        outcome=guide.Outcome("revenue", "What did it bring?", "A screenshot, names hidden"),
        steps=(),
    )


def _bare_step(number: int) -> guide.Step:
    return guide.Step(
        number, f"Step {number}", 10, "You have done what your pack says for this step."
    )


def _load_one(session: db.Session, one: guide.Guide, source: str) -> str | None:
    known = session.first(_ONE, name=one.name)
    if known is None:
        version = 1
        session.run(_ADD, name=one.name, version=1, source=source, **_row(one), retired_at=None)
    elif _is_kept(session, one, source, known):
        return None
    else:
        version = known.version + 1
        session.run(
            update(WorkflowRow)
            .where(WorkflowRow.name == one.name)
            .values(version=version, source=source, **_row(one), retired_at=None)
        )
    session.run(
        _ADD_VERSION,
        workflow_name=one.name,
        version=version,
        digest=guide.digest(one),
        guide=guide.to_json(one),
        created_at=clock.timestamp(),
        steps=len(one.steps),
        minutes=one.minutes,
    )
    return f"{one.name} v{version}"


def _is_kept(session: db.Session, one: guide.Guide, source: str, known: Any) -> bool:
    """The stored version stays: the text is the same, or somebody put their own in its place."""
    if known.source != source and source == "bundled":
        return True
    stored = session.value(_VERSION, name=one.name, version=known.version)
    return bool(stored == guide.digest(one))


def _row(one: guide.Guide) -> dict[str, object]:
    return {"title": one.title, "tier": one.tier, "loaded_at": clock.timestamp()}


def _guide(session: db.Session, name: str, version: int, digest: str) -> guide.Guide:
    found = _parsed.get(digest)
    if found is None:
        found = _parsed[digest] = guide.from_json(session.value(_TEXT, name=name, version=version))
    return found
