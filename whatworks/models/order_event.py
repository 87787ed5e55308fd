"""The table `order_events`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class OrderEvent(Base):
    """What happened to an order. The database refuses to change or delete a row.

    `key` names the fact, so that a fact told by webhook, return page and reconciliation is one
    row. It holds opaque ids only, never an address.
    """

    __tablename__ = "order_events"

    order_id: Mapped[str] = mapped_column(String, ForeignKey("orders.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    key: Mapped[str] = mapped_column(String)
    # created attached returned authorized paid failed refunded disputed dispute_won dispute_lost
    # accepted assigned held granted revoked downloaded resent imported
    # renewal_refunded renewal_refund_failed renewal_disputed renewal_dispute_won …_lost
    # refund_asked refund_answered refund_refused refund_failed refund_told coupon_over
    kind: Mapped[str] = mapped_column(String)
    at: Mapped[float] = mapped_column(Float)  # when it happened, as the gateway tells it
    recorded_at: Mapped[float] = mapped_column(Float)
    source: Mapped[str] = mapped_column(String)  # buyer webhook return reconcile operator system
    actor_id: Mapped[str | None] = mapped_column(String)  # the operator's user_id
    payment_id: Mapped[str | None] = mapped_column(String)
    amount: Mapped[int | None] = mapped_column(Integer)
    currency: Mapped[str | None] = mapped_column(String)
    reference: Mapped[str | None] = mapped_column(String)  # of a dispute, a letter, a reason

    __table_args__ = (
        Index("uq_order_events_key", "order_id", "key", unique=True),
        Index("ix_order_events_payment", "payment_id"),
        CLUSTERED,
    )
