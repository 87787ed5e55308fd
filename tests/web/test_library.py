"""What somebody owns, what their plan leaves them, and how they are told before it ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from tests import people, shopping
from tests.people import Person
from tests.tills import Till
from tests.web import forms
from tests.web.pages import text
from whatworks import clock
from whatworks.app import close
from whatworks.people import sessions
from whatworks.store import entitlements, usage

FIVE = "executions=5 api_calls=- exports=- tiers=free"
PAID = "raise_your_rates"


# ---- the library ----------------------------------------------------------------------------


def test_the_library_holds_everything_somebody_owns(
    app: Flask, person: Callable[..., Person]
) -> None:
    asha = person()
    empty = text(asha.client.get("/library"))
    assert "Free workflows are open to you" in empty
    assert 'href="/download/starter"' in empty
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    page = text(asha.client.get("/library"))
    assert 'href="/download/pro"' in page
    assert 'href="/download/premium"' not in page
    assert f'href="/executor/{PAID}"' in page
    assert f'href="/order/{order.id}"' in page
    assert "Pro plan" in page
    shopping.refund(app, order)
    closed = text(asha.client.get("/library"))
    assert 'href="/download/pro"' not in closed
    assert f'href="/executor/{PAID}"' not in closed
    assert "Refunded" in closed


def test_what_an_address_bought_shows_once_it_is_proved(
    app: Flask, person: Callable[..., Person]
) -> None:
    shopping.bought(app, email="asha@example.com")
    asha = person("asha@example.com")
    page = asha.client.get("/library")
    assert "Confirm the address" in text(page)
    assert 'href="/download/pro"' not in text(page)
    form = next(form for form in forms.read(page) if form.action == "/signin")
    asked = forms.send(asha.client, form, form.filled())
    assert "code" in text(asked)
    people.platform(app).database.write(sessions.prove_address, asha.user_id)
    proved = text(people.signed_in(app, asha.user_id).get("/library"))
    assert 'href="/download/pro"' in proved
    assert "Confirm the address" not in proved


# ---- plans at the doors ---------------------------------------------------------------------


@pytest.fixture
def few(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Shops whose free plan holds five runs a month."""
    made: list[Flask] = []

    def build(**changes: Any) -> Flask:
        made.append(people.build(database_url, tmp_path, **{"plan_free": FIVE, **changes}))
        return made[-1]

    yield build
    for app in made:
        close(app)


def begin(who: Person, workflow: str = "resume_generator") -> TestResponse:
    body = {"user_id": who.user_id, "workflow_name": workflow}
    return who.client.post("/api/execution", json=body)


def test_programs_are_warned_and_then_refused(few: Callable[..., Flask]) -> None:
    app = few()
    asha = people.sign_up(app)
    said = [begin(asha).get_json()["usage"] for _ in range(5)]
    assert [one["used"] for one in said] == [1, 2, 3, 4, 5]
    assert {one["limit"] for one in said} == {5}
    assert [one["warning"] for one in said] == [
        None,
        None,
        None,
        "You have used 4 of your 5 runs this month.",
        "That was the last of your 5 runs this month.",
    ]
    refused = begin(asha)
    body = refused.get_json()
    assert (refused.status_code, body["code"]) == (402, "limit_reached")
    assert (body["reason"], body["plan"], body["limit"], body["used"]) == (
        "executions",
        "free",
        5,
        5,
    )
    assert body["upgrade_url"] == "/pricing"
    people.platform(app).database.write(entitlements.grant, asha.user_id, "pro", cause="test")
    assert begin(asha).status_code == 201


def test_people_are_warned_and_then_refused(few: Callable[..., Flask]) -> None:
    app = few()
    asha = people.sign_up(app)
    names = ["resume_generator", "whatsapp_bot", "prompt_selling", "local_shop_on_google"]
    pages = []
    for name in [*names, "first_paying_client"]:
        form = forms.find(asha.client.get(f"/executor/{name}"), f"/executor/{name}")
        pages.append(text(forms.send(asha.client, form, form.filled())))
    assert "of your 5 runs" not in "".join(pages[:3])
    assert "You have used 4 of your 5 runs this month." in pages[3]
    assert "That was the last of your 5 runs this month." in pages[4]
    guide = text(asha.client.get("/executor/exam_notes_to_sell"))
    assert "all are used" in guide
    assert "The Pro plan cannot be bought here yet" in guide
    refused = asha.client.post("/executor/exam_notes_to_sell")
    assert refused.status_code == 402
    assert 'href="/pricing"' in refused.get_data(as_text=True)
    # What has begun can be finished, and going on uses nothing.
    again = asha.client.post(f"/executor/{names[0]}", follow_redirects=True)
    assert "of your 5 runs" not in text(again)
    assert "5 of 5" in text(asha.client.get("/library"))


