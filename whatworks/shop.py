"""What the shop stands on: its products and plans, its database and mail, its gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from whatworks import db
from whatworks.gateways.line import Aside, Line
from whatworks.gateways.razorpay import Razorpay
from whatworks.gateways.stripe import Stripe
from whatworks.mail import Mailer
from whatworks.settings import Settings
from whatworks.store import plans, products
from whatworks.store.entitlements import Terms
from whatworks.store.plans import Plans
from whatworks.store.products import Catalogue

RAZORPAY_PAGES: Final = ("https://checkout.razorpay.com",)
STRIPE_PAGES: Final = ("https://checkout.stripe.com", "https://billing.stripe.com")


@dataclass(frozen=True)
class Shop:
    """What the shop stands on. A gateway is None when it has no key; its letters are read still."""

    settings: Settings
    database: db.Database
    mailer: Mailer
    products: Catalogue
    plans: Plans
    readers: Mapping[str, Razorpay | Stripe]

    @property
    def razorpay(self) -> Razorpay | None:
        """Razorpay, if it may take money."""
        found = self.readers["razorpay"]
        is_set = bool(self.settings.razorpay_key_id)
        return found if is_set and isinstance(found, Razorpay) else None

    @property
    def stripe(self) -> Stripe | None:
        """Stripe, if it may take money."""
        found = self.readers["stripe"]
        is_set = bool(self.settings.stripe_secret_key)
        return found if is_set and isinstance(found, Stripe) else None

    def taker(self, name: str) -> Razorpay | Stripe | None:
        """The gateway of this name, if it may take money."""
        return self.stripe if name == "stripe" else self.razorpay

    @property
    def terms(self) -> Terms:
        """What plans allow and products hold."""
        return Terms(self.plans, self.products)

    @property
    def form_hosts(self) -> tuple[str, ...]:
        """The origins that a form of ours may lead to: where the gateways take money."""
        hosts = [self.razorpay.url, *RAZORPAY_PAGES] if self.razorpay else []
        hosts += [self.stripe.url, *STRIPE_PAGES] if self.stripe else []
        return tuple(dict.fromkeys("{0.scheme}://{0.netloc}".format(urlsplit(h)) for h in hosts))


def products_of(settings: Settings) -> Catalogue:
    """The products of these settings. Raises BadSetting."""
    path = Path(settings.products_file) if settings.products_file else products.BUNDLED
    return products.load(path)


def open_(settings: Settings, database: db.Database, mailer: Mailer, aside: Aside) -> Shop:
    """The shop of these settings. Raises BadSetting (products, plans)."""
    return Shop(
        settings=settings,
        database=database,
        mailer=mailer,
        products=products_of(settings),
        plans=plans.from_settings(settings),
        readers={
            "razorpay": Razorpay(settings, Line("Razorpay", aside=aside)),
            "stripe": Stripe(settings, Line("Stripe", aside=aside)),
        },
    )
