"""The endpoints as a careful FastAPI + async SQLAlchemy application.

ORM entities with few queries each, the caller found in one join, one transaction per request, an
upsert for the fold, folded rows for reading, and a list of recommendations that is kept until its
person does something. On SQLite writers queue for one connection and begin IMMEDIATE, which beat
a pool of writers that sleep in the busy handler.
"""

import os
import time
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import bindparam, event, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.peers import schema
from benchmarks.peers.schema import (
    Event,
    Execution,
    IdempotencyKey,
    Outcome,
    Performance,
    Recommendation,
    User,
    Workflow,
)

URL = schema.engine_url(
    os.environ["DATABASE_URL"], sqlite_driver="aiosqlite", postgres_driver="asyncpg"
)
IS_SQLITE = URL.startswith("sqlite")
Goal = Literal["earn_money", "save_time", "scale_business"]
Market = Literal["freelancer", "shop_owner", "content_creator", "agency", "student"]
SkillLevel = Literal["beginner", "intermediate", "advanced"]
Metric = Literal["revenue", "time_saved", "customers", "custom"]


def create_engines():
    """Two engines: for writing, and for single reads in autocommit."""
    if not IS_SQLITE:
        postgres = create_async_engine(URL, pool_size=16)
        return postgres, postgres.execution_options(isolation_level="AUTOCOMMIT")
    writes = create_async_engine(URL, pool_size=1, max_overflow=0)
    reads = create_async_engine(URL, pool_size=16, isolation_level="AUTOCOMMIT")
    for engine in (writes, reads):
        event.listen(engine.sync_engine, "connect", schema.durable_sqlite)

    @event.listens_for(writes.sync_engine, "connect")
    def leave_begin_to_us(connection, _record):
        connection.isolation_level = None

    @event.listens_for(writes.sync_engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return writes, reads


Writes, Reads = (
    async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
    for engine in create_engines()
)

SEGMENT = ("workflow_name", "market", "skill_level")
NOTHING = {"started": 0, "completed": 0, "seconds_total": 0.0, "outcomes": 0, "value_total": 0.0}
INSERT = insert(Performance.__table__).values(
    {name: bindparam(name) for name in (*SEGMENT, *NOTHING)}
)
FOLD = INSERT.on_conflict_do_update(
    index_elements=SEGMENT,
    set_={name: Performance.__table__.c[name] + INSERT.excluded[name] for name in NOTHING},
)


class ProfileBody(BaseModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)
    goal: Goal
    market: Market
    skill_level: SkillLevel
    country: str = Field("IN", pattern="^[A-Z]{2}$")


class ExecutionBody(BaseModel):
    user_id: str
    workflow_name: str
    total_steps: int | None = Field(None, ge=1, le=200)


class ProgressBody(BaseModel):
    steps_completed: int = Field(ge=0)
    notes: str | None = None


class OutcomeBody(BaseModel):
    execution_id: str
    user_id: str
    metric_type: Metric
    value: float = Field(ge=0, lt=1e12, allow_inf_nan=False, strict=True)
    currency: str = "INR"
    proof_type: Literal["screenshot", "invoice", "text", "none"] = "none"
    proof_url: str | None = None


class ProfileAnswer(BaseModel):
    success: bool = True
    user_id: str
    email: str
    access_token: str


class ExecutionAnswer(BaseModel):
    success: bool = True
    execution_id: str
    workflow_name: str
    status: str
    total_steps: int


class ProgressAnswer(BaseModel):
    success: bool = True
    execution_id: str
    status: str
    progress: str


class OutcomeAnswer(BaseModel):
    success: bool = True
    outcome_id: str
    metric_type: str
    value: float
    currency: str


class RecommendationRow(BaseModel):
    recommendation_id: str
    workflow_name: str
    reason: str
    rank: int
    clicked: bool


class RecommendationsAnswer(BaseModel):
    success: bool = True
    user_id: str
    recommendations: list[RecommendationRow]


class PerformanceRow(BaseModel):
    market: str
    skill_level: str
    success_rate: float
    avg_outcome_value: float | None
    completion_time_hours: float | None
    data_points: int


class PerformanceAnswer(BaseModel):
    success: bool = True
    workflow_name: str
    performance: list[PerformanceRow]


app = FastAPI()


@app.exception_handler(HTTPException)
async def failed(_request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"success": False, "error": error.detail}, error.status_code)


@app.exception_handler(RequestValidationError)
async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    fields = {str(one["loc"][-1]): one["msg"] for one in error.errors()}
    answer = {"success": False, "error": "Some fields are not right.", "fields": fields}
    return JSONResponse(answer, 400)


async def writing() -> AsyncIterator[AsyncSession]:
    async with Writes() as db:
        yield db


