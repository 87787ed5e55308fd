"""The table `workflows`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Workflow(Base):
    """A workflow on offer and the version that new executions begin with."""

    __tablename__ = "workflows"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String)
    tier: Mapped[str] = mapped_column(String)
    source: Mapped[str] = mapped_column(String)
    loaded_at: Mapped[float] = mapped_column(Float)
    retired_at: Mapped[float | None] = mapped_column(Float)
