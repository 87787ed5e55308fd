"""evidence: counts that add up, and what was recommended, why and by which policy

Cells that the old shop wrote keep their values and have NULL counts; only `rebuild` recomputes
them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "91d7a3f5e42c"
down_revision = "6b0e94d2c815"
branch_labels = None
depends_on = None

ADDED: dict[str, dict[str, Any]] = {
    "workflow_performance": {
        "people": sa.Integer(),
        "started": sa.Integer(),
        "completed": sa.Integer(),
        "abandoned": sa.Integer(),
        "reported": sa.Integer(),
        "durations": sa.Integer(),
        "duration_log": sa.BigInteger(),
        "duration_log_squared": sa.BigInteger(),
    },
    "recommendations": {
        "slate_id": sa.String(),
        "score": sa.Float(),
        "propensity": sa.Float(),
        "evidence": sa.Text(),
    },
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.create_index("ix_recommendations_slate", "recommendations", ["user_id", "slate_id", "rank"])
    op.create_table(
        "outcome_sums",
        sa.Column("workflow_name", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("skill_level", sa.String(), nullable=False),
        sa.Column("metric_type", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("zeros", sa.Integer(), nullable=False),
        sa.Column("proofs", sa.Integer(), nullable=False),
        sa.Column("verified", sa.Integer(), nullable=False),
        sa.Column("value_log", sa.BigInteger(), nullable=False),
        sa.Column("value_log_squared", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "workflow_name", "market", "skill_level", "metric_type", "currency"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "slates",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("last_event_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )

    _protect_outcomes(op.get_bind())


REPORTED = "user_id, id, execution_id, metric_type, value, currency, timestamp, note, supersedes_id"


def _protect_outcomes(bind: sa.Connection) -> None:
    """What was reported stays as it was reported; only its review and its proofs may follow."""
    if bind.dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER outcomes_stay BEFORE DELETE OR TRUNCATE ON outcomes"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER outcomes_unchanged BEFORE UPDATE OF {REPORTED} ON outcomes"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'outcomes are corrected by new ones'); END"
    op.execute(f"CREATE TRIGGER outcomes_stay BEFORE DELETE ON outcomes {refuse}")
    op.execute(
        f"CREATE TRIGGER outcomes_unchanged BEFORE UPDATE OF {REPORTED} ON outcomes {refuse}"
    )


def _release_outcomes(bind: sa.Connection) -> None:
    on_table = " ON outcomes" if bind.dialect.name == "postgresql" else ""
    for trigger in ("outcomes_stay", "outcomes_unchanged"):
        op.execute(f"DROP TRIGGER {trigger}{on_table}")


def downgrade() -> None:
    """Back to the old columns; counts, sums, slates and what belongs to them are lost."""
    _release_outcomes(op.get_bind())
    op.drop_table("slates")
    op.drop_table("outcome_sums")
    op.drop_index("ix_recommendations_slate", "recommendations")
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:  # so that a broken view of somebody else does not matter
        op.execute("PRAGMA writable_schema = ON")
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
    if on_sqlite:
        op.execute("PRAGMA writable_schema = OFF")
