"""Numbers as people type them: ₹4,800, 4.800,50, ४८००."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CURRENCY: Final = r"(?:[₹$€£]|Rs\.?|INR|USD|EUR|GBP)"
_WORN: Final = re.compile(rf"(?:{_CURRENCY}\s?)?(\d|\d.*\d)\s?(?:/-|{_CURRENCY})?", re.IGNORECASE)
_SPACE: Final = re.compile("[ \u00a0\u202f'’]")
# Groups of two or three digits, the last of three; the other mark begins the fraction.
_POINT: Final = re.compile(r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_COMMA: Final = re.compile(r"\d+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+,\d+")
_SPACED: Final = re.compile(r"\d{1,3}(?:_\d{2,3})*_\d{3}(?:[.,]\d+)?")
_EITHER: Final = re.compile(r"[1-9]\d{0,2}\.\d{3}")


def plain(typed: str) -> str:
    """A number with its point, without currency and grouping; any other text as it is.

    >>> plain("₹12,34,567.50"), plain("4 800"), plain("Rs. 4,800/-"), plain("४,८००")
    ('1234567.50', '4800', '4800', '4800')
    >>> plain("4.800,50"), plain("1.234.567"), plain("12,50"), plain("1 234,5")
    ('4800.50', '1234567', '12.50', '1234.5')
    >>> plain("a lot"), plain("-5"), plain("1,2,3"), plain("1 2")
    ('a lot', '-5', '1,2,3', '1 2')
    """
    worn = _WORN.fullmatch("".join(map(_western, typed)))
    number = _SPACE.sub("_", worn[1]) if worn else ""
    if _SPACED.fullmatch(number):
        number = number.replace("_", "").replace(",", ".")
    if _POINT.fullmatch(number):
        return number.replace(",", "")
    if _COMMA.fullmatch(number):
        return number.replace(".", "").replace(",", ".")
    return typed


def problem(typed: str) -> str | None:
    """What its author has to say better, as a sentence, or None.

    >>> problem("4,800"), problem("0.125"), problem("-5")
    (None, None, None)
    >>> problem("4.800")
    'Is that 4800 or 4.8? Write it that way.'
    >>> problem("a lot")
    'Write it as a number, such as 4800; if it was nothing, write 0.'
    """
    number = plain(typed)
    if _EITHER.fullmatch(number) and "," not in typed:  # the point groups, or begins the fraction
        return f"Is that {number.replace('.', '')} or {round(float(number), 2)}? Write it that way."
    if not re.fullmatch(r"-?\d+(\.\d+)?", number):
        return "Write it as a number, such as 4800; if it was nothing, write 0."
    return None


def _western(character: str) -> str:
    """Digits of any script as ASCII ones."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)
