"""Letters of gateways: who signed them, and one effect however often and in whatever order."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import stripe
import time_machine
from sqlalchemy import insert
from werkzeug.serving import make_server

from tests import people, tills
from tests.conftest import Figure
from tests.stubs.razorpay import WEBHOOK_SECRET, hmac_sha256
from tests.stubs.stripe import WEBHOOK_SECRET as STRIPE_SECRET
from tests.stubs.stripe import sign
from tests.tills import Till
from whatworks import checkout, clock, db, notices, reconcile, refunds
from whatworks.app import close
from whatworks.gateways import signatures
from whatworks.models import Webhook
from whatworks.store import inbox, settlement

Parcel = tuple[str, bytes, dict[str, str]]
REPEATS: Final = 10


def parcels(till: Till) -> list[Parcel]:
    """Everything on its way from both gateways."""
    found = [("razorpay", *parcel) for parcel in till.razorpay.parcels()]
    found += [("stripe", *parcel) for parcel in till.stripe.parcels()]
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    return found


def effects(till: Till) -> dict[str, list[str]]:
    """All rows that letters make, but for the inbox."""
    tables = ("orders", "order_events", "subscriptions", "subscription_events", "grants")
    rows = people.everything(till.database)
    return {table: rows[table] for table in tables}


# ---- who signed it --------------------------------------------------------------------------


def paid_letter(till: Till) -> tuple[str, bytes, dict[str, str]]:
    made = till.order()
    till.razorpay.pay(made["id"])
    body, headers = next(
        parcel for parcel in till.razorpay.parcels() if b'"payment.captured"' in parcel[0]
    )
    till.razorpay.letters.clear()
    return made["id"], body, headers


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
    last = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
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
            with time_machine.travel(datetime.now(UTC) + timedelta(days=days)):
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
        other.wait(10)
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


# ---- once -----------------------------------------------------------------------------------


def everything_that_happens(till: Till) -> list[str]:
    """One order for each thing that gateways write about; returns the orders."""
    names = []
    for late in (None, "failed", "refunded", "partly", "disputed", "won", "lost", "agreed"):
        made = till.order()
        names.append(made["order_id"])
        status = "failed" if late in ("failed", "agreed") else "captured"
        payment = till.razorpay.pay(made["id"], status=status)
        _happen_razorpay(till, payment["id"], late)
        session = till.checkout("pro" if late != "partly" else "pro_monthly")
        names.append(session["order_id"])
        paid = till.stripe.pay(session["session_id"], later=late in ("failed", "agreed"))
        _happen_stripe(till, paid, late)
    return names


def _happen_razorpay(till: Till, payment_id: str, late: str | None) -> None:
    if late == "agreed":
        till.razorpay.agree_late(payment_id)
        till.razorpay.capture(payment_id)
    if late in ("refunded", "partly"):
        till.razorpay.give_back(payment_id, 100 if late == "partly" else None)
    if late in ("disputed", "won", "lost"):
        found = till.razorpay.dispute(payment_id)
        if late != "disputed":
            till.razorpay.dispute(payment_id, late, found)


def _happen_stripe(till: Till, session: dict[str, Any], late: str | None) -> None:
    intent = session["payment_intent"]
    if late == "agreed":
        till.stripe.agree(session["id"])
    if late == "failed":
        till.stripe.refuse(session["id"])
    if late == "refunded":
        till.stripe.give_back(intent)
    if late == "partly":
        till.stripe.renew(session["subscription"])
    if late in ("disputed", "won", "lost"):
        found = till.stripe.dispute(intent)
        if late != "disputed":
            till.stripe.dispute(intent, late, found)


def statuses(till: Till, names: list[str]) -> list[str]:
    return [till.find(name).status for name in names]


EXPECTED: Final = {
    None: "fulfilled",
    "failed": "failed",
    "refunded": "refunded",
    "partly": "fulfilled",
    "disputed": "disputed",
    "won": "fulfilled",
    "lost": "disputed",
    "agreed": "fulfilled",
}


def deliver_at_once(till: Till, sent: list[Parcel]) -> list[int]:
    """Every letter ten times, shuffled, by ten threads that begin together."""
    chance = random.Random(7)
    piles = [chance.sample(sent, len(sent)) for _ in range(REPEATS)]
    barrier = threading.Barrier(REPEATS)
    got: list[int] = []

    def post(pile: list[Parcel]) -> None:
        barrier.wait()
        got.extend(till.receive(*parcel) for parcel in pile)

    threads = [threading.Thread(target=post, args=(pile,)) for pile in piles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_every_letter_ten_times_at_once_and_shuffled_has_one_effect(
    till: Till, figure: Figure
) -> None:
    names = everything_that_happens(till)
    sent = parcels(till)
    got = deliver_at_once(till, sent)
    till.database.write(inbox.retry)  # two that came at the same instant may have missed each other
    assert set(got) == {200}
    expected = [status for status in EXPECTED.values() for _ in range(2)]
    assert statuses(till, names) == expected
    rows = people.everything(till.database)
    assert len(rows["webhooks"]) == len(sent)
    paid = sum(status in ("fulfilled", "refunded", "disputed") for status in expected)
    assert till.grants() == paid
    facts = [event for name in names for event in till.kinds(name) if event == "paid"]
    assert len(facts) == paid
    waiting = till.database.read(inbox.list_, only_unhandled=True)
    assert waiting == []
    figure(f"{len(got)} deliveries of {len(sent)} letters: {paid} payments, {till.grants()} grants")


def test_control_without_unique_keys_effects_are_many(
    till: Till, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """The same drill when nothing makes a letter one: each delivery leaves an effect."""
    monkeypatch.setattr(inbox, "receive", _receive_carelessly)
    made = [till.order() for _ in range(5)]
    for order in made:
        till.razorpay.pay(order["id"])
    sent = [parcel for parcel in parcels(till) if b'"payment.captured"' in parcel[1]]
    deliver_at_once(till, sent)
    found = len(people.everything(till.database)["webhooks"])
    figure(f"control: {found} effects of {len(sent)} letters")
    assert found > len(sent)


def _receive_carelessly(session: db.Session, incoming: inbox.Incoming) -> inbox.Letter:
    careless = f"{incoming.id}:{clock.new_id()}"
    empty = dict.fromkeys(column.name for column in Webhook.__table__.columns)
    session.run(insert(Webhook), **{**empty, "id": careless, "gateway": incoming.gateway})
    return inbox.get(session, careless)


def test_any_order_gives_the_same_answer(till: Till) -> None:
    names = everything_that_happens(till)
    sent = parcels(till)
    for parcel in reversed(sent):  # refunds and disputes before their payments
        assert till.receive(*parcel) == 200
    assert statuses(till, names) == [s for s in EXPECTED.values() for _ in range(2)]
    assert till.database.read(inbox.list_, only_unhandled=True) == []


def test_the_number_of_a_letter_is_not_signed_and_is_not_trusted(till: Till) -> None:
    first, body, headers = paid_letter(till)
    second, other, _ = paid_letter(till)
    assert till.receive("razorpay", body, headers) == 200
    stolen = {**headers, "X-Razorpay-Signature": hmac_sha256(WEBHOOK_SECRET, other)}
    assert till.receive("razorpay", other, stolen) == 200  # under the number of the first
    assert till.receive("razorpay", body, {**headers, "X-Razorpay-Event-Id": "new"}) == 200
    assert [till.find(one).status for one in (first, second)] == ["fulfilled"] * 2
    assert till.grants() == 2


def test_late_success_after_failure_counts_and_late_failure_does_not(till: Till) -> None:
    made = till.order()
    till.razorpay.pay(made["id"], status="failed")
    till.deliver()
    assert till.find(made["id"]).status == "failed"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        till.razorpay.pay(made["id"])
        till.deliver()
    assert till.find(made["id"]).status == "fulfilled"
    till.razorpay.pay(made["id"], status="failed")
    till.deliver()
    assert till.find(made["id"]).status == "fulfilled"


def test_letters_nobody_asked_for_are_kept_and_do_nothing(till: Till) -> None:
    before = effects(till)
    till.razorpay.tell("payment.captured", payment={"id": 7})
    till.razorpay.tell("payment.captured")
    till.razorpay.tell("virtual_account.created", virtual_account={"id": "va"})
    till.razorpay.tell("subscription.charged", subscription={"id": "sub_x", "status": "active"})
    till.stripe.tell("checkout.session.completed", {"id": "cs"})
    till.stripe.tell("customer.created", {"id": "cus"})
    strange = {"id": "cs_other", "created": 1, "payment_status": "paid", "amount_total": 1}
    till.stripe.tell("checkout.session.completed", {**strange, "currency": "inr"})
    assert set(till.deliver()) == {200}
    assert effects(till) == before
    found = sorted(str(letter.result) for letter in till.database.read(inbox.list_))
    assert found == [*["ignored"] * 3, *["unreadable"] * 3, "waiting"]


# ---- what does not fit ----------------------------------------------------------------------


def tampered(till: Till) -> Iterator[tuple[str, str]]:
    """Payments that are not the ones asked for; each is signed as it should be."""
    for amount, currency in ((100, None), (49_901, None), (49_900, "USD"), (None, "JPY")):
        made = till.order()
        till.razorpay.pay(made["id"], amount=amount, currency=currency)
        yield made["id"], "amount" if currency is None else "currency"
        at_stripe = till.checkout()
        till.stripe.pay(at_stripe["session_id"], amount=amount, currency=currency)
        yield at_stripe["order_id"], "amount" if currency is None else "currency"


def test_money_that_does_not_fit_is_held_and_never_granted(till: Till, figure: Figure) -> None:
    held = list(tampered(till))
    till.deliver()
    for order_id, reason in held:
        order = till.find(order_id)
        assert (order.status, order.held) == ("created", reason)
        assert till.gives(order_id) == []
        assert "held" in till.kinds(order_id)
    assert till.grants() == 0
    figure(f"{len(held)} tampered payments: {till.grants()} grants, {len(held)} held")


def test_who_bought_what_is_never_read_from_a_letter(till: Till) -> None:
    cheap, dear, other = till.order("pro"), till.order("premium"), till.checkout("pro")
    payment = till.razorpay.pay(cheap["id"])
    till.razorpay.letters.clear()
    payment["notes"] = {"product": "premium", "user_id": "somebody", "order": dear["order_id"]}
    payment["email"] = "thief@example.com"
    till.razorpay.tell("payment.captured", payment=payment)
    session = till.stripe.sessions[other["session_id"]]
    till.stripe.pay(session["id"])
    forged = {**session, "id": "cs_forged", "metadata": {"order": dear["order_id"]}}
    till.stripe.letters.clear()
    till.stripe.tell("checkout.session.completed", forged)
    assert set(till.deliver()) == {200}
    assert till.gives(cheap["id"]) == [("pro", "pro")]
    assert till.find(cheap["id"]).email != "thief@example.com"
    assert till.gives(dear["id"]) == []
    assert till.gives(other["order_id"]) == []


def test_a_plan_costs_what_its_name_says(till: Till) -> None:
    made = till.checkout("pro_monthly")
    till.stripe.pay(made["session_id"])
    till.stripe.letters.clear()
    (subscription,) = till.stripe.subscriptions.values()
    price = subscription["items"]["data"][0]["price"]
    price["lookup_key"] = price["lookup_key"].replace("pro", "scale").replace("19900", "39900")
    till.stripe.tell("customer.subscription.created", subscription)
    till.deliver()
    assert till.grants() == 0


def test_an_operator_may_take_held_money_or_send_it_back(till: Till) -> None:
    first, second = till.order(), till.order()
    for made in (first, second):
        till.razorpay.pay(made["id"], amount=49_000)
    till.deliver()
    till.database.write(settlement.accept, first["order_id"], "boss")
    assert till.find(first["id"]).held is None
    assert till.gives(first["id"]) == [("pro", "pro")]
    refunds.send_back(till.shop, second["order_id"], "boss")
    assert (till.find(second["id"]).held, till.gives(second["id"])) == (None, [])


def test_paid_twice_is_granted_once_and_shown(till: Till) -> None:
    made = till.order()
    for _ in range(2):
        till.razorpay.pay(made["id"])
    till.deliver()
    order = till.find(made["id"])
    assert (order.status, order.held) == ("fulfilled", "paid_twice")
    assert till.grants() == 1
    till.razorpay.give_back(next(iter(till.razorpay.payments)))
    till.deliver()
    order = till.find(made["id"])
    assert (order.status, order.held) == ("fulfilled", None)
    assert till.gives(made["id"]) == [("pro", "pro")]


# ---- crashes and replays --------------------------------------------------------------------


def test_a_crash_before_the_commit_leaves_nothing_and_the_next_delivery_does_it(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, body, headers = paid_letter(till)
    for point in ("settle", "_due", "_after"):
        with monkeypatch.context() as patched:
            patched.setattr(settlement, point, _crash)
            assert till.receive("razorpay", body, headers) == 500
        assert people.everything(till.database)["webhooks"] == []
        assert till.find(order_id).status == "created"
    assert till.receive("razorpay", body, headers) == 200
    assert till.gives(order_id) == [("pro", "pro")]


def test_a_crash_between_commit_and_reply_changes_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    crashes = 0
    for room, point in ((checkout, "settled"), (notices, "tell"), (notices, "send_receipt")):
        order_id, body, headers = paid_letter(till)
        with monkeypatch.context() as patched:
            patched.setattr(room, point, _crash)
            assert till.receive("razorpay", body, headers) == 500
        crashes += 1
        assert till.gives(order_id) == [("pro", "pro")]  # it was done, and nobody was told
        for _ in range(2):
            assert till.receive("razorpay", body, headers) == 200
        assert till.kinds(order_id).count("granted") == 1
    assert till.grants() == crashes
    figure(f"{crashes} crashes after the commit: {till.grants()} grants of {crashes} payments")


def _crash(*_: object, **__: object) -> None:
    raise MemoryError("power cut")


def test_letters_can_be_replayed_and_do_nothing_twice(till: Till) -> None:
    order_id, body, headers = paid_letter(till)
    made = till.checkout()
    till.stripe.pay(made["session_id"])
    till.receive("razorpay", body, headers)
    till.deliver()
    before = effects(till)
    for letter in till.database.read(inbox.list_):
        after = checkout.replay(till.shop, letter.id)
        assert after.result == "applied"
    assert effects(till) == before
    assert till.gives(order_id) == till.gives(made["order_id"]) == [("pro", "pro")]


def test_addresses_of_payers_are_used_only_where_there_is_none(till: Till) -> None:
    answer = till.post("/create_order", {"product": "pro"})
    nameless = answer.get_json()["id"]
    till.razorpay.pay(nameless, email="Payer@Example.com")
    till.deliver()
    assert till.find(nameless).email == "payer@example.com"
    assert till.gives(nameless) == [("pro", "pro")]
    silent = till.post("/create_order", {"product": "pro"}).get_json()["id"]
    till.razorpay.pay(silent, email="")
    till.deliver()
    assert (till.find(silent).status, till.find(silent).held) == ("paid", "no_buyer")
    till.database.write(settlement.assign, silent_id(till, silent), "found@example.com", "boss")
    assert till.gives(silent) == [("pro", "pro")]


def silent_id(till: Till, gateway_id: str) -> str:
    return till.find(gateway_id).id


def test_mixed_up_letters_of_two_orders_stay_apart(till: Till) -> None:
    made = [till.order(product) for product in ("pro", "premium", "pro")]
    for order in made:
        till.razorpay.pay(order["id"])
    sent = parcels(till)
    for one, other in itertools.pairwise(sent):
        till.receive(*other)
        till.receive(*one)
    assert [till.gives(o["id"]) for o in made] == [
        [("pro", "pro")],
        [("premium", "scale")],
        [("pro", "pro")],
    ]


def test_a_bank_that_only_asks_closes_nothing_until_it_takes_the_money(till: Till) -> None:
    made, at_stripe = till.order(), till.checkout()
    payment = till.razorpay.pay(made["id"])["id"]
    intent = till.stripe.pay(at_stripe["session_id"])["payment_intent"]
    asks = till.razorpay.dispute(payment, phase="retrieval")
    inquiry = till.stripe.dispute(intent, "warning_needs_response")
    till.deliver()
    reconcile.run(till.shop)
    ours = (made["order_id"], at_stripe["order_id"])
    assert [till.find(one).status for one in ours] == ["fulfilled"] * 2
    till.razorpay.dispute(payment, "open", asks)
    till.stripe.dispute(intent, "needs_response", inquiry)
    till.deliver()
    assert [till.find(one).status for one in ours] == ["disputed"] * 2
    assert [till.gives(one) for one in ours] == [[], []]


def test_the_address_that_razorpay_writes_for_nobody_is_nobodys(till: Till) -> None:
    made = till.post("/create_order", {"product": "pro"}).get_json()
    till.razorpay.pay(made["id"], email="void@razorpay.com")
    till.deliver()
    order = till.find(made["id"])
    assert (order.email, order.status, order.held) == (None, "paid", "no_buyer")
