"""Every table and constraint. No queries here, no Flask, and nothing of ours is imported.

Rows that belong to one person carry `user_id` first in their primary key and in every unique
index, so that the tables can be distributed by person; `emails` is the one small table that finds
a person by address. Times are epoch seconds (Float), identifiers opaque strings, money is kept as
it was typed. Only core SQL types are used, so that rows read the same through the bare driver.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# On SQLite these small rows live in their primary key's own tree: one tree fewer to write.
CLUSTERED = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """The registry of all tables."""

    metadata = MetaData()


class UserProfile(Base):
    """A person: what they want, where they sell, how far they are. `id` is their user_id."""

    __tablename__ = "user_profiles"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str | None] = mapped_column(String)
    goal: Mapped[str | None] = mapped_column(String)
    market: Mapped[str | None] = mapped_column(String, index=True)
    skill_level: Mapped[str | None] = mapped_column(String)
    country: Mapped[str | None] = mapped_column(String, index=True)
    created_at: Mapped[float | None] = mapped_column(Float)
    updated_at: Mapped[float | None] = mapped_column(Float)


class Email(Base):
    """Which person an address belongs to; the only table found by address."""

    __tablename__ = "emails"
    __table_args__ = CLUSTERED

    email: Mapped[str] = mapped_column(String, primary_key=True)
    user_id: Mapped[str] = mapped_column(String, index=True)
    created_at: Mapped[float] = mapped_column(Float)
    verified_at: Mapped[float | None] = mapped_column(Float)  # when its owner first proved it


class Session(Base):
    """A credential: a browser session, an access token or an operator's API key.

    `id` is the SHA-256 of its secret; the secret itself is never stored.
    """

    __tablename__ = "sessions"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    kind: Mapped[str] = mapped_column(String)  # browser | token | key
    label: Mapped[str] = mapped_column(String)
    created_at: Mapped[float] = mapped_column(Float)
    last_seen_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class SignIn(Base):
    """One request to sign in: a link and a six-digit code, ten minutes, spent once."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str] = mapped_column(String)
    link_hash: Mapped[str] = mapped_column(String)
    code_hash: Mapped[str] = mapped_column(String)
    tries: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float, index=True)
    used_at: Mapped[float | None] = mapped_column(Float)


class Operator(Base):
    """A person who runs the place."""

    __tablename__ = "operators"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    granted_at: Mapped[float] = mapped_column(Float)
    granted_by: Mapped[str] = mapped_column(String)


