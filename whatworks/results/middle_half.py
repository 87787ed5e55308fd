"""What a person's results look like beside those of others: the middle half, never a ranking.

One number a person: what a run brought them, on average, of those they reported on. Nothing is
shown of fewer than PEOPLE, and only to two digits.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.orm import aliased

from whatworks import db
from whatworks.models import Outcome, Workflow, WorkflowExecution
from whatworks.results.outcomes import LARGEST

PEOPLE: Final = 10


@dataclass(frozen=True, slots=True)
class MiddleHalf:
    """Half of `people` are between `low` and `high`, in the unit that was asked for."""

    people: int
    low: float
    high: float


_E, _O = WorkflowExecution, Outcome
_later = aliased(Outcome)
_PER_PERSON: Final = db.Query(
    select(func.sum(_O.value), func.count(_O.execution_id.distinct()))
    .join(_E, (_E.user_id == _O.user_id) & (_E.id == _O.execution_id))
    .where(
        _E.workflow_name.in_(select(Workflow.name)),  # so that the index over cells serves
        _E.market == bindparam("market"),
        _E.skill_level == bindparam("skill_level"),
        _O.metric_type == bindparam("metric_type"),
        _O.currency == bindparam("currency"),
        _O.value >= 0,
        _O.value < LARGEST,
        or_(_O.timestamp.is_(None), _O.timestamp < bindparam("before")),
        ~exists().where(
            _later.user_id == _O.user_id,
            _later.supersedes_id == _O.id,
            _later.timestamp < bindparam("before"),
        ),
    )
    .group_by(_O.user_id)
)


def middle_half(
    session: db.Session,
    market: str,
    skill_level: str,
    metric_type: str,
    currency: str,
    before: float,
) -> MiddleHalf | None:
    """Between what and what the middle half of a cell's people are; None of fewer than PEOPLE.

    As it was at a time, so that it is the same in every process all day. Those who reported nothing
    yet count with nothing. Reads every report of the cell, so keep it.
    """
    rows = session.all(
        _PER_PERSON,
        market=market,
        skill_level=skill_level,
        metric_type=metric_type,
        currency=currency,
        before=before,
    )
    return middle([total / runs for total, runs in rows])


def middle(values: list[float]) -> MiddleHalf | None:
    """The middle half of one number a person, to two digits.

    >>> middle([float(n) for n in range(1, 12)])
    MiddleHalf(people=11, low=3.5, high=8.5)
    >>> middle([1.0] * 9) is None
    True
    """
    if len(values) < PEOPLE:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return MiddleHalf(len(values), float(f"{low:.2g}"), float(f"{high:.2g}"))
