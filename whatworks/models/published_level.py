"""The table `published_levels`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class PublishedLevel(Base):
    """What the public sees of one level of a workflow, until enough new people came.

    '' stands for every market, or every skill level. `rate` (with counts and hours) rests on
    `ends` people whose end is known, `value` on `reporters` people who said what it brought.
    """

    __tablename__ = "published_levels"
    __table_args__ = CLUSTERED

    workflow_name: Mapped[str] = mapped_column(String, primary_key=True)
    market: Mapped[str] = mapped_column(String, primary_key=True)
    skill_level: Mapped[str] = mapped_column(String, primary_key=True)
    ends: Mapped[int] = mapped_column(Integer)
    rate: Mapped[str | None] = mapped_column(Text)  # JSON; NULL while too few ended
    rate_at: Mapped[float | None] = mapped_column(Float)
    reporters: Mapped[int] = mapped_column(Integer)
    value: Mapped[str | None] = mapped_column(Text)  # JSON; NULL while too few reported
    value_at: Mapped[float | None] = mapped_column(Float)
