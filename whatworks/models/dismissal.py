"""The table `dismissals`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Dismissal(Base):
    """ "Not for me, because …": said of one recommendation."""

    __tablename__ = "dismissals"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    recommendation_id: Mapped[str] = mapped_column(String)
    workflow_name: Mapped[str] = mapped_column(String)
    reason: Mapped[str] = mapped_column(String)
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "recommendation_id"], ["recommendations.user_id", "recommendations.id"]
        ),
        Index("uq_dismissals_recommendation", "user_id", "recommendation_id", unique=True),
    )
