"""`whatworks operator`: who may act for anybody, and with which key."""

from __future__ import annotations

from pathlib import Path

from tests import people
from tests.cli.answers import fails, works
from tests.cli.conftest import Run
from whatworks import db
from whatworks.people import operators, sessions
from whatworks.store import entitlements


def test_operators_keys_and_plans(on: Run, database: db.Database, tmp_path: Path) -> None:
    app = people.build(database.url, tmp_path / "data")
    asha = people.sign_up(app, "asha@example.com")
    assert "/admin/claim?token=" in works(on("operator", "link"))
    fails(on("operator", "add", "nobody@example.com"), "Nobody has signed up")
    fails(on("operator", "add", "nobody"), "no e-mail address")
    fails(on("operator", "key", asha.email, "--label", "x"), "Only an operator")
    works(on("operator", "add", "Asha@Example.com"))
    works(on("operator", "add", "asha@example.com"))
    listed = works(on("operator", "list")).splitlines()
    assert len(listed) == 2
    assert listed[1].startswith("asha@example.com")
    fails(on("operator", "link"), "There is an operator already")
    key = works(on("operator", "key", asha.email, "--label", "import")).strip()
    found = database.read(sessions.find, key)
    assert found is not None
    assert (found.kind, found.label, found.is_operator) == ("key", "import", True)
    assert database.read(operators.is_operator, asha.user_id)
    assert database.read(entitlements.plan, asha.user_id) == "scale"  # their own place
    ravi = people.sign_up(app, "ravi@example.com")
    works(on("operator", "grant", ravi.email, "--plan", "pro", "--days", "30"))
    assert database.read(entitlements.plan, ravi.user_id) == "pro"
    works(on("operator", "grant", ravi.email, "--plan", "scale"))
    assert database.read(entitlements.plan, ravi.user_id) == "scale"
