"""Who signed a letter: only the gateways are believed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stripe
import time_machine
from werkzeug.serving import make_server

from tests import people, tills
from tests.conftest import Figure
from tests.stubs.razorpay import WEBHOOK_SECRET, hmac_sha256
from tests.stubs.stripe import WEBHOOK_SECRET as STRIPE_SECRET
from tests.stubs.stripe import sign
from tests.tills import Till
from tests.web.letters import effects, paid_letter
from whatworks.app import close
from whatworks.gateways import signatures
from whatworks.store import inbox


def wrong_razorpay_signatures(body: bytes) -> Iterator[tuple[str, bytes, str | None]]:
    right = hmac_sha256(WEBHOOK_SECRET, body)
    yield "missing", body, None
    yield "empty", body, ""
    yield "not ASCII", body, "é" * 64
    yield "wrong secret", body, hmac_sha256("another", body)
    yield "cut short", body, right[:-1]
    yield "in capitals", body, right.upper()
    again = json.dumps(json.loads(body), separators=(",", ":")).encode()
    yield "re-serialised JSON", again, right
    yield "another amount", body.replace(b"49900", b"19900"), right
    yield "not UTF-8", b"\xff" + body, right
    for what, seconds in (("stale", -4 * 86_400), ("future", 3_600)):
        moved = {**json.loads(body), "created_at": int(time.time()) + seconds}
        sent = json.dumps(moved).encode()
        yield what, sent, hmac_sha256(WEBHOOK_SECRET, sent)
    for what, sent in (("no JSON", b"{"), ("a list", b"[]"), ("deep", b"[" * 100_000)):
        yield what, sent, hmac_sha256(WEBHOOK_SECRET, sent)


def test_only_razorpay_is_believed(till: Till, figure: Figure) -> None:
    order_id, body, headers = paid_letter(till)
    before, refused = effects(till), 0
    for what, sent, signature in wrong_razorpay_signatures(body):
        given = {**headers, "X-Razorpay-Signature": signature or ""}
        if signature is None:
            del given["X-Razorpay-Signature"]
        assert till.receive("razorpay", sent, given) == 400, what
        refused += 1
    assert effects(till) == before
    assert people.everything(till.database)["webhooks"] == []
    assert till.receive("razorpay", body, headers) == 200  # the control: the right one works
    assert till.find(order_id).status == "fulfilled"
    figure(f"{refused} wrong signatures: {refused} times 400, 0 effects")


def wrong_stripe_signatures(body: bytes, now: int) -> Iterator[tuple[str, bytes, str | None]]:
    right = sign(body, STRIPE_SECRET, now)
    yield "missing", body, None
    yield "empty", body, ""
    yield "not ASCII", body, f"t={now},v1=é"
    yield "no time", body, right.partition(",")[2]
    yield "two times", body, f"t={now},{right}"
    yield "no number", body, right.replace(str(now), "now")
    yield "endless number", body, right.replace(str(now), "9" * 400)
    yield "another number", body, right.replace(str(now), str(now - 1))
    yield "no signature", body, f"t={now}"
    yield "an old scheme", body, right.replace("v1", "v0")
    yield "wrong secret", body, sign(body, "another", now)
    yield "stale", body, sign(body, STRIPE_SECRET, now - 302)
    yield "future", body, sign(body, STRIPE_SECRET, now + 302)
    yield "re-serialised JSON", json.dumps(json.loads(body), indent=1).encode(), right
    yield "another amount", body.replace(b"49900", b"19900"), right
    for what, sent in (("no JSON", b"{"), ("no event", b"{}"), ("not UTF-8", b"\xff")):
        yield what, sent, sign(sent, STRIPE_SECRET, now)


def test_only_stripe_is_believed(till: Till, figure: Figure) -> None:
    made = till.checkout()
    till.stripe.pay(made["session_id"])
    ((body, headers),) = till.stripe.parcels()
    before, refused = effects(till), 0
    for what, sent, signature in wrong_stripe_signatures(body, int(time.time())):
        given = {**headers, "Stripe-Signature": signature or ""}
        if signature is None:
            del given["Stripe-Signature"]
        assert till.receive("stripe", sent, given) == 400, what
        refused += 1
    assert effects(till) == before
    assert till.receive("stripe", body, headers) == 200
    assert till.find(made["order_id"]).status == "fulfilled"
    figure(f"{refused} wrong signatures: {refused} times 400, 0 effects")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_secret_before_is_taken_until_its_last_day(database_url: str, tmp_path: Path) -> None:
    noon = datetime.now(UTC).replace(hour=12)  # far from where one day becomes the next
    last = (noon + timedelta(days=2)).date().isoformat()
    new = {"razorpay_webhook_secret": "new", "stripe_webhook_secret": "new"}
    old = {
        "razorpay_webhook_secret_previous": WEBHOOK_SECRET,
        "stripe_webhook_secret_previous": STRIPE_SECRET,
        "previous_webhook_secrets_until": last,
    }
    with tills.opened(database_url, tmp_path) as till:
        app = people.build(database_url, tmp_path, **{**till.shop.settings.__dict__, **new, **old})
        moved = Till(app, till.razorpay, till.stripe)
        for days, status in ((0, 200), (2, 200), (3, 400)):
            with time_machine.travel(noon + timedelta(days=days)):
                made = moved.order()
                till.razorpay.pay(made["id"])
                till.stripe.pay(moved.checkout()["session_id"])
                assert set(moved.deliver()) == {status}, days
        till.razorpay.secret = till.stripe.secret = "new"
        till.razorpay.pay(moved.order()["id"])
        assert set(moved.deliver()) == {200}
        close(app)


def test_signatures_are_those_of_the_providers_own_code() -> None:
    body, now = '{"amount": 1, "ü": "é"}', int(time.time())
    header = stripe.WebhookSignature.generate_signature_header(body, "whsec", now)
    assert signatures.is_right_and_fresh(body.encode(), header, ("old", "whsec"), now)
    assert not signatures.is_right_and_fresh(body.encode(), header, ("old",), now)
    documented = hmac_sha256("secret", body.encode())
    assert signatures.of(body.encode(), "secret") == documented


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_independent_implementation_signs_as_we_check(till: Till, figure: Figure) -> None:
    server = make_server("127.0.0.1", 0, till.app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with make_server("127.0.0.1", 0, till.app) as probe:
        port = probe.server_port
    other = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        ours = f"http://127.0.0.1:{server.server_port}/webhook/stripe"
        hook = f"url={ours}&secret={STRIPE_SECRET}".encode()
        call(f"{address}/_config/webhooks/one", hook)
        for _ in range(3):
            call(f"{address}/v1/customers", b"email=a@example.com", token="sk_test_12345")
        found = wait_for_letters(till, 3)
    finally:
        other.terminate()
        other.wait(60)
        server.shutdown()
    assert {letter.event for letter in found} >= {"customer.created"}
    figure(f"{len(found)} letters of an independent implementation verified")


def call(address: str, data: bytes, token: str = "") -> None:
    """POST, again and again until somebody is there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for _ in range(200):
        try:
            urllib.request.urlopen(urllib.request.Request(address, data, headers)).close()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


def wait_for_letters(till: Till, least: int) -> list[inbox.Letter]:
    for _ in range(200):
        found = till.database.read(inbox.list_)
        if len(found) >= least:
            return found
        time.sleep(0.1)
    raise TimeoutError("no letters")
