"""What was bought is delivered: to whom it belongs, from any byte, and to nobody else."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people, shopping
from tests.people import KEY, Person
from whatworks import clock, db, errors
from whatworks.app import close
from whatworks.people import sessions
from whatworks.store import deliveries, entitlements, links
from whatworks.store.orders import Order
from whatworks.web import http

BIG = """
[products.free_film]
title = "A film"
kind = "free"
files = ["film.bin"]

[products.film]
title = "A film"
prices = { INR = 100 }
files = ["film.bin"]
"""


def link(order: Order, product: str | None = None, key: str = KEY) -> str:
    return links.download_path(key, order.id, product or order.product)


def names(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as found:
        assert found.testzip() is None
        return found.namelist()


def refused(answer: TestResponse) -> str:
    """Why: the reason of a 402."""
    assert answer.status_code == 402, answer.status
    body = answer.get_json()
    assert body.keys() >= {"error", "code", "reason", "plan", "limit", "used", "upgrade_url"}
    return str(body["reason"])


def ask(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    """As a program, so that refusals can be read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers={"Accept": "application/json", **named})


# ---- who gets it ----------------------------------------------------------------------------


def test_what_is_free_is_for_anybody(client: FlaskClient) -> None:
    inside = names(client.get("/download/starter"))
    assert "markdown/resume_generator.md" in inside
    assert "markdown/raise_your_rates.md" not in inside
    assert client.get("/download/never_heard_of").status_code == 404


def test_a_buyer_gets_it_and_nobody_else(
    app: Flask, client: FlaskClient, person: Callable[..., Person]
) -> None:
    asha, ravi = person(), person()
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    answer = asha.client.get("/download/pro")
    assert "markdown/raise_your_rates.md" in names(answer)
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as file:
        assert order.id in file.read("YOUR-LICENCE.txt").decode()
    for other in (client, ravi.client):
        assert refused(ask(other, "/download/pro")) == "purchase"
    assert refused(ask(asha.client, "/download/premium")) == "purchase"


def test_what_an_address_bought_is_its_owners_once_proved(
    app: Flask, person: Callable[..., Person]
) -> None:
    order = shopping.bought(app, email="asha@example.com")
    asha = person("asha@example.com")
    assert refused(ask(asha.client, "/download/pro")) == "purchase"
    people.platform(app).database.write(sessions.prove_address, asha.user_id)
    browser = people.signed_in(app, asha.user_id)
    assert names(browser.get("/download/pro"))
    assert "claim" not in shopping.events(app, order)


