"""history: rows belong to a person, and what happened is kept as events that cannot change

user_id comes first in the primary keys of executions, outcomes and recommendations, so that the
tables can be distributed by person. Every old value stays in its old column, whatever it is; what
is derived from it goes into new columns.

SQLite rebuilds the three tables and keeps rows without an owner under a NULL. A PostgreSQL primary
key cannot, so there such rows wait in `legacy_unowned` as JSON.
"""

# ruff: noqa: S608 - the names in these statements come from this file and from the schema

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import uuid_utils
from alembic import op

revision = "6b0e94d2c815"
down_revision = "3f8c1b2a6d70"
branch_labels = None
depends_on = None

TABLES = ("workflow_executions", "outcomes", "recommendations")

OLD: dict[str, dict[str, Any]] = {
    "workflow_executions": {
        "id": sa.String(),
        "user_id": sa.String(),
        "workflow_name": sa.String(),
        "status": sa.String(),
        "steps_completed": sa.Integer(),
        "total_steps": sa.Integer(),
        "started_at": sa.Float(),
        "completed_at": sa.Float(),
        "execution_notes": sa.Text(),
    },
    "outcomes": {
        "id": sa.String(),
        "execution_id": sa.String(),
        "user_id": sa.String(),
        "metric_type": sa.String(),
        "value": sa.Float(),
        "currency": sa.String(),
        "proof_type": sa.String(),
        "proof_url": sa.String(),
        "timestamp": sa.Float(),
        "verified": sa.Integer(),
    },
    "recommendations": {
        "id": sa.String(),
        "user_id": sa.String(),
        "workflow_name": sa.String(),
        "reason": sa.String(),
        "rank": sa.Integer(),
        "created_at": sa.Float(),
        "clicked": sa.Integer(),
        "outcome": sa.String(),
    },
}
ADDED: dict[str, dict[str, Any]] = {
    "workflow_executions": {
        "workflow_version": sa.Integer(),
        "goal": sa.String(),
        "market": sa.String(),
        "skill_level": sa.String(),
        "country": sa.String(),
        "recommendation_id": sa.String(),
        "touched_at": sa.Float(),
    },
    "outcomes": {"proof_id": sa.String(), "note": sa.Text(), "supersedes_id": sa.String()},
    "recommendations": {},
}
SHARED_INDEXES = {
    "ix_workflow_executions_workflow_name": ("workflow_executions", ["workflow_name"]),
    "ix_workflow_executions_status": ("workflow_executions", ["status"]),
    "ix_recommendations_workflow_name": ("recommendations", ["workflow_name"]),
}
OLD_INDEXES = {
    "ix_workflow_executions_user_id": ("workflow_executions", ["user_id"]),
    "ix_outcomes_execution_id": ("outcomes", ["execution_id"]),
    "ix_outcomes_metric_type": ("outcomes", ["metric_type"]),
    "ix_outcomes_user_id": ("outcomes", ["user_id"]),
    "ix_recommendations_user_id": ("recommendations", ["user_id"]),
}
NEW_INDEXES = {
    "ix_workflow_executions_id": ("workflow_executions", ["id"]),
    "ix_workflow_executions_open": ("workflow_executions", ["status", "touched_at"]),
    "ix_workflow_executions_cell": (
        "workflow_executions",
        ["workflow_name", "market", "skill_level"],
    ),
    "ix_recommendations_id": ("recommendations", ["id"]),
    "ix_outcomes_execution": ("outcomes", ["user_id", "execution_id"]),
}

# True for numbers a calendar or a counter could hold; false for text, NaN, infinity and NULL.
FINITE = "{} BETWEEN -1e300 AND 1e300"
COUNTRY = {"sqlite": "p.country GLOB '[A-Z][A-Z]'", "postgresql": "p.country ~ '^[A-Z]{2}$'"}
KNOWN = {
    "goal": "p.goal IN ('earn_money', 'save_time', 'scale_business')",
    "market": "p.market IN ('freelancer', 'shop_owner', 'content_creator', 'agency', 'student')",
    "skill_level": "p.skill_level IN ('beginner', 'intermediate', 'advanced')",
}
# A UUIDv7 of now: 48 bits of milliseconds over a random UUID, then the version's two bits.
NEW_ID = {
    "sqlite": "new_id()",
    "postgresql": (
        "CAST(encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring("
        "int8send(CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)) FROM 3)"
        " FROM 1 FOR 6), 52, 1), 53, 1), 'hex') AS uuid)"
    ),
}


