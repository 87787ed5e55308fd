"""The table `reminders`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class Reminder(Base):
    """That somebody was asked by mail what a run brought, so many days after it ended.

    A row without `sent_at` is claimed by whoever is sending it, or was when its process ended.
    """

    __tablename__ = "reminders"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String, primary_key=True)
    days: Mapped[int] = mapped_column(Integer, primary_key=True)
    claimed_at: Mapped[float] = mapped_column(Float)
    tries: Mapped[int] = mapped_column(Integer)
    sent_at: Mapped[float | None] = mapped_column(Float)
    answer: Mapped[str | None] = mapped_column(String)  # a metric, nothing, or stop
    answered_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_reminders_claimed", "user_id", "claimed_at"),
        CLUSTERED,
    )
