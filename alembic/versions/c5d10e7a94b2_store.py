"""store: orders as events, an inbox for webhooks, entitlements that follow from both

The tables of the old shop stay and keep every value; what is new goes into new columns. A paid
old order becomes a fact and a grant to the address that paid it, so that its owner has it as soon
as they prove that the address is theirs. Payloads that cannot be read give no address and stop
nothing; `whatworks migrate --report` lists them.
"""

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
import uuid_utils
from alembic import op

revision = "c5d10e7a94b2"
down_revision = "e85b40c7d213"
branch_labels = None
depends_on = None

BATCH = 1000
PLANS = {"pro": "pro", "premium": "scale"}  # what the old products open
GRACE = 2 * 86_400.0

ADDED: dict[str, dict[str, Any]] = {
    "orders": {
        "gateway": sa.String(),
        "gateway_id": sa.String(),
        "payment_url": sa.Text(),
        "user_id": sa.String(),
        "email": sa.String(),
        "list_price": sa.Integer(),
        "coupon_code": sa.String(),
        "plan": sa.String(),
        "days": sa.Integer(),
        "attempt": sa.String(),
        "attempt_hash": sa.String(),
        "held": sa.String(),
        "held_at": sa.Float(),
        "next_check_at": sa.Float(),
        "alerted_at": sa.Float(),
        "receipt_sent_at": sa.Float(),
    },
    "webhooks": {
        "gateway": sa.String(),
        "payment_id": sa.String(),
        "order_id": sa.String(),
        "facts": sa.Text(),
        "result": sa.String(),
        "handled_at": sa.Float(),
    },
    "subscriptions": {
        "user_id": sa.String(),
        "email": sa.String(),
        "order_id": sa.String(),
        "product": sa.String(),
        "cancel_at_period_end": sa.Integer(),
    },
}
INDEXES = {
    "ix_orders_user_id": ("orders", ["user_id"]),
    "ix_orders_email": ("orders", ["email"]),
    "ix_orders_next_check_at": ("orders", ["next_check_at"]),
    "ix_webhooks_waiting": ("webhooks", ["handled_at", "payment_id"]),
    "ix_webhooks_received_at": ("webhooks", ["received_at"]),
    "ix_subscriptions_user_id": ("subscriptions", ["user_id"]),
    "ix_subscriptions_email": ("subscriptions", ["email"]),
    "ix_subscriptions_order_id": ("subscriptions", ["order_id"]),
}
ONCE = {
    "uq_orders_gateway": (["gateway", "gateway_id"], "gateway_id IS NOT NULL"),
    "uq_orders_attempt": (["attempt"], "attempt IS NOT NULL"),
}
APPEND_ONLY = {"order_events": "order_id", "subscription_events": "subscription_id"}


def upgrade() -> None:
    _upgrade_money()
    _upgrade_delivery()


def downgrade() -> None:
    """Back to the shop's own columns; events, grants to addresses and usage are lost."""
    _downgrade_delivery()
    _downgrade_money()


# ---- money -----------------------------------------------------------------------------------


def _upgrade_money() -> None:
    bind = op.get_bind()
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    for index, (table, names) in INDEXES.items():
        op.create_index(index, table, names)
    for index, (names, condition) in ONCE.items():
        where = sa.text(condition)
        op.create_index(
            index, "orders", names, unique=True, sqlite_where=where, postgresql_where=where
        )
    _create_events()
    _create_counts()
    _open_grants(bind)
    _import_orders(bind)
    _import_subscriptions(bind)
    for table, owner in APPEND_ONLY.items():
        _make_append_only(bind, table, owner)


def _downgrade_money() -> None:
    bind = op.get_bind()
    for table in ("usage_counts", "coupon_uses", "subscription_events", "order_events"):
        op.drop_table(table)
    _close_grants(bind)
    for index, (table, _) in INDEXES.items():
        op.drop_index(index, table)
    for index in ONCE:
        op.drop_index(index, "orders")
    on_sqlite = bind.dialect.name == "sqlite"
    if on_sqlite:  # so that a broken view of somebody else does not matter
        op.execute("PRAGMA writable_schema = ON")
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
    if on_sqlite:
        op.execute("PRAGMA writable_schema = OFF")


