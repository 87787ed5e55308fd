"""The table `review_texts`."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class ReviewText(Base):
    """The words of a review or of its answer."""

    __tablename__ = "review_texts"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    outcome_id: Mapped[str] = mapped_column(String, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "outcome_id", "number"],
            ["reviews.user_id", "reviews.outcome_id", "reviews.number"],
        ),
        CLUSTERED,
    )
