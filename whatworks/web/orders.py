"""An order's own page: pay, wait, download, or see why not. And the way back to a lost one.

It opens for whoever is signed in and owns the order, has a signed address of it, or knows its
number and the address it was made with. Anybody else sees the same question, whether there is
such an order or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from whatworks import catalogue, checkout, clock, errors, notices
from whatworks.catalogue import Workflow
from whatworks.checkout import PaymentStep
from whatworks.store import ledger, links, orders
from whatworks.store.orders import Order
from whatworks.store.products import Product
from whatworks.web import failures, fields, guards, http, identity, offers, order_json, pages
from whatworks.web.order_json import OrderAnswer

site = Blueprint("orders", __name__)
LOOKS_AGAIN_FOR: Final = 900.0  # how long a waiting page looks again by itself


class Address(msgspec.Struct):
    """The address an order was made with."""

    email: fields.Email


@dataclass(frozen=True)
class Access:
    """An order that may be seen, and the key to go on seeing it."""

    order: Order
    key: str
    is_owner: bool = False  # signed in, and it is theirs

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/order/{self.order.id}" + (f"?key={self.key}" if self.key else "")


@site.get("/order/<order_id>")
@guards.limiter.limit(guards.LOOK_UP)
def show(order_id: str) -> Response | tuple[Response, int]:
    """The order's page; or, for programs, the order."""
    access = _access(order_id)
    if access is None:
        if failures.wants_json():
            raise _no_such_order()
        return _question(order_id, {}, {}), errors.NotFound.status
    if failures.wants_json():
        return http.reply(_present(access.order))
    return _page(access)


@site.post("/order/<order_id>")
@guards.limiter.limit(guards.LOOK_UP)
def look_up(order_id: str) -> Response | tuple[Response, int]:
    """Open an order by its number and the address it was made with."""
    given, typed, wrong = pages.read_form(Address)
    if given is None:
        return _question(order_id, typed, wrong), 400
    access = _access(order_id)
    if access is None:
        if failures.wants_json():
            raise _no_such_order()
        wrong = {"email": "No order has this number and this address. Look at both again."}
        return _question(order_id, typed, wrong), errors.NotFound.status
    if failures.wants_json():
        return http.reply(_present(access.order))
    return pages.go(links.order_path(http.platform().settings.secret_key, access.order.id))


@site.post("/order/<order_id>/check")
@guards.limiter.limit(guards.LOOK_UP)
def check(order_id: str) -> Response:
    """Ask the bank now."""
    access = _required(order_id)
    try:
        after = checkout.check(http.platform().shop, access.order.id)
    except errors.Unavailable as failure:
        return pages.go(access.path, failure.message, "error")
    if after.is_paid:
        return pages.go(access.path, "The payment has arrived.")
    return pages.go(access.path, "The bank has not told us of a payment yet.", "info")


@site.post("/order/<order_id>/resend")
@guards.limiter.limit(guards.LINK)
def resend(order_id: str) -> Response:
    """Mail the link again, to the address of the order and to no other."""
    access = _required(order_id)
    if not access.order.is_paid or not access.order.email:
        return pages.go(access.path, "There is nothing to send yet.", "info")
    send_link(access.order, "buyer")
    return pages.go(access.path, f"The link is on its way to {access.order.email}.")


@site.get("/order/<order_id>/receipt")
@guards.limiter.limit(guards.LOOK_UP)
def receipt(order_id: str) -> Response:
    """The receipt, to print or keep."""
    access = _required(order_id)
    if access.order.paid_at is None:
        raise errors.NotFound("This order has no receipt, because it is not paid.")
    return pages.render(
        "store/receipt.html",
        order=access.order,
        product=_product(access.order),
        back=access.path,
        seller=http.platform().settings.mail_from,
        given_back=_present(access.order).refunded,
    )


@site.get("/order")
def ask() -> Response:
    """The way back to a lost order."""
    return pages.render("store/find.html", form={}, errors={}, sent=False)


