"""The table `slates`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Slate(Base):
    """One list of recommendations as it was drawn: by which policy, from what, for whom."""

    __tablename__ = "slates"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    policy: Mapped[str] = mapped_column(String)
    context: Mapped[str] = mapped_column(Text)  # JSON: segment, goal, eligible workflows
    size: Mapped[int] = mapped_column(Integer)  # how many were asked for
    last_event_id: Mapped[str] = mapped_column(String)  # the person's newest event when drawn
    created_at: Mapped[float] = mapped_column(Float)
    model: Mapped[str | None] = mapped_column(String)  # the fit it was ranked with
    ended_at: Mapped[float | None] = mapped_column(Float)  # something in it is no longer on offer
