"""The table `downloads`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from whatworks.models.registry import Base


class Download(Base):
    """A delivery that began or went on. Append-only: it is what proves that a buyer was served."""

    __tablename__ = "downloads"

    # Whose grant, as in `grants`: a person, or the mark of an address; "" for what is free.
    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    product: Mapped[str] = mapped_column(String)
    order_id: Mapped[str | None] = mapped_column(String, index=True)
    way: Mapped[str] = mapped_column(String)  # free | order | plan | link
    first_byte: Mapped[int] = mapped_column(BigInteger)  # more than 0: it was resumed
    size: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Float)