def _create_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String()),
        sa.Column("payment_id", sa.String()),
        sa.Column("amount", sa.Integer()),
        sa.Column("currency", sa.String()),
        sa.Column("reference", sa.String()),
        sa.PrimaryKeyConstraint("order_id", "id"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_order_events_key", "order_events", ["order_id", "key"], unique=True)
    op.create_index("ix_order_events_payment", "order_events", ["payment_id"])
    op.create_table(
        "subscription_events",
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("product", sa.String()),
        sa.Column("plan", sa.String()),
        sa.Column("period_start", sa.Float()),
        sa.Column("period_end", sa.Float()),
        sa.Column("cancel_at_period_end", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.PrimaryKeyConstraint("subscription_id", "id"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_subscription_events_key",
        "subscription_events",
        ["subscription_id", "key"],
        unique=True,
    )


def _create_counts() -> None:
    op.create_table(
        "coupon_uses",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("released_at", sa.Float()),
        sa.PrimaryKeyConstraint("code", "order_id"),
        sa.ForeignKeyConstraint(["code"], ["coupons.code"]),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_counts",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "month", "what"),
        sqlite_with_rowid=False,
    )


GRANTS = "user_id, id, plan, cause, valid_from, valid_until, revoked_at"


def _open_grants(bind: sa.Connection) -> None:
    """An address can hold a grant before there is a person, and a grant can be of a product."""
    if bind.dialect.name == "sqlite":
        _rebuild_grants(held_by_anybody=True)
    else:
        op.drop_constraint("grants_user_id_fkey", "grants", type_="foreignkey")
        op.alter_column("grants", "plan", nullable=True)
        op.add_column("grants", sa.Column("product", sa.String()))
        op.add_column("grants", sa.Column("cause_id", sa.String()))
    op.create_index("ix_grants_cause_id", "grants", ["cause_id"])


def _close_grants(bind: sa.Connection) -> None:
    op.drop_index("ix_grants_cause_id", "grants")
    op.execute(
        "DELETE FROM grants WHERE plan IS NULL"
        " OR NOT EXISTS (SELECT 1 FROM user_profiles AS p WHERE p.id = grants.user_id)"
    )
    if bind.dialect.name == "sqlite":
        _rebuild_grants(held_by_anybody=False)
        return
    op.drop_column("grants", "cause_id")
    op.drop_column("grants", "product")
    op.alter_column("grants", "plan", nullable=False)
    op.create_foreign_key("grants_user_id_fkey", "grants", "user_profiles", ["user_id"], ["id"])


def _rebuild_grants(*, held_by_anybody: bool) -> None:
    more: list[Any] = [sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"])]
    if held_by_anybody:
        more = [sa.Column("product", sa.String()), sa.Column("cause_id", sa.String())]
    op.create_table(
        "_new_grants",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=held_by_anybody),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_until", sa.Float()),
        sa.Column("revoked_at", sa.Float()),
        *more,
        sa.PrimaryKeyConstraint("user_id", "id"),
    )
    op.execute(f"INSERT INTO _new_grants ({GRANTS}) SELECT {GRANTS} FROM grants")  # noqa: S608
    op.drop_table("grants")
    op.rename_table("_new_grants", "grants")


def _make_append_only(bind: sa.Connection, table: str, owner: str) -> None:
    if bind.dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {refuse}")
    # REPLACE deletes without asking the trigger above.
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS"  # noqa: S608
        f" (SELECT 1 FROM {table} WHERE {owner} = NEW.{owner}"
        f" AND (id = NEW.id OR key = NEW.key)) {refuse}"
    )


# ---- the old shop's orders -------------------------------------------------------------------

EVENTS = sa.table(
    "order_events",
    *map(
        sa.column,
        ("order_id", "id", "key", "kind", "at", "recorded_at", "source", "payment_id", "amount"),
    ),
    sa.column("currency"),
)
GRANTED = sa.table(
    "grants",
    *map(sa.column, ("user_id", "id", "plan", "cause", "valid_from", "valid_until", "revoked_at")),
    *map(sa.column, ("product", "cause_id")),
)


def _import_orders(bind: sa.Connection) -> None:
    """Say of each old order who takes its money and whose it is, and of a paid one, that it is."""
    paying = _old_payments(bind)
    found = bind.execute(
        sa.text("SELECT id, amount, currency, product, status, created_at, paid_at FROM orders")
    ).mappings()
    for rows in found.partitions(BATCH):
        updates, events, grants = [], [], []
        for row in rows:
            payments = paying.get(row["id"], [])
            email = next((address for _, address in payments if address), None)
            updates.append(_described(row, email))
            if row["status"] != "paid":
                continue
            at = _time(row["paid_at"]) or _time(row["created_at"]) or 0.0
            events += [_paid(row, payment, at) for payment, _ in payments] or [_paid(row, "", at)]
            if email is not None:
                grants.append(_granted(row, email, at))
        bind.execute(DESCRIBE, updates)
        for table, new in ((EVENTS, events), (GRANTED, grants)):
            if new:
                bind.execute(sa.insert(table), new)


DESCRIBE = sa.text(
    "UPDATE orders SET gateway = 'razorpay', gateway_id = id, email = :email,"
    " list_price = CASE WHEN amount BETWEEN 0 AND 2147483647 THEN amount END, plan = :plan,"
    " days = 0, receipt_sent_at = :settled, alerted_at = :settled WHERE id = :the_id"
)


def _described(row: Any, email: str | None) -> dict[str, object]:
    settled = time.time() if row["status"] == "paid" else None
    plan = PLANS.get(row["product"], "")
    return {"the_id": row["id"], "email": email, "plan": plan, "settled": settled}


def _old_payments(bind: sa.Connection) -> dict[str, list[tuple[str, str | None]]]:
    """The payments of each order that is there, with the address each was made by."""
    paying: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    found = bind.execute(
        sa.text(
            "SELECT p.id, p.order_id, p.payload FROM payments AS p JOIN orders AS o"
            " ON o.id = p.order_id ORDER BY p.id"
        )
    )
    for row in found:
        paying[row.order_id].append((row.id, _address(row.payload)))
    return paying


def _address(payload: object) -> str | None:
    for value in _values(_parsed(payload), "email"):
        address = value.strip().casefold() if isinstance(value, str) else ""
        if address.count("@") == 1 and not address.startswith("@") and "\ufffd" not in address:
            return address
    return None


def _parsed(payload: object) -> object:
    try:
        return json.loads(payload) if isinstance(payload, str) else None
    except (ValueError, RecursionError):
        return None


def _values(found: object, name: str, depth: int = 6) -> Iterator[object]:
    """What stands under a name, wherever the old shop or its gateway put it."""
    if isinstance(found, dict) and depth:
        if name in found:
            yield found[name]
        for inner in found.values():
            yield from _values(inner, name, depth - 1)


def _paid(row: Any, payment: str, at: float) -> dict[str, object]:
    amount = row["amount"] if isinstance(row["amount"], int) else None
    currency = row["currency"] if isinstance(row["currency"], str) else None
    return {
        "order_id": row["id"],
        "id": str(uuid_utils.uuid7()),
        "key": f"paid:{payment}:{amount}:{currency}",  # as a letter about it would name it
        "kind": "paid",
        "at": at,
        "recorded_at": time.time(),
        "source": "import",
        "payment_id": payment,
        "amount": amount,
        "currency": currency,
    }


def _granted(row: Any, email: str, at: float) -> dict[str, object]:
    return {
        "user_id": _holder(email),
        "id": f"order:{row['id']}",
        "plan": PLANS.get(row["product"]),
        "cause": "order",
        "valid_from": at,
        "valid_until": None,
        "revoked_at": None,
        "product": row["product"],
        "cause_id": row["id"],
    }


def _holder(email: str) -> str:
    return f"email:{hashlib.sha256(email.encode()).hexdigest()}"


def _time(value: object) -> float | None:
    usable = isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 1e11
    return float(value) if usable else None  # type: ignore[arg-type]


# ---- the old shop's subscriptions ------------------------------------------------------------


def _import_subscriptions(bind: sa.Connection) -> None:
    """A subscription belongs to the one address that paid an order with the same receipt."""
    grants = []
    found = bind.execute(
        sa.text(
            "SELECT s.id, s.tier, s.status, s.current_period_start AS since,"
            " s.current_period_end AS until, min(o.email) AS email FROM subscriptions AS s"
            " JOIN orders AS o ON o.receipt = s.receipt AND o.email IS NOT NULL"
            " GROUP BY s.id, s.tier, s.status, s.current_period_start, s.current_period_end"
            " HAVING count(DISTINCT o.email) = 1"
        )
    )
    for row in found.all():
        bind.execute(
            sa.text("UPDATE subscriptions SET email = :email WHERE id = :id"),
            {"email": row.email, "id": row.id},
        )
        since, until = _time(row.since), _time(row.until)
        if str(row.status).upper() == "ACTIVE" and row.tier in ("pro", "scale") and until:
            grants.append(
                {
                    "user_id": _holder(row.email),
                    "id": f"subscription:{row.id}",
                    "plan": row.tier,
                    "cause": "subscription",
                    "valid_from": since or 0.0,
                    "valid_until": until + GRACE,
                    "revoked_at": None,
                    "product": None,
                    "cause_id": row.id,
                }
            )
    if grants:
        bind.execute(sa.insert(GRANTED), grants)


# ---- deliveries ------------------------------------------------------------------------------


def _upgrade_delivery() -> None:
    op.create_table(
        "downloads",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("order_id", sa.String()),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("first_byte", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id"),
    )
    op.create_index("ix_downloads_order_id", "downloads", ["order_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER downloads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON downloads"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'downloads is append-only'); END"
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER downloads_no_{verb.lower()} BEFORE {verb} ON downloads {refuse}"
        )
    known = "SELECT 1 FROM downloads WHERE user_id = NEW.user_id AND id = NEW.id"
    op.execute(  # REPLACE deletes without asking the trigger above
        "CREATE TRIGGER downloads_no_replace BEFORE INSERT ON downloads"
        f" WHEN EXISTS ({known}) {refuse}"
    )


def _downgrade_delivery() -> None:
    op.drop_table("downloads")
