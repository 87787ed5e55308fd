"""The table `step_notes`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class StepNote(Base):
    """What a person wrote down, about one step or the whole execution (`step` NULL).

    The note that a step has in its page is kept in revisions; `rev` is NULL in all others.
    """

    __tablename__ = "step_notes"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String)
    step: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
    rev: Mapped[int | None] = mapped_column(Integer)
    superseded_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_step_notes_execution", "user_id", "execution_id", "id"),
    )
