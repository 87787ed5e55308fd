"""The table `user_profiles`."""

from __future__ import annotations

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class UserProfile(Base):
    """A person: what they want, where they sell, how far they are. `id` is their user_id.

    `source` stands for the network they signed up from, as a keyed hash; NULL where unknown.
    """

    __tablename__ = "user_profiles"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str | None] = mapped_column(String)
    goal: Mapped[str | None] = mapped_column(String)
    market: Mapped[str | None] = mapped_column(String, index=True)
    skill_level: Mapped[str | None] = mapped_column(String)
    country: Mapped[str | None] = mapped_column(String, index=True)
    created_at: Mapped[float | None] = mapped_column(Float)
    updated_at: Mapped[float | None] = mapped_column(Float)
    time_zone: Mapped[str | None] = mapped_column(String)
    source: Mapped[str | None] = mapped_column(String)
