"""What is known, and of what."""

from __future__ import annotations

import pytest

from tests.crowds import GUIDE, NAMES
from whatworks import catalogue, db
from whatworks.guides import parser


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """A database with two small workflows."""
    guides = [parser.parse(GUIDE.format(name=name), f"{name}.md") for name in NAMES]
    database.write(catalogue.load, guides, source="test")
    return database