def test_a_plan_opens_the_packs_it_covers(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    database = people.platform(app).database
    grant = database.write(entitlements.grant, asha.user_id, "scale", cause="test")
    assert names(asha.client.get("/download/premium"))
    assert names(asha.client.get("/download/pro"))
    database.write(entitlements.revoke, asha.user_id, grant)
    assert refused(ask(asha.client, "/download/pro")) == "purchase"


def test_every_state_says_why(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    order = shopping.ordered(app, user_id=asha.user_id, email=asha.email)

    def said() -> str:
        return refused(ask(asha.client, "/download/pro"))

    assert said() == "waiting"
    shopping.fail(app, order)
    assert said() == "failed"
    shopping.pay(app, order)
    assert names(asha.client.get("/download/pro"))
    shopping.dispute(app, order)
    assert said() == "disputed"
    shopping.dispute(app, order, "dispute_won")
    assert names(asha.client.get("/download/pro"))
    shopping.refund(app, order)
    assert said() == "refunded"
    assert ask(asha.client, "/download/pro").get_json()["upgrade_url"] == f"/order/{order.id}"
    page = asha.client.get("/download/pro")
    assert "refunded" in page.get_data(as_text=True)
    assert f"/order/{order.id}" in page.get_data(as_text=True)


def test_the_wrong_amount_gives_nothing(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    order = shopping.ordered(app, user_id=asha.user_id, email=asha.email)
    shopping.pay(app, order, amount=order.amount - 1)
    assert ask(asha.client, "/download/pro").status_code == 402
    assert ask(app.test_client(), link(order)).status_code == 402


# ---- signed links ---------------------------------------------------------------------------


def test_a_signed_link_opens_one_product_of_one_order(app: Flask, client: FlaskClient) -> None:
    order, other = shopping.bought(app), shopping.bought(app, "premium")
    assert names(client.get(link(order)))
    for path in (
        link(order).replace("/pro?", "/premium?"),
        link(other).replace("/premium?", "/pro?"),
        link(order, "premium"),
        link(order).replace(order.id, other.id),
        link(order)[:-1],
        link(order, key="s" * 40),
        "/download/pro?token=",
        "/download/pro?token=%00",
    ):
        assert ask(client, path).status_code == 402, path
        assert client.head(path).status_code == 402, path
        assert ask(client, path, Range="bytes=0-9").status_code == 402, path


def test_a_signed_link_lasts_a_quarter_of_an_hour(app: Flask, client: FlaskClient) -> None:
    order, now = shopping.bought(app), clock.now()
    path = link(order)
    for seconds, status in ((0, 200), (880, 200), (901, 402), (3600, 402), (-3600, 402)):
        with time_machine.travel(now + timedelta(seconds=seconds), tick=False):
            assert ask(client, path).status_code == status, seconds
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        body = ask(client, path).get_json()
        assert body["reason"] == "link_expired"
        assert body["upgrade_url"] == f"/order/{order.id}"


def test_a_refund_closes_links_that_are_on_their_way(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app)
    path = link(order)
    first = client.get(path)
    shopping.refund(app, order)
    assert refused(ask(client, path)) == "refunded"
    rest = ask(client, path, Range="bytes=100-", If_Range=first.headers["ETag"])
    assert refused(rest) == "refunded"


def test_another_order_of_the_same_product_does_not_lend_its_right(
    app: Flask, client: FlaskClient
) -> None:
    refunded, kept = shopping.bought(app), shopping.bought(app)
    shopping.refund(app, refunded)
    assert ask(client, link(refunded)).status_code == 402
    assert names(client.get(link(kept)))


def test_keys_can_be_changed_while_links_are_on_their_way(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    path = link(shopping.bought(app))
    new = "n" * 40
    changed = people.build(database_url, tmp_path, secret_key=new, previous_secret_keys=f"x {KEY}")
    gone = people.build(database_url, tmp_path, secret_key=new)
    try:
        assert names(changed.test_client().get(path))
        assert ask(gone.test_client(), path).status_code == 402
    finally:
        close(changed)
        close(gone)


# ---- resumable ------------------------------------------------------------------------------


def test_it_can_be_resumed_at_any_byte(app: Flask, client: FlaskClient) -> None:
    path = link(shopping.bought(app))
    whole = client.get(path)
    body, tag = whole.get_data(), whole.headers["ETag"]
    assert not tag.startswith("W/")
    assert whole.headers["Accept-Ranges"] == "bytes"
    for start in (0, 1, len(body) // 2, len(body) - 1):
        rest = client.get(path, headers={"Range": f"bytes={start}-", "If-Range": tag})
        assert (rest.status_code, rest.get_data()) == (206, body[start:])
        assert rest.headers["Content-Range"] == f"bytes {start}-{len(body) - 1}/{len(body)}"
        assert rest.headers["ETag"] == tag
    changed = client.get(path, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (changed.status_code, changed.get_data()) == (200, body)
    for other in ("pages=1-2", "bytes=0-1,5-6", "bytes=b-c"):  # as good as none
        assert client.get(path, headers={"Range": other}).data == body
    beyond = client.get(path, headers={"Range": f"bytes={len(body)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(body)}")
    head = client.head(path)
    assert (head.headers["Content-Length"], head.get_data()) == (str(len(body)), b"")
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_two_buyers_have_two_tags(app: Flask, client: FlaskClient) -> None:
    first, second = (client.get(link(shopping.bought(app))) for _ in range(2))
    assert first.headers["ETag"] != second.headers["ETag"]
    assert first.get_data() != second.get_data()
    assert len(first.get_data()) == len(second.get_data())


# ---- kept as events -------------------------------------------------------------------------


def test_deliveries_are_events(app: Flask, client: FlaskClient) -> None:
    order = shopping.bought(app)
    path = link(order)
    client.get(path)
    client.get(path, headers={"Range": "bytes=100-"})
    client.head(path)
    client.get(path, headers={"Range": "bytes=999999999-"})
    client.get(path, headers={"If-None-Match": "*"})
    database = people.platform(app).database
    kept = database.read(deliveries.list_of_order, order.id)
    assert [(one.way, one.first_byte) for one in kept] == [("link", 100), ("link", 0)]
    for statement in ("UPDATE downloads SET way = 'x'", "DELETE FROM downloads"):
        with pytest.raises(Exception, match="append-only"):
            _run(database, statement)


def _run(database: db.Database, statement: str) -> None:
    database.write(lambda session: session._cursor.execute(statement))


def test_a_database_that_cannot_write_keeps_nobody_from_what_is_theirs(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link(shopping.bought(app))

    def full(*_args: Any, **_kwargs: Any) -> Any:
        raise errors.Unavailable("The disk is full.")

    monkeypatch.setattr(http, "write", full)
    assert names(client.get(path))


# ---- large ones -----------------------------------------------------------------------------


@pytest.fixture
def large(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Shops that deliver three megabytes."""
    made: list[Flask] = []
    (tmp_path / "film.bin").write_bytes(bytes(range(256)) * 12_000)
    (tmp_path / "products.toml").write_text(BIG)

    def build(**changes: Any) -> Flask:
        products = tmp_path / "products.toml"
        made.append(people.build(database_url, tmp_path, products_file=products, **changes))
        return made[-1]

    yield build
    for app in made:
        close(app)


def test_large_downloads_are_few_at_once_and_give_their_place_back(
    large: Callable[..., Flask],
) -> None:
    client = large(max_downloads=2).test_client()
    path = "/download/free_film"
    first, second = client.get(path), client.get(path)  # answered, and not yet read
    busy = ask(client, path)
    assert (busy.status_code, busy.get_json()["code"]) == (503, "downloads_busy")
    assert int(busy.headers["Retry-After"]) > 0
    assert client.get(path, headers={"Range": "bytes=0-9"}).status_code == 503
    assert client.get("/healthz").status_code == 200
    first.close()
    whole = client.get(path, buffered=True).get_data()
    for _ in range(5):  # whatever way one ends, the place is free again
        assert client.head(path, buffered=True).status_code == 200
        beyond = client.get(path, headers={"Range": "bytes=999999999-"}, buffered=True)
        assert beyond.status_code == 416
        part = client.get(path, headers={"Range": "bytes=100-199"}, buffered=True)
        assert (part.status_code, part.get_data()) == (206, whole[100:200])
        client.get(path).close()
    second.close()
    assert len(names(client.get(path, buffered=True))) == 3


def test_what_has_lost_a_file_is_not_sold_and_operators_see_it(
    large: Callable[..., Flask], tmp_path: Path
) -> None:
    app = large(razorpay_key_id="rzp_test_1", razorpay_key_secret="secret")
    order, boss = shopping.bought(app, "film"), people.operator(app).client
    assert "all can be delivered" in boss.get("/admin").get_data(as_text=True)
    (tmp_path / "film.bin").unlink()
    client = app.test_client()
    asked = client.post("/create_order", json={"product": "film", "email": "a@example.com"})
    assert (asked.status_code, asked.get_json()["code"]) == (503, "product_file_unreadable")
    assert "A file of it is missing" in client.get("/buy?product=film").get_data(as_text=True)
    assert client.get(link(order)).status_code == 503
    assert "film: film.bin is missing" in boss.get("/admin").get_data(as_text=True)
    (tmp_path / "products.toml").write_text("[products]")
    emptied = large()
    boss = people.operator(emptied).client
    assert "film was sold and is not in the products file" in boss.get("/admin").get_data(
        as_text=True
    )
    page = emptied.test_client().get(links.order_path(KEY, order.id)).get_data(as_text=True)
    assert "It is yours all the same" in page


def test_a_front_server_is_told_which_file_to_send(
    large: Callable[..., Flask], tmp_path: Path
) -> None:
    app = large(accel_redirect="/deliveries", max_downloads=1)
    order = shopping.bought(app, "film")
    client = app.test_client()
    answers = [client.get(link(order)) for _ in range(3)]
    assert {answer.headers["X-Accel-Redirect"] for answer in answers} == {
        answers[0].headers["X-Accel-Redirect"]
    }
    assert answers[0].get_data() == b""
    name = answers[0].headers["X-Accel-Redirect"].removeprefix("/deliveries/")
    with zipfile.ZipFile(tmp_path / "deliveries" / name) as file:
        assert file.testzip() is None
        assert order.id in file.read("YOUR-LICENCE.txt").decode()
    shopping.refund(app, order)
    assert client.get(link(order)).status_code == 402
    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert deliveries.tidy(tmp_path / "deliveries") >= 1
    assert not (tmp_path / "deliveries" / name).exists()


def test_a_file_that_is_gone_is_said_so(large: Callable[..., Flask], tmp_path: Path) -> None:
    app = large()
    order = shopping.bought(app, "film")
    (tmp_path / "film.bin").unlink()
    answer = ask(app.test_client(), link(order))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "product_file_unreadable")


# ---- limits ---------------------------------------------------------------------------------


def test_thirty_downloads_a_minute(limited: Callable[..., Flask]) -> None:
    client = limited().test_client()
    with time_machine.travel(clock.timestamp(), tick=False):
        found = Counter(client.get("/download/starter").status_code for _ in range(40))
        assert found == {200: 30, 429: 10}
        assert int(client.get("/download/starter").headers["Retry-After"]) > 0
