"""The table `subscriptions`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Subscription(Base):
    """A plan that is paid for again and again, in the state that its events add up to.

    `receipt`, `amount_paise` and states in capitals are the old shop's.
    """

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    receipt: Mapped[str | None] = mapped_column(String, index=True)
    tier: Mapped[str | None] = mapped_column(String, index=True)  # the plan
    billing_cycle: Mapped[str | None] = mapped_column(String)
    amount_paise: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[str | None] = mapped_column(String, index=True)
    current_period_start: Mapped[float | None] = mapped_column(Float)
    current_period_end: Mapped[float | None] = mapped_column(Float)
    provider: Mapped[str | None] = mapped_column(String)
    stripe_subscription_id: Mapped[str | None] = mapped_column(String, index=True)
    stripe_customer_id: Mapped[str | None] = mapped_column(String, index=True)
    razorpay_subscription_id: Mapped[str | None] = mapped_column(String, index=True)
    created_at: Mapped[float | None] = mapped_column(Float)
    cancelled_at: Mapped[float | None] = mapped_column(Float)
    cancellation_reason: Mapped[str | None] = mapped_column(String)
    user_id: Mapped[str | None] = mapped_column(String, index=True)
    email: Mapped[str | None] = mapped_column(String, index=True)
    order_id: Mapped[str | None] = mapped_column(String, index=True)
    product: Mapped[str | None] = mapped_column(String)
    cancel_at_period_end: Mapped[int | None] = mapped_column(Integer)
