"""The products of the shop, and the archives that deliver them."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whatworks import errors

GUIDES: Final = Path(__file__).parent.parent / "workflows"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # one fixed date: the same content gives the same bytes


@dataclass(frozen=True, slots=True)
class Product:
    """Something the shop delivers. `tiers` are the workflows inside; free ones need no order."""

    key: str
    title: str
    tiers: tuple[str, ...]
    is_free: bool


PRODUCTS: Final = {
    product.key: product
    for product in (
        Product("starter", "Starter pack", ("free",), is_free=True),
        Product("pro", "Pro pack", ("free", "pro"), is_free=False),
        Product("premium", "Premium pack", ("free", "pro", "scale"), is_free=False),
    )
}


def get(key: str) -> Product:
    """The product of this key. Raises NotFound."""
    found = PRODUCTS.get(key)
    if found is None:
        raise errors.NotFound("There is no product of this name.")
    return found


def require_bought(product: Product) -> None:
    """Raises PaymentRequired for whatever is not free: a paid order opens it."""
    if not product.is_free:
        raise errors.PaymentRequired(
            f"{product.title} has to be bought before it can be downloaded.",
            code="purchase_required",
            details={
                "reason": "purchase",
                "plan": product.key,
                "limit": None,
                "used": None,
                "upgrade_url": "/pricing",
            },
        )


@functools.cache
def archive(product: Product) -> bytes:
    """The product's ZIP: its guides as Markdown, and a word on how to use them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        _add(file, "README.txt", f"{product.title}\n\nFollow these step by step at /workflows.\n")
        for path in _guides(product.tiers):
            _add(file, f"guides/{path.name}", path.read_text(encoding="utf-8"))
    return content.getvalue()


def _guides(tiers: tuple[str, ...]) -> Iterable[Path]:
    marks = tuple(f"\ntier: {tier}\n" for tier in tiers)
    for path in sorted(GUIDES.glob("*.md")):
        if any(mark in path.read_text(encoding="utf-8") for mark in marks):
            yield path


def _add(file: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(entry, text)
