"""What a person may do: the grants they hold, asked at the moment of use.

A grant is a row of its own and comes of a cause. Those of orders and subscriptions are set by
`sync` to what the events of that cause add up to; nothing else changes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Email, Grant
from whatworks.people import operators
from whatworks.store import allowances, plans, usage
from whatworks.store.allowances import Allowance
from whatworks.store.plans import Plans
from whatworks.store.products import Catalogue, Product

PLANS: Final = plans.ORDER
UPGRADE_URL: Final = "/pricing"


@dataclass(frozen=True, slots=True)
class Held:
    """A grant; times are epoch seconds. `holder` is a user_id, or the mark of an address."""

    holder: str
    id: str
    product: str | None
    plan: str | None
    cause: str  # order | subscription | what an operator wrote
    cause_id: str | None
    valid_from: float
    valid_until: float | None
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything somebody holds now."""

    user_id: str
    plan: str
    grants: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """What somebody may run: whole tiers by their plan, single workflows by their products."""

    tiers: tuple[str, ...]
    workflows: frozenset[str] = frozenset()

    def holds(self, tier: str, workflow_name: str) -> bool:
        """Whether a workflow of a tier is in it; one of no known tier is everybody's."""
        return tier not in PLANS or tier in self.tiers or workflow_name in self.workflows


EVERYTHING: Final = Reach(PLANS)


@dataclass(frozen=True, slots=True)
class Terms:
    """What plans allow and what products hold, as it is today."""

    plans: Plans
    products: Catalogue


TABLES: Final = ("grants", "emails", "operators")  # what somebody holds is read from
_COLUMNS: Final = select(
    Grant.user_id,
    Grant.id,
    Grant.product,
    Grant.plan,
    Grant.cause,
    Grant.cause_id,
    Grant.valid_from,
    Grant.valid_until,
    Grant.revoked_at,
)
_IN_FORCE: Final = (
    Grant.revoked_at.is_(None),
    Grant.valid_from <= bindparam("now"),
    or_(Grant.valid_until.is_(None), Grant.valid_until > bindparam("now")),
)
_HELD: Final = db.Query(
    _COLUMNS.where(
        or_(Grant.user_id == bindparam("user_id"), Grant.user_id == bindparam("by_address")),
        *_IN_FORCE,
    ).order_by(Grant.valid_from, Grant.id)
)
_CHANGED: Final = db.Query(
    select(Grant.id)
    .where(
        or_(Grant.user_id == bindparam("user_id"), Grant.user_id == bindparam("by_address")),
        or_(
            Grant.valid_from > bindparam("since"),
            Grant.revoked_at > bindparam("since"),
            and_(Grant.valid_until > bindparam("since"), Grant.valid_until <= bindparam("now")),
        ),
    )
    .limit(1)
)
_ADDRESS: Final = db.Query(
    select(Email.email, Email.verified_at)
    .where(Email.user_id == bindparam("user_id"), Email.verified_at.is_not(None))
    .order_by(Email.email)
)
_OF_CAUSE: Final = db.Query(_COLUMNS.where(Grant.cause_id == bindparam("cause_id")))
_PUT: Final = db.Query(insert(Grant))
_SET: Final = db.Query(
    update(Grant)
    .where(Grant.user_id == bindparam("the_user"), Grant.id == bindparam("the_id"))
    .values(
        product=bindparam("product"),
        plan=bindparam("plan"),
        valid_from=bindparam("valid_from"),
        valid_until=bindparam("valid_until"),
        revoked_at=bindparam("revoked_at"),
    )
)


def holder_of(user_id: str | None, email: str | None) -> str | None:
    """Who holds what was bought: a user_id, or the mark of an address; None: nobody knows."""
    return user_id or (email_holder(email) if email else None)


def email_holder(address: str) -> str:
    """Who holds what was bought with an address before anybody proved that it is theirs."""
    return f"email:{hashlib.sha256(address.encode(errors='surrogateescape')).hexdigest()}"


def holdings(session: db.Session, user_id: str) -> Holdings:
    """What a person holds now: of their own, and of the address they proved."""
    held = tuple(_held(session, user_id))
    return Holdings(user_id, _plan(session, user_id, held), held)


def changed_since(session: db.Session, user_id: str, since: float) -> bool:
    """Whether what a person holds may be another than at that time (epoch seconds)."""
    proved = session.first(_ADDRESS, user_id=user_id)
    if proved is not None and proved.verified_at > since:
        return True
    holder = email_holder(proved.email) if proved else user_id
    now = clock.timestamp()
    found = session.first(_CHANGED, user_id=user_id, by_address=holder, since=since, now=now)
    return found is not None


def plan(session: db.Session, user_id: str) -> str:
    """The highest plan the person holds now; operators have all of their own place."""
    return _plan(session, user_id, _held(session, user_id))


def covers(held: str, tier: str) -> bool:
    """Whether a plan covers a tier.

    >>> covers("pro", "free"), covers("free", "pro")
    (True, False)
    """
    return tier not in PLANS or PLANS.index(held) >= PLANS.index(tier)


def may_download(held: Holdings, product: Product) -> bool:
    """Whether somebody may have a product's files: it is free, bought, or part of their plan."""
    if product.is_free or any(grant.product == product.key for grant in held.grants):
        return True
    return bool(product.plan) and covers(held.plan, product.plan)


def may_run(held: Holdings, tier: str, workflow_name: str, terms: Terms) -> bool:
    """Whether somebody may run a workflow: by their plan, or by a product that unlocks it."""
    return reach(held, terms).holds(tier, workflow_name)


