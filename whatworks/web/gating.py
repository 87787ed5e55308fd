"""Plans at the doors: what keeps somebody from starting, and how much of the month is left.

The setting `plan_limits` says whether plans are enforced or only observed: then nobody is kept
from anything, and the log says what would have been refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from whatworks import db, errors
from whatworks.catalogue import Workflow
from whatworks.evidence import performance
from whatworks.execution import executions, runs
from whatworks.execution.executions import Change
from whatworks.people import profiles
from whatworks.store import allowances, entitlements, plans, usage
from whatworks.store.allowances import Allowance
from whatworks.store.entitlements import Terms
from whatworks.web import http

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What plans allow today, and whether anybody is held to it."""

    terms: Terms
    enforced: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that began or goes on, and what that leaves of the month."""

    change: Change
    plan: str
    runs: Allowance

    @property
    def warning(self) -> str:
        """What to say about the month, when this run used some of it."""
        return (self.runs.warning or "") if self.change.before is None else ""


def limits() -> Limits:
    """What is in force here and now."""
    platform = http.platform()
    return Limits(platform.shop.terms, platform.settings.plan_limits == "enforce")


def start(
    session: db.Session,
    user_id: str,
    workflow_name: str,
    total_steps: int | None = None,
    *,
    limits: Limits,
    actor: str = "owner",
) -> Begun:
    """Begin a workflow within the person's plan. Raises NotFound and PaymentRequired."""
    terms = limits.terms if limits.enforced else None
    change = performance.folded(
        session, executions.start, user_id, workflow_name, total_steps, terms=terms, actor=actor
    )
    return gone_on(session, change, limits)


def start_or_resume(session: db.Session, user_id: str, workflow_name: str, limits: Limits) -> Begun:
    """Begin a workflow within the plan, or go on with the open run of it.

    Raises NotFound and PaymentRequired.
    """
    terms = limits.terms if limits.enforced else None
    change = performance.folded(session, runs.begin, user_id, workflow_name, terms=terms)
    return gone_on(session, change, limits)


def gone_on(session: db.Session, change: Change, limits: Limits) -> Begun:
    """A run that was begun before, or just now, with what is left of its owner's month."""
    owner = change.after.user_id
    held = entitlements.plan(session, owner)
    runs = allowances.executions(session, owner, limits.terms.plans.get(held))
    if limits.enforced:
        return Begun(change, held, runs)
    if runs.is_over:
        logger.info("observed: a run beyond the %s plan's %s a month", held, runs.limit)
    return Begun(change, held, Allowance(runs.meter, runs.used, None))


def refusal(
    session: db.Session, user_id: str, workflow: Workflow, limits: Limits
) -> errors.PaymentRequired | None:
    """What would keep somebody ("" for nobody we know) from starting a workflow now."""
    if not limits.enforced:
        return None
    try:
        entitlements.require_start(session, user_id, workflow.tier, workflow.name, limits.terms)
    except errors.PaymentRequired as failure:
        return failure
    return None


def refusal_of_calls(
    session: db.Session, user_id: str, more: int, limits: Limits
) -> errors.PaymentRequired | None:
    """What keeps somebody from so many more API calls this month."""
    held = entitlements.plan(session, user_id)
    total = usage.counted(session, user_id, "api_calls") + more
    allowed = Allowance("api_calls", total, limits.terms.plans.get(held).api_calls)
    return entitlements.used_up(held, allowed) if limits.enforced and allowed.is_over else None


def spend_export(session: db.Session, user_id: str, limits: Limits) -> Allowance:
    """Use one of the month's exports. Raises PaymentRequired when none is left."""
    profiles.lock(session, user_id)  # so that of two that race only one is the last
    held = entitlements.plan(session, user_id)
    limit = limits.terms.plans.get(held).exports if limits.enforced else None
    used = usage.used(session, user_id).exports
    if limit is not None and used >= limit:
        raise entitlements.used_up(held, Allowance("exports", used, limit))
    return Allowance("exports", usage.record(session, user_id, "exports"), limit)


def remedy(failure: errors.PaymentRequired, limits: Limits) -> str:
    """The plan that would not have refused."""
    held, limit = str(failure.details["plan"]), failure.details["limit"]
    if failure.details["reason"] == "tier":
        covering = limits.terms.plans.covering(str(limit))
        return covering.name if covering else plans.ORDER[-1]
    larger = plans.ORDER[plans.ORDER.index(held) + 1 :]
    return larger[0] if larger else held
