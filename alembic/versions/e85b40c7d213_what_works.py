"""what works: one vote a person, versions, networks, what is published, fits, and dismissals

What is derived from executions and outcomes is counted in another way from here on, so cells that
were counted before go; `rebuild`, or the next change in a cell, counts them again. Rows that the
old shop wrote stay.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "e85b40c7d213"
down_revision = "c4e1f07b93a6"
branch_labels = None
depends_on = None

CELL = ("workflow_name", "market", "skill_level")
STATES = (
    "people",
    "started",
    "completed",
    "abandoned",
    "reported",
    "finished",
    "stopped",
    "verified",
)
ADDED: dict[str, dict[str, Any]] = {
    "workflow_performance": {
        "finished": sa.Integer(),
        "stopped": sa.Integer(),
        "verified": sa.Integer(),
        "weight_finished": sa.BigInteger(),
        "weight_stopped": sa.BigInteger(),
    },
    "workflow_versions": {"steps": sa.Integer(), "minutes": sa.Integer()},
    "slates": {"model": sa.String(), "ended_at": sa.Float()},
    "user_profiles": {"source": sa.String()},
}
REMOVED: dict[str, Any] = {
    "durations": sa.Integer(),
    "duration_log": sa.BigInteger(),
    "duration_log_squared": sa.BigInteger(),
}
TABLES = ("version_performance", "source_votes", "published_levels", "fits", "dismissals")


def upgrade() -> None:
    op.execute("DELETE FROM workflow_performance WHERE started IS NOT NULL")
    _drop_columns("workflow_performance", REMOVED)
    _add_columns(ADDED)
    op.create_index("ix_workflow_performance_updated_at", "workflow_performance", ["updated_at"])
    uncounted = sa.text("started IS NULL")
    op.create_index(
        "ix_workflow_performance_uncounted",
        "workflow_performance",
        ["id"],
        sqlite_where=uncounted,
        postgresql_where=uncounted,
    )
    op.drop_table("outcome_sums")
    _add_counts()
    _add_published_levels()
    _add_fits()
    _add_dismissals()
    # A person's runs in one cell are looked up with each change.
    op.drop_index("ix_workflow_executions_cell", "workflow_executions")
    op.create_index("ix_workflow_executions_cell", "workflow_executions", [*CELL, "user_id"])
    _measure_versions()


def downgrade() -> None:
    """Back to sums of executions; counts, fits, dismissals and what was published are lost."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_workflow_executions_cell", "workflow_executions")
    op.create_index("ix_workflow_executions_cell", "workflow_executions", list(CELL))
    op.execute("DELETE FROM workflow_performance WHERE started IS NOT NULL")
    op.drop_index("ix_workflow_performance_updated_at", "workflow_performance")
    op.drop_index("ix_workflow_performance_uncounted", "workflow_performance")
    for table, columns in ADDED.items():
        _drop_columns(table, columns)
    _add_columns({"workflow_performance": REMOVED})
    op.create_table(
        "outcome_sums",
        *_cell(),
        sa.Column("metric_type", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        *(
            sa.Column(name, kind, nullable=False)
            for name, kind in {
                "reports": sa.Integer(),
                "zeros": sa.Integer(),
                "proofs": sa.Integer(),
                "verified": sa.Integer(),
                "value_log": sa.BigInteger(),
                "value_log_squared": sa.BigInteger(),
            }.items()
        ),
        sa.PrimaryKeyConstraint(*CELL, "metric_type", "currency"),
        sqlite_with_rowid=False,
    )


def _add_counts() -> None:
    op.create_table(
        "version_performance",
        *_cell(),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in STATES),
        sa.PrimaryKeyConstraint(*CELL, "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source_votes",
        *_cell(),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("stopped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*CELL, "source"),
        sqlite_with_rowid=False,
    )


def _add_published_levels() -> None:
    op.create_table(
        "published_levels",
        *_cell(),
        sa.Column("ends", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Text()),
        sa.Column("rate_at", sa.Float()),
        sa.Column("reporters", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("value_at", sa.Float()),
        sa.PrimaryKeyConstraint(*CELL),
        sqlite_with_rowid=False,
    )


def _add_fits() -> None:
    op.create_table(
        "fits",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("workflows", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _add_dismissals() -> None:
    op.create_table(
        "dismissals",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("recommendation_id", sa.String(), nullable=False),
        sa.Column("workflow_name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(
            ["user_id", "recommendation_id"], ["recommendations.user_id", "recommendations.id"]
        ),
    )
    op.create_index(
        "uq_dismissals_recommendation",
        "dismissals",
        ["user_id", "recommendation_id"],
        unique=True,
    )


def _measure_versions() -> None:
    """How many steps and minutes the stored guides have."""
    versions = sa.table(
        "workflow_versions",
        *(sa.column(name) for name in ("workflow_name", "version", "guide", "steps", "minutes")),
    )
    bind = op.get_bind()
    for row in bind.execute(sa.select(versions)).all():
        steps = json.loads(row.guide).get("steps", [])
        bind.execute(
            sa.update(versions)
            .where(versions.c.workflow_name == row.workflow_name, versions.c.version == row.version)
            .values(steps=len(steps), minutes=sum(step.get("minutes", 0) for step in steps))
        )


def _cell() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in CELL]


def _add_columns(added: dict[str, dict[str, Any]]) -> None:
    for table, columns in added.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))


def _drop_columns(table: str, columns: dict[str, Any]) -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:  # so that a broken view of somebody else does not matter
        op.execute("PRAGMA writable_schema = ON")
    for name in columns:
        op.drop_column(table, name)
    if on_sqlite:
        op.execute("PRAGMA writable_schema = OFF")
