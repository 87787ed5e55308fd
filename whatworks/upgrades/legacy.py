"""What of the old shop's data cannot be used, and why. It is kept as it is; nothing here writes.

The queries read only columns that the five tables have always had, so that a database can be
looked at before its upgrade as well as after.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from babel.numbers import list_currencies
from sqlalchemy import Connection, inspect

from whatworks.people import profiles
from whatworks.upgrades import legacy_rules, legacy_shop

TABLES: Final = (
    "user_profiles",
    "workflow_executions",
    "outcomes",
    "workflow_performance",
    "recommendations",
)
SHOP_TABLES: Final = ("orders", "payments", "webhooks", "coupons", "subscriptions")
STATUSES: Final = ("started", "in_progress", "completed", "abandoned")
METRICS: Final = ("revenue", "time_saved", "customers", "custom")
PROOFS: Final = ("screenshot", "invoice", "text", "none")
CURRENCIES: Final = frozenset(list_currencies())
LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One old value that is kept but cannot be used, and why. Addresses are masked."""

    table: str
    id: str
    column: str
    value: str
    problem: str


def findings(connection: Connection) -> Iterator[Finding]:
    """Every finding, table by table."""
    there = set(inspect(connection).get_table_names())
    for table, (query, rules) in (LOOKS | legacy_shop.LOOKS).items():
        if table in there:
            yield from _findings(connection, table, query, rules())


def _findings(
    connection: Connection, table: str, query: str, rules: Iterable[legacy_rules.Rule]
) -> Iterator[Finding]:
    rules = tuple(rules)
    rows = connection.exec_driver_sql(query, execution_options={"stream_results": True})
    for row in rows.mappings():
        for rule in rules:
            if rule.broken(row):
                shown = _shown(rule.column, row[rule.column])
                yield Finding(
                    row.get("table_name", table), str(row["id"]), rule.column, shown, rule.problem
                )


def _shown(column: str, value: object) -> str:
    text = "" if value is None else str(value)
    if column == "email":
        name, at, host = text.strip().partition("@")
        text = f"{name[:1]}***{at}{host}"
    if column == "payload":  # a buyer's address may be in it
        text = f"{len(text)} characters"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _address(row: Mapping[Any, Any]) -> object:
    """An address as people are found by it; None for what is no text."""
    email = row["email"]
    return email.strip().casefold() or None if isinstance(email, str) else None


def _no_address(row: Mapping[Any, Any]) -> bool:
    address = _address(row)
    return not isinstance(address, str) or not re.fullmatch(r"[^@\s�]+@[^@\s�]+", address)


def _profile_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        legacy_rules.Rule("email", _no_address, "is not an address; nobody can sign in with it"),
        legacy_rules.Rule(
            "email", legacy_rules.Repeated(_address), "belongs to an older profile, which keeps it"
        ),
        legacy_rules.outside("goal", profiles.GOALS, "is not a goal we know"),
        legacy_rules.outside("market", profiles.MARKETS, "is not a market we know"),
        legacy_rules.outside("skill_level", profiles.SKILL_LEVELS, "is not a skill level we know"),
        legacy_rules.Rule(
            "country",
            lambda row: (
                row["country"] is not None and not re.fullmatch(r"[A-Z]{2}", str(row["country"]))
            ),
            "is not a country code of two capital letters",
        ),
        legacy_rules.not_a_number("created_at"),
        legacy_rules.not_a_number("updated_at"),
    )


def _ownership_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        legacy_rules.Rule(
            "user_id", lambda row: row["user_id"] is None, "is missing; it belongs to nobody"
        ),
        legacy_rules.Rule(
            "user_id",
            lambda row: row["user_id"] is not None and row["owner"] is None,
            "is nobody's profile",
        ),
    )


def _execution_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        *_ownership_rules(),
        legacy_rules.absent("workflow_name", "is missing"),
        legacy_rules.absent("status", "is missing; it counts as started"),
        legacy_rules.outside("status", (*STATUSES, ""), "is not a status we know"),
        legacy_rules.not_a_number("steps_completed"),
        legacy_rules.not_a_number("total_steps"),
        legacy_rules.below_zero("steps_completed"),
        legacy_rules.Rule(
            "steps_completed",
            lambda row: (
                legacy_rules.number(row["steps_completed"])
                and legacy_rules.number(row["total_steps"])
                and row["steps_completed"] > row["total_steps"]
            ),
            "is more than there are steps",
        ),
        legacy_rules.Rule(
            "total_steps",
            lambda row: legacy_rules.number(row["total_steps"]) and row["total_steps"] < 1,
            "is no number of steps",
        ),
        legacy_rules.not_a_number("started_at"),
        legacy_rules.not_a_number("completed_at"),
        legacy_rules.Rule(
            "completed_at",
            lambda row: (
                legacy_rules.number(row["started_at"])
                and legacy_rules.number(row["completed_at"])
                and row["completed_at"] < row["started_at"]
            ),
            "is before the start",
        ),
    )


