"""The table `review_notices`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class ReviewNotice(Base):
    """That the owner was told of a review by mail: whoever writes the row sends it."""

    __tablename__ = "review_notices"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    outcome_id: Mapped[str] = mapped_column(String, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "outcome_id", "number"],
            ["reviews.user_id", "reviews.outcome_id", "reviews.number"],
        ),
        CLUSTERED,
    )
