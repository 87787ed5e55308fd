"""What can be recommended."""

from __future__ import annotations

import pytest

from tests.crowds import GUIDE
from whatworks import catalogue, db
from whatworks.guides import parser


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """Three free workflows and one that needs pro."""
    texts = {name: GUIDE.format(name=name) for name in ("good_way", "bad_way", "new_way")}
    texts["paid_way"] = GUIDE.format(name="paid_way").replace("tier: free", "tier: pro")
    guides = [parser.parse(text, f"{name}.md") for name, text in texts.items()]
    database.write(catalogue.load, guides, source="test")
    return database
