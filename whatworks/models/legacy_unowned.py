"""The table `legacy_unowned`."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class LegacyUnowned(Base):
    """An old row without a user_id, as JSON: PostgreSQL cannot keep it under its primary key."""

    __tablename__ = "legacy_unowned"

    table_name: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    row: Mapped[str] = mapped_column(Text)
