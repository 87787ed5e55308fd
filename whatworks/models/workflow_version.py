"""The table `workflow_versions`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class WorkflowVersion(Base):
    """One immutable text of a workflow: the guide as canonical JSON, and its SHA-256."""

    __tablename__ = "workflow_versions"

    workflow_name: Mapped[str] = mapped_column(
        String, ForeignKey("workflows.name"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(String)
    guide: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
    steps: Mapped[int | None] = mapped_column(Integer)
    minutes: Mapped[int | None] = mapped_column(Integer)
