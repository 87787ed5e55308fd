"""Where a request's time goes without a server: processor time, statement by statement.

    python -m benchmarks.in_process
    python -m benchmarks.in_process --profile outcome
    python -m benchmarks.in_process --beside outcome

Every endpoint is called as WSGI in this process, on a new database with one person, beside a bare
Flask hello; what is printed is the median over batches. SQLite's writer is part of it. `--beside`
tells how long an endpoint takes while another thread calculates without a rest.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks import machine
from whatworks import app, catalogue, server, settings
from whatworks.db import query
from whatworks.upgrades import migrations

Environ = dict[str, Any]
Make = Callable[[], Environ]
EACH: Final = 100  # reports about one run
PERSON: Final = {
    "goal": "earn_money",
    "market": "freelancer",
    "skill_level": "beginner",
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=9)
    parser.add_argument("--calls", type=int, default=400, help="in a batch")
    parser.add_argument("--profile", help="an endpoint to profile by function")
    parser.add_argument("--beside", help="an endpoint to time beside a thread that calculates")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(machine.describe(Path(folder)))
        with served(Path(folder)) as (product, endpoints):
            if options.profile:
                profile(product, endpoints[options.profile], options.calls)
                return
            if options.beside:
                for seconds in (sys.getswitchinterval(), server.SWITCH):
                    print(beside(product, endpoints[options.beside], options.calls, seconds))
                return
            hello, _ = cost(bare(), lambda: environ("GET", "/hello"), options)
            print(f"{'hello':<16} {1e6 * hello:6.0f} µs")
            for name, make in endpoints.items():
                whole, answering = cost(product, make, options)
                print(
                    f"{name:<16} {1e6 * whole:6.0f} µs   hello ÷ it {hello / whole:.2f}"
                    f"   {1e6 * answering:.0f} µs of it in the thread that answers"
                )
                for line in statements(product, make, options.calls):
                    print(f"    {line}")


@contextmanager
def served(folder: Path) -> Iterator[tuple[Flask, dict[str, Make]]]:
    """The product on a new database, and how to ask for each endpoint."""
    chosen = settings.ensure_secret(
        settings.from_env(
            {"WHATWORKS_RATE_LIMITS": "off", "WHATWORKS_PLAN_LIMITS": "observe"}, data_dir=folder
        )
    )
    migrations.upgrade(chosen.url)
    product = app.create_app(chosen)
    database = product.extensions["whatworks"].database
    guides = list(catalogue.read_folder(catalogue.BUNDLED))
    database.write(catalogue.load, guides, source="bundled")
    try:
        yield product, endpoints_of(product)
    finally:
        app.close(product)


def endpoints_of(product: Flask) -> dict[str, Make]:
    """Sign a person up, begin an execution, and name what to ask."""
    user_id, bearer, _ = begin(product)
    reports = reports_for(product)

    def outcome() -> Environ:
        headers, report = next(reports)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return environ("POST", "/api/outcome", headers | key, report)

    return {
        "outcome": outcome,
        "recommendations": lambda: environ("GET", f"/api/recommendations/{user_id}", bearer),
        "performance": lambda: environ("GET", "/api/performance/resume_generator"),
    }


def begin(product: Flask) -> tuple[str, dict[str, str], str]:
    """Somebody new, how they say who they are, and a run that they have begun."""
    client = product.test_client()
    address = f"{uuid.uuid4()}@example.com"
    person = client.post("/api/profile", json={**PERSON, "email": address}).get_json()
    bearer = {"Authorization": f"Bearer {person['access_token']}"}
    begun = {"user_id": person["user_id"], "workflow_name": "resume_generator"}
    execution = client.post("/api/execution", json=begun, headers=bearer).get_json()
    return person["user_id"], bearer, execution["execution_id"]


def reports_for(product: Flask) -> Iterator[tuple[dict[str, str], dict[str, object]]]:
    """Reports about as many runs as it takes: one has no room for all of them."""
    while True:
        user_id, bearer, execution_id = begin(product)
        report = {
            "execution_id": execution_id,
            "user_id": user_id,
            "metric_type": "revenue",
            "value": 4800,
        }
        yield from [(bearer, report)] * EACH


def bare() -> Flask:
    """The hello that everything is compared with."""
    hello = Flask("hello")
    hello.add_url_rule("/hello", view_func=lambda: {"success": True, "message": "hello"})
    return hello


def environ(
    method: str, path: str, headers: dict[str, str] | None = None, body: object = None
) -> Environ:
    """A request as WSGI has it."""
    return EnvironBuilder(
        method=method,
        path=path,
        headers=list((headers or {}).items()),
        data=None if body is None else json.dumps(body),
        content_type=None if body is None else "application/json",
    ).get_environ()


def call(application: Flask, request: Environ) -> None:
    """Answer it, and see that the answer is a good one."""
    _, status, _ = run_wsgi_app(application.wsgi_app, request)
    if not status.startswith("2"):
        raise SystemExit(f"{request['PATH_INFO']} answered {status}")


def cost(application: Flask, make: Make, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of processor time for one call, of the process and of this thread alone: the medians
    of the batches.
    """
    batches = []
    for _ in range(options.batches + 1):
        requests = [make() for _ in range(options.calls)]
        before = time.process_time(), time.thread_time()
        for request in requests:
            call(application, request)
        after = time.process_time(), time.thread_time()
        batches.append([(b - a) / options.calls for a, b in zip(before, after, strict=True)])
    whole, thread = map(statistics.median, zip(*batches[1:], strict=True))  # the first warms up
    return whole, thread


def beside(application: Flask, make: Make, calls: int, switch: float) -> str:
    """How long a call takes beside a thread that calculates, and lets go after `switch` seconds."""
    requests = [make() for _ in range(calls)]
    done = threading.Event()

    def calculate() -> None:
        while not done.is_set():
            sum(map(len, map(str, range(1000))))

    sys.setswitchinterval(switch)
    thread = threading.Thread(target=calculate)
    thread.start()
    times = []
    for request in requests:
        before = time.perf_counter()
        call(application, request)
        times.append(1e3 * (time.perf_counter() - before))
    done.set()
    thread.join()
    tenths = statistics.quantiles(times, n=10)
    return f"let go after {1e3 * switch:.1f} ms: median {tenths[4]:.2f} ms, 90 % {tenths[8]:.2f} ms"


def statements(application: Flask, make: Make, calls: int) -> list[str]:
    """What each SQL statement took: its median, and how many there were in a call."""
    took = defaultdict[str, list[float]](list)
    run = query.Session._run

    def timed(session: query.Session, asked: Any, values: dict[str, Any]) -> Any:
        before = time.perf_counter()
        prepared = run(session, asked, values)
        took[" ".join(prepared.sql.split())[:70]].append(time.perf_counter() - before)
        return prepared

    with mock.patch.object(query.Session, "_run", timed):
        for _ in range(calls):
            call(application, make())
    return [
        f"{1e6 * statistics.median(times):5.1f} µs × {len(times) / calls:.2f}  {sql} …"
        for sql, times in took.items()
    ]


def profile(application: Flask, make: Make, calls: int) -> None:
    """Print where the time goes, by function."""
    requests = [make() for _ in range(calls)]
    profiler = cProfile.Profile()
    profiler.enable()
    for request in requests:
        call(application, request)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("cumtime").print_stats(50)


if __name__ == "__main__":
    main()