def upgrade() -> None:
    bind = op.get_bind()
    op.create_table(
        "legacy_unowned",
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "id"),
    )
    if bind.dialect.name == "sqlite":
        for name in TABLES:
            _rebuild(bind, name, owned=True)
    else:
        _own_in_place(bind)
    _create_history(bind)
    _import_history(bind)
    _finish_history(bind)
    _make_append_only(bind)


def downgrade() -> None:
    """Back to the old columns with their values; rows made since then keep what fits in them.

    Events, step notes and the new columns are lost.
    """
    bind = op.get_bind()
    op.drop_table("step_notes")
    op.drop_table("execution_events")
    if bind.dialect.name == "sqlite":
        for name in TABLES:
            _rebuild(bind, name, owned=False)
    else:
        _disown_in_place(bind)
    op.drop_table("legacy_unowned")


def _create_history(bind: sa.Connection) -> None:
    op.create_table(
        "execution_events",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("step", sa.Integer()),
        sa.Column("steps_completed", sa.Integer()),
        sa.Column("result", sa.String()),
        sa.Column("seconds_spent", sa.Float()),
        sa.Column("reference_id", sa.String()),
        sa.PrimaryKeyConstraint("user_id", "id"),
        *_owning_execution(bind),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "step_notes",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("step", sa.Integer()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id"),
        *_owning_execution(bind),
    )


def _owning_execution(bind: sa.Connection) -> list[sa.ForeignKeyConstraint]:
    """PostgreSQL gets it when the rows are there, which is far quicker than row by row."""
    if bind.dialect.name == "postgresql":
        return []
    columns = ["user_id", "execution_id"]
    return [
        sa.ForeignKeyConstraint(columns, ["workflow_executions.user_id", "workflow_executions.id"])
    ]


def _import_history(bind: sa.Connection) -> None:
    """One event per execution that says how it was found."""
    if bind.dialect.name == "sqlite":
        driver: Any = bind.connection.driver_connection
        driver.create_function("new_id", 0, lambda: str(uuid_utils.uuid7()))
    op.execute(
        "INSERT INTO execution_events"
        " (user_id, id, execution_id, kind, at, actor, steps_completed, result)"
        f" SELECT user_id, {NEW_ID[bind.dialect.name]}, id, 'imported',"
        # The window of those still open begins with the upgrade: nobody had told them of one.
        f" CASE WHEN status IN ('completed', 'abandoned') THEN coalesce(touched_at, 0)"
        f" ELSE {time.time():.3f} END,"
        f" 'system', CASE WHEN {FINITE.format('steps_completed')} THEN steps_completed END, status"
        " FROM workflow_executions WHERE user_id IS NOT NULL"
    )


def _finish_history(bind: sa.Connection) -> None:
    op.create_index("ix_step_notes_execution", "step_notes", ["user_id", "execution_id", "id"])
    for table in ("execution_events", "step_notes"):
        if bind.dialect.name == "postgresql":
            op.create_foreign_key(
                f"{table}_user_id_execution_id_fkey",
                table,
                "workflow_executions",
                ["user_id", "execution_id"],
                ["user_id", "id"],
            )


def _make_append_only(bind: sa.Connection) -> None:
    if bind.dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER execution_events_append_only"
            " BEFORE UPDATE OR DELETE OR TRUNCATE ON execution_events"
            " FOR EACH STATEMENT EXECUTE FUNCTION whatworks_refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'execution_events is append-only'); END"
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER execution_events_no_{verb.lower()}"
            f" BEFORE {verb} ON execution_events {refuse}"
        )
    # REPLACE deletes without asking the trigger above.
    op.execute(
        "CREATE TRIGGER execution_events_no_replace BEFORE INSERT ON execution_events"
        " WHEN EXISTS (SELECT 1 FROM execution_events WHERE user_id = NEW.user_id AND id = NEW.id)"
        f" {refuse}"
    )


def _derived(dialect: str) -> dict[str, str]:
    """New columns of an old execution `e` of person `p`: only what can be relied on."""
    known = KNOWN | {"country": COUNTRY[dialect]}
    derived = {name: f"CASE WHEN {test} THEN p.{name} END" for name, test in known.items()}
    derived["touched_at"] = (
        f"CASE WHEN {FINITE.format('e.completed_at')} THEN e.completed_at"
        f" WHEN {FINITE.format('e.started_at')} THEN e.started_at END"
    )
    return derived


