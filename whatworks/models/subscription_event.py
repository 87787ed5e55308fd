"""The table `subscription_events`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class SubscriptionEvent(Base):
    """A subscription as its gateway described it at a moment; never changed or deleted."""

    __tablename__ = "subscription_events"

    subscription_id: Mapped[str] = mapped_column(
        String, ForeignKey("subscriptions.id"), primary_key=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    key: Mapped[str] = mapped_column(String)
    at: Mapped[float] = mapped_column(Float)
    recorded_at: Mapped[float] = mapped_column(Float)
    source: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    product: Mapped[str | None] = mapped_column(String)
    plan: Mapped[str | None] = mapped_column(String)
    period_start: Mapped[float | None] = mapped_column(Float)
    period_end: Mapped[float | None] = mapped_column(Float)
    cancel_at_period_end: Mapped[int] = mapped_column(Integer)
    ended_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("uq_subscription_events_key", "subscription_id", "key", unique=True),
        CLUSTERED,
    )
