"""One measurement: an endpoint of a running server under wrk, and what it cost."""

from __future__ import annotations

import http.client
import json
import random
import secrets
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import make_data, people, servers, stores

SCRIPT: Final = Path(__file__).with_name("requests.lua")
CONNECTIONS: Final = 16
SLOW_SECONDS: Final = 0.1  # from here on a request is timed by one client, one after the other
MOST_WARM_UPS: Final = 15
READERS: Final = 500  # callers whose recommendations are read again and again
IN_FLIGHT: Final = 32  # writes that wrk may have sent without counting them, not to be repeated
MARKETS: Final = ("freelancer", "shop_owner", "content_creator", "agency", "student")


@dataclass(frozen=True)
class Endpoint:
    """How to address it, and what a good answer is."""

    title: str
    method: str
    status: int
    field: str
    plan: Callable[[make_data.Targets], list[tuple[str, str, str]]]
    is_primed: bool = False  # every line of the plan is sent once before measuring
    first_pass: int = 1


def hello_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """A plan is a list of path, token, body; `%d` in them is the number of the pass."""
    del targets
    return [("/hello", "", "")]


def outcome_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """Another caller each time; every pass reports for another of their executions in turn."""
    plan = []
    for turn in range(people.RUNS_EACH):
        for caller in targets.callers:
            body = (
                f'{{"execution_id": "{caller.executions[turn]}", "user_id": "{caller.user_id}",'
                ' "metric_type": "revenue", "value": 15%d.50, "currency": "INR",'
                ' "proof_type": "none"}'
            )
            plan.append(("/api/outcome", caller.token, body))
    return plan


def progress_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """One step further in another open execution each time."""
    return [
        (
            f"/api/execution/{caller.open_executions[turn]}/progress",
            caller.token,
            '{"steps_completed": %d}',
        )
        for turn in range(people.OPEN_RUNS_EACH)
        for caller in targets.callers
    ]


def recommendations_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """Another caller each time, the same few hundred again and again."""
    some = targets.callers[:READERS]
    return [(f"/api/recommendations/{one.user_id}", one.token, "") for one in some]


def drawn_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """Another caller each time, in every pass one more than was drawn before."""
    return [
        (f"/api/recommendations/{one.user_id}?limit=%d", one.token, "") for one in targets.callers
    ]


def performance_plan(targets: make_data.Targets) -> list[tuple[str, str, str]]:
    """Every workflow, for everybody and for each market; public, so without a token."""
    return [
        (f"/api/performance/{workflow}{query}", "", "")
        for workflow in targets.workflows
        for query in ("", *(f"?market={market}" for market in MARKETS))
    ]


HELLO: Final = Endpoint("GET hello", "GET", 200, "message", hello_plan)
ENDPOINTS: Final = {
    "outcome": Endpoint("POST outcome", "POST", 201, "outcome_id", outcome_plan),
    "progress": Endpoint("PUT progress", "PUT", 200, "progress", progress_plan),
    "drawn": Endpoint(
        "GET recommendations, drawn anew", "GET", 200, "recommendations", drawn_plan, first_pass=5
    ),
    "recommendations": Endpoint(
        "GET recommendations", "GET", 200, "recommendations", recommendations_plan, is_primed=True
    ),
    "performance": Endpoint("GET performance", "GET", 200, "performance", performance_plan),
}