def test_the_tier_is_asked_for_first(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    body = begin(asha, PAID).get_json()
    assert (body["code"], body["reason"], body["limit"]) == ("plan_required", "tier", "pro")
    order = shopping.bought(app, user_id=asha.user_id, email=asha.email)
    assert begin(asha, PAID).status_code == 201
    shopping.refund(app, order)
    assert begin(asha, PAID).status_code == 402


def test_a_locked_workflow_leads_to_the_prices_only_where_something_can_be_bought(
    few: Callable[..., Flask],
) -> None:
    shut = few()
    for client in (shut.test_client(), people.sign_up(shut).client):
        guide = text(client.get(f"/executor/{PAID}"))
        assert "The Pro plan cannot be bought here yet" in guide
        assert "marked Free are open to everybody" in guide
        assert "See the Pro plan" not in guide
    for settings in (
        {"razorpay_key_id": "rzp_test_1", "razorpay_key_secret": "secret"},
        {"stripe_secret_key": "sk_test_1"},
    ):
        guide = text(few(**settings).test_client().get(f"/executor/{PAID}"))
        assert 'href="/pricing">See the Pro plan' in guide
        assert "cannot be bought" not in guide


def test_operators_learn_at_the_prices_which_setting_is_missing(few: Callable[..., Flask]) -> None:
    shut, half = few(), few(razorpay_key_id="rzp_test_1", razorpay_key_secret="secret")
    said = text(people.operator(shut).client.get("/pricing"))
    packs = "WHATWORKS_RAZORPAY_KEY_ID or WHATWORKS_STRIPE_SECRET_KEY is missing"
    assert f"Nobody can buy Pro pack, Premium pack: {packs}" in said
    plans = "Pro plan, monthly, Scale plan, monthly: WHATWORKS_STRIPE_SECRET_KEY is missing"
    assert plans in said
    said = text(people.operator(half).client.get("/pricing"))
    assert plans in said
    assert packs not in said
    visitor = text(half.test_client().get("/pricing"))
    assert "is missing" not in visitor
    assert "Payments are not set up" not in visitor


def test_plans_can_be_observed_without_being_enforced(few: Callable[..., Flask]) -> None:
    asha = people.sign_up(few(plan_limits="observe"))
    for _ in range(7):
        answer = begin(asha, PAID)
        assert answer.status_code == 201
        assert answer.get_json()["usage"]["warning"] is None
    assert "See the" not in text(asha.client.get("/executor/hand_off_with_sops"))


def test_free_is_free(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    for name in ("resume_generator", "whatsapp_bot", "prompt_selling"):
        assert begin(asha, name).status_code == 201
    page = text(app.test_client().get("/pricing"))
    assert "Pro pack: ₹499 once" in page or "Payments are not set up" in page


def test_exports_are_counted_and_ones_own(few: Callable[..., Flask]) -> None:
    app = few(plan_free="executions=- api_calls=- exports=2 tiers=free")
    asha, ravi = people.sign_up(app), people.sign_up(app)
    mine, theirs = asha.start(), ravi.start()
    asha.report(mine)
    for what, form in (("executions", "csv"), ("outcomes", "jsonl")):
        answer = asha.client.post("/library/export", data={"what": what, "format": form})
        assert answer.status_code == 200
        assert f"{what}.{form}" in answer.headers["Content-Disposition"]
        assert mine in answer.get_data(as_text=True)
        assert theirs not in answer.get_data(as_text=True)
    wrong = asha.client.post("/library/export", data={"what": "people"})
    assert wrong.status_code == 400
    program = {"Accept": "application/json"}
    refused = asha.client.post("/library/export", data={"what": "outcomes"}, headers=program)
    body = refused.get_json()
    assert (refused.status_code, body["reason"], body["used"]) == (402, "exports", 2)
    assert "2 of 2" in text(asha.client.get("/library"))
    assert ravi.client.post("/library/export", data={"what": "outcomes"}).status_code == 200


def call(app: Flask, path: str, bearer: dict[str, str]) -> int:
    """The status of a program's call, once everything that was counted is written down."""
    people.platform(app).database.write(lambda _session: None)
    return app.test_client().get(path, headers=bearer).status_code


def test_calls_of_programs_are_counted(few: Callable[..., Flask]) -> None:
    app = few(plan_free="executions=- api_calls=60 exports=- tiers=free")
    asha = people.sign_up(app)
    path = f"/api/recommendations/{asha.user_id}"
    program = app.test_client()
    statuses = [call(app, path, asha.bearer) for _ in range(160)]
    assert statuses[:60] == [200] * 60
    refused = statuses.index(402)  # counted in steps of 25, and written down a little later
    assert set(statuses[refused:]) == {402}
    body = program.get(path, headers=asha.bearer).get_json()
    assert (body["reason"], body["limit"], body["code"]) == ("api_calls", 60, "limit_reached")
    assert body["resets_at"] == clock.rfc3339(usage.resets_at())
    assert "the month begins anew on 1 " in body["error"]
    assert asha.client.get(path).status_code == 200  # pages and their browsers go on
    asked = program.get(f"/api/entitlements/{asha.user_id}", headers=asha.bearer)
    assert asked.get_json()["used"]["api_calls"] > 60
    people.platform(app).database.write(entitlements.grant, asha.user_id, "scale", cause="test")
    assert program.get(path, headers=asha.bearer).status_code == 200


def test_what_was_begun_can_be_finished_when_the_calls_are_used_up(
    few: Callable[..., Flask],
) -> None:
    app = few(plan_free="executions=- api_calls=10 exports=- tiers=free")
    asha = people.sign_up(app)
    run = asha.start()
    program, bearer = app.test_client(), asha.bearer
    shown = f"/api/recommendations/{asha.user_id}"
    assert {call(app, shown, bearer) for _ in range(60)} == {200, 402}
    begin_another = {"user_id": asha.user_id, "workflow_name": "whatsapp_bot"}
    whose = {"execution_id": run, "user_id": asha.user_id}
    event = {"kind": "check", "step": 1, "item": 0, "checked": True}
    for method, path, body, status in (
        ("POST", "/api/execution", begin_another, 402),
        ("PATCH", f"/api/profile/{asha.user_id}", {"goal": "save_time"}, 402),
        ("GET", shown, None, 402),
        ("POST", f"/api/execution/{run}/event", event, 201),
        ("POST", f"/api/execution/{run}/log", {"step": 1, "result": "worked"}, 201),
        ("PUT", f"/api/execution/{run}/progress", {"steps_completed": 5}, 200),
        ("POST", "/api/proof", {"execution_id": run, "text": "Paid by Ravi"}, 201),
        ("POST", "/api/outcome", {**whose, "metric_type": "revenue", "value": 9}, 201),
        ("GET", f"/api/execution/{run}", None, 200),
        ("GET", f"/api/execution/{run}/state", None, 200),
        ("GET", f"/api/execution?user_id={asha.user_id}", None, 200),
        ("GET", f"/api/outcome?user_id={asha.user_id}", None, 200),
        ("GET", f"/api/profile/{asha.user_id}", None, 200),
        ("GET", shown, None, 402),
    ):
        answer = program.open(path, method=method, json=body, headers=bearer)
        assert answer.status_code == status, (method, path, answer.get_json())
    asked = program.get(f"/api/entitlements/{asha.user_id}", headers=bearer).get_json()
    assert asked["used"]["api_calls"] == 60 + 14


# ---- the subscription -----------------------------------------------------------------------


def subscribed(till: Till) -> Person:
    """Somebody with a running subscription to the pro plan."""
    asha = people.sign_up(till.app)
    form = forms.find(asha.client.get("/buy?product=pro_monthly"), "/buy")
    page = asha.client.post("/buy", data=form.filled(), follow_redirects=True)
    order = till.find(page.request.path.removeprefix("/order/"))
    assert order.payment_url is not None
    assert order.payment_url in page.get_data(as_text=True)
    till.stripe.pay(order.gateway_id or "")
    assert set(till.deliver()) == {200}
    return asha


def test_a_subscription_is_changed_and_cancelled(till: Till) -> None:
    asha = subscribed(till)
    page = asha.client.get("/subscription")
    assert "Renews on" in text(page)
    assert begin(asha, PAID).status_code == 201
    change = next(f for f in forms.read(page) if f.fields.get("product") == "scale_monthly")
    changed = forms.send(asha.client, change, change.filled())
    till.deliver()
    assert "Scale plan, monthly" in text(changed)
    assert begin(asha, "hand_off_with_sops").status_code == 201
    cancel = next(f for f in forms.read(changed) if f.fields.get("action") == "cancel")
    cancelled = forms.send(asha.client, cancel, cancel.filled())
    assert "Cancelled" in text(cancelled)
    assert begin(asha, "hand_off_with_sops").status_code == 201  # until its end
    policy = cancelled.headers["Content-Security-Policy"]
    assert re.search(rf"form-action [^;]*{till.stripe.url} [^;]*billing\.stripe\.com", policy)
    again = asha.post("/api/billing/create-checkout", {"product": "pro_monthly"})
    assert again.get_json()["code"] == "already_subscribed"  # so there has to be a way on
    resume = next(f for f in forms.read(cancelled) if f.fields.get("action") == "resume")
    resumed = forms.send(asha.client, resume, resume.filled())
    assert "Renews on" in text(resumed)
    assert not any(one["cancel_at_period_end"] for one in till.stripe.subscriptions.values())
    portal = next(f for f in forms.read(resumed) if f.fields.get("action") == "portal")
    away = asha.client.post("/subscription", data=portal.filled())
    assert away.status_code == 303
    assert away.headers["Location"].startswith(till.stripe.url)
    assert 'href="/download/premium"' in text(asha.client.get("/library"))


def test_whoever_pays_for_two_subscriptions_can_end_each(till: Till) -> None:
    """Two pages to pay were open, and both were paid."""
    asha = people.sign_up(till.app)
    opened = [asha.post("/api/billing/create-checkout", {"product": "pro_monthly"}) for _ in "12"]
    for one in opened:
        till.stripe.pay(one.get_json()["session_id"])
    till.deliver()
    assert "You pay for 2 subscriptions" in text(asha.client.get("/subscription"))
    for left in (1, 0):
        page = asha.client.get("/subscription")
        cancel = [f for f in forms.read(page) if f.fields.get("action") == "cancel"][-1]
        assert "You pay for" not in text(forms.send(asha.client, cancel, cancel.filled()))
        kept = [s for s in till.stripe.subscriptions.values() if not s["cancel_at_period_end"]]
        assert len(kept) == left
    ravi = people.sign_up(till.app)
    theirs = {"action": "resume", "subscription": next(iter(till.stripe.subscriptions))}
    refused = ravi.client.post("/subscription", data=theirs, follow_redirects=True)
    assert 'class="flash error"' in text(refused)


def test_one_that_ended_unheard_does_not_go_on_and_is_in_nobodys_way(till: Till) -> None:
    asha = subscribed(till)
    (subscription,) = till.stripe.subscriptions
    cancel = {"action": "cancel"}
    asha.client.post("/subscription", data=cancel)
    till.stripe.end(subscription)
    till.stripe.letters.clear()
    resumed = asha.client.post("/subscription", data={"action": "resume"}, follow_redirects=True)
    assert "It has ended meanwhile" in text(resumed)
    ravi = subscribed(till)
    ravi.client.post("/subscription", data=cancel)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=40)):
        client = people.signed_in(till.app, ravi.user_id)
        assert "No subscription" in text(client.get("/subscription"))
        again = client.post("/api/billing/create-checkout", json={"product": "pro_monthly"})
        assert again.status_code == 200


def test_one_that_stripe_does_not_know_says_so(till: Till) -> None:
    asha = subscribed(till)
    till.stripe.subscriptions.clear()  # the key is of another account now
    for action in ("cancel", "resume", "change"):
        wish = {"action": action, "product": "scale_monthly"}
        answer = asha.client.post("/subscription", data=wish, follow_redirects=True)
        assert "Stripe knows nothing of this" in text(answer)


def test_who_has_none_is_told_so(till: Till) -> None:
    asha = people.sign_up(till.app)
    assert "No subscription" in text(asha.client.get("/subscription"))
    for action in ("cancel", "resume", "portal", "change"):
        answer = asha.client.post("/subscription", data={"action": action}, follow_redirects=True)
        assert 'class="flash error"' in text(answer)
    assert asha.client.post("/subscription", data={"action": "x"}).status_code == 400
