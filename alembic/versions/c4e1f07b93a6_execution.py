"""execution: what happens inside a run, what is shown for it, and who looked at it"""

# ruff: noqa: S608 - the names in these statements come from this file

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "c4e1f07b93a6"
down_revision = "91d7a3f5e42c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    _add_steps()
    _add_proofs(bind)
    _add_reminders()


def downgrade() -> None:
    """Back to evidence; what the functions below say is lost."""
    bind = op.get_bind()
    on_sqlite = bind.dialect.name == "sqlite"
    if on_sqlite:  # so that a broken view of somebody else does not matter
        op.execute("PRAGMA writable_schema = ON")
    _drop_reminders()
    _drop_proofs()
    _drop_steps()
    if on_sqlite:
        op.execute("PRAGMA writable_schema = OFF")


# ---- steps, notes with revisions, timers, time zones -----------------------------------------

RUN_COLUMNS: dict[str, dict[str, Any]] = {
    "execution_events": {
        "reason": sa.String(),
        "item": sa.Integer(),
        "happened_at": sa.Float(),
    },
    "step_notes": {"rev": sa.Integer(), "superseded_at": sa.Float()},
    "user_profiles": {"time_zone": sa.String()},
}
# What the step log said before there was a row per step: the last verdict, and sums.
STEPS_SO_FAR = """
INSERT INTO execution_steps (user_id, execution_id, step, result, reason, failures,
    failed_reason, failed_checks, checks, seconds, proofs)
SELECT v.user_id, v.execution_id, v.step, v.result, NULL, t.failures, NULL, NULL, '', t.seconds, ''
FROM execution_events v
JOIN (
    SELECT user_id, execution_id, step, max(id) AS id,
        sum(CASE WHEN result = 'failed' THEN 1 ELSE 0 END) AS failures,
        sum(coalesce(seconds_spent, 0)) AS seconds
    FROM execution_events
    WHERE kind = 'logged' AND step IS NOT NULL AND result IS NOT NULL
    GROUP BY user_id, execution_id, step
) t ON t.user_id = v.user_id AND t.id = v.id
"""


def _add_steps() -> None:
    for table, columns in RUN_COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.create_table(
        "execution_steps",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_reason", sa.String()),
        sa.Column("failed_checks", sa.String()),
        sa.Column("checks", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("proofs", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "execution_id", "step"),
        sa.ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timers",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("day_seconds", sa.Float(), nullable=False),
        sa.Column("gap_id", sa.String()),
        sa.Column("gap_execution_id", sa.String()),
        sa.Column("gap_step", sa.Integer()),
        sa.Column("gap_from", sa.Float()),
        sa.Column("gap_to", sa.Float()),
        sa.PrimaryKeyConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
        sqlite_with_rowid=False,
    )
    op.execute(STEPS_SO_FAR)


def _drop_steps() -> None:
    op.drop_table("timers")
    op.drop_table("execution_steps")
    for table, columns in RUN_COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)


# ---- proofs and their reviews ----------------------------------------------------------------

PROOF_WAITING = "proof_id IS NOT NULL AND review IS NULL"


def _add_proofs(bind: sa.Connection) -> None:
    op.create_table(
        "proofs",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String()),
        sa.Column("step", sa.Integer()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("band_a", sa.Integer()),
        sa.Column("band_b", sa.Integer()),
        sa.Column("band_c", sa.Integer()),
        sa.Column("band_d", sa.Integer()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
        sa.ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
    )
    op.create_index("ix_proofs_id", "proofs", ["id"])
    op.create_index("ix_proofs_execution", "proofs", ["user_id", "execution_id"])
    for column in ("sha256", "band_a", "band_b", "band_c", "band_d"):
        op.create_index(f"ix_proofs_{column}", "proofs", [column])
    op.create_table(
        "proof_shares",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("proof_id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float()),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(["user_id", "proof_id"], ["proofs.user_id", "proofs.id"]),
    )
    op.create_index("ix_proof_shares_token", "proof_shares", ["token"])
    open_ = sa.text("revoked_at IS NULL")
    op.create_index(
        "uq_proof_shares_open",
        "proof_shares",
        ["user_id", "proof_id"],
        unique=True,
        sqlite_where=open_,
        postgresql_where=open_,
    )
    _add_reviews(bind)


def _add_reviews(bind: sa.Connection) -> None:
    """`outcomes.review` is where the reviews have led; an old verified row counts as approved."""
    op.add_column("outcomes", sa.Column("review", sa.String()))
    op.execute("UPDATE outcomes SET review = 'approved' WHERE verified = 1")
    known, waiting = sa.text("proof_id IS NOT NULL"), sa.text(PROOF_WAITING)
    op.create_index(
        "ix_outcomes_proof",
        "outcomes",
        ["user_id", "proof_id"],
        sqlite_where=known,
        postgresql_where=known,
    )
    op.create_index(
        "ix_outcomes_waiting",
        "outcomes",
        ["timestamp"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "reviews",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("outcome_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("proof_id", sa.String()),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "outcome_id", "number"),
        sa.ForeignKeyConstraint(["user_id", "outcome_id"], ["outcomes.user_id", "outcomes.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reviews_at", "reviews", ["at"])
    for name, column in (("review_texts", "text"), ("review_notices", "at")):
        op.create_table(
            name,
            sa.Column("user_id", sa.String(), nullable=False),
            sa.Column("outcome_id", sa.String(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=False),
            sa.Column(column, sa.Text() if column == "text" else sa.Float(), nullable=False),
            sa.PrimaryKeyConstraint("user_id", "outcome_id", "number"),
            sa.ForeignKeyConstraint(
                ["user_id", "outcome_id", "number"],
                ["reviews.user_id", "reviews.outcome_id", "reviews.number"],
            ),
            sqlite_with_rowid=False,
        )
    _keep_reviews(bind)


def _keep_reviews(bind: sa.Connection) -> None:
    """A review stays as it was given; a change of mind is a new one."""
    if bind.dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER reviews_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reviews"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'reviews is append-only'); END"
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER reviews_no_{verb.lower()} BEFORE {verb} ON reviews {refuse}")
    # REPLACE deletes without asking the trigger above.
    op.execute(
        "CREATE TRIGGER reviews_no_replace BEFORE INSERT ON reviews WHEN EXISTS (SELECT 1"
        " FROM reviews AS r WHERE r.user_id = NEW.user_id AND r.outcome_id = NEW.outcome_id"
        " AND r.number = NEW.number) " + refuse
    )


def _drop_proofs() -> None:
    """Proofs, shares and reviews are lost; files stay where they are."""
    for table in ("review_notices", "review_texts", "reviews", "proof_shares", "proofs"):
        op.drop_table(table)
    op.drop_index("ix_outcomes_waiting", "outcomes")
    op.drop_index("ix_outcomes_proof", "outcomes")
    op.drop_column("outcomes", "review")


# ---- asking again what a run brought ---------------------------------------------------------


def _add_reminders() -> None:
    op.create_table(
        "reminders",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.Float()),
        sa.Column("answer", sa.String()),
        sa.Column("answered_at", sa.Float()),
        sa.PrimaryKeyConstraint("user_id", "execution_id", "days"),
        sa.ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reminders_claimed", "reminders", ["user_id", "claimed_at"])
    op.create_table(
        "reminder_choices",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("off_at", sa.Float()),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
        sqlite_with_rowid=False,
    )


def _drop_reminders() -> None:
    """What was sent is forgotten, and so is who wanted none."""
    op.drop_table("reminder_choices")
    op.drop_table("reminders")
