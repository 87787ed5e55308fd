"""The table `proof_shares`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKeyConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class ProofShare(Base):
    """A proof that its owner shows to whoever has the address, until it is revoked.

    Sharing again makes a new row with a new token, so that an old address stays dead.
    """

    __tablename__ = "proof_shares"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    proof_id: Mapped[str] = mapped_column(String)
    token: Mapped[str] = mapped_column(String)
    listed: Mapped[int] = mapped_column(Integer)  # 1: search engines may, once it is reviewed
    created_at: Mapped[float] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "proof_id"], ["proofs.user_id", "proofs.id"]),
        Index("ix_proof_shares_token", "token"),
        Index(
            "uq_proof_shares_open",
            "user_id",
            "proof_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )
