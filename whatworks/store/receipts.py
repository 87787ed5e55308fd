"""What a buyer is mailed: the receipt, with the way to what they bought; that money goes back."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from whatworks.store import links, money
from whatworks.store.orders import Order
from whatworks.store.products import Product

_mails: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates" / "mail"),
    autoescape=False,  # noqa: S701 - plain text
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compose(
    order: Order, product: Product | None, address: str, secret_key: str
) -> tuple[str, str]:
    """Subject and text for the buyer of a paid order; `address` is where the site is.

    The link in it opens the order's page for a day; after that the page asks for the buyer's
    address, so that an old mail in the wrong hands opens nothing.
    """
    title = product.title if product else order.product
    text = _mails.get_template("receipt.txt").render(
        order=order,
        title=title,
        opens_workflows=bool(product and (product.plan or product.workflows)),
        amount=money.text(order.amount, order.currency),
        discount=_discount(order),
        url=f"{address}{links.order_path(secret_key, order.id)}",
        page=f"{address}/order/{order.id}",
        address=address,
        onward=urlencode({"next": "/library", "email": order.email or ""}, safe="/@"),
    )
    return f"{title}: your receipt and your download", text


def compose_refund(
    order: Order, product: Product | None, given_back: int, address: str
) -> tuple[str, str]:
    """Subject and text for the buyer whose money goes back: all of it, a part of the price, or,
    when nothing of the price was given back, a payment too many.
    """
    title = product.title if product else order.product
    text = _mails.get_template("refund.txt").render(
        order=order,
        title=title,
        part=money.text(given_back, order.currency) if given_back else "",
        page=f"{address}/order/{order.id}",
        subscription=f"{address}/subscription",
    )
    return f"{title}: your money is on its way back", text


def _discount(order: Order) -> str:
    if not order.coupon_code or order.list_price is None:
        return ""
    return f"{money.text(order.list_price, order.currency)} less coupon {order.coupon_code}"
