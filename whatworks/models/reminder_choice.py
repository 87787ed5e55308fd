"""The table `reminder_choices`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class ReminderChoice(Base):
    """Whether somebody wants to be asked by mail; no row means that they were never asked about it.

    `off_at` is when they said no; NULL after they said yes again.
    """

    __tablename__ = "reminder_choices"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    off_at: Mapped[float | None] = mapped_column(Float)
    changed_at: Mapped[float] = mapped_column(Float)
