"""`whatworks coupon`: made, listed, ended."""

from __future__ import annotations

from pathlib import Path

from tests import people
from tests.cli.answers import fails, works
from tests.cli.conftest import Run
from whatworks import db
from whatworks.app import close


def test_a_coupon_that_went_out_by_mistake_is_ended(
    on: Run, database: db.Database, tmp_path: Path
) -> None:
    works(on("coupon", "add", "promo", "--percent", "100", "--uses", "9"))
    fails(on("coupon", "add", "PROMO", "--percent", "10"), "a coupon of this code already")
    app = people.build(database.url, tmp_path / "data")
    wanted = {"product": "pro", "email": "asha@example.com", "coupon_code": "Promo"}
    client = app.test_client()
    assert client.post("/create_order", json=wanted).status_code == 200
    assert "PROMO has ended" in works(on("coupon", "end", "Promo"))
    refused = client.post("/create_order", json=wanted)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "coupon_inactive")
    assert works(on("coupon", "list")).splitlines()[1].split()[-1] == "inactive"
    fails(on("coupon", "end", "NOTHING"), "no coupon of this code")
    close(app)
