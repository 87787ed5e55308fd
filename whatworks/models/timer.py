"""The table `timers`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class Timer(Base):
    """A person's one timer: on which step it runs, and how much of today's routine is over.

    It stands still where `started_at` is NULL. The `gap_` columns hold a question not answered.
    """

    __tablename__ = "timers"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    execution_id: Mapped[str] = mapped_column(String)
    step: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[float | None] = mapped_column(Float)
    seen_at: Mapped[float] = mapped_column(Float)  # the last sign of life
    day: Mapped[str] = mapped_column(String)  # 2026-11-22, where the person is
    day_seconds: Mapped[float] = mapped_column(Float)
    gap_id: Mapped[str | None] = mapped_column(String)
    gap_execution_id: Mapped[str | None] = mapped_column(String)
    gap_step: Mapped[int | None] = mapped_column(Integer)
    gap_from: Mapped[float | None] = mapped_column(Float)
    gap_to: Mapped[float | None] = mapped_column(Float)
