"""E-mail addresses in the one form in which they are compared and kept."""

from __future__ import annotations

import email_validator


def normal(given: str) -> str:
    """The form in which a valid address is unique. Raises EmailNotValidError.

    >>> normal(" Asha@Example.COM ")
    'asha@example.com'
    """
    found = email_validator.validate_email(
        given.strip(), check_deliverability=False, test_environment=True
    )
    return found.normalized.lower()


def find(given: str | None) -> str | None:
    """The same, and None for what is no address.

    >>> find("asha@example.com"), find("asha")
    ('asha@example.com', None)
    """
    try:
        return normal(given or "")
    except email_validator.EmailNotValidError:
        return None
