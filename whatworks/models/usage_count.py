"""The table `usage_counts`."""

from __future__ import annotations

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class UsageCount(Base):
    """How often somebody did what their plan limits, in one month (UTC, `2026-01`)."""

    __tablename__ = "usage_counts"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    month: Mapped[str] = mapped_column(String, primary_key=True)
    what: Mapped[str] = mapped_column(String, primary_key=True)  # api_calls | exports
    used: Mapped[int] = mapped_column(Integer)
