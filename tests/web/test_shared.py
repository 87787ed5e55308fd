"""What is shared of proofs: a second yes, and never for search engines unless it was said."""

from __future__ import annotations

from typing import Final

from flask import Flask

from tests import people
from tests.web.exhibits import Shown, case
from tests.web.pages import text

NOINDEX: Final = "noindex, nofollow"


def test_sharing_is_a_second_yes_that_can_be_taken_back(app: Flask, shown: Shown) -> None:
    asha, nobody = shown.person.client, app.test_client()
    path = f"/proofs/{shown.proof_id}"
    assert "data-copy" not in text(asha.get(path))
    assert "/shared/" not in text(asha.get(path))
    asha.post(f"{path}/share", data={})
    address = "/shared/" + text(asha.get(path)).partition("/shared/")[2].partition('"')[0]
    assert f'{address}" hidden>' in text(asha.get(path)).partition("data-copy=")[2]
    page = nobody.get(address)
    assert page.headers["X-Robots-Tag"] == NOINDEX
    assert "₹4,800" in text(page)
    assert "What is typical" in text(page)
    for secret in (shown.person.email, shown.person.user_id, shown.execution_id, shown.proof_id):
        assert secret not in text(page)
    picture = nobody.get(f"{address}/page/1")
    assert (picture.status_code, picture.mimetype) == (200, "image/webp")
    assert picture.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert nobody.get(f"{path}/page/1").status_code == 303  # the rest stays closed
    asha.post(f"{path}/unshare")
    for gone in (address, f"{address}/page/1"):
        assert nobody.get(gone).status_code == 404


def test_search_engines_may_know_only_what_was_reviewed_and_said_so(
    app: Flask, shown: Shown
) -> None:
    asha, nobody = shown.person.client, app.test_client()
    path = f"/proofs/{shown.proof_id}"
    asha.post(f"{path}/share", data={"listed": "on"})
    address = "/shared/" + text(asha.get(path)).partition("/shared/")[2].partition('"')[0]
    assert nobody.get(address).headers["X-Robots-Tag"] == NOINDEX
    boss = people.operator(app).client
    boss.post("/admin/proofs/decide", data=case(boss) | {"decision": "approved"})
    page = nobody.get(address)
    assert "X-Robots-Tag" not in page.headers
    assert "noindex" not in text(page)
    asha.post(f"{path}/share", data={})
    assert nobody.get(address).headers["X-Robots-Tag"] == NOINDEX
