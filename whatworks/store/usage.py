"""How much of their plan somebody has used this month (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db
from whatworks.models import UsageCount, WorkflowExecution

FOREVER: Final = 1e11  # later than any time; on SQLite old rows may hold text, which is "later"


@dataclass(frozen=True, slots=True)
class Used:
    """What was used since the month began, and when the next one begins (epoch seconds)."""

    executions: int
    api_calls: int
    exports: int
    resets_at: float

    def of(self, meter: str) -> int:
        """How much of `executions`, `api_calls` or `exports`."""
        found: int = getattr(self, meter)
        return found


_STARTED: Final = db.Query(
    select(func.count()).where(
        WorkflowExecution.user_id == bindparam("user_id"),
        WorkflowExecution.started_at >= bindparam("since"),
        WorkflowExecution.started_at < FOREVER,
    )
)
_COUNT: Final = db.Query(
    select(UsageCount.used).where(
        UsageCount.user_id == bindparam("user_id"),
        UsageCount.month == bindparam("month"),
        UsageCount.what == bindparam("what"),
    )
)
_ADD: Final = db.Query(
    insert(UsageCount)
    .on_conflict_do_update(
        index_elements=["user_id", "month", "what"],
        set_={"used": UsageCount.used + bindparam("more")},
    )
    .returning(UsageCount.used)
)


def used(session: db.Session, user_id: str) -> Used:
    """What somebody used this month."""
    calls, exports = (counted(session, user_id, what) for what in ("api_calls", "exports"))
    return Used(executions(session, user_id), calls, exports, resets_at())


def resets_at() -> float:
    """When the month ends and everything counts anew (epoch seconds)."""
    return _month(clock.now())[1].timestamp()


def counted(session: db.Session, user_id: str, what: str) -> int:
    """How many `api_calls` or `exports` of this month are written down."""
    month = _month(clock.now())[0].strftime("%Y-%m")
    return int(session.value(_COUNT, user_id=user_id, month=month, what=what) or 0)


def executions(session: db.Session, user_id: str) -> int:
    """How many executions somebody started this month."""
    began, _ = _month(clock.now())
    return int(session.value(_STARTED, user_id=user_id, since=began.timestamp()) or 0)


def record(session: db.Session, user_id: str, what: str, more: int = 1) -> int:
    """Count `api_calls` or `exports`; returns how many there are this month."""
    month = _month(clock.now())[0].strftime("%Y-%m")
    return int(session.value(_ADD, user_id=user_id, month=month, what=what, used=more, more=more))


def _month(now: datetime) -> tuple[datetime, datetime]:
    began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return began, began.replace(year=began.year + began.month // 12, month=began.month % 12 + 1)
