"""The table `coupons`."""

from __future__ import annotations

from sqlalchemy import Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Coupon(Base):
    """A percentage off, perhaps until a time and so many times; capitals make no difference."""

    __tablename__ = "coupons"
    __table_args__ = (Index("ix_coupons_code", "code", unique=True),)

    code: Mapped[str] = mapped_column(String, primary_key=True)
    discount_percent: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str | None] = mapped_column(String)
    expiry_date: Mapped[float | None] = mapped_column(Float)
    max_uses: Mapped[int | None] = mapped_column(Integer)
    current_uses: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float | None] = mapped_column(Float)
    is_active: Mapped[int | None] = mapped_column(Integer)
