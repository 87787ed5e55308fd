"""Copies of old databases."""

from __future__ import annotations

import pytest

from tests.upgrades import databases


@pytest.fixture(params=["legacy-before", "legacy-after"])
def old_url(request: pytest.FixtureRequest, empty_url: str) -> str:
    """A copy of an old database."""
    return databases.old(empty_url, request.param)