@dataclass(frozen=True)
class Measurement:
    """What one endpoint of one server did in one round; `void` says why it does not count."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    database_cpu_us: float
    connections: int
    void: str = ""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass
class Load:
    """The requests for one endpoint of one server; it remembers how far it has come."""

    endpoint: Endpoint
    server: servers.Server
    store: stores.Store
    plan: list[tuple[str, str, str]]
    file: Path
    connections: int = 0
    sent: int = 0
    answered: int = 0
    key: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        random.Random(1).shuffle(self.plan)
        self.sent = (self.endpoint.first_pass - 1) * len(self.plan)
        self.file.write_text("".join("\t".join(line) + "\n" for line in self.plan))

    def measure(self, seconds: float, warm_up: float) -> Measurement:
        """Check one answer, warm up, then measure."""
        fastest = min(self._checked_request() for _ in range(3))
        if not self.connections:  # decided once, so that rounds can be compared
            self.connections = 1 if fastest > SLOW_SECONDS else CONNECTIONS
        if self.connections == 1:
            return self._measured(lambda: self._one_by_one(seconds))
        self._warm_up(warm_up)
        return self._measured(lambda: self._wrk(seconds))

    def _warm_up(self, seconds: float) -> None:
        wanted = self.sent + (len(self.plan) if self.endpoint.is_primed else 1)
        for _ in range(MOST_WARM_UPS):
            self._wrk(seconds)
            if self.sent >= wanted:
                return

    def _measured(self, run: Callable[[], dict[str, Any]]) -> Measurement:
        before = self.server.cpu_seconds(), self.store.cpu_seconds()
        result = run()
        used = self.server.cpu_seconds() - before[0], self.store.cpu_seconds() - before[1]
        count = max(result["requests"], 1)
        void = ""
        if result["bad_status"] or result["broken"] or not result["requests"]:
            void = f"{result['bad_status']} bad answers, {result['broken']} broken connections"
        return Measurement(
            result["requests"],
            result["seconds"],
            result["p50_ms"],
            result["p99_ms"],
            used[0] / count * 1e6,
            used[1] / count * 1e6,
            self.connections,
            void,
        )

    def _wrk(self, seconds: float) -> dict[str, Any]:
        # wrk takes whole seconds only
        command = [wrk(), "-t1", f"-c{CONNECTIONS}", f"-d{max(round(seconds), 1)}s"]
        script = ["--timeout", "30s", "-s", str(SCRIPT), f"http://127.0.0.1:{self.server.port}"]
        arguments = ["--", str(self.file), self.endpoint.method, self.key, str(self.sent)]
        output = subprocess.run(
            [*command, *script, *arguments], check=True, capture_output=True, text=True
        ).stdout
        result: dict[str, Any] = json.loads(output.partition("RESULT ")[2])
        in_flight = 0 if self.endpoint.method == "GET" else IN_FLIGHT
        self.sent += result["requests"] + in_flight
        self.answered += result["requests"] - result["bad_status"]
        return result

    def _one_by_one(self, seconds: float) -> dict[str, Any]:
        times: list[float] = []
        while sum(times) < seconds or len(times) < 2:
            times.append(self._checked_request())
        return {
            "requests": len(times),
            "seconds": sum(times),
            "p50_ms": statistics.median(times) * 1e3,
            "p99_ms": max(times) * 1e3,
            "bad_status": 0,
            "broken": 0,
        }

    def _checked_request(self) -> float:
        """Send one request and look at its answer; returns the seconds it took."""
        pass_, index = divmod(self.sent, len(self.plan))
        path, token, body = self.plan[index]
        path, body = (text % (pass_ + 1) if "%d" in text else text for text in (path, body))
        headers = {"Content-Type": "application/json"} if body else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.endpoint.method == "POST":
            headers["Idempotency-Key"] = f"{self.key}-{self.sent}"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        started = time.perf_counter()
        connection.request(self.endpoint.method, path, body or None, headers)
        response = connection.getresponse()
        answer = response.read()
        elapsed = time.perf_counter() - started
        connection.close()
        good = response.status == self.endpoint.status
        if not good or not json.loads(answer).get(self.endpoint.field):
            raise SystemExit(
                f"{self.endpoint.method} {path} answered {response.status}: {answer[:500]!r}"
            )
        self.sent += 1
        self.answered += 1
        return elapsed


def wrk() -> str:
    """Where wrk is."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is missing: `apt install wrk` (Debian, Ubuntu), `brew install wrk`.")
    return found
