"""The table `orders`."""

from __future__ import annotations

from sqlalchemy import Float, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Order(Base):
    """One purchase, and the state that its events add up to.

    Found by its own id, because a gateway knows no person and a buyer needs no account. Money is
    an integer in the currency's smallest unit. `plan` and `days` are what the buyer was promised
    when they ordered. Rows of the old shop have the gateway's id as their own.
    """

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    amount: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str | None] = mapped_column(String)
    receipt: Mapped[str | None] = mapped_column(String)
    product: Mapped[str | None] = mapped_column(String, index=True)
    # created | paid | fulfilled | failed | refunded | disputed
    status: Mapped[str | None] = mapped_column(String, index=True)
    created_at: Mapped[float | None] = mapped_column(Float)
    paid_at: Mapped[float | None] = mapped_column(Float)
    gateway: Mapped[str | None] = mapped_column(String)  # razorpay | stripe; "" with nothing to pay
    gateway_id: Mapped[str | None] = mapped_column(String)
    payment_url: Mapped[str | None] = mapped_column(Text)  # where the gateway takes the money
    user_id: Mapped[str | None] = mapped_column(String, index=True)
    email: Mapped[str | None] = mapped_column(String, index=True)
    list_price: Mapped[int | None] = mapped_column(Integer)
    coupon_code: Mapped[str | None] = mapped_column(String)
    plan: Mapped[str | None] = mapped_column(String)
    days: Mapped[int | None] = mapped_column(Integer)  # 0: for good
    attempt: Mapped[str | None] = mapped_column(String)  # hash of caller and Idempotency-Key
    attempt_hash: Mapped[str | None] = mapped_column(String)  # of the request that came with it
    held: Mapped[str | None] = mapped_column(String)  # why money came and nothing was given
    held_at: Mapped[float | None] = mapped_column(Float)
    next_check_at: Mapped[float | None] = mapped_column(Float, index=True)
    alerted_at: Mapped[float | None] = mapped_column(Float)
    receipt_sent_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index(
            "uq_orders_gateway",
            "gateway",
            "gateway_id",
            unique=True,
            sqlite_where=text("gateway_id IS NOT NULL"),
            postgresql_where=text("gateway_id IS NOT NULL"),
        ),
        Index(
            "uq_orders_attempt",
            "attempt",
            unique=True,
            sqlite_where=text("attempt IS NOT NULL"),
            postgresql_where=text("attempt IS NOT NULL"),
        ),
    )
