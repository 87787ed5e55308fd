"""The table `sign_ins`."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class SignIn(Base):
    """One request to sign in: a link and a six-digit code, ten minutes, spent once."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str] = mapped_column(String)
    link_hash: Mapped[str] = mapped_column(String)
    code_hash: Mapped[str] = mapped_column(String)
    tries: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float, index=True)
    used_at: Mapped[float | None] = mapped_column(Float)
