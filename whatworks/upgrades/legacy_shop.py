"""What of the old shop's orders, payments, letters, coupons and subscriptions cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from babel.numbers import list_currencies

from whatworks import clock
from whatworks.upgrades.legacy_rules import (
    Repeated,
    Rule,
    absent,
    below_zero,
    not_a_number,
    outside,
)

CURRENCIES: Final = frozenset(list_currencies())
ORDER_STATES: Final = ("created", "paid", "fulfilled", "failed", "refunded", "disputed")
PLANS: Final = ("free", "pro", "scale")


def _order_rules() -> tuple[Rule, ...]:
    return (
        absent("product", "is missing"),
        outside("status", ORDER_STATES, "is not a state of an order"),
        _not_whole("amount"),
        below_zero("amount"),
        Rule("currency", lambda row: row["currency"] not in CURRENCIES, "is not an ISO 4217 code"),
        not_a_number("created_at"),
        not_a_number("paid_at"),
        Rule(
            "status",
            lambda row: row["status"] == "paid" and not _has_address(row["payload"]),
            "is paid by nobody we can tell; give the order an address on its page",
        ),
    )


def _payment_rules() -> tuple[Rule, ...]:
    return (
        Rule("payload", lambda row: _parsed(row["payload"]) is None, "cannot be read as JSON"),
        Rule("order_id", lambda row: row["the_order"] is None, "is no order there is"),
    )


def _letter_rules() -> tuple[Rule, ...]:
    return (Rule("payload", lambda row: _parsed(row["payload"]) is None, "cannot be read as JSON"),)


def _coupon_rules() -> tuple[Rule, ...]:
    return (
        Rule("code", Repeated(_capitals), "is another coupon's code in other capitals"),
        Rule(
            "discount_percent",
            lambda row: (
                not isinstance(row["discount_percent"], int)
                or not 0 < row["discount_percent"] <= 100
            ),
            "is not a percentage; the coupon takes nothing off",
        ),
        _not_whole("max_uses"),
        _not_whole("current_uses"),
        below_zero("current_uses"),
        not_a_number("expiry_date"),
    )


def _subscription_rules() -> tuple[Rule, ...]:
    return (
        outside("tier", PLANS, "is not a plan we know"),
        not_a_number("current_period_end"),
        Rule(
            "receipt",
            lambda row: _runs(row) and row["the_order"] is None,
            "is the receipt of no order, so that nobody can tell whose it is",
        ),
    )


def _not_whole(column: str) -> Rule:
    return Rule(
        column,
        lambda row: row[column] is not None and not isinstance(row[column], int),
        "is not a whole number",
    )


def _capitals(row: Mapping[Any, Any]) -> object:
    return row["code"].upper() if isinstance(row["code"], str) else None


def _runs(row: Mapping[Any, Any]) -> bool:
    end = row["current_period_end"]
    is_later = isinstance(end, int | float) and end > clock.timestamp()
    return is_later and str(row["status"]).upper() == "ACTIVE"


def _parsed(payload: object) -> object:
    try:
        return json.loads(payload) if isinstance(payload, str) else None
    except (ValueError, RecursionError):
        return None


def _has_address(payload: object) -> bool:
    parsed = _parsed(payload)
    return parsed is not None and "@" in json.dumps(parsed)


LOOKS: Final[dict[str, tuple[str, Callable[[], tuple[Rule, ...]]]]] = {
    "orders": (
        "SELECT o.id, o.product, o.status, o.amount, o.currency, o.created_at, o.paid_at,"
        " (SELECT max(p.payload) FROM payments AS p WHERE p.order_id = o.id) AS payload"
        " FROM orders AS o WHERE coalesce(o.receipt, '') <> o.id",
        _order_rules,
    ),
    "payments": (
        "SELECT p.id, p.payload, p.order_id, o.id AS the_order FROM payments AS p"
        " LEFT JOIN orders AS o ON o.id = p.order_id",
        _payment_rules,
    ),
    "webhooks": ("SELECT id, payload FROM webhooks", _letter_rules),
    "coupons": (
        "SELECT code AS id, code, discount_percent, max_uses, current_uses, expiry_date"
        " FROM coupons ORDER BY created_at, code",
        _coupon_rules,
    ),
    "subscriptions": (
        "SELECT s.id, s.receipt, s.tier, s.status, s.current_period_end,"
        " (SELECT min(o.id) FROM orders AS o WHERE o.receipt = s.receipt) AS the_order"
        " FROM subscriptions AS s",
        _subscription_rules,
    ),
}
