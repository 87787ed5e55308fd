"""Signed addresses: of a download, for one order and product and a quarter of an hour; of an
order's page, for a day.

Each carries `order.expires.signature` (an order's page has its order in the address already). The
signature is made with the current secret key; what one of the previous keys signed still opens, so
that keys can be changed while links are on their way.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from whatworks import clock

LIFETIME: Final = 900
PAGE_LIFETIME: Final = 86_400
SKEW: Final = 60  # how far the clocks of two of our machines may be apart
PAGE: Final = ""  # stands where a download link has its product


@dataclass(frozen=True, slots=True)
class Link:
    """A link of ours: whose order, and whether it still opens."""

    order_id: str
    is_live: bool


def sign(key: str, order_id: str, product: str) -> str:
    """A token that opens this product for this order from now on for LIFETIME seconds."""
    return _sign(key, order_id, product, LIFETIME)


def read(keys: Sequence[str], token: str, product: str) -> Link | None:
    """What a token says; None when it was not signed by us for this product.

    One that expires later than any could is not live either: a clock was turned back.
    """
    return _read(keys, token, product, LIFETIME)


def download_path(key: str, order_id: str, product: str) -> str:
    """Where a product of an order is downloaded, for LIFETIME seconds."""
    return f"/download/{product}?token={sign(key, order_id, product)}"


def order_path(key: str, order_id: str) -> str:
    """The page of an order, open to whoever has this address, for PAGE_LIFETIME seconds."""
    return f"/order/{order_id}?key={order_key(key, order_id)}"


def order_key(key: str, order_id: str) -> str:
    """The `key` of that address alone."""
    return _sign(key, order_id, PAGE, PAGE_LIFETIME).removeprefix(f"{order_id}.")


def opens_page(keys: Sequence[str], token: str, order_id: str) -> bool:
    """Whether the `key` of an order's address opens its page now."""
    found = _read(keys, f"{order_id}.{token}", PAGE, PAGE_LIFETIME)
    return found is not None and found.is_live


def _sign(key: str, order_id: str, product: str, lifetime: int) -> str:
    expires = int(clock.timestamp()) + lifetime
    return f"{order_id}.{expires}.{_signature(key, order_id, product, expires)}"


def _read(keys: Sequence[str], token: str, product: str, lifetime: int) -> Link | None:
    rest, _, signature = token.rpartition(".")
    order_id, _, typed = rest.rpartition(".")
    if not order_id or not typed.isascii() or not typed.isdecimal() or len(typed) > 12:
        return None
    given = signature.encode(errors="surrogateescape")
    expires = int(typed)
    if not any(
        hmac.compare_digest(_signature(key, order_id, product, expires).encode(), given)
        for key in keys
    ):
        return None
    left = expires - clock.timestamp()
    return Link(order_id, 0 < left <= lifetime + SKEW)


def _signature(key: str, order_id: str, product: str, expires: int) -> str:
    own = hmac.new(key.encode(), b"links of orders", hashlib.sha256).digest()
    said = f"{order_id}\n{product}\n{expires}".encode(errors="surrogateescape")
    return hmac.new(own, said, hashlib.sha256).hexdigest()
