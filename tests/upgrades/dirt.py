"""What real old databases contain that should not be there."""

from __future__ import annotations

from typing import Any

from tests.upgrades.databases import connected, insert

LONG = "x" * 100_000
DIRTY: dict[str, list[dict[str, Any]]] = {
    "user_profiles": [
        {"id": "d1", "email": "Twice@Example.com", "goal": "win", "market": "Freelancer",
         "skill_level": "", "country": "India", "created_at": 20.0},
        {"id": "d2", "email": " twice@example.com ", "goal": "save_time", "market": "agency",
         "skill_level": "beginner", "country": "IN", "created_at": 10.0},
        {"id": "d3", "email": None, "goal": None, "market": None, "skill_level": None,
         "country": None, "created_at": None},
        {"id": "", "email": "", "goal": LONG, "market": "🛒", "skill_level": "advanced",
         "country": "in", "created_at": -5.0},
        {"id": "d5", "email": "no address", "goal": "earn_money", "market": "student",
         "skill_level": "advanced", "country": "GB", "created_at": 5.0},
    ],
    "workflow_executions": [
        {"id": "e1", "user_id": "d2", "workflow_name": "resume_generator", "status": "completed",
         "steps_completed": 9, "total_steps": 5, "started_at": 100.0, "completed_at": 50.0},
        {"id": "e2", "user_id": "d1", "workflow_name": "no such", "status": "paused",
         "steps_completed": -3, "total_steps": 0, "started_at": 7.0, "execution_notes": LONG},
        {"id": "e3", "user_id": None, "workflow_name": None, "status": None,
         "steps_completed": None, "total_steps": None, "started_at": 0.1},
        {"id": "e4", "user_id": "ghost", "workflow_name": "prompt_selling", "status": "started",
         "steps_completed": 1, "total_steps": 6, "execution_notes": "🚀 done"},
        {"id": "e5", "user_id": None, "workflow_name": "🧪", "status": "in_progress",
         "started_at": 1e308, "completed_at": 1.0000000000000002},
    ],
    "outcomes": [
        {"id": "o1", "execution_id": "e1", "user_id": "d2", "metric_type": "revenue",
         "value": -1.5, "currency": "rupees", "proof_type": "selfie",
         "proof_url": "javascript:alert(1)", "timestamp": 1.0, "verified": 7},
        {"id": "o2", "execution_id": "none", "user_id": "d2", "metric_type": "fame",
         "value": None, "currency": None},
        {"id": "o3", "execution_id": "e1", "user_id": "d1", "metric_type": None, "value": 1e300},
        {"id": "o4", "execution_id": "e3", "user_id": None, "metric_type": "revenue",
         "value": 0.1, "currency": "₿"},
        {"id": "o5", "execution_id": None, "user_id": "ghost", "metric_type": "customers"},
    ],
    "workflow_performance": [
        {"id": "p1", "workflow_name": "w", "market": "agency", "skill_level": "beginner",
         "success_rate": 250.0, "data_points": 3},
        {"id": "p2", "workflow_name": "w", "market": "agency", "skill_level": "beginner",
         "success_rate": None, "data_points": -1},
        {"id": "p3", "workflow_name": None, "market": "moon", "skill_level": None},
    ],
    "recommendations": [
        {"id": "r1", "user_id": "ghost", "workflow_name": "w", "rank": -1, "clicked": 3},
        {"id": "r2", "user_id": None, "workflow_name": None, "rank": None, "reason": "📈" * 999},
        {"id": "r3", "user_id": "d2", "workflow_name": "w", "created_at": 0.1},
    ],
    "orders": [
        {"id": "order_d1", "amount": 49900, "currency": "INR", "receipt": "r1", "product": "pro",
         "status": "paid", "created_at": 5.0, "paid_at": 6.0},
        {"id": "order_d2", "amount": -5, "currency": "rupees", "receipt": None, "product": None,
         "status": "shipped", "created_at": None},
        {"id": "order_d3", "amount": 9900, "currency": "INR", "receipt": "r3", "product": "starter",
         "status": "paid", "paid_at": None},
    ],
    "payments": [
        {"id": "pay_d1", "order_id": "order_d1", "payload": "{not json"},
        {"id": "pay_d2", "order_id": "order_none", "payload": "[1, 2]"},
        {"id": "pay_d3", "order_id": "order_d3", "payload": None},
        {"id": "pay_d4", "order_id": "order_d3", "payload": '{"payload": {"email": "noone"}}'},
    ],
    "webhooks": [{"id": "w1", "event": "payment.captured", "payload": "🧨"}],
    "coupons": [
        {"code": "Half", "discount_percent": 50, "current_uses": 1, "is_active": 1},
        {"code": "HALF", "discount_percent": 500, "current_uses": -1, "is_active": 1,
         "created_at": 1.0},
    ],
    "subscriptions": [
        {"id": "s1", "receipt": "lost", "tier": "pro", "status": "ACTIVE",
         "current_period_end": 9e9},
        {"id": "s2", "receipt": "r3", "tier": "gold", "status": "?"},
    ],
}  # fmt: skip
# Only SQLite lets anything into any column.
DIRTIER: dict[str, list[dict[str, Any]]] = {
    "user_profiles": [
        {"id": "d6", "email": b"\xff\xfe@bytes", "created_at": "yesterday"},
        {"id": "d7", "email": "TWICE@example.com", "created_at": "long ago"},
    ],
    "workflow_executions": [
        {"id": "e6", "user_id": "d6", "status": "completed", "steps_completed": "two",
         "total_steps": 2.5, "started_at": "noon", "completed_at": b"\x00\x01"},
        {"id": "e7", "user_id": "d6", "status": "started", "started_at": float("inf"),
         "completed_at": "later"},
    ],
    "outcomes": [{"id": "o6", "user_id": "d6", "value": "a lot", "verified": "yes"}],
    "workflow_performance": [{"id": "p4", "success_rate": "often"}],
    "recommendations": [{"id": "r4", "user_id": "d6", "rank": "first", "created_at": "now"}],
    "orders": [
        {"id": "order_d4", "amount": "a lot", "currency": b"\xff", "receipt": "r4",
         "product": "pro", "status": "paid", "created_at": "noon", "paid_at": "later"},
        {"id": "order_d5", "amount": 1.5, "currency": "INR", "receipt": "r4", "product": "pro",
         "status": b"paid", "created_at": float("inf")},
    ],
    "payments": [{"id": "pay_d5", "order_id": "order_d4", "payload": b"\xff\xfe"}],
    "coupons": [{"code": "odd", "discount_percent": "ten", "max_uses": "many"}],
}  # fmt: skip


def soil(url: str) -> None:
    """Add all of it to a database of the five tables."""
    sets = [DIRTY, DIRTIER] if url.startswith("sqlite") else [DIRTY]
    with connected(url) as connection:
        if connection.dialect.name == "postgresql":  # let orphans in
            connection.exec_driver_sql("SET session_replication_role = replica")
        for table, row in ((t, r) for some in sets for t, rows in some.items() for r in rows):
            insert(connection, table, row)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "INSERT INTO user_profiles (id, email) VALUES ('d8', CAST(x'E9406C61' AS TEXT))"
            )
