"""The price list: plans, packs, and what stays the same on every plan."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue
from whatworks.advice import phrases
from whatworks.catalogue import Workflow
from whatworks.store import entitlements, plans
from whatworks.store.plans import Plan
from whatworks.web import http, identity, offers, pages
from whatworks.web.offers import Offer

site = Blueprint("pricing", __name__)


@dataclass(frozen=True)
class PlanView:
    """A plan, what it allows in sentences, and the products that give it."""

    name: str
    features: list[str]
    offers: list[Offer]


@site.get("/pricing")
def show() -> Response:
    """The plans and packs, plainly."""
    shop = http.platform().shop
    person = identity.person()
    workflows = http.read(catalogue.list_current)
    currency = request.args.get("currency")
    offered = [
        offers.offer(shop, product, workflows, person, currency)
        for product in shop.products.list_()
    ]
    return pages.render(
        "pricing.html",
        plans=[
            PlanView(
                name,
                _features(shop.plans.get(name), workflows),
                [o for o in offered if o.product.plan == name and o.price is not None],
            )
            for name in plans.ORDER
        ],
        packs=[o for o in offered if o.product.kind != "subscription"],
        plan=http.read(entitlements.plan, person.id) if person else None,
        currencies=sorted({code for o in offered for code in o.product.prices}),
        currency=next((o.currency for o in offered if o.currency), ""),
        sells=any(o.sold for o in offered if o.price is not None),
        missing=offers.missing(shop) if identity.is_operator() else {},
    )


def _features(plan: Plan, workflows: list[Workflow]) -> list[str]:
    """What a plan allows, one sentence each."""
    open_ = sum(w.tier in plan.tiers for w in workflows)
    runs = (
        f"{phrases.plural(plan.executions, 'run')} a month"
        if plan.executions is not None
        else "As many runs as you like"
    )
    exports = (
        f"{phrases.plural(plan.exports, 'export')} a month"
        if plan.exports is not None
        else "As many exports as you like"
    )
    calls = (
        f"{phrases.plural(plan.api_calls, 'API call')} a month"
        if plan.api_calls is not None
        else "As many API calls as you like"
    )
    return [f"{phrases.plural(open_, 'workflow')} to follow", runs, exports, calls]
