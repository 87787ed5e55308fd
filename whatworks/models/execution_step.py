"""The table `execution_steps`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class ExecutionStep(Base):
    """One step of one run: the current state its events add up to (`steps.advance`)."""

    __tablename__ = "execution_steps"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String, primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    result: Mapped[str | None] = mapped_column(String)  # worked | failed | skipped
    reason: Mapped[str | None] = mapped_column(String)
    failures: Mapped[int] = mapped_column(Integer)
    failed_reason: Mapped[str | None] = mapped_column(String)  # of the last failure
    failed_checks: Mapped[str | None] = mapped_column(String)  # as they stood at it
    checks: Mapped[str] = mapped_column(String)  # "101": the first and third are ticked
    seconds: Mapped[float] = mapped_column(Float)
    proofs: Mapped[str] = mapped_column(Text)  # ids with spaces between

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        CLUSTERED,
    )
