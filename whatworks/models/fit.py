"""The table `fits`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Fit(Base):
    """One fit of the model of what works: what it learned that is not a cell's own.

    Cells are settled anew from their counts when a fit is loaded.
    """

    __tablename__ = "fits"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    method: Mapped[str] = mapped_column(String)
    created_at: Mapped[float] = mapped_column(Float)
    people: Mapped[int] = mapped_column(Integer)  # known ends it was fitted to
    workflows: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    parameters: Mapped[str] = mapped_column(Text)  # JSON
