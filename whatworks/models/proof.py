"""The table `proofs`."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Proof(Base):
    """What somebody shows: pictures in the file store (`pages` of them), or a text kept here.

    sha256 is of the normalised pixels or of the text. band_a to band_d are the 64 bits of the
    first page's dHash, 16 in each: of two hashes that differ in at most three bits, one is equal.
    One that its owner took back has nothing left to show, but its row stays.
    """

    __tablename__ = "proofs"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str | None] = mapped_column(String)
    step: Mapped[int | None] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String)  # image | document | text
    text: Mapped[str | None] = mapped_column(Text)
    pages: Mapped[int] = mapped_column(Integer)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String)
    band_a: Mapped[int | None] = mapped_column(Integer)
    band_b: Mapped[int | None] = mapped_column(Integer)
    band_c: Mapped[int | None] = mapped_column(Integer)
    band_d: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    taken_back_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_proofs_id", "id"),
        Index("ix_proofs_execution", "user_id", "execution_id"),
        Index("ix_proofs_sha256", "sha256"),
        Index("ix_proofs_band_a", "band_a"),
        Index("ix_proofs_band_b", "band_b"),
        Index("ix_proofs_band_c", "band_c"),
        Index("ix_proofs_band_d", "band_d"),
        Index(
            "ix_proofs_taken_back",
            "taken_back_at",
            sqlite_where=sql("taken_back_at IS NOT NULL"),
            postgresql_where=sql("taken_back_at IS NOT NULL"),
        ),
    )
