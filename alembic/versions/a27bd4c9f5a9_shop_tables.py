"""shop tables: orders, payments, coupons, subscriptions and their kin, as the old shop left them

Databases of the old shop are stamped with this revision; only a new database is built by it.
Nothing later changes these tables.
"""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "a27bd4c9f5a9"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "usage_meters",
    "payments",
    "abandoned_reminders",
    "webhooks",
    "subscriptions",
    "stripe_events",
    "referrals",
    "referral_programs",
    "orders",
    "customers",
    "coupons",
    "automation_logs",
)


def upgrade() -> None:
    op.create_table(
        "automation_logs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workflow_name", sa.String()),
        sa.Column("trigger", sa.String()),
        sa.Column("target_id", sa.String()),
        sa.Column("action_taken", sa.Text()),
        sa.Column("status", sa.String()),
        sa.Column("result", sa.Text()),
        sa.Column("executed_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_automation_logs_status", "automation_logs", ["status"])
    op.create_index("ix_automation_logs_target_id", "automation_logs", ["target_id"])
    op.create_index("ix_automation_logs_workflow_name", "automation_logs", ["workflow_name"])
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("discount_percent", sa.Integer()),
        sa.Column("description", sa.String()),
        sa.Column("expiry_date", sa.Float()),
        sa.Column("max_uses", sa.Integer()),
        sa.Column("current_uses", sa.Integer()),
        sa.Column("created_at", sa.Float()),
        sa.Column("is_active", sa.Integer()),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("ix_coupons_code", "coupons", ["code"], unique=True)
    op.create_table(
        "customers",
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("segment", sa.String()),
        sa.Column("ltv_paise", sa.Integer()),
        sa.Column("order_count", sa.Integer()),
        sa.Column("first_purchase_at", sa.Float()),
        sa.Column("last_purchase_at", sa.Float()),
        sa.Column("last_segmented_at", sa.Float()),
        sa.PrimaryKeyConstraint("receipt"),
    )
    op.create_index("ix_customers_receipt", "customers", ["receipt"])
    op.create_table(
        "orders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("amount", sa.Integer()),
        sa.Column("currency", sa.String()),
        sa.Column("receipt", sa.String()),
        sa.Column("product", sa.String()),
        sa.Column("status", sa.String()),
        sa.Column("created_at", sa.Float()),
        sa.Column("paid_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_orders_product", "orders", ["product"])
    op.create_index("ix_orders_status", "orders", ["status"])
    op.create_table(
        "referral_programs",
        sa.Column("referral_code", sa.String(), nullable=False),
        sa.Column("referrer_receipt", sa.String()),
        sa.Column("referrer_name", sa.String()),
        sa.Column("commission_percent", sa.Integer()),
        sa.Column("total_referrals", sa.Integer()),
        sa.Column("successful_referrals", sa.Integer()),
        sa.Column("total_commission_paise", sa.Integer()),
        sa.Column("total_paid_paise", sa.Integer()),
        sa.Column("created_at", sa.Float()),
        sa.PrimaryKeyConstraint("referral_code"),
    )
    op.create_index(
        "ix_referral_programs_referrer_receipt",
        "referral_programs",
        ["referrer_receipt"],
        unique=True,
    )
    op.create_table(
        "referrals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("referral_code", sa.String()),
        sa.Column("referrer_receipt", sa.String()),
        sa.Column("referred_receipt", sa.String()),
        sa.Column("order_id", sa.String()),
        sa.Column("order_amount_paise", sa.Integer()),
        sa.Column("commission_percent", sa.Integer()),
        sa.Column("commission_amount_paise", sa.Integer()),
        sa.Column("status", sa.String()),
        sa.Column("converted_at", sa.Float()),
        sa.Column("paid_at", sa.Float()),
        sa.Column("created_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_referrals_order_id", "referrals", ["order_id"])
    op.create_index("ix_referrals_referral_code", "referrals", ["referral_code"])
    op.create_index("ix_referrals_referred_receipt", "referrals", ["referred_receipt"])
    op.create_index("ix_referrals_referrer_receipt", "referrals", ["referrer_receipt"])
    op.create_index("ix_referrals_status", "referrals", ["status"])
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("event_type", sa.String()),
        sa.Column("payload", sa.Text()),
        sa.Column("processed", sa.Integer()),
        sa.Column("processed_at", sa.Float()),
        sa.Column("received_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_stripe_events_event_type", "stripe_events", ["event_type"])
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("receipt", sa.String()),
        sa.Column("tier", sa.String()),
        sa.Column("billing_cycle", sa.String()),
        sa.Column("amount_paise", sa.Integer()),
        sa.Column("status", sa.String()),
        sa.Column("current_period_start", sa.Float()),
        sa.Column("current_period_end", sa.Float()),
        sa.Column("provider", sa.String()),
        sa.Column("stripe_subscription_id", sa.String()),
        sa.Column("stripe_customer_id", sa.String()),
        sa.Column("razorpay_subscription_id", sa.String()),
        sa.Column("created_at", sa.Float()),
        sa.Column("cancelled_at", sa.Float()),
        sa.Column("cancellation_reason", sa.String()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_subscriptions_razorpay_subscription_id", "subscriptions", ["razorpay_subscription_id"]
    )
    op.create_index("ix_subscriptions_receipt", "subscriptions", ["receipt"])
    op.create_index("ix_subscriptions_status", "subscriptions", ["status"])
    op.create_index("ix_subscriptions_stripe_customer_id", "subscriptions", ["stripe_customer_id"])
    op.create_index(
        "ix_subscriptions_stripe_subscription_id", "subscriptions", ["stripe_subscription_id"]
    )
    op.create_index("ix_subscriptions_tier", "subscriptions", ["tier"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("event", sa.String()),
        sa.Column("payload", sa.Text()),
        sa.Column("received_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhooks_event", "webhooks", ["event"])
    op.create_table(
        "abandoned_reminders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("order_id", sa.String()),
        sa.Column("receipt", sa.String()),
        sa.Column("reminder_sequence", sa.Integer()),
        sa.Column("status", sa.String()),
        sa.Column("scheduled_at", sa.Float()),
        sa.Column("sent_at", sa.Float()),
        sa.Column("opened_at", sa.Float()),
        sa.Column("clicked_at", sa.Float()),
        sa.Column("converted_at", sa.Float()),
        sa.Column("created_at", sa.Float()),
        sa.Column("email_subject", sa.String()),
        sa.Column("discount_offered", sa.Integer()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
    )
    op.create_index("ix_abandoned_reminders_order_id", "abandoned_reminders", ["order_id"])
    op.create_index("ix_abandoned_reminders_receipt", "abandoned_reminders", ["receipt"])
    op.create_table(
        "payments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("order_id", sa.String()),
        sa.Column("payload", sa.Text()),
        sa.Column("received_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
    )
    op.create_index("ix_payments_order_id", "payments", ["order_id"])
    op.create_table(
        "usage_meters",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("receipt", sa.String()),
        sa.Column("subscription_id", sa.String()),
        sa.Column("attribution_runs", sa.Integer()),
        sa.Column("models_used", sa.Integer()),
        sa.Column("exports", sa.Integer()),
        sa.Column("lookback_days", sa.Integer()),
        sa.Column("period_start", sa.Float()),
        sa.Column("period_end", sa.Float()),
        sa.Column("reset_at", sa.Float()),
        sa.Column("updated_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"]),
    )
    op.create_index("ix_usage_meters_receipt", "usage_meters", ["receipt"])
    op.create_index("ix_usage_meters_subscription_id", "usage_meters", ["subscription_id"])


def downgrade() -> None:
    """Drop the shop's tables, and only while they are empty: orders and payments are not ours."""
    bind = op.get_bind()
    for name in TABLES:
        if bind.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
            raise CommandError(f"the table {name} holds rows of the shop; they are not dropped")
    for name in TABLES:
        op.drop_table(name)
