"""What a person may do: the plans they hold, asked at the moment of use."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Grant

PLANS: Final = ("free", "pro", "scale")  # each covers the tiers of those before it
UPGRADE_URL: Final = "/pricing"

_HELD: Final = db.Query(
    select(Grant.plan).where(
        Grant.user_id == bindparam("user_id"),
        Grant.revoked_at.is_(None),
        Grant.valid_from <= bindparam("now"),
        or_(Grant.valid_until.is_(None), Grant.valid_until > bindparam("now")),
    )
)
_INSERT: Final = db.Query(insert(Grant))


def plan(session: db.Session, user_id: str) -> str:
    """The highest plan the person holds now."""
    held = {row.plan for row in session.all(_HELD, user_id=user_id, now=clock.timestamp())}
    return max(held & set(PLANS) | {"free"}, key=PLANS.index)


def covers(held: str, tier: str) -> bool:
    """Whether a plan covers a tier.

    >>> covers("pro", "free"), covers("free", "pro")
    (True, False)
    """
    return tier not in PLANS or PLANS.index(held) >= PLANS.index(tier)


def require(session: db.Session, user_id: str, tier: str) -> None:
    """Raises PaymentRequired when the person's plan does not cover the tier."""
    held = plan(session, user_id)
    if not covers(held, tier):
        raise errors.PaymentRequired(
            f"This workflow needs the {tier} plan; yours is {held}.",
            details={
                "reason": "tier",
                "plan": held,
                "limit": tier,
                "used": None,
                "upgrade_url": UPGRADE_URL,
            },
        )


def grant(
    session: db.Session, user_id: str, plan: str, *, cause: str, until: float | None = None
) -> str:
    """Give a plan to a person; returns the grant's id."""
    grant_id = clock.new_id()
    session.run(
        _INSERT,
        user_id=user_id,
        id=grant_id,
        plan=plan,
        cause=cause,
        valid_from=clock.timestamp(),
        valid_until=until,
        revoked_at=None,
    )
    return grant_id


def revoke(session: db.Session, user_id: str, grant_id: str) -> None:
    """End a grant; its row stays."""
    session.run(
        update(Grant)
        .where(Grant.user_id == user_id, Grant.id == grant_id, Grant.revoked_at.is_(None))
        .values(revoked_at=clock.timestamp())
    )
