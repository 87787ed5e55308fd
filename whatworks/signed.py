"""Addresses that may do one thing: what they are about, signed for that one purpose. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

SIGNATURE: Final = 24  # bytes kept of the HMAC


def token(key: str, purpose: str, *parts: str) -> str:
    """For an address: the parts in the open, and a signature that fits this purpose only.

    >>> read("k", "ask", token("k", "ask", "asha", "7"))
    ('asha', '7')
    >>> read("k", "unsubscribe", token("k", "ask", "asha", "7")) is None
    True
    """
    said = json.dumps(parts).encode()
    return f"{_text(said)}.{_text(_signature(key, purpose, said))}"


def read(key: str, purpose: str, given: str) -> tuple[str, ...] | None:
    """What a token is about; None when it was not made for this purpose with this key."""
    said, _, signature = given.partition(".")
    try:
        body, proof = _bytes(said), _bytes(signature)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(proof, _signature(key, purpose, body)):
        return None
    return tuple(map(str, json.loads(body)))


def _signature(key: str, purpose: str, body: bytes) -> bytes:
    message = purpose.encode() + b"\0" + body
    return hmac.new(key.encode(), message, hashlib.sha256).digest()[:SIGNATURE]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
