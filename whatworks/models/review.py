"""The table `reviews`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class Review(Base):
    """What was said about an outcome's proof. The database refuses to change or delete a row.

    `number` counts from 1 within the outcome, so that of two who decide at once one is refused.
    Words that people typed are in `review_texts`, so that they can be erased.
    """

    __tablename__ = "reviews"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)  # whose outcome
    outcome_id: Mapped[str] = mapped_column(String, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    proof_id: Mapped[str | None] = mapped_column(String)
    decision: Mapped[str] = mapped_column(String)  # approved | rejected | undone | answered
    reason: Mapped[str | None] = mapped_column(String)  # of a rejection: reviews.REASONS
    by: Mapped[str] = mapped_column(String)  # the user_id of the reviewer, or of the owner
    at: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "outcome_id"], ["outcomes.user_id", "outcomes.id"]),
        Index("ix_reviews_at", "at"),
        CLUSTERED,
    )
