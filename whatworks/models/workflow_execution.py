"""The table `workflow_executions`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class WorkflowExecution(Base):
    """One person's run through one version of a workflow: the current state its events add up to.

    goal, market, skill_level and country are the person's as they were at the start; evidence
    counts an execution there for ever.
    """

    __tablename__ = "workflow_executions"

    # Old rows without an owner exist; SQLite keeps them under a NULL.
    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    status: Mapped[str | None] = mapped_column(String, index=True)
    steps_completed: Mapped[int | None] = mapped_column(Integer)
    total_steps: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[float | None] = mapped_column(Float)
    completed_at: Mapped[float | None] = mapped_column(Float)
    execution_notes: Mapped[str | None] = mapped_column(Text)
    workflow_version: Mapped[int | None] = mapped_column(Integer)
    goal: Mapped[str | None] = mapped_column(String)
    market: Mapped[str | None] = mapped_column(String)
    skill_level: Mapped[str | None] = mapped_column(String)
    country: Mapped[str | None] = mapped_column(String)
    recommendation_id: Mapped[str | None] = mapped_column(String)
    touched_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("ix_workflow_executions_id", "id"),
        Index("ix_workflow_executions_open", "status", "touched_at"),
        Index("ix_workflow_executions_cell", "workflow_name", "market", "skill_level", "user_id"),
    )