def _create_indexes(name: str, *, owned: bool) -> None:
    indexes = SHARED_INDEXES | (NEW_INDEXES if owned else OLD_INDEXES)
    for index, (table, columns) in indexes.items():
        if table == name:
            op.create_index(index, table, columns)
    if owned and name == "outcomes":  # most rows supersede nothing and cost this index nothing
        corrections = sa.text("supersedes_id IS NOT NULL")
        op.create_index(
            "uq_outcomes_supersedes",
            "outcomes",
            ["user_id", "supersedes_id"],
            unique=True,
            sqlite_where=corrections,
            postgresql_where=corrections,
        )


# SQLite: make the table anew, copy, drop, rename. `migrations` has foreign keys off and
# legacy_alter_table on, so that nobody else's views, triggers and references are touched.


def _rebuild(bind: sa.Connection, name: str, *, owned: bool) -> None:
    fresh = f"_new_{name}"
    others = _others(bind, name)
    columns = OLD[name] | (ADDED[name] if owned else {})
    _create_shape(fresh, name, columns, owned=owned)
    copied = {column: f'e."{column}"' for column in OLD[name]}
    for column, declaration in _unknown_columns(bind, name).items():
        bind.exec_driver_sql(f"ALTER TABLE {fresh} ADD COLUMN {declaration}")
        copied[column] = f'e."{column}"'
    source = f"{name} AS e"
    if owned and name == "workflow_executions":
        copied |= _derived("sqlite")
        source += " LEFT JOIN user_profiles AS p ON p.id = e.user_id"
    targets = ", ".join(f'"{column}"' for column in copied)
    values = ", ".join(copied.values())
    bind.exec_driver_sql(f"INSERT INTO {fresh} ({targets}) SELECT {values} FROM {source}")
    bind.exec_driver_sql(f"DROP TABLE {name}")
    bind.exec_driver_sql(f"ALTER TABLE {fresh} RENAME TO {name}")
    _create_indexes(name, owned=owned)
    if owned and _is_referred_to(bind, name):  # somebody's foreign key needs ids to stay unique
        op.create_index(f"ux_{name}_id", name, ["id"], unique=True)
    for sql in others:
        bind.exec_driver_sql(sql)


def _create_shape(fresh: str, name: str, columns: dict[str, Any], *, owned: bool) -> None:
    constraints: list[Any] = [
        sa.PrimaryKeyConstraint("user_id", "id") if owned else sa.PrimaryKeyConstraint("id")
    ]
    if name == "outcomes" and owned:
        constraints += [
            sa.ForeignKeyConstraint(
                ["user_id", "execution_id"],
                ["workflow_executions.user_id", "workflow_executions.id"],
            ),
        ]
    elif name == "outcomes":
        constraints.append(sa.ForeignKeyConstraint(["execution_id"], ["workflow_executions.id"]))
    constraints.append(sa.ForeignKeyConstraint(["user_id"], ["user_profiles.id"]))
    op.create_table(
        fresh,
        *(sa.Column(column, kind, nullable=column != "id") for column, kind in columns.items()),
        *constraints,
    )


def _others(bind: sa.Connection, name: str) -> list[str]:
    """Indexes and triggers on the table that are not ours."""
    ours = [
        *SHARED_INDEXES,
        *OLD_INDEXES,
        *NEW_INDEXES,
        "uq_outcomes_supersedes",
        f"ux_{name}_id",
    ]
    found = bind.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE"
        " AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
        (name,),
    )
    return [row.sql for row in found if row.name not in ours]


def _unknown_columns(bind: sa.Connection, name: str) -> dict[str, str]:
    """Columns that somebody added to our table, with their declarations."""
    unknown = {}
    for row in bind.exec_driver_sql(f"PRAGMA table_info({name})"):
        if row.name not in OLD[name] and row.name not in ADDED[name]:
            default = "" if row.dflt_value is None else f" DEFAULT ({row.dflt_value})"
            constraint = " NOT NULL" if row.notnull else ""
            unknown[row.name] = f'"{row.name}" {row.type}{constraint}{default}'
    return unknown


def _is_referred_to(bind: sa.Connection, name: str) -> bool:
    tables = bind.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
    return any(
        row.table.lower() == name and row.to in {"id", None}
        for table in tables.all()
        if table not in TABLES
        for row in bind.exec_driver_sql(
            "SELECT * FROM pragma_foreign_key_list(?)", (table,)
        ).fetchall()
    )


# PostgreSQL: change the tables where they stand.


@dataclass(frozen=True)
class _Reference:
    """Somebody's foreign key to one of our tables."""

    table: str
    name: str
    definition: str


