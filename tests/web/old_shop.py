"""The old shop's database, upgraded, as it was and with what cannot be used."""

from __future__ import annotations

from tests import people
from tests.upgrades import databases, dirt


def clean(url: str) -> None:
    """The old shop's database, upgraded."""
    databases.old(url)
    people.migrate_and_stock(url)


def dirty(url: str) -> None:
    """The same with rows that cannot be used."""
    databases.old(url)
    dirt.soil(url)
    people.migrate_and_stock(url)