def reach(held: Holdings, terms: Terms) -> Reach:
    """What somebody may run: by their plan, and by products that unlock workflows one by one."""
    return Reach(terms.plans.get(held.plan).tiers, frozenset(unlocked(held, terms.products)))


def unlocked(held: Holdings, products: Catalogue) -> set[str]:
    """The workflows that somebody's products unlock one by one."""
    bought = (products.find(grant.product or "") for grant in held.grants)
    return {name for product in bought if product for name in product.workflows}


def require(session: db.Session, user_id: str, tier: str) -> None:
    """Raises PaymentRequired when the person's plan does not cover the tier."""
    held = plan(session, user_id)
    if not covers(held, tier):
        raise _tier_needed(held, tier)


def require_start(
    session: db.Session, user_id: str, tier: str, workflow_name: str, terms: Terms
) -> None:
    """Raises PaymentRequired when the plan does not cover the tier or its month is used up.

    The caller holds the person's row, so that of two starts that race only one is the last.
    """
    held = holdings(session, user_id)
    if not may_run(held, tier, workflow_name, terms):
        raise _tier_needed(held.plan, tier)
    limit = terms.plans.get(held.plan).executions
    if limit is None:
        return
    used = usage.executions(session, user_id)
    if used >= limit:
        raise used_up(held.plan, Allowance("executions", used, limit))


def used_up(held: str, allowance: Allowance) -> errors.PaymentRequired:
    """What keeps somebody who used all of a month's allowance, and until when."""
    ends = usage.resets_at()
    day = datetime.fromtimestamp(ends, UTC)
    noun = allowances.NOUNS[allowance.meter]
    return errors.PaymentRequired(
        f"Your {held} plan holds {allowance.limit} {noun} a month, and all are used;"
        f" the month begins anew on {day.day} {day:%B} (UTC).",
        code="limit_reached",
        details=_reason(allowance.meter, held, allowance.limit, allowance.used)
        | {"resets_at": clock.rfc3339(ends)},
    )


def grant(
    session: db.Session, user_id: str, plan: str, *, cause: str, until: float | None = None
) -> str:
    """Give a plan to a person by hand; returns the grant's id."""
    grant_id = clock.new_id()
    _put(
        session,
        Held(user_id, grant_id, None, plan, cause, None, clock.timestamp(), until),
    )
    return grant_id


def revoke(session: db.Session, user_id: str, grant_id: str) -> None:
    """End a grant; its row stays."""
    session.run(
        update(Grant)
        .where(Grant.user_id == user_id, Grant.id == grant_id, Grant.revoked_at.is_(None))
        .values(revoked_at=clock.timestamp())
    )


def list_of_cause(session: db.Session, cause_id: str) -> list[Held]:
    """What an order or a subscription has given, in force or not."""
    return [Held(*row) for row in session.all(_OF_CAUSE, cause_id=cause_id)]


def sync(session: db.Session, cause_id: str, due: Iterable[Held]) -> bool:
    """Make the grants of a cause be exactly these; returns whether that changed any.

    What is there and not due any more is revoked. The caller holds the cause's row.
    """
    there = {(held.holder, held.id): held for held in list_of_cause(session, cause_id)}
    changed = False
    for held in due:
        found = there.pop((held.holder, held.id), None)
        if found is None:
            _put(session, held)
        elif found != held:
            _set(session, held)
        changed = changed or found != held
    for left in there.values():
        if left.revoked_at is None:
            revoke(session, left.holder, left.id)
            changed = True
    return changed


def in_force(held: Held, now: float) -> bool:
    """Whether a grant gives anything at a time."""
    return (
        held.revoked_at is None
        and held.valid_from <= now
        and (held.valid_until is None or held.valid_until > now)
    )


def _held(session: db.Session, user_id: str) -> list[Held]:
    address = session.value(_ADDRESS, user_id=user_id)
    by_address = email_holder(address) if isinstance(address, str) else user_id
    rows = session.all(_HELD, user_id=user_id, by_address=by_address, now=clock.timestamp())
    return [Held(*row) for row in rows]


def _plan(session: db.Session, user_id: str, held: Iterable[Held]) -> str:
    return PLANS[-1] if operators.is_operator(session, user_id) else _highest(held)


def _highest(held: Iterable[Held]) -> str:
    names = {one.plan for one in held if one.plan in PLANS}
    return max((name for name in names if name), key=PLANS.index, default="free")


def _put(session: db.Session, held: Held) -> None:
    session.run(_PUT, user_id=held.holder, **_values(held), cause=held.cause, id=held.id)


def _set(session: db.Session, held: Held) -> None:
    values = _values(held)
    values.pop("cause_id")
    session.run(_SET, the_user=held.holder, the_id=held.id, **values)


def _values(held: Held) -> dict[str, Any]:
    return {
        "product": held.product,
        "plan": held.plan,
        "cause_id": held.cause_id,
        "valid_from": held.valid_from,
        "valid_until": held.valid_until,
        "revoked_at": held.revoked_at,
    }


def _tier_needed(held: str, tier: str) -> errors.PaymentRequired:
    return errors.PaymentRequired(
        f"This workflow needs the {tier} plan; yours is {held}.",
        details=_reason("tier", held, tier, None),
    )


def _reason(reason: str, held: str, limit: object, used: int | None) -> dict[str, object]:
    return {
        "reason": reason,
        "plan": held,
        "limit": limit,
        "used": used,
        "upgrade_url": UPGRADE_URL,
    }
