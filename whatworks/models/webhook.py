"""The table `webhooks`."""

from __future__ import annotations

from sqlalchemy import Float, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Webhook(Base):
    """The inbox: what gateways told us, once each, as it came; and what became of it.

    Rows of the old shop have no gateway and were handled there.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    event: Mapped[str | None] = mapped_column(String, index=True)
    payload: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[float | None] = mapped_column(Float)
    gateway: Mapped[str | None] = mapped_column(String)
    payment_id: Mapped[str | None] = mapped_column(String)
    order_id: Mapped[str | None] = mapped_column(String)
    facts: Mapped[str | None] = mapped_column(Text)  # JSON: what the letter says, gateway-neutral
    # applied ignored held waiting unknown unreadable
    result: Mapped[str | None] = mapped_column(String)
    handled_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("ix_webhooks_waiting", "handled_at", "payment_id"),
        Index("ix_webhooks_received_at", "received_at"),
    )
