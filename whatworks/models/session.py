"""The table `sessions`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import CLUSTERED, Base


class Session(Base):
    """A credential: a browser session, an access token or an operator's API key.

    `id` is the SHA-256 of its secret; the secret itself is never stored.
    """

    __tablename__ = "sessions"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    kind: Mapped[str] = mapped_column(String)  # browser | token | key
    label: Mapped[str] = mapped_column(String)
    created_at: Mapped[float] = mapped_column(Float)
    last_seen_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)
