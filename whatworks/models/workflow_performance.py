"""The table `workflow_performance`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class WorkflowPerformance(Base):
    """The read model of one cell (workflow × market × skill level); rebuildable at any time.

    `started`, `completed` and `abandoned` count executions; `people`, `finished`, `stopped`,
    `reported` and `verified` count people, each once. The weights are `finished` and `stopped` in
    thousandths, with many accounts from one network counting less. success_rate and data_points
    are the raw figures of those counts; what is shown is in `published_levels`. Rows
    that the old shop wrote have NULL counts.
    """

    __tablename__ = "workflow_performance"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    market: Mapped[str | None] = mapped_column(String, index=True)
    skill_level: Mapped[str | None] = mapped_column(String, index=True)
    success_rate: Mapped[float | None] = mapped_column(Float)
    avg_outcome_value: Mapped[float | None] = mapped_column(Float)
    completion_time_hours: Mapped[float | None] = mapped_column(Float)
    data_points: Mapped[int | None] = mapped_column(Integer)
    updated_at: Mapped[float | None] = mapped_column(Float, index=True)
    people: Mapped[int | None] = mapped_column(Integer)
    started: Mapped[int | None] = mapped_column(Integer)
    completed: Mapped[int | None] = mapped_column(Integer)
    abandoned: Mapped[int | None] = mapped_column(Integer)
    reported: Mapped[int | None] = mapped_column(Integer)
    finished: Mapped[int | None] = mapped_column(Integer)
    stopped: Mapped[int | None] = mapped_column(Integer)
    verified: Mapped[int | None] = mapped_column(Integer)
    weight_finished: Mapped[int | None] = mapped_column(BigInteger)
    weight_stopped: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        # Whether anything waits to be counted is asked with every page.
        Index(
            "ix_workflow_performance_uncounted",
            "id",
            sqlite_where=text("started IS NULL"),
            postgresql_where=text("started IS NULL"),
        ),
    )
