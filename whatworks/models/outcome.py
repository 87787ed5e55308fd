"""The table `outcomes`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base

# What nobody has decided on yet: the review queue, as long as it is and no longer.
WAITING = "proof_id IS NOT NULL AND review IS NULL"


class Outcome(Base):
    """What an execution brought, as its owner reported it.

    A wrong entry is corrected by a new row whose `supersedes_id` names it. `review` is where its
    `reviews` have led; `verified` is 1 when that is approved.
    """

    __tablename__ = "outcomes"

    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str | None] = mapped_column(String)
    metric_type: Mapped[str | None] = mapped_column(String)
    value: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(String)
    proof_type: Mapped[str | None] = mapped_column(String)
    proof_url: Mapped[str | None] = mapped_column(String)
    timestamp: Mapped[float | None] = mapped_column(Float)
    verified: Mapped[int | None] = mapped_column(Integer)
    proof_id: Mapped[str | None] = mapped_column(String)
    note: Mapped[str | None] = mapped_column(Text)
    supersedes_id: Mapped[str | None] = mapped_column(String)
    review: Mapped[str | None] = mapped_column(String)  # approved | rejected

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_outcomes_execution", "user_id", "execution_id"),
        Index(
            "uq_outcomes_supersedes",
            "user_id",
            "supersedes_id",
            unique=True,
            sqlite_where=text("supersedes_id IS NOT NULL"),
            postgresql_where=text("supersedes_id IS NOT NULL"),
        ),
        Index(
            "ix_outcomes_proof",
            "user_id",
            "proof_id",
            sqlite_where=text("proof_id IS NOT NULL"),
            postgresql_where=text("proof_id IS NOT NULL"),
        ),
        Index(
            "ix_outcomes_waiting",
            "timestamp",
            sqlite_where=text(WAITING),
            postgresql_where=text(WAITING),
        ),
    )
