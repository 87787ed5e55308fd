"""The table `source_votes`."""

from __future__ import annotations

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class SourceVote(Base):
    """How many people who signed up from one network finished or stopped in one cell."""

    __tablename__ = "source_votes"
    __table_args__ = CLUSTERED

    workflow_name: Mapped[str] = mapped_column(String, primary_key=True)
    market: Mapped[str] = mapped_column(String, primary_key=True)
    skill_level: Mapped[str] = mapped_column(String, primary_key=True)
    source: Mapped[str] = mapped_column(String, primary_key=True)
    finished: Mapped[int] = mapped_column(Integer)
    stopped: Mapped[int] = mapped_column(Integer)
