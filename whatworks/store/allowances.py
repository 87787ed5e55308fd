"""How much of a month's allowance somebody has used, and when to say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks import db
from whatworks.store import plans, usage
from whatworks.store.plans import Plan

WARNED_AT: Final = 0.8
NOUNS: Final = {"executions": "runs", "exports": "exports", "api_calls": "API calls"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """One meter of a plan in this month (UTC); `limit` None is no limit."""

    meter: str  # executions | api_calls | exports
    used: int
    limit: int | None

    @property
    def warning(self) -> str | None:
        """A sentence from 80 % on, another at 100 %.

        >>> Allowance("executions", 8, 10).warning
        'You have used 8 of your 10 runs this month.'
        >>> Allowance("executions", 7, 10).warning
        """
        if self.limit is None or self.used < WARNED_AT * self.limit:
            return None
        noun = NOUNS[self.meter]
        if self.used >= self.limit:
            return f"That was the last of your {self.limit} {noun} this month."
        return f"You have used {self.used} of your {self.limit} {noun} this month."

    @property
    def is_over(self) -> bool:
        """Whether more was used than the plan holds, which happens where it is only observed."""
        return self.limit is not None and self.used > self.limit


def executions(session: db.Session, user_id: str, plan: Plan) -> Allowance:
    """The runs of a person on this plan."""
    return Allowance("executions", usage.executions(session, user_id), plan.executions)


def of(session: db.Session, user_id: str, plan: Plan) -> list[Allowance]:
    """All meters of a person on this plan."""
    used = usage.used(session, user_id)
    return [Allowance(meter, getattr(used, meter), plan.limit(meter)) for meter in plans.METERS]
