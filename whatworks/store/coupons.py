"""Coupons: a percentage off, counted exactly.

An order takes a use when it is made and gives it back when nobody paid it within an hour, so that
ten people who race for the last use are one who gets it. Capitals make no difference, nor do other
ways of writing the same letters.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Coupon as Row
from whatworks.models import CouponUse

HOLD: Final = 3600.0  # how long an order can be paid with the use it took
NEVER: Final = 1e11
# Gateways take no less: Razorpay a rupee, Stripe half a dollar. What cannot be taken is let go.
LEAST: Final = 100  # of the smallest unit


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as stored; old rows may lack anything. `percent` is 0 to 100."""

    code: str
    percent: int
    description: str
    expires_at: float | None
    max_uses: int | None
    uses: int
    is_active: bool

    def reduced(self, price: int) -> int:
        """What is left to pay of a price, rounded in the seller's favour; too little is nothing."""
        left = price - price * self.percent // 100
        return left if left >= LEAST else 0

    def problem(self, now: float) -> str | None:
        """Why it cannot be used, as a stable word: inactive | expired | used_up."""
        if not self.is_active or not 0 < self.percent <= 100:
            return "inactive"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.max_uses is not None and self.uses >= self.max_uses:
            return "used_up"
        return None


SAYS: Final = {
    "unknown": "There is no such coupon.",
    "inactive": "This coupon is not in use.",
    "expired": "This coupon has expired.",
    "used_up": "This coupon has been used as often as it may be.",
}

_BY_CODE: Final = db.Query(
    select(
        Row.code,
        Row.discount_percent,
        Row.description,
        Row.expiry_date,
        Row.max_uses,
        Row.current_uses,
        Row.is_active,
    )
    .where(or_(func.upper(Row.code) == bindparam("code"), Row.code == bindparam("typed")))
    .order_by(case((Row.is_active == 1, 0), else_=1), Row.created_at, Row.code)
)
_LIST: Final = db.Query(
    select(
        Row.code,
        Row.discount_percent,
        Row.description,
        Row.expiry_date,
        Row.max_uses,
        Row.current_uses,
        Row.is_active,
    ).order_by(Row.code)
)
_NEW: Final = db.Query(insert(Row))
_END: Final = db.Query(update(Row).where(Row.code == bindparam("the_code")).values(is_active=0))
_COUNT: Final = db.Query(
    update(Row)
    .where(
        Row.code == bindparam("the_code"),
        Row.is_active == 1,
        or_(Row.max_uses.is_(None), func.coalesce(Row.current_uses, 0) < Row.max_uses),
    )
    .values(current_uses=func.coalesce(Row.current_uses, 0) + 1)
)
_COUNT_ANYWAY: Final = db.Query(
    update(Row)
    .where(Row.code == bindparam("the_code"))
    .values(current_uses=func.coalesce(Row.current_uses, 0) + 1)
)
_GIVE_BACK: Final = db.Query(
    update(Row)
    .where(Row.code == bindparam("the_code"), Row.current_uses > 0)
    .values(current_uses=Row.current_uses - 1)
)
_USE: Final = db.Query(insert(CouponUse))
_RELEASE: Final = db.Query(
    update(CouponUse)
    .where(
        CouponUse.code == bindparam("the_code"),
        CouponUse.order_id == bindparam("the_order"),
        CouponUse.released_at.is_(None),
    )
    .values(released_at=bindparam("now"))
)
_TAKE_AGAIN: Final = db.Query(
    update(CouponUse)
    .where(
        CouponUse.code == bindparam("the_code"),
        CouponUse.order_id == bindparam("the_order"),
        CouponUse.released_at.is_not(None),
    )
    .values(released_at=None, at=bindparam("now"))
)
_IS_OVER: Final = db.Query(
    select(Row.code).where(Row.code == bindparam("the_code"), Row.current_uses > Row.max_uses)
)


