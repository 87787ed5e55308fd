"""Asking the gateways what we may not have been told: lost webhooks lose nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from whatworks import checkout, clock, errors, notices, refunds
from whatworks.shop import Shop
from whatworks.store import duties, inbox, subscriptions
from whatworks.store.orders import Order

logger = logging.getLogger(__name__)
SINCE: Final = 7 * 86_400.0
GIVE_UP: Final = 3  # questions in a row without an answer


@dataclass
class Report:
    """What a run found: orders looked at, newly paid, newly granted, held, not answered."""

    looked: int = 0
    paid: int = 0
    granted: int = 0
    held: int = 0
    unreachable: int = 0
    _silent: dict[str, int] = field(default_factory=dict)

    def is_silent(self, gateway: str) -> bool:
        """Whether a gateway has not answered so often that it is not asked any more."""
        return self._silent.get(gateway, 0) >= GIVE_UP

    def hear(self, gateway: str, *, answered: bool) -> None:
        """Count an answer or a silence."""
        self._silent[gateway] = 0 if answered else self._silent.get(gateway, 0) + 1
        self.unreachable += not answered


def run(shop: Shop) -> Report:
    """Ask about every order that may have been paid, about refunds, disputes and renewals."""
    report = Report()
    after = ""
    while batch := shop.database.read(duties.list_open, after):
        _look_at(shop, batch, report)
        after = batch[-1].id
    _refunds(shop, shop.database.read(duties.list_unheard), report)
    _recent(shop, report)
    _renewals(shop, report)
    _payments_of_subscriptions(shop, report)
    for order_id in shop.database.write(inbox.retry):
        checkout.settled(shop, order_id)
    sweep(shop)
    return report


def tick(shop: Shop) -> Report:
    """The small round of every minute: what is due, receipts, alerts, coupons."""
    report = Report()
    _look_at(shop, shop.database.write(duties.claim_checks), report)
    _refunds(shop, shop.database.write(duties.claim_unheard), report)
    sweep(shop)
    return report


def sweep(shop: Shop) -> None:
    """Receipts and alerts that are owed, coupons that go back."""
    for order in shop.database.write(duties.claim_receipts):
        notices.send_first_receipt(shop, order)
    for order in shop.database.write(duties.claim_alerts):
        notices.send_alert(shop, order)
    for code, order_id in shop.database.read(duties.list_unpaid_uses):
        shop.database.write(duties.release_use, code, order_id)


def _look_at(shop: Shop, batch: Iterable[Order], report: Report) -> None:
    for before in batch:
        if report.is_silent(before.gateway):
            continue
        report.looked += 1
        try:
            after = checkout.check(shop, before.id)
        except errors.Failure as failure:  # of this order; the others can be asked about still
            logger.warning("order %s: %s", before.id, failure.code)
            # A refusal is an answer: to this question, perhaps not to the next.
            report.hear(before.gateway, answered=failure.code != "gateway_unavailable")
            report.unreachable += failure.code == "gateway_refused"
            continue
        report.hear(before.gateway, answered=True)
        report.paid += after.is_paid and not before.is_paid
        report.granted += after.status == "fulfilled" and before.status != "fulfilled"
        report.held += after.held is not None


def _refunds(shop: Shop, batch: Iterable[Order], report: Report) -> None:
    """Refunds of which nothing was heard are asked for again; they are the same ones."""
    for order in batch:
        if report.is_silent(order.gateway):
            continue
        try:
            refunds.ask_again(shop, order.id)
        except errors.Unavailable as failure:
            logger.warning("refund of order %s: %s", order.id, failure.code)
            report.hear(order.gateway, answered=False)
            continue
        report.hear(order.gateway, answered=True)


def _recent(shop: Shop, report: Report) -> None:
    """What gateways tell without being asked about an order: refunds, disputes, letters."""
    since = clock.timestamp() - SINCE
    if shop.razorpay is not None and not report.is_silent("razorpay"):
        try:
            told = checkout.apply(shop, shop.razorpay.recent(since), "reconcile")
        except errors.Unavailable:
            report.hear("razorpay", answered=False)
            told = []
        for order_id in {order_id for _, order_id in told if order_id}:
            checkout.settled(shop, order_id)
    if shop.stripe is not None and not report.is_silent("stripe"):
        try:
            letters = shop.stripe.recent(since)
        except errors.Unavailable:
            report.hear("stripe", answered=False)
            return
        known = shop.database.read(inbox.known, [one.id for one in letters])
        for incoming in letters:
            if incoming.id not in known:
                checkout.keep(shop, incoming)


def _payments_of_subscriptions(shop: Shop, report: Report) -> None:
    """Letters about a payment that was no order's own; Stripe knows which subscription's it was."""
    for letter in shop.database.read(inbox.list_untraced, "stripe"):
        if shop.stripe is None or report.is_silent("stripe"):
            return
        try:
            checkout.trace(shop, letter)
        except errors.Unavailable:
            report.hear("stripe", answered=False)


def _renewals(shop: Shop, report: Report) -> None:
    """Subscriptions that should have been renewed by now, as far as we were told."""
    if shop.stripe is None:
        return
    for lapsing in shop.database.read(subscriptions.list_lapsing, clock.timestamp()):
        if report.is_silent("stripe") or lapsing.gateway_id is None:
            return
        try:
            news = shop.stripe.look_at_subscription(lapsing.gateway_id)
        except errors.NotFound:
            continue
        except errors.Unavailable:
            report.hear("stripe", answered=False)
            continue
        checkout.apply(shop, [news], "reconcile")