async def reading() -> AsyncIterator[AsyncSession]:
    async with Reads() as db:
        yield db


Writing = Annotated[AsyncSession, Depends(writing)]
Reading = Annotated[AsyncSession, Depends(reading)]
Authorization = Annotated[str, Header()]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


async def person(db: AsyncSession, authorization: str) -> User:
    """The person whose bearer token this is."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        raise HTTPException(404, "There is no such person.")
    found = await db.scalar(
        select(User)
        .join(schema.Session, schema.Session.user_id == User.id)
        .where(schema.Session.id == schema.sha256(token), schema.Session.expires_at > time.time())
    )
    if found is None:
        raise HTTPException(401, "This token is wrong or expired.")
    return found


async def writing_person(db: Writing, authorization: Authorization = "") -> User:
    return await person(db, authorization)


async def reading_person(db: Reading, authorization: Authorization = "") -> User:
    return await person(db, authorization)


WritingCaller = Annotated[User, Depends(writing_person)]
ReadingCaller = Annotated[User, Depends(reading_person)]


@app.post("/api/profile", status_code=201)
async def create_profile(data: ProfileBody, db: Writing) -> ProfileAnswer:
    user = User(**data.model_dump() | {"email": data.email.lower()}, id=schema.new_id())
    token = schema.new_token()
    db.add(user)
    try:
        await db.flush()
    except IntegrityError:
        raise HTTPException(409, "This address has a profile already.") from None
    db.add(
        schema.Session(
            id=schema.sha256(token),
            user_id=user.id,
            expires_at=time.time() + schema.TOKEN_SECONDS,
        )
    )
    await db.commit()
    return ProfileAnswer(user_id=user.id, email=user.email, access_token=token)


@app.post("/api/execution")
async def start_execution(
    request: Request, data: ExecutionBody, db: Writing, user: WritingCaller, key: Key = None
) -> Response:
    if data.user_id != user.id:
        raise HTTPException(404, "There is no such person.")
    workflow = await db.get(Workflow, data.workflow_name)
    if workflow is None:
        raise HTTPException(404, "There is no such workflow.")
    execution = Execution(
        id=schema.new_id(),
        user_id=user.id,
        workflow_name=workflow.name,
        total_steps=data.total_steps or workflow.total_steps,
        market=user.market,
        skill_level=user.skill_level,
    )
    db.add(execution)
    await db.flush()
    db.add(Event(user_id=user.id, execution_id=execution.id, kind="started"))
    await fold(db, execution, started=1)
    answer = ExecutionAnswer(
        execution_id=execution.id,
        workflow_name=workflow.name,
        status="started",
        total_steps=execution.total_steps,
    )
    return await saved(db, request, user, key, answer)


@app.put("/api/execution/{execution_id}/progress")
async def record_progress(
    execution_id: str, data: ProgressBody, db: Writing, user: WritingCaller
) -> ProgressAnswer:
    execution = await own_execution(db, user, execution_id)
    if execution.status == "completed":
        raise HTTPException(409, "This execution is closed.")
    if data.steps_completed > execution.total_steps:
        raise HTTPException(400, "There are not that many steps.")
    if data.steps_completed != execution.steps_completed or data.notes:
        execution.steps_completed = data.steps_completed
        execution.status = "in_progress"
        if data.steps_completed == execution.total_steps:
            execution.status = "completed"
            execution.completed_at = time.time()
            seconds = execution.completed_at - execution.started_at
            await fold(db, execution, completed=1, seconds_total=seconds)
        db.add(
            Event(
                user_id=user.id,
                execution_id=execution.id,
                kind="progressed" if execution.status == "in_progress" else "completed",
                steps_completed=data.steps_completed,
                note=data.notes,
            )
        )
        await db.commit()
    return ProgressAnswer(
        execution_id=execution.id,
        status=execution.status,
        progress=f"{data.steps_completed}/{execution.total_steps}",
    )


@app.post("/api/outcome")
async def log_outcome(
    request: Request, data: OutcomeBody, db: Writing, user: WritingCaller, key: Key = None
) -> Response:
    if data.user_id != user.id:
        raise HTTPException(404, "There is no such person.")
    execution = await own_execution(db, user, data.execution_id)
    outcome = Outcome(**data.model_dump(), id=schema.new_id())
    db.add_all(
        [
            outcome,
            Event(
                user_id=user.id,
                execution_id=execution.id,
                kind="outcome",
                outcome_id=outcome.id,
            ),
        ]
    )
    await fold(db, execution, outcomes=1, value_total=data.value)
    answer = OutcomeAnswer(
        outcome_id=outcome.id,
        metric_type=data.metric_type,
        value=data.value,
        currency=data.currency,
    )
    return await saved(db, request, user, key, answer)


@app.get("/api/recommendations/{user_id}")
async def recommend(
    user_id: str,
    db: Reading,
    user: ReadingCaller,
    limit: Annotated[int, Query(ge=1, le=50)] = schema.SLATE_SIZE,
) -> RecommendationsAnswer:
    if user.id != user_id:
        raise HTTPException(404, "There is no such person.")
    shown = await last_shown(db, user, limit)
    if len(shown) < limit:
        chosen = await draw(db, user, limit)
        async with Writes.begin() as write:
            write.add_all(chosen)
        shown = chosen
    return RecommendationsAnswer(
        user_id=user.id,
        recommendations=[
            RecommendationRow(
                recommendation_id=one.id,
                workflow_name=one.workflow_name,
                reason=one.reason,
                rank=one.rank,
                clicked=one.clicked,
            )
            for one in shown
        ],
    )


@app.get("/api/performance/{workflow_name}")
async def show_performance(
    workflow_name: str,
    db: Reading,
    market: Market | None = None,
    skill_level: SkillLevel | None = None,
) -> PerformanceAnswer:
    query = select(Performance).where(Performance.workflow_name == workflow_name)
    if market:
        query = query.where(Performance.market == market)
    if skill_level:
        query = query.where(Performance.skill_level == skill_level)
    return PerformanceAnswer(
        workflow_name=workflow_name,
        performance=[
            PerformanceRow(
                market=row.market,
                skill_level=row.skill_level,
                success_rate=100 * row.completed / max(row.started, 1),
                avg_outcome_value=row.value_total / row.outcomes if row.outcomes else None,
                completion_time_hours=(
                    row.seconds_total / row.completed / 3600 if row.completed else None
                ),
                data_points=row.started,
            )
            for row in await db.scalars(query)
        ],
    )


async def own_execution(db: AsyncSession, user: User, execution_id: str) -> Execution:
    query = select(Execution).where(Execution.id == execution_id, Execution.user_id == user.id)
    found = await db.scalar(query if IS_SQLITE else query.with_for_update())
    if found is None:
        raise HTTPException(404, "There is no such execution.")
    return found


async def fold(db: AsyncSession, execution: Execution, **changes: float) -> None:
    """Add to the performance row of the execution's segment, making it when it is the first."""
    segment = {name: getattr(execution, name) for name in SEGMENT}
    await db.execute(FOLD, segment | NOTHING | changes)


