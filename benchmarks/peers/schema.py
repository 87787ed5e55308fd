"""The tables of both peers: plain ORM entities, as a good tutorial would declare them."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import uuid

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

GOALS = ("earn_money", "save_time", "scale_business")
MARKETS = ("freelancer", "shop_owner", "content_creator", "agency", "student")
SKILL_LEVELS = ("beginner", "intermediate", "advanced")
METRICS = ("revenue", "time_saved", "customers", "custom")
TOKEN_SECONDS = 90 * 86_400
SLATE_SIZE = 5


def new_id() -> str:
    return str(uuid.uuid4())


def new_token() -> str:
    return secrets.token_urlsafe(32)


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    goal: Mapped[str] = mapped_column(String(20))
    market: Mapped[str] = mapped_column(String(20))
    skill_level: Mapped[str] = mapped_column(String(20))
    country: Mapped[str] = mapped_column(String(2), default="IN")
    created_at: Mapped[float] = mapped_column(default=time.time)


class Session(Base):
    """A bearer token; only its hash is stored."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[float] = mapped_column(default=time.time)
    expires_at: Mapped[float]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(default=time.time)


class Workflow(Base):
    __tablename__ = "workflows"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    total_steps: Mapped[int]


class Execution(Base):
    """A run through a workflow, with the person's segment as it was at the start."""

    __tablename__ = "executions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    workflow_name: Mapped[str] = mapped_column(ForeignKey("workflows.name"), index=True)
    status: Mapped[str] = mapped_column(String(12), default="started")
    steps_completed: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int]
    market: Mapped[str] = mapped_column(String(20))
    skill_level: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[float] = mapped_column(default=time.time)
    completed_at: Mapped[float | None]


class Event(Base):
    """What happened to an execution; only ever inserted."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(String(36))
    execution_id: Mapped[str] = mapped_column(ForeignKey("executions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    at: Mapped[float] = mapped_column(default=time.time)
    steps_completed: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(Text)
    outcome_id: Mapped[str | None] = mapped_column(String(36))

    __table_args__ = (Index("ix_events_user", "user_id", "at"),)


class Outcome(Base):
    __tablename__ = "outcomes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    execution_id: Mapped[str] = mapped_column(ForeignKey("executions.id"), index=True)
    metric_type: Mapped[str] = mapped_column(String(12))
    value: Mapped[float]
    currency: Mapped[str] = mapped_column(String(8))
    proof_type: Mapped[str] = mapped_column(String(12), default="none")
    proof_url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(default=time.time)


class Performance(Base):
    """What is known about one workflow for one segment, kept up to date by every write."""

    __tablename__ = "performance"

    workflow_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    market: Mapped[str] = mapped_column(String(20), primary_key=True)
    skill_level: Mapped[str] = mapped_column(String(20), primary_key=True)
    started: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    seconds_total: Mapped[float] = mapped_column(default=0.0)
    outcomes: Mapped[int] = mapped_column(default=0)
    value_total: Mapped[float] = mapped_column(default=0.0)


class Recommendation(Base):
    """A workflow as it was shown to somebody, at which rank and why."""

    __tablename__ = "recommendations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    workflow_name: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(255))
    rank: Mapped[int]
    clicked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(default=time.time)

    __table_args__ = (Index("ix_recommendations_user", "user_id", "created_at"),)


def engine_url(url: str, *, sqlite_driver: str, postgres_driver: str) -> str:
    """DATABASE_URL with the driver that a peer uses."""
    url = re.sub(r"^sqlite(\+\w+)?:", f"sqlite+{sqlite_driver}:", url)
    return re.sub(r"^postgres(ql)?(\+\w+)?:", f"postgresql+{postgres_driver}:", url)


def durable_sqlite(connection, _record) -> None:
    """On every new SQLite connection: the durability that the product has as well."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def segment_reason(completed: int, started: int, market: str) -> str:
    """Why a workflow is recommended, in words."""
    return f"{completed} of {started} people in {market} finished this"
