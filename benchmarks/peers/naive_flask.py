"""The endpoints as an average Flask + SQLAlchemy tutorial would build them.

A session per request, ORM entities, a commit per request, and a live GROUP BY whenever numbers
are shown. It has the product's duties: hashed bearer tokens, idempotency keys, ownership, an event
row for whatever happens, the fold into the performance table, and stored recommendations.
"""

import json
import os
import time

from flask import Flask, Response, abort, g, request
from sqlalchemy import case, create_engine, event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker
from werkzeug.exceptions import HTTPException

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
    os.environ["DATABASE_URL"], sqlite_driver="pysqlite", postgres_driver="psycopg"
)
engine = create_engine(URL, pool_size=16)
if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", schema.durable_sqlite)
Session = sessionmaker(engine)
app = Flask(__name__)


@app.before_request
def open_session():
    g.db = Session()


@app.teardown_request
def close_session(_error):
    g.db.close()


@app.errorhandler(HTTPException)
def failed(error):
    return {"success": False, "error": error.description, "code": error.name.lower()}, error.code


@app.post("/api/profile")
def create_profile():
    data = body()
    user = User(
        email=text(data, "email").strip().lower(),
        goal=choice(data, "goal", schema.GOALS),
        market=choice(data, "market", schema.MARKETS),
        skill_level=choice(data, "skill_level", schema.SKILL_LEVELS),
        country=data.get("country", "IN"),
    )
    g.db.add(user)
    try:
        g.db.flush()
    except IntegrityError:
        abort(409, "This address has a profile already.")
    token = schema.new_token()
    g.db.add(
        schema.Session(
            id=schema.sha256(token),
            user_id=user.id,
            expires_at=time.time() + schema.TOKEN_SECONDS,
        )
    )
    g.db.commit()
    return {
        "success": True,
        "user_id": user.id,
        "email": user.email,
        "access_token": token,
    }, 201


@app.post("/api/execution")
def start_execution():
    user = caller()
    if replay := replayed(user):
        return replay
    data = body()
    if data.get("user_id") != user.id:
        abort(404, "There is no such person.")
    workflow = g.db.get(Workflow, text(data, "workflow_name"))
    if workflow is None:
        abort(404, "There is no such workflow.")
    execution = Execution(
        user_id=user.id,
        workflow_name=workflow.name,
        total_steps=data.get("total_steps") or workflow.total_steps,
        market=user.market,
        skill_level=user.skill_level,
    )
    g.db.add(execution)
    g.db.flush()
    g.db.add(Event(user_id=user.id, execution_id=execution.id, kind="started"))
    performance_of(execution).started = Performance.started + 1
    return saved(
        user,
        {
            "success": True,
            "execution_id": execution.id,
            "workflow_name": workflow.name,
            "status": "started",
            "total_steps": execution.total_steps,
        },
    )


@app.put("/api/execution/<execution_id>/progress")
def record_progress(execution_id):
    user = caller()
    data = body()
    steps = data.get("steps_completed")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        abort(400, "steps_completed is a whole number.")
    execution = own_execution(user, execution_id)
    if execution.status == "completed":
        abort(409, "This execution is closed.")
    if steps > execution.total_steps:
        abort(400, "There are not that many steps.")
    if steps != execution.steps_completed or data.get("notes"):
        execution.steps_completed = steps
        execution.status = "in_progress"
        if steps == execution.total_steps:
            execution.status = "completed"
            execution.completed_at = time.time()
            performance = performance_of(execution)
            performance.completed = Performance.completed + 1
            performance.seconds_total = (
                Performance.seconds_total + execution.completed_at - execution.started_at
            )
        g.db.add(
            Event(
                user_id=user.id,
                execution_id=execution.id,
                kind="progressed" if execution.status == "in_progress" else "completed",
                steps_completed=steps,
                note=data.get("notes"),
            )
        )
    answer = {
        "success": True,
        "execution_id": execution.id,
        "status": execution.status,
        "progress": f"{steps}/{execution.total_steps}",
    }
    g.db.commit()
    return answer


@app.post("/api/outcome")
def log_outcome():
    user = caller()
    if replay := replayed(user):
        return replay
    data = body()
    if data.get("user_id") != user.id:
        abort(404, "There is no such person.")
    value = data.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        abort(400, "value is a number, not negative.")
    execution = own_execution(user, text(data, "execution_id"))
    outcome = Outcome(
        user_id=user.id,
        execution_id=execution.id,
        metric_type=choice(data, "metric_type", schema.METRICS),
        value=value,
        currency=data.get("currency", "INR"),
        proof_type=data.get("proof_type", "none"),
        proof_url=data.get("proof_url"),
    )
    g.db.add(outcome)
    g.db.flush()
    g.db.add(
        Event(user_id=user.id, execution_id=execution.id, kind="outcome", outcome_id=outcome.id)
    )
    performance = performance_of(execution)
    performance.outcomes = Performance.outcomes + 1
    performance.value_total = Performance.value_total + value
    return saved(
        user,
        {
            "success": True,
            "outcome_id": outcome.id,
            "metric_type": outcome.metric_type,
            "value": outcome.value,
            "currency": outcome.currency,
        },
    )


