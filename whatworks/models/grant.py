"""The table `grants`."""

from __future__ import annotations

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Grant(Base):
    """A product or a plan somebody has, from when until when, and why. Revoked, never deleted.

    `user_id` is a person, or `email:` and the SHA-256 of an address whose owner has it once they
    prove that it is theirs. A grant that comes of an order or a subscription has its id from
    there, and is what the events of that cause add up to.
    """

    __tablename__ = "grants"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    plan: Mapped[str | None] = mapped_column(String)
    cause: Mapped[str] = mapped_column(String)
    valid_from: Mapped[float] = mapped_column(Float)
    valid_until: Mapped[float | None] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)
    product: Mapped[str | None] = mapped_column(String)
    cause_id: Mapped[str | None] = mapped_column(String, index=True)
