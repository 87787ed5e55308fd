"""The door that tells what a person may do, and how much of it is used."""

from __future__ import annotations

from typing import Literal

import msgspec

from whatworks import clock, db
from whatworks.people import profiles
from whatworks.store import entitlements, plans, subscriptions, usage
from whatworks.store.entitlements import Held, Holdings
from whatworks.store.subscriptions import Subscription
from whatworks.store.usage import Used
from whatworks.web import http, identity

doors = http.Doors("Entitlements")


class Meters(msgspec.Struct):
    """Numbers per month; null is no limit."""

    executions: int | None
    api_calls: int | None
    exports: int | None


class GrantAnswer(msgspec.Struct, rename={"from_": "from"}):
    """Something held, why, and from when until when."""

    id: str
    product: str | None
    plan: str | None
    cause: str
    from_: str | None
    until: str | None


class SubscriptionAnswer(msgspec.Struct):
    """The subscription that runs."""

    id: str
    product: str | None
    plan: str
    status: str
    renews_at: str | None
    cancel_at_period_end: bool


class EntitlementsAnswer(msgspec.Struct):
    """All that a person may do, by their plan and by what they bought."""

    user_id: str
    plan: str
    tiers: list[str]
    limits: Meters
    used: Meters
    resets_at: str | None
    products: list[str]
    workflows: list[str]
    grants: list[GrantAnswer]
    subscription: SubscriptionAnswer | None
    success: Literal[True] = True


@doors.door("GET", "/api/entitlements/<user_id>", answer=EntitlementsAnswer, errors=(401, 404))
def get(user_id: str) -> EntitlementsAnswer:
    """What a person may do, and how much of it is used this month."""
    return _present(*http.read(_load, identity.acting_for(user_id)))


def _load(session: db.Session, user_id: str) -> tuple[Holdings, Used, Subscription | None]:
    profiles.get(session, user_id)
    mine = subscriptions.list_for(session, user_id)
    running = next((one for one in mine if one.is_running), None)
    return entitlements.holdings(session, user_id), usage.used(session, user_id), running


def _present(held: Holdings, used: Used, running: Subscription | None) -> EntitlementsAnswer:
    shop = http.platform().shop
    plan = shop.plans.get(held.plan)
    products = shop.products.list_()
    return EntitlementsAnswer(
        user_id=held.user_id,
        plan=held.plan,
        tiers=list(plan.tiers),
        limits=Meters(*(plan.limit(meter) for meter in plans.METERS)),
        used=Meters(*(used.of(meter) for meter in plans.METERS)),
        resets_at=clock.rfc3339(used.resets_at),
        products=[p.key for p in products if entitlements.may_download(held, p)],
        workflows=sorted(entitlements.unlocked(held, shop.products)),
        grants=[_grant(one) for one in held.grants],
        subscription=_subscription(running) if running else None,
    )


def _grant(held: Held) -> GrantAnswer:
    return GrantAnswer(
        id=held.id,
        product=held.product,
        plan=held.plan,
        cause=held.cause,
        from_=clock.rfc3339(held.valid_from),
        until=clock.rfc3339(held.valid_until),
    )


def _subscription(one: Subscription) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        id=one.id,
        product=one.product,
        plan=one.plan,
        status=one.status,
        renews_at=clock.rfc3339(one.period_end),
        cancel_at_period_end=one.cancel_at_period_end,
    )
