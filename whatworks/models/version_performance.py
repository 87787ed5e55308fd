"""The table `version_performance`."""

from __future__ import annotations

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class VersionPerformance(Base):
    """The counts of one cell for one version of its workflow; a person counts once per version.

    Version 0 stands for old runs that do not say which.
    """

    __tablename__ = "version_performance"
    __table_args__ = CLUSTERED

    workflow_name: Mapped[str] = mapped_column(String, primary_key=True)
    market: Mapped[str] = mapped_column(String, primary_key=True)
    skill_level: Mapped[str] = mapped_column(String, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    people: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer)
    completed: Mapped[int] = mapped_column(Integer)
    abandoned: Mapped[int] = mapped_column(Integer)
    reported: Mapped[int] = mapped_column(Integer)
    finished: Mapped[int] = mapped_column(Integer)
    stopped: Mapped[int] = mapped_column(Integer)
    verified: Mapped[int] = mapped_column(Integer)
