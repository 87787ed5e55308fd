"""The table `emails`."""

from __future__ import annotations

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class Email(Base):
    """Which person an address belongs to; the only table found by address."""

    __tablename__ = "emails"
    __table_args__ = CLUSTERED

    email: Mapped[str] = mapped_column(String, primary_key=True)
    user_id: Mapped[str] = mapped_column(String, index=True)
    created_at: Mapped[float] = mapped_column(Float)
    verified_at: Mapped[float | None] = mapped_column(Float)  # when its owner first proved it
