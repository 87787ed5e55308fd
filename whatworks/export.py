"""Tables as files, row by row, for spreadsheets and notebooks.

People appear as user ids only, and text that they typed (notes, links) stays out. Cells that a
spreadsheet would run as a formula are defused (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

import msgspec
from sqlalchemy import Select, bindparam, func, select

from whatworks import clock, db
from whatworks.models import Outcome, Proof, Review, WorkflowExecution, WorkflowPerformance

Progress = Callable[[int], None]
FORMATS: Final = ("csv", "jsonl")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
EVERY: Final = 1_000


@dataclass(frozen=True)
class Table:
    """What is exported: a query, and which of its columns are times."""

    query: db.Query
    count: db.Query
    names: tuple[str, ...]
    times: frozenset[str]


def _table(statement: Select[*tuple[Any, ...]], times: Iterable[str] = ()) -> Table:
    count = select(func.count()).select_from(statement.get_final_froms()[0])
    names = tuple(str(column.key) for column in statement.selected_columns)
    return Table(db.Query(statement), db.Query(count), names, frozenset(times))


_E, _O, _P, _R, _W = WorkflowExecution, Outcome, Proof, Review, WorkflowPerformance
_EXECUTIONS: Final = select(
    _E.user_id,
    _E.id.label("execution_id"),
    _E.workflow_name,
    _E.workflow_version,
    _E.status,
    _E.steps_completed,
    _E.total_steps,
    _E.goal,
    _E.market,
    _E.skill_level,
    _E.country,
    _E.started_at,
    _E.completed_at,
    _E.touched_at,
).order_by(_E.user_id, _E.id)
_OUTCOMES: Final = select(
    _O.user_id,
    _O.id.label("outcome_id"),
    _O.execution_id,
    _O.metric_type,
    _O.value,
    _O.currency,
    _O.proof_type,
    _O.proof_id,
    _O.verified,
    _O.review,
    _O.timestamp.label("created_at"),
    _O.supersedes_id,
).order_by(_O.user_id, _O.id)
RUN_TIMES: Final = ("started_at", "completed_at", "touched_at")
TABLES: Final = {
    "executions": _table(_EXECUTIONS, RUN_TIMES),
    "outcomes": _table(_OUTCOMES, ("created_at",)),
    "proofs": _table(
        select(
            _P.user_id,
            _P.id.label("proof_id"),
            _P.execution_id,
            _P.step,
            _P.kind,
            _P.pages,
            _P.width,
            _P.height,
            _P.bytes,
            _P.sha256,
            _P.created_at,
        ).order_by(_P.user_id, _P.id),
        ("created_at",),
    ),
    "reviews": _table(
        select(
            _R.user_id,
            _R.outcome_id,
            _R.number,
            _R.proof_id,
            _R.decision,
            _R.reason,
            _R.by,
            _R.at,
        ).order_by(_R.user_id, _R.outcome_id, _R.number),
        ("at",),
    ),
    "performance": _table(
        select(
            _W.workflow_name,
            _W.market,
            _W.skill_level,
            _W.success_rate.label("raw_success_rate"),
            _W.avg_outcome_value,
            _W.completion_time_hours,
            _W.data_points,
            _W.people,
            _W.started,
            _W.completed,
            _W.abandoned,
            _W.reported,
            _W.updated_at,
        ).order_by(_W.workflow_name, _W.market, _W.skill_level),
        times=("updated_at",),
    ),
}


MINE: Final = {  # what one person may have of their own
    "executions": _table(_EXECUTIONS.where(_E.user_id == bindparam("user_id")), RUN_TIMES),
    "outcomes": _table(_OUTCOMES.where(_O.user_id == bindparam("user_id")), ("created_at",)),
}


def count(session: db.Session, what: str) -> int:
    """How many rows a table has."""
    return int(session.value(TABLES[what].count))


def write(session: db.Session, what: str, form: str, file: TextIO, progress: Progress) -> int:
    """Write a table from the file's beginning, as `csv` or `jsonl`; returns how many rows."""
    return _write(session, TABLES[what], form, file, progress)


def write_mine(session: db.Session, user_id: str, what: str, form: str, file: TextIO) -> int:
    """As `write`, of one person's own rows."""
    return _write(session, MINE[what], form, file, lambda _: None, user_id=user_id)


def _write(
    session: db.Session, table: Table, form: str, file: TextIO, progress: Progress, **values: str
) -> int:
    file.seek(0)  # a read may run twice
    file.truncate()
    add = _csv(file, table) if form == "csv" else _jsonl(file, table)
    done = 0
    for done, row in enumerate(session.stream(table.query, **values), 1):
        add([_value(table, name, value) for name, value in zip(table.names, row, strict=True)])
        if done % EVERY == 0:
            progress(EVERY)
    return done


def defused(value: object) -> object:
    """A cell that no spreadsheet runs; numbers stay numbers.

    >>> defused("=1+1"), defused("plain"), defused(-1.5)
    ("'=1+1", 'plain', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv(file: TextIO, table: Table) -> Callable[[Sequence[object]], object]:
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(table.names)
    return lambda values: writer.writerow(map(defused, values))


def _jsonl(file: TextIO, table: Table) -> Callable[[Sequence[object]], object]:
    encoder = msgspec.json.Encoder()
    return lambda values: file.write(
        encoder.encode(dict(zip(table.names, values, strict=True))).decode() + "\n"
    )


def _value(table: Table, name: str, value: Any) -> object:
    """Times as RFC 3339; a time that is none stays as it was found."""
    if name in table.times and isinstance(value, int | float):
        return clock.rfc3339(value) or value
    return value
