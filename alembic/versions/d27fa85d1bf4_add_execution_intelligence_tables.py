"""execution intelligence: profiles, executions, outcomes, performance, recommendations

The five tables exactly as the old shop had them, so that a database that already has them and one
that does not go on from the same place.
"""

import sqlalchemy as sa
from alembic import op

revision = "d27fa85d1bf4"
down_revision = "a27bd4c9f5a9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_profiles",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String()),
        sa.Column("goal", sa.String()),
        sa.Column("market", sa.String()),
        sa.Column("skill_level", sa.String()),
        sa.Column("country", sa.String()),
        sa.Column("created_at", sa.Float()),
        sa.Column("updated_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_user_profiles_country", "user_profiles", ["country"])
    op.create_index("ix_user_profiles_email", "user_profiles", ["email"], unique=True)
    op.create_index("ix_user_profiles_market", "user_profiles", ["market"])
    op.create_table(
        "workflow_performance",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workflow_name", sa.String()),
        sa.Column("market", sa.String()),
        sa.Column("skill_level", sa.String()),
        sa.Column("success_rate", sa.Float()),
        sa.Column("avg_outcome_value", sa.Float()),
        sa.Column("completion_time_hours", sa.Float()),
        sa.Column("data_points", sa.Integer()),
        sa.Column("updated_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_workflow_performance_market", "workflow_performance", ["market"])
    op.create_index("ix_workflow_performance_skill_level", "workflow_performance", ["skill_level"])
    op.create_index(
        "ix_workflow_performance_workflow_name", "workflow_performance", ["workflow_name"]
    )
    op.create_table(
        "workflow_executions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String()),
        sa.Column("workflow_name", sa.String()),
        sa.Column("status", sa.String()),
        sa.Column("steps_completed", sa.Integer()),
        sa.Column("total_steps", sa.Integer()),
        sa.Column("started_at", sa.Float()),
        sa.Column("completed_at", sa.Float()),
        sa.Column("execution_notes", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )
    op.create_index("ix_workflow_executions_status", "workflow_executions", ["status"])
    op.create_index("ix_workflow_executions_user_id", "workflow_executions", ["user_id"])
    op.create_index(
        "ix_workflow_executions_workflow_name", "workflow_executions", ["workflow_name"]
    )
    op.create_table(
        "recommendations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String()),
        sa.Column("workflow_name", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("rank", sa.Integer()),
        sa.Column("created_at", sa.Float()),
        sa.Column("clicked", sa.Integer()),
        sa.Column("outcome", sa.String()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )
    op.create_index("ix_recommendations_user_id", "recommendations", ["user_id"])
    op.create_index("ix_recommendations_workflow_name", "recommendations", ["workflow_name"])
    op.create_table(
        "outcomes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String()),
        sa.Column("user_id", sa.String()),
        sa.Column("metric_type", sa.String()),
        sa.Column("value", sa.Float()),
        sa.Column("currency", sa.String()),
        sa.Column("proof_type", sa.String()),
        sa.Column("proof_url", sa.String()),
        sa.Column("timestamp", sa.Float()),
        sa.Column("verified", sa.Integer()),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["execution_id"], ["workflow_executions.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )
    op.create_index("ix_outcomes_execution_id", "outcomes", ["execution_id"])
    op.create_index("ix_outcomes_metric_type", "outcomes", ["metric_type"])
    op.create_index("ix_outcomes_user_id", "outcomes", ["user_id"])


def downgrade() -> None:
    """Drop the five tables with everything in them."""
    op.drop_table("outcomes")
    op.drop_table("recommendations")
    op.drop_table("workflow_executions")
    op.drop_table("workflow_performance")
    op.drop_table("user_profiles")
