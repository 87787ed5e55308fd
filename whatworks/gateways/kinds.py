"""What may stand in a gateway's letters and answers: names, times and amounts that can be kept."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")]  # no database keeps a NUL
Moment = Annotated[int, Meta(ge=0, le=99_999_999_999)]  # epoch seconds that calendars can show
Amount = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # in the smallest unit


def name(found: object) -> str:
    """A name, or "" for what is none.

    >>> name("payment.captured"), name(7), name("a" + chr(0))
    ('payment.captured', '', '')
    """
    try:
        return msgspec.convert(found, Name)
    except msgspec.ValidationError:
        return ""