@site.post("/order")
@guards.limiter.limit(guards.LINK)
@guards.limiter.limit(guards.LINK, key_func=guards.address_asked_for)
def find() -> Response | tuple[Response, int]:
    """Mail an address all its orders; the answer is the same for every address."""
    given, typed, wrong = pages.read_form(Address)
    if given is None:
        return pages.render("store/find.html", form=typed, errors=wrong, sent=False), 400
    email = fields.normal_email(given.email)
    bought = [one for one in http.read(orders.search, email) if one.email == email and one.is_paid]
    if bought:
        _send_all(email, bought)
    return pages.render("store/find.html", form=typed, errors={}, sent=True)


def send_link(order: Order, source: str, actor_id: str | None = None) -> None:
    """Mail a paid order's link to its address, and keep that it was sent."""
    http.write(orders.note, order.id, "resent", source, actor_id=actor_id)
    notices.send_receipt(http.platform().shop, order)


def _send_all(email: str, bought: list[Order]) -> None:
    settings = http.platform().settings
    lines = [
        (_title(order), settings.address + links.order_path(settings.secret_key, order.id))
        for order in bought
    ]
    text = render_template("mail/orders.txt", lines=lines, address=settings.address)
    http.platform().mailer.send(email, "Your orders", text)


def _access(order_id: str) -> Access | None:
    """The order, if the caller may see it."""
    settings = http.platform().settings
    order = http.read(orders.find, order_id)
    if order is None:
        return None
    person = identity.person()
    is_owner = person is not None and order.id in {
        one.id for one in http.read(orders.list_for, person.id)
    }
    key = request.values.get("key", "")
    if links.opens_page(settings.link_keys, key, order.id):
        return Access(order, key, is_owner)
    email = request.values.get("email", "")
    if email and orders.matches_email(order, email):
        return Access(order, links.order_key(settings.secret_key, order.id), is_owner)
    return Access(order, "", is_owner) if is_owner else None


def _required(order_id: str) -> Access:
    access = _access(order_id)
    if access is None:
        raise _no_such_order()
    return access


def _no_such_order() -> errors.NotFound:
    return errors.NotFound("No order has this number, or it was made with another address.")


def _question(order_id: str, typed: dict[str, str], wrong: dict[str, str]) -> Response:
    return pages.render("store/order_ask.html", order_id=order_id, form=typed, errors=wrong)


def _page(access: Access) -> Response:
    platform = http.platform()
    order, product = access.order, _product(access.order)
    facts = http.read(orders.list_facts, order.id)
    said = order_json.present(order, facts)
    step, problem = _step(order) if said.next.state == "action" and order.is_open else (None, "")
    workflows = http.read(catalogue.list_current) if said.next.state == "ready" else []
    page = pages.render(
        "store/order.html",
        order=order,
        title=_title(order),
        product=product,
        state=said.next.state,
        message=said.next.message,
        step=step,
        problem=problem,
        key=access.key,
        owned=access.is_owner,
        pays_for=offers.pays_for(product) if product else "",
        given_back=said.refunded,
        is_lost=ledger.is_lost(facts),
        download=product
        and links.download_path(platform.settings.secret_key, order.id, product.key),
        workflows=_opened(product, workflows),
        looks_again=clock.timestamp() - (order.created_at or 0) < LOOKS_AGAIN_FOR,
    )
    return guards.allow_forms_to(page, platform.shop.form_hosts) if step else page


def _present(order: Order) -> OrderAnswer:
    return order_json.present(order, http.read(orders.list_facts, order.id))


def _step(order: Order) -> tuple[PaymentStep | None, str]:
    """Where one pays, or why that cannot be said now."""
    try:
        return checkout.payment_step(http.platform().shop, order), ""
    except (errors.Invalid, errors.Unavailable) as failure:
        return None, failure.message


def _opened(product: Product | None, workflows: list[Workflow]) -> list[Workflow]:
    if product is None:
        return []
    tiers = http.platform().shop.plans.get(product.plan).tiers if product.plan else ()
    return [w for w in workflows if w.tier in tiers or w.name in product.workflows]


def _product(order: Order) -> Product | None:
    return http.platform().shop.products.find(order.product)


def _title(order: Order) -> str:
    product = _product(order)
    return product.title if product else order.product
