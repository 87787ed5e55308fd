"""What results are of."""

from __future__ import annotations

import pytest

from tests.followers import GUIDE
from whatworks import catalogue, db


@pytest.fixture
def stocked(database: db.Database) -> db.Database:
    """A database with a workflow to follow."""
    database.write(catalogue.load, [GUIDE], source="bundled")
    return database
