"""people and catalogue: addresses, sessions, sign-ins, operators, grants, workflow versions

An address now belongs to a person through `emails`, the one small table found by address; the
unique index on user_profiles.email goes, since addresses that differ only by case got past it.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert

revision = "3f8c1b2a6d70"
down_revision = "d27fa85d1bf4"
branch_labels = None
depends_on = None

BATCH = 5000

# The oldest profile of equal addresses gets it; a time that is no number counts as latest.
PROFILES = sa.text(
    "SELECT id, email, CASE WHEN created_at BETWEEN -1e300 AND 1e300 THEN created_at END AS born"
    " FROM user_profiles WHERE email IS NOT NULL"
    " ORDER BY CASE WHEN created_at BETWEEN -1e300 AND 1e300 THEN 0 ELSE 1 END, created_at, id"
)


def upgrade() -> None:
    emails = _create_people()
    _create_catalogue()
    op.drop_index("ix_user_profiles_email", "user_profiles", if_exists=True)
    bind = op.get_bind()
    found = bind.execute(PROFILES, execution_options={"stream_results": True})
    claim = insert(emails).on_conflict_do_nothing()
    for rows in found.partitions(BATCH):
        if claims := list(_claims(rows)):
            bind.execute(claim, claims)


def downgrade() -> None:
    """Back to addresses in user_profiles alone.

    Sessions, sign-ins, operators, grants and the loaded workflows are lost.
    """
    for name in (
        "workflow_versions",
        "workflows",
        "idempotency_keys",
        "grants",
        "operators",
        "sign_ins",
        "sessions",
        "emails",
    ):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION whatworks_refuse_change()")
    op.create_index(
        "ix_user_profiles_email", "user_profiles", ["email"], unique=_addresses_differ()
    )


def _claims(rows: Any) -> Iterator[dict[str, object]]:
    for row in rows:
        address = row.email.strip().casefold() if isinstance(row.email, str) else ""
        if address and "\ufffd" not in address:  # that sign stands for bytes that are no text
            yield {"email": address, "user_id": row.id, "created_at": row.born or 0.0}


def _addresses_differ() -> bool:
    repeated = sa.text(
        "SELECT 1 FROM user_profiles WHERE email IS NOT NULL"
        " GROUP BY email HAVING count(*) > 1 LIMIT 1"
    )
    return op.get_bind().execute(repeated).first() is None


def _create_people() -> sa.Table:
    emails = op.create_table(
        "emails",
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("verified_at", sa.Float()),
        sa.PrimaryKeyConstraint("email"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_emails_user_id", "emails", ["user_id"])
    op.create_table(
        "sessions",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_seen_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float()),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("link_hash", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sign_ins_expires_at", "sign_ins", ["expires_at"])
    op.create_table(
        "operators",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("granted_at", sa.Float(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )
    op.create_table(
        "grants",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Float(), nullable=False),
        sa.Column("valid_until", sa.Float()),
        sa.Column("revoked_at", sa.Float()),
        sa.PrimaryKeyConstraint("user_id", "id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key_hash"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    return emails


def _create_catalogue() -> None:
    op.create_table(
        "workflows",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("loaded_at", sa.Float(), nullable=False),
        sa.Column("retired_at", sa.Float()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "workflow_versions",
        sa.Column("workflow_name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("guide", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("workflow_name", "version"),
        sa.ForeignKeyConstraint(["workflow_name"], ["workflows.name"]),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION whatworks_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
            " USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER workflow_versions_append_only"
            " BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow_versions"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER workflow_versions_no_{verb.lower()} BEFORE {verb} ON workflow_versions"
            " BEGIN SELECT RAISE(ABORT, 'workflow_versions is append-only'); END"
        )
    # REPLACE deletes without asking the trigger above.
    op.execute(
        "CREATE TRIGGER workflow_versions_no_replace BEFORE INSERT ON workflow_versions"
        " WHEN EXISTS (SELECT 1 FROM workflow_versions WHERE workflow_name = NEW.workflow_name"
        " AND version = NEW.version AND (digest <> NEW.digest OR guide <> NEW.guide))"
        " BEGIN SELECT RAISE(ABORT, 'workflow_versions is append-only'); END"
    )
