"""What the shop's pages say about a product: its price for this visitor, and what is inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from whatworks.catalogue import Workflow
from whatworks.people.profiles import Profile
from whatworks.shop import Shop
from whatworks.store import entitlements, money
from whatworks.store.products import Product

RAZORPAY_KEY: Final = "WHATWORKS_RAZORPAY_KEY_ID"
STRIPE_KEY: Final = "WHATWORKS_STRIPE_SECRET_KEY"
CURRENCY_OF: Final = {"IN": "INR", "US": "USD", "GB": "GBP"}
EUROS: Final = frozenset(
    "AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Offer:
    """A product as somebody sees it; `price` in the smallest unit, None for what is free."""

    product: Product
    price: int | None
    currency: str
    others: list[tuple[int, str]]
    workflows: list[Workflow]
    sold: bool  # whether a gateway is there to take the money

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Its currencies, and what it costs in each."""
        prices = [(self.price or 0, self.currency), *self.others]
        return [(code, f"{code}, {money.text(amount, code)}") for amount, code in prices]

    @property
    def pays_for(self) -> str:
        """What the price buys, after the amount."""
        return pays_for(self.product)


def offer(
    shop: Shop,
    product: Product,
    workflows: Iterable[Workflow],
    person: Profile | None,
    currency: str | None = None,
) -> Offer:
    """A product in the currency asked for, else of the person's country, else its first."""
    own = currency_of(product, person, currency)
    return Offer(
        product,
        product.prices.get(own),
        own,
        [(amount, code) for code, amount in product.prices.items() if code != own],
        [w for w in workflows if w.tier in product.tiers or w.name in product.workflows],
        sells(shop, product),
    )


def pays_for(product: Product) -> str:
    """What a price buys, after the amount: "once", "a month"."""
    return f"a {product.interval}" if product.is_subscription else "once"


def currency_of(product: Product, person: Profile | None, asked: str | None = None) -> str:
    """In which of its currencies somebody sees a product; "" for what is free."""
    country = person.country if person else ""
    wanted = "EUR" if country in EUROS else CURRENCY_OF.get(country, "")
    for code in (asked, wanted, *product.prices):
        if code and code in product.prices:
            return code
    return ""


def sells(shop: Shop, product: Product) -> bool:
    """Whether anything is set up that could take the money."""
    if product.kind == "subscription":
        return shop.stripe is not None
    return shop.razorpay is not None or shop.stripe is not None


def sells_plan(shop: Shop, plan: str) -> bool:
    """Whether this plan, or one that covers it, can be bought."""
    return any(
        product.plan and entitlements.covers(product.plan, plan) and sells(shop, product)
        for product in shop.products.list_()
    )


def missing(shop: Shop) -> dict[str, list[str]]:
    """The settings without which some products cannot be bought, with the titles of those."""
    found: dict[str, list[str]] = {}
    for product in shop.products.list_():
        if product.is_free or sells(shop, product):
            continue
        setting = STRIPE_KEY if product.is_subscription else f"{RAZORPAY_KEY} or {STRIPE_KEY}"
        found.setdefault(setting, []).append(product.title)
    return found
