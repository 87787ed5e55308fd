"""proofs that their owners took back: the row stays, with the time it went"""

import sqlalchemy as sa
from alembic import op

revision = "d8f2b6a10c37"
down_revision = "c5d10e7a94b2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("proofs", sa.Column("taken_back_at", sa.Float()))
    gone = sa.text("taken_back_at IS NOT NULL")
    op.create_index(
        "ix_proofs_taken_back",
        "proofs",
        ["taken_back_at"],
        sqlite_where=gone,
        postgresql_where=gone,
    )


def downgrade() -> None:
    op.drop_index("ix_proofs_taken_back", "proofs")
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:  # so that a broken view of somebody else does not matter
        op.execute("PRAGMA writable_schema = ON")
    op.drop_column("proofs", "taken_back_at")
    if on_sqlite:
        op.execute("PRAGMA writable_schema = OFF")
