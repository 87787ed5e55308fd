"""Buying: one page that asks for an address, and then the order's own page, where one pays."""

from __future__ import annotations

import msgspec
from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import catalogue, checkout, errors
from whatworks.people.profiles import Profile
from whatworks.store import entitlements, links, ordering
from whatworks.store.ordering import Buyer
from whatworks.store.products import Product
from whatworks.web import fields, guards, http, identity, offers, pages

site = Blueprint("buying", __name__)


class Purchase(msgspec.Struct):
    """What, for whom, with which coupon. A price is not asked for: it is the catalogue's."""

    product: fields.Id
    email: fields.Email | None = None
    coupon_code: fields.Id | None = None
    currency: fields.Currency | None = None


@site.get("/buy")
def ask() -> Response:
    """What it is, what it costs, and where to send it."""
    if not request.args.get("product"):
        return pages.go("/pricing")
    product = http.platform().shop.products.get(request.args.get("product", ""))
    if product.is_free:
        return pages.go(f"/download/{product.key}")
    typed = {
        name: request.args.get(name, "")[:254] for name in ("email", "coupon_code", "currency")
    }
    return _page(product, typed, {})


@site.post("/buy")
@guards.limiter.limit(guards.CREATE_ORDER)
def order() -> Response | tuple[Response, int]:
    """Make the order and go to its page, which says everything back before anything is paid."""
    platform = http.platform()
    person = identity.person()
    given, typed, wrong = pages.read_form(Purchase)
    product = platform.shop.products.get(typed.get("product", ""))
    if product.is_free:
        return pages.go(f"/download/{product.key}")
    if given is not None and given.email is None and person is None:
        wrong = {"email": "Give the e-mail address to which we send it."}
    if given is None or wrong:
        return _page(product, typed, wrong), 400
    key = http.request_key(person.id if person else identity.client())
    try:
        opened = checkout.open_order(
            platform.shop,
            _buyer(person, given.email),
            product.key,
            coupon_code=given.coupon_code,
            currency=offers.currency_of(product, person, given.currency),
            attempt=ordering.attempt(key) if key else None,
        )
    except (errors.Invalid, errors.Conflict, errors.Unavailable) as failure:
        return _page(product, typed, failure.fields or {"": failure.message}), failure.status
    return pages.go(links.order_path(platform.settings.secret_key, opened.order.id))


def _buyer(person: Profile | None, email: str | None) -> Buyer:
    """Whoever is signed in buys for themselves, anybody else for the address they typed."""
    if person is not None:
        return Buyer(person.id, person.email)
    return Buyer(None, fields.normal_email(email or ""))


def _page(product: Product, typed: dict[str, str], wrong: dict[str, str]) -> Response:
    shop = http.platform().shop
    person = identity.person()
    owned = person is not None and entitlements.may_download(
        http.read(entitlements.holdings, person.id), product
    )
    workflows = http.read(catalogue.list_current)
    return pages.render(
        "store/buy.html",
        offer=offers.offer(shop, product, workflows, person, typed.get("currency")),
        form=typed,
        errors=wrong,
        owned=owned,
    )
