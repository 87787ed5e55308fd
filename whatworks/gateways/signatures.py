"""Who signed it: HMAC-SHA256 over the bytes that came, compared as bytes.

The providers' own verifiers raise on signatures that are no ASCII and on bodies that are no UTF-8,
which anybody could send; here everything that is not right is False.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

WINDOW: Final = 300.0  # seconds a signed time may be away from ours


def of(body: bytes, secret: str) -> str:
    """The signature of a body, in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_right(body: bytes, signature: str | None, secrets: Iterable[str]) -> bool:
    """Whether one of the secrets gives this signature."""
    given = (signature or "").encode(errors="surrogateescape")
    right = [hmac.compare_digest(of(body, secret).encode(), given) for secret in secrets]
    return any(right)


def is_right_and_fresh(body: bytes, header: str | None, secrets: Iterable[str], now: float) -> bool:
    """The same of a Stripe-Signature header: `t=1700000000,v1=…`, of about now."""
    parts = [part.partition("=") for part in (header or "").split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdecimal():
        return False
    if len(times[0]) > 12 or abs(int(times[0]) - now) > WINDOW:
        return False
    signed = f"{times[0]}.".encode() + body
    known = tuple(secrets)
    given = [value for name, _, value in parts if name.strip() == "v1"][:10]
    return any(is_right(signed, signature, known) for signature in given)