@app.get("/api/recommendations/<user_id>")
def recommend(user_id):
    user = caller()
    if user.id != user_id:
        abort(404, "There is no such person.")
    limit = request.args.get("limit", schema.SLATE_SIZE, type=int)
    done = select(Execution.workflow_name).where(
        Execution.user_id == user.id, Execution.status == "completed"
    )
    rows = g.db.execute(
        aggregated(
            Execution.workflow_name,
            Execution.market == user.market,
            Execution.skill_level == user.skill_level,
            Execution.workflow_name.not_in(done),
        )
    ).all()
    rows.sort(key=lambda row: row.completed / row.started, reverse=True)
    shown = [
        Recommendation(
            user_id=user.id,
            workflow_name=row.workflow_name,
            reason=schema.segment_reason(row.completed, row.started, user.market),
            rank=rank,
        )
        for rank, row in enumerate(rows[:limit], start=1)
    ]
    g.db.add_all(shown)
    g.db.flush()
    answer = {
        "success": True,
        "user_id": user.id,
        "recommendations": [
            {
                "recommendation_id": one.id,
                "workflow_name": one.workflow_name,
                "reason": one.reason,
                "rank": one.rank,
                "clicked": one.clicked,
            }
            for one in shown
        ],
    }
    g.db.commit()
    return answer


@app.get("/api/performance/<workflow_name>")
def show_performance(workflow_name):
    conditions = [Execution.workflow_name == workflow_name]
    if market := request.args.get("market"):
        conditions.append(Execution.market == market)
    if skill_level := request.args.get("skill_level"):
        conditions.append(Execution.skill_level == skill_level)
    rows = g.db.execute(aggregated(Execution.market, *conditions)).all()
    return {
        "success": True,
        "workflow_name": workflow_name,
        "performance": [
            {
                "market": row.market,
                "skill_level": row.skill_level,
                "success_rate": 100 * row.completed / row.started,
                "avg_outcome_value": row.avg_value,
                "completion_time_hours": row.avg_seconds and row.avg_seconds / 3600,
                "data_points": row.started,
            }
            for row in rows
        ],
    }


def aggregated(first_column, *conditions):
    """Counts and averages straight from the executions and their outcomes."""
    return (
        select(
            first_column,
            Execution.skill_level,
            func.count(Execution.id.distinct()).label("started"),
            func.count(case((Execution.status == "completed", Execution.id)).distinct()).label(
                "completed"
            ),
            func.avg(Outcome.value).label("avg_value"),
            func.avg(Execution.completed_at - Execution.started_at).label("avg_seconds"),
        )
        .outerjoin(Outcome, Outcome.execution_id == Execution.id)
        .where(*conditions)
        .group_by(first_column, Execution.skill_level)
    )


def caller():
    """The person whose bearer token this is."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        abort(404, "There is no such person.")
    session = g.db.get(schema.Session, schema.sha256(token))
    if session is None or session.expires_at < time.time():
        abort(401, "This token is wrong or expired.")
    return g.db.get(User, session.user_id)


def own_execution(user, execution_id):
    execution = g.db.get(Execution, execution_id)
    if execution is None or execution.user_id != user.id:
        abort(404, "There is no such execution.")
    return execution


def performance_of(execution):
    """The performance row of the execution's segment, made when it is the first."""
    key = (execution.workflow_name, execution.market, execution.skill_level)
    found = g.db.get(Performance, key)
    if found is None:
        found = Performance(workflow_name=key[0], market=key[1], skill_level=key[2])
        g.db.add(found)
        g.db.flush()
    return found


def replayed(user):
    """The first answer, when this Idempotency-Key was seen before."""
    key = request.headers.get("Idempotency-Key")
    seen = key and g.db.get(IdempotencyKey, (user.id, key))
    if not seen:
        return None
    if seen.request_hash != schema.sha256(request.get_data()):
        abort(409, "This Idempotency-Key was used for another request.")
    return Response(
        seen.answer, seen.status, {"Idempotency-Replayed": "true"}, mimetype="application/json"
    )


def saved(user, answer):
    """Keep the answer under the request's key, commit, and give it."""
    answer_text = json.dumps(answer)
    if key := request.headers.get("Idempotency-Key"):
        g.db.add(
            IdempotencyKey(
                user_id=user.id,
                key=key,
                request_hash=schema.sha256(request.get_data()),
                status=201,
                answer=answer_text,
            )
        )
    try:
        g.db.commit()
    except IntegrityError:
        abort(409, "A request with this Idempotency-Key is being handled.")
    return Response(answer_text, 201, mimetype="application/json")


def body():
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        abort(400, "The body is a JSON object.")
    return data


def text(data, name):
    value = data.get(name)
    if not isinstance(value, str) or not value:
        abort(400, f"{name} is missing.")
    return value


def choice(data, name, allowed):
    value = text(data, name)
    if value not in allowed:
        abort(400, f"{name} is one of {', '.join(allowed)}.")
    return value
