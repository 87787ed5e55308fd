"""The table `operators`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Operator(Base):
    """A person who runs the place."""

    __tablename__ = "operators"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    granted_at: Mapped[float] = mapped_column(Float)
    granted_by: Mapped[str] = mapped_column(String)