def _own_in_place(bind: sa.Connection) -> None:
    references = {name: _release(bind, name) for name in TABLES}
    for index, (table, _) in (OLD_INDEXES | SHARED_INDEXES).items():
        op.drop_index(index, table, if_exists=True)
    for name in TABLES:
        op.execute(
            "INSERT INTO legacy_unowned (table_name, id, row)"
            f" SELECT '{name}', id, CAST(row_to_json(e) AS text) FROM {name} AS e"
            " WHERE user_id IS NULL"
        )
        op.execute(f"DELETE FROM {name} WHERE user_id IS NULL")
        _drop_primary_key(bind, name)
        for column, kind in ADDED[name].items():
            op.add_column(name, sa.Column(column, kind))
    _derive_in_place()
    for name in TABLES:
        op.create_primary_key(f"{name}_pkey", name, ["user_id", "id"])
        _create_indexes(name, owned=True)
    # Old outcomes may belong to an execution of somebody else or to none: only new rows are held
    # to it.
    op.execute(
        "ALTER TABLE outcomes ADD CONSTRAINT outcomes_user_id_execution_id_fkey FOREIGN KEY"
        " (user_id, execution_id) REFERENCES workflow_executions (user_id, id) NOT VALID"
    )
    for name, held in references.items():
        if held:
            op.create_unique_constraint(f"ux_{name}_id", name, ["id"])
        for reference in held:
            _restore(bind, reference)


def _derive_in_place() -> None:
    derived = _derived("postgresql")
    assignments = ", ".join(f"{column} = {value}" for column, value in derived.items())
    op.execute(
        f"UPDATE workflow_executions AS w SET {assignments}"
        " FROM workflow_executions AS e LEFT JOIN user_profiles AS p ON p.id = e.user_id"
        " WHERE w.ctid = e.ctid"
    )


def _disown_in_place(bind: sa.Connection) -> None:
    references = {name: _release(bind, name) for name in TABLES}
    op.drop_index("uq_outcomes_supersedes", "outcomes")
    for index, (table, _) in NEW_INDEXES.items():
        op.drop_index(index, table)
    for name in TABLES:
        for column in ADDED[name]:
            op.drop_column(name, column)
        op.execute(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS ux_{name}_id")
        _drop_primary_key(bind, name)
        op.alter_column(name, "user_id", nullable=True)
        op.create_primary_key(f"{name}_pkey", name, ["id"])
        op.execute(
            f"INSERT INTO {name} SELECT old.* FROM legacy_unowned AS kept,"
            f" json_populate_record(CAST(NULL AS {name}), CAST(kept.row AS json)) AS old"
            f" WHERE kept.table_name = '{name}'"
        )
    for index, (table, columns) in OLD_INDEXES.items():
        op.create_index(index, table, columns)
    _restore(
        bind,
        _Reference(
            "outcomes",
            "outcomes_execution_id_fkey",
            "FOREIGN KEY (execution_id) REFERENCES workflow_executions(id)",
        ),
    )
    for held in references.values():
        for reference in held:
            _restore(bind, reference)


def _release(bind: sa.Connection, name: str) -> list[_Reference]:
    """Drop the foreign keys that hold on to this table's primary key; return those not ours."""
    found = bind.exec_driver_sql(
        "SELECT CAST(CAST(conrelid AS regclass) AS text) AS referring, conname,"
        " pg_get_constraintdef(oid) AS definition FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = to_regclass(%(name)s)",
        {"name": name},
    ).fetchall()
    references = [_Reference(row.referring, row.conname, row.definition) for row in found]
    for reference in references:
        bind.exec_driver_sql(f'ALTER TABLE {reference.table} DROP CONSTRAINT "{reference.name}"')
    return [reference for reference in references if reference.table not in TABLES]


def _restore(bind: sa.Connection, reference: _Reference) -> None:
    """Put a foreign key back, over old rows too where all of them satisfy it."""
    definition = reference.definition.removesuffix(" NOT VALID")
    bind.exec_driver_sql(
        f'ALTER TABLE {reference.table} ADD CONSTRAINT "{reference.name}" {definition} NOT VALID'
    )
    try:
        with bind.begin_nested():
            bind.exec_driver_sql(
                f'ALTER TABLE {reference.table} VALIDATE CONSTRAINT "{reference.name}"'
            )
    except sa.exc.IntegrityError:
        return


def _drop_primary_key(bind: sa.Connection, name: str) -> None:
    constraint = bind.exec_driver_sql(
        "SELECT conname FROM pg_constraint"
        " WHERE contype = 'p' AND conrelid = to_regclass(%(name)s)",
        {"name": name},
    ).scalar()
    if constraint is not None:
        bind.exec_driver_sql(f'ALTER TABLE {name} DROP CONSTRAINT "{constraint}"')
