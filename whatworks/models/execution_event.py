"""The table `execution_events`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class ExecutionEvent(Base):
    """What happened to an execution. The database refuses to change or delete a row.

    Text that people typed is not here but in `step_notes`, so that it can be erased.
    """

    __tablename__ = "execution_events"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String)
    # started | progressed | logged | noted | checked | timed | proof | proof_gone | completed |
    # abandoned | resumed | outcome | imported
    kind: Mapped[str] = mapped_column(String)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String)  # owner | operator | system
    step: Mapped[int | None] = mapped_column(Integer)
    steps_completed: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[str | None] = mapped_column(String)
    seconds_spent: Mapped[float | None] = mapped_column(Float)
    reference_id: Mapped[str | None] = mapped_column(String)  # of a note, outcome, proof or gap
    reason: Mapped[str | None] = mapped_column(String)  # why it failed or was skipped
    item: Mapped[int | None] = mapped_column(Integer)  # of the checklist, from 0
    happened_at: Mapped[float | None] = mapped_column(Float)  # as the device says, if it came late

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        CLUSTERED,
    )