class Grant(Base):
    """A plan somebody has, from when until when, and why. Revoked, never deleted."""

    __tablename__ = "grants"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    plan: Mapped[str] = mapped_column(String)
    cause: Mapped[str] = mapped_column(String)
    valid_from: Mapped[float] = mapped_column(Float)
    valid_until: Mapped[float | None] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class IdempotencyKey(Base):
    """The first answer to a request that carried an Idempotency-Key.

    `user_id` is the caller: a person, or the hashed address of somebody not signed in.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = CLUSTERED

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    key_hash: Mapped[str] = mapped_column(String, primary_key=True)
    request_hash: Mapped[str] = mapped_column(String)
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float, index=True)


class Workflow(Base):
    """A workflow on offer and the version that new executions begin with."""

    __tablename__ = "workflows"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String)
    tier: Mapped[str] = mapped_column(String)
    source: Mapped[str] = mapped_column(String)
    loaded_at: Mapped[float] = mapped_column(Float)
    retired_at: Mapped[float | None] = mapped_column(Float)


class WorkflowVersion(Base):
    """One immutable text of a workflow: the guide as canonical JSON, and its SHA-256."""

    __tablename__ = "workflow_versions"

    workflow_name: Mapped[str] = mapped_column(
        String, ForeignKey("workflows.name"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(String)
    guide: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)


class WorkflowExecution(Base):
    """One person's run through one version of a workflow: the current state its events add up to.

    goal, market, skill_level and country are the person's as they were at the start; evidence
    counts an execution there for ever.
    """

    __tablename__ = "workflow_executions"

    # Old rows without an owner exist; SQLite keeps them under a NULL.
    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    status: Mapped[str | None] = mapped_column(String, index=True)
    steps_completed: Mapped[int | None] = mapped_column(Integer)
    total_steps: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[float | None] = mapped_column(Float)
    completed_at: Mapped[float | None] = mapped_column(Float)
    execution_notes: Mapped[str | None] = mapped_column(Text)
    workflow_version: Mapped[int | None] = mapped_column(Integer)
    goal: Mapped[str | None] = mapped_column(String)
    market: Mapped[str | None] = mapped_column(String)
    skill_level: Mapped[str | None] = mapped_column(String)
    country: Mapped[str | None] = mapped_column(String)
    recommendation_id: Mapped[str | None] = mapped_column(String)
    touched_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("ix_workflow_executions_id", "id"),
        Index("ix_workflow_executions_open", "status", "touched_at"),
        Index("ix_workflow_executions_cell", "workflow_name", "market", "skill_level"),
    )


class ExecutionEvent(Base):
    """What happened to an execution. The database refuses to change or delete a row.

    Text that people typed is not here but in `step_notes`, so that it can be erased.
    """

    __tablename__ = "execution_events"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String)
    # started | progressed | logged | noted | completed | abandoned | resumed | outcome | imported
    kind: Mapped[str] = mapped_column(String)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String)  # owner | operator | system
    step: Mapped[int | None] = mapped_column(Integer)
    steps_completed: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[str | None] = mapped_column(String)
    seconds_spent: Mapped[float | None] = mapped_column(Float)
    reference_id: Mapped[str | None] = mapped_column(String)  # of the note or the outcome

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        CLUSTERED,
    )


class StepNote(Base):
    """What a person wrote down, about one step or the whole execution (`step` NULL)."""

    __tablename__ = "step_notes"

    user_id: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str] = mapped_column(String)
    step: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_step_notes_execution", "user_id", "execution_id", "id"),
    )


class Outcome(Base):
    """What an execution brought, as its owner reported it.

    A wrong entry is corrected by a new row whose `supersedes_id` names it; `verified` means
    reviewed.
    """

    __tablename__ = "outcomes"

    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    execution_id: Mapped[str | None] = mapped_column(String)
    metric_type: Mapped[str | None] = mapped_column(String)
    value: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(String)
    proof_type: Mapped[str | None] = mapped_column(String)
    proof_url: Mapped[str | None] = mapped_column(String)
    timestamp: Mapped[float | None] = mapped_column(Float)
    verified: Mapped[int | None] = mapped_column(Integer)
    proof_id: Mapped[str | None] = mapped_column(String)
    note: Mapped[str | None] = mapped_column(Text)
    supersedes_id: Mapped[str | None] = mapped_column(String)

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "execution_id"], ["workflow_executions.user_id", "workflow_executions.id"]
        ),
        Index("ix_outcomes_execution", "user_id", "execution_id"),
        Index(
            "uq_outcomes_supersedes",
            "user_id",
            "supersedes_id",
            unique=True,
            sqlite_where=text("supersedes_id IS NOT NULL"),
            postgresql_where=text("supersedes_id IS NOT NULL"),
        ),
    )


class WorkflowPerformance(Base):
    """The read model of one cell (workflow × market × skill level); rebuildable at any time.

    success_rate is the raw percentage of the counts beside it; what is shown is drawn towards the
    parent levels when it is read. Sums are integers, so that folding and rebuilding agree to the
    last digit: duration_log adds up round(1e6 · ln(seconds)) over completed executions. Rows that
    the old shop wrote have NULL counts.
    """

    __tablename__ = "workflow_performance"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    market: Mapped[str | None] = mapped_column(String, index=True)
    skill_level: Mapped[str | None] = mapped_column(String, index=True)
    success_rate: Mapped[float | None] = mapped_column(Float)
    avg_outcome_value: Mapped[float | None] = mapped_column(Float)
    completion_time_hours: Mapped[float | None] = mapped_column(Float)
    data_points: Mapped[int | None] = mapped_column(Integer)
    updated_at: Mapped[float | None] = mapped_column(Float)
    people: Mapped[int | None] = mapped_column(Integer)
    started: Mapped[int | None] = mapped_column(Integer)
    completed: Mapped[int | None] = mapped_column(Integer)
    abandoned: Mapped[int | None] = mapped_column(Integer)
    reported: Mapped[int | None] = mapped_column(Integer)
    durations: Mapped[int | None] = mapped_column(Integer)
    duration_log: Mapped[int | None] = mapped_column(BigInteger)
    duration_log_squared: Mapped[int | None] = mapped_column(BigInteger)


class OutcomeSum(Base):
    """Addable sums of the outcomes reported in one cell, per metric and currency or unit.

    value_log adds up round(1e6 · ln(value)) over values above zero, value_log_squared the
    rounded squares of ln(value) times 1e6.
    """

    __tablename__ = "outcome_sums"
    __table_args__ = CLUSTERED

    workflow_name: Mapped[str] = mapped_column(String, primary_key=True)
    market: Mapped[str] = mapped_column(String, primary_key=True)
    skill_level: Mapped[str] = mapped_column(String, primary_key=True)
    metric_type: Mapped[str] = mapped_column(String, primary_key=True)
    currency: Mapped[str] = mapped_column(String, primary_key=True)
    reports: Mapped[int] = mapped_column(Integer)
    zeros: Mapped[int] = mapped_column(Integer)
    proofs: Mapped[int] = mapped_column(Integer)
    verified: Mapped[int] = mapped_column(Integer)
    value_log: Mapped[int] = mapped_column(BigInteger)
    value_log_squared: Mapped[int] = mapped_column(BigInteger)


class Slate(Base):
    """One list of recommendations as it was drawn: by which policy, from what, for whom."""

    __tablename__ = "slates"

    user_id: Mapped[str] = mapped_column(String, ForeignKey("user_profiles.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    policy: Mapped[str] = mapped_column(String)
    context: Mapped[str] = mapped_column(Text)  # JSON: segment, goal, eligible workflows
    size: Mapped[int] = mapped_column(Integer)  # how many were asked for
    last_event_id: Mapped[str] = mapped_column(String)  # the person's newest event when drawn
    created_at: Mapped[float] = mapped_column(Float)


class Recommendation(Base):
    """One impression: a workflow shown at a rank, the reason given, and its probability."""

    __tablename__ = "recommendations"

    user_id: Mapped[str | None] = mapped_column(
        String, ForeignKey("user_profiles.id"), primary_key=True, nullable=True
    )
    id: Mapped[str] = mapped_column(String, primary_key=True)
    workflow_name: Mapped[str | None] = mapped_column(String, index=True)
    reason: Mapped[str | None] = mapped_column(String)
    rank: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float | None] = mapped_column(Float)
    clicked: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String)
    slate_id: Mapped[str | None] = mapped_column(String)
    score: Mapped[float | None] = mapped_column(Float)
    propensity: Mapped[float | None] = mapped_column(Float)
    evidence: Mapped[str | None] = mapped_column(Text)  # JSON: level, counts and interval shown

    __table_args__ = (
        Index("ix_recommendations_id", "id"),
        Index("ix_recommendations_slate", "user_id", "slate_id", "rank"),
    )


class LegacyUnowned(Base):
    """An old row without a user_id, as JSON: PostgreSQL cannot keep it under its primary key."""

    __tablename__ = "legacy_unowned"

    table_name: Mapped[str] = mapped_column(String, primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    row: Mapped[str] = mapped_column(Text)
