"""The table `recommendations`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Recommendation(Base):
    """One impression: a workflow shown at a rank, the reason given, and its probability."""

    __tablename__ = "recommendations"

    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    reason: Mapped[str | None] = mapped_column(String)
    rank: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float | None] = mapped_column(Float)
    clicked: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String)
    slate_id: Mapped[str | None] = mapped_column(String)
    score: Mapped[float | None] = mapped_column(Float)
    propensity: Mapped[float | None] = mapped_column(Float)
    evidence: Mapped[str | None] = mapped_column(Text)  # JSON: level, counts and interval shown

    __table_args__ = (
        Index("ix_recommendations_id", "id"),
        Index("ix_recommendations_slate", "user_id", "slate_id", "rank"),
    )
