"""Money as the store keeps it, whole numbers of the smallest unit, in the words people use."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from babel.numbers import format_currency, get_currency_precision

LAKHS: Final = frozenset({"INR", "PKR", "BDT", "NPR"})  # written 12,34,567
LOCALES: Final = {"USD": "en_US", "GBP": "en_GB", "EUR": "en_IE", "AUD": "en_AU", "CAD": "en_CA"}


def text(amount: int | None, currency: str | None) -> str:
    """An amount, without decimals where it has none.

    >>> text(49900, "INR"), text(123456750, "INR"), text(900, "JPY"), text(1950, "USD")
    ('₹499', '₹12,34,567.50', '¥900', '$19.50')
    """
    if amount is None or not currency:
        return ""
    places = get_currency_precision(currency)
    value = Decimal(amount).scaleb(-places)
    locale = "en_IN" if currency in LAKHS else LOCALES.get(currency, "en")
    if value == value.to_integral_value():
        pattern = "¤#,##,##0" if currency in LAKHS else "¤#,##0"
        return format_currency(value, currency, pattern, locale=locale, currency_digits=False)
    return format_currency(value, currency, locale=locale)