def find(session: db.Session, code: str) -> Coupon | None:
    """The coupon of this code, in whatever capitals it is typed."""
    row = session.first(_BY_CODE, code=_capitals(code), typed=code.strip())
    return None if row is None else _coupon(row)


def get_usable(session: db.Session, code: str) -> Coupon:
    """The coupon, when it can be used now. Raises Invalid, naming `coupon_code`."""
    found = find(session, code)
    problem = found.problem(clock.timestamp()) if found else "unknown"
    if found is None or problem:
        raise refused(problem or "unknown")
    return found


def refused(problem: str) -> errors.Invalid:
    """Why a coupon cannot be used."""
    return errors.Invalid(
        SAYS[problem], code=f"coupon_{problem}", fields={"coupon_code": SAYS[problem]}
    )


def list_(session: db.Session) -> list[Coupon]:
    """Every coupon."""
    return [_coupon(row) for row in session.all(_LIST)]


def create(
    session: db.Session,
    code: str,
    percent: int,
    *,
    description: str = "",
    expires_at: float | None = None,
    max_uses: int | None = None,
) -> Coupon:
    """A new coupon, its code in capitals. Raises Conflict when there is one of that code."""
    if find(session, code) is not None:
        raise errors.Conflict("There is a coupon of this code already.", code="coupon_taken")
    coupon = Coupon(
        _capitals(code), percent, description, expires_at, max_uses, uses=0, is_active=True
    )
    session.run(
        _NEW,
        code=coupon.code,
        discount_percent=percent,
        description=description,
        expiry_date=expires_at,
        max_uses=max_uses,
        current_uses=0,
        created_at=clock.timestamp(),
        is_active=1,
    )
    return coupon


def end(session: db.Session, code: str) -> Coupon:
    """Nobody can use it from now on; orders that took it keep their price. Raises NotFound."""
    found = find(session, code)
    if found is None:
        raise errors.NotFound("There is no coupon of this code.", code="coupon_unknown")
    session.run(_END, the_code=found.code)
    return found


def take(session: db.Session, coupon: Coupon, order_id: str) -> None:
    """Take one use for an order. Raises Invalid when somebody else just took the last."""
    if not session.run(_COUNT, the_code=coupon.code):
        raise refused("used_up")
    now = clock.timestamp()
    session.run(_USE, code=coupon.code, order_id=order_id, at=now, released_at=None)


def release(session: db.Session, code: str, order_id: str) -> bool:
    """Give the use of an unpaid order back, once; returns whether there was one to give."""
    released = session.run(_RELEASE, the_code=code, the_order=order_id, now=clock.timestamp())
    if released:
        session.run(_GIVE_BACK, the_code=code)
    return bool(released)


def hold(session: db.Session, code: str, order_id: str) -> None:
    """The order may be paid: the use it gave back is taken again. Raises Invalid: it cannot be."""
    now = clock.timestamp()
    if session.run(_TAKE_AGAIN, the_code=code, the_order=order_id, now=now):
        coupon = get_usable(session, code)
        if not session.run(_COUNT, the_code=coupon.code):
            raise refused("used_up")


def keep(session: db.Session, code: str, order_id: str) -> bool:
    """The order is paid: its use counts, even if it had been given back in the meantime.

    Returns whether that is one more than there may be.
    """
    now = clock.timestamp()
    if not session.run(_TAKE_AGAIN, the_code=code, the_order=order_id, now=now):
        return False
    session.run(_COUNT_ANYWAY, the_code=code)
    return session.first(_IS_OVER, the_code=code) is not None


def _capitals(code: str) -> str:
    """A code as it is compared, by whatever keyboard it was typed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", code.strip()).upper())


def _coupon(row: Any) -> Coupon:
    return Coupon(
        code=row.code,
        percent=_count(row.discount_percent) or 0,
        description=row.description if isinstance(row.description, str) else "",
        expires_at=_time(row.expiry_date),
        max_uses=_count(row.max_uses),
        uses=_count(row.current_uses) or 0,
        is_active=row.is_active == 1,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < NEVER else None
