"""Where somebody signed up from, so that many accounts of one network count less. Pure.

Only a keyed hash of the network is kept: it tells whether two people came from the same one, and
nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from typing import Final

PREFIX: Final = {4: 24, 6: 48}  # what one household, office or hoster commonly has
WHOLE: Final = 3  # people of one network who count in full
UNIT: Final = 1000  # weights are kept in thousandths


def of(address: str | None, secret: str) -> str | None:
    """What stands for an address's network; None for private addresses, which say nothing.

    >>> of("203.0.114.7", "k") == of("203.0.114.99", "k") != of("203.0.115.7", "k")
    True
    >>> of("127.0.0.1", "k") is None
    True
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if not found.is_global:
        return None
    network = ipaddress.ip_network((found, PREFIX[found.version]), strict=False)
    key = hashlib.sha256(b"source " + secret.encode()).digest()
    return hmac.new(key, str(network).encode(), hashlib.sha256).hexdigest()[:16]


def weight(people: int) -> int:
    """What so many people of one network count together, in thousandths of a person.

    The first three in full; from there on each doubling counts as one more. A campus behind one
    address is heard, a thousand accounts made in one place are thirteen people.

    >>> [weight(n) for n in (1, 3, 4, 10, 1026)]
    [1000, 3000, 4000, 6000, 13000]
    """
    if people <= WHOLE:
        return UNIT * people
    return round(UNIT * (WHOLE + math.log2(people - WHOLE + 1)))


def weighed(finished: int, stopped: int) -> tuple[int, int]:
    """The weights of those of one network who finished and who stopped, in thousandths.

    >>> weighed(2, 1), weighed(10, 0), weighed(0, 0)
    ((2000, 1000), (6000, 0), (0, 0))
    """
    people = finished + stopped
    if people <= WHOLE:
        return UNIT * finished, UNIT * stopped
    whole = weight(people)
    mine = (whole * finished + people // 2) // people
    return mine, whole - mine
