"""Links that people give as a proof: kept as text, never fetched."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

# NAT64, 6to4 and Teredo: addresses that lead to an IPv4 address of anybody's choice.
_IPV4_INSIDE: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "2001::/32")))
_OURS: Final = re.compile(r"/proofs/([0-9a-f-]{6,36})")


def problem(url: str) -> str | None:
    """What is wrong with a proof link, or None. It is kept as text and never fetched.

    >>> problem("https://example.com/receipt.png")
    >>> problem("javascript:alert(1)")
    'give a link that starts with https://'
    """
    if url[:8].lower() != "https://" or not url.isprintable() or " " in url or "\\" in url:
        return "give a link that starts with https://"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "this is not a link"
    if "@" in parts.netloc or not _is_public(host):
        return "give a link to a public website"
    return None


def proof_of_ours(url: str, address: str) -> str | None:
    """The id in a link to a proof kept here, whose address is `address`.

    >>> proof_of_ours("https://here.example/proofs/019a-1", "https://here.example")
    '019a-1'
    >>> proof_of_ours("https://there.example/proofs/019a-1", "https://here.example")
    """
    found = _OURS.fullmatch(url.removeprefix(address))
    return found[1] if found else None


def proof_problem(url: str) -> str | None:
    """As `problem`, but a proof's path is fine on any host: whose it is, others know."""
    path = re.sub(r"^https?://[^/]+", "", url)
    return None if _OURS.fullmatch(path) else problem(url)


def _is_public(host: str) -> bool:
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        hidden = any(address in network for network in _IPV4_INSIDE)
        return address.is_global and not address.is_multicast and not hidden
    labels = host.rstrip(".").split(".")
    private = {"localhost", "local", "internal", "lan", "home", "corp", "test", "invalid", "onion"}
    return (
        len(labels) >= 2
        and all(re.fullmatch(r"[\w-]{1,63}", label) for label in labels)
        and labels[-1] not in private
        and not labels[-1].isdigit()
        and not labels[-1].startswith("0x")
    )
