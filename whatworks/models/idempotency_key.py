"""The table `idempotency_keys`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class IdempotencyKey(Base):
    """The first answer to a request that carried an Idempotency-Key.

    `user_id` is the caller: a person, or the hashed address of somebody not signed in.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    key_hash: Mapped[str] = mapped_column(String, primary_key=True)
    request_hash: Mapped[str] = mapped_column(String)
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float, index=True)
