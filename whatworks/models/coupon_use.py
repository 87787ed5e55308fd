"""The table `coupon_uses`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class CouponUse(Base):
    """An order that holds one of a coupon's uses; given back when nobody pays."""

    __tablename__ = "coupon_uses"
    __table_args__ = CLUSTERED

    code: Mapped[str] = mapped_column(String, ForeignKey("coupons.code"), primary_key=True)
    order_id: Mapped[str] = mapped_column(String, ForeignKey("orders.id"), primary_key=True)
    at: Mapped[float] = mapped_column(Float)
    released_at: Mapped[float | None] = mapped_column(Float)