async def last_shown(db: AsyncSession, user: User, limit: int) -> list[Recommendation]:
    """What was recommended last, unless the person has done something since."""
    last_event = select(func.max(Event.at)).where(Event.user_id == user.id).scalar_subquery()
    query = (
        select(Recommendation)
        .where(
            Recommendation.user_id == user.id,
            Recommendation.created_at > func.coalesce(last_event, 0),
        )
        .order_by(Recommendation.created_at.desc(), Recommendation.rank)
        .limit(limit)
    )
    return list(await db.scalars(query))


async def draw(db: AsyncSession, user: User, limit: int) -> list[Recommendation]:
    """The best finished workflows of the person's segment that they have not finished."""
    done = select(Execution.workflow_name).where(
        Execution.user_id == user.id, Execution.status == "completed"
    )
    rows = await db.scalars(
        select(Performance)
        .where(
            Performance.market == user.market,
            Performance.skill_level == user.skill_level,
            Performance.workflow_name.not_in(done),
        )
        .order_by((Performance.completed * 1.0 / Performance.started).desc())
        .limit(limit)
    )
    now = time.time()
    return [
        Recommendation(
            id=schema.new_id(),
            user_id=user.id,
            workflow_name=row.workflow_name,
            reason=schema.segment_reason(row.completed, row.started, user.market),
            rank=rank,
            clicked=False,
            created_at=now,
        )
        for rank, row in enumerate(rows, start=1)
    ]


async def saved(
    db: AsyncSession, request: Request, user: User, key: str | None, answer: BaseModel
) -> Response:
    """Commit with the answer kept under the request's key; give the first answer to a repetition.

    The key's row is what tells a repetition from the first request, so that two that race cannot
    both pass, and a first request needs no look-up.
    """
    text = answer.model_dump_json()
    request_hash = schema.sha256(await request.body())
    user_id = user.id
    if key:
        db.add(
            IdempotencyKey(
                user_id=user_id, key=key, request_hash=request_hash, status=201, answer=text
            )
        )
    try:
        await db.commit()
    except IntegrityError:
        await db.rollback()
        first = await db.get(IdempotencyKey, (user_id, key)) if key else None
        if first is None:
            raise
        if first.request_hash != request_hash:
            raise HTTPException(409, "This Idempotency-Key was used for another request.") from None
        headers = {"Idempotency-Replayed": "true"}
        return Response(first.answer, first.status, headers, "application/json")
    return Response(text, 201, media_type="application/json")
