"""The table `payments`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Payment(Base):
    """A payment as the old shop kept it; new ones are events of their order."""

    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    order_id: Mapped[str | None] = mapped_column(String, ForeignKey("orders.id"), index=True)
    payload: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[float | None] = mapped_column(Float)