def _outcome_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        *_ownership_rules(),
        legacy_rules.absent("execution_id", "is missing"),
        legacy_rules.Rule(
            "execution_id",
            lambda row: row["execution_id"] is not None and row["execution"] is None,
            "is no execution there is",
        ),
        legacy_rules.Rule(
            "execution_id",
            lambda row: row["execution"] is not None and row["executed_by"] != row["user_id"],
            "is an execution of somebody else",
        ),
        legacy_rules.absent("metric_type", "is missing"),
        legacy_rules.outside("metric_type", (*METRICS, ""), "is not a metric we know"),
        legacy_rules.absent("value", "is missing"),
        legacy_rules.not_a_number("value"),
        legacy_rules.below_zero("value"),
        legacy_rules.Rule(
            "currency",
            lambda row: row["metric_type"] == "revenue" and row["currency"] not in CURRENCIES,
            "is not an ISO 4217 currency; it is left out of sums of money",
        ),
        legacy_rules.outside("proof_type", PROOFS, "is not a kind of proof we know"),
        legacy_rules.Rule(
            "proof_url",
            lambda row: bool(
                row["proof_url"] and not re.match(r"https?://", str(row["proof_url"]), re.I)
            ),
            "is not a web address; it is never shown as a link",
        ),
        legacy_rules.not_a_number("timestamp"),
        legacy_rules.Rule(
            "verified", lambda row: row["verified"] not in {0, 1, None}, "is not 0 or 1"
        ),
    )


def _cell(row: Mapping[Any, Any]) -> object:
    return row["workflow_name"], row["market"], row["skill_level"]


def _performance_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        legacy_rules.absent("workflow_name", "is missing"),
        legacy_rules.Rule(
            "workflow_name", legacy_rules.Repeated(_cell), "has a second row for the same cell"
        ),
        legacy_rules.outside("market", profiles.MARKETS, "is not a market we know"),
        legacy_rules.outside("skill_level", profiles.SKILL_LEVELS, "is not a skill level we know"),
        legacy_rules.Rule(
            "success_rate",
            lambda row: (
                row["success_rate"] is not None
                and not (
                    legacy_rules.number(row["success_rate"]) and 0 <= row["success_rate"] <= 100
                )
            ),
            "is not a percentage",
        ),
        legacy_rules.not_a_number("avg_outcome_value"),
        legacy_rules.not_a_number("completion_time_hours"),
        legacy_rules.not_a_number("data_points"),
    )


def _recommendation_rules() -> tuple[legacy_rules.Rule, ...]:
    return (
        *_ownership_rules(),
        legacy_rules.absent("workflow_name", "is missing"),
        legacy_rules.not_a_number("rank"),
        legacy_rules.not_a_number("created_at"),
        legacy_rules.Rule(
            "clicked", lambda row: row["clicked"] not in {0, 1, None}, "is not 0 or 1"
        ),
    )


def _unowned_rules() -> tuple[legacy_rules.Rule, ...]:
    return (legacy_rules.Rule("row", lambda _: True, "has no user_id; it belongs to nobody"),)


LOOKS: Final[dict[str, tuple[str, Callable[[], tuple[legacy_rules.Rule, ...]]]]] = {
    "user_profiles": (
        "SELECT id, email, goal, market, skill_level, country, created_at, updated_at"
        " FROM user_profiles ORDER BY"
        " CASE WHEN created_at BETWEEN -1e300 AND 1e300 THEN 0 ELSE 1 END, created_at, id",
        _profile_rules,
    ),
    "workflow_executions": (
        "SELECT e.id, e.user_id, p.id AS owner, e.workflow_name, e.status, e.steps_completed,"
        " e.total_steps, e.started_at, e.completed_at FROM workflow_executions AS e"
        " LEFT JOIN user_profiles AS p ON p.id = e.user_id",
        _execution_rules,
    ),
    "outcomes": (
        "SELECT o.id, o.user_id, p.id AS owner, o.execution_id, e.id AS execution,"
        " e.user_id AS executed_by, o.metric_type, o.value, o.currency, o.proof_type, o.proof_url,"
        " o.timestamp, o.verified FROM outcomes AS o"
        " LEFT JOIN user_profiles AS p ON p.id = o.user_id"
        " LEFT JOIN workflow_executions AS e ON e.id = o.execution_id",
        _outcome_rules,
    ),
    "workflow_performance": (
        "SELECT id, workflow_name, market, skill_level, success_rate, avg_outcome_value,"
        " completion_time_hours, data_points FROM workflow_performance ORDER BY id",
        _performance_rules,
    ),
    "recommendations": (
        "SELECT r.id, r.user_id, p.id AS owner, r.workflow_name, r.rank, r.created_at, r.clicked"
        " FROM recommendations AS r LEFT JOIN user_profiles AS p ON p.id = r.user_id",
        _recommendation_rules,
    ),
    "legacy_unowned": ('SELECT table_name, id, "row" FROM legacy_unowned', _unowned_rules),
}
