"""The foundation over HTTP: a real server, a real client that keeps cookies, documented bodies."""

from __future__ import annotations

import http.cookiejar
import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests import people
from whatworks.app import close
from whatworks.upgrades import migrations

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    url: str

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Browser:
    """A client that keeps its cookies and follows where it is led."""

    def __init__(self, address: str) -> None:
        self._address = address
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def send(self, method: str, path: str, body: object = None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=10) as found:
                return Answer(found.status, found.read(), found.url)
        except urllib.error.HTTPError as found:
            with found:
                return Answer(found.code, found.read(), path)

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: object) -> Answer:
        return self.send("POST", path, body)

    def put(self, path: str, body: object) -> Answer:
        return self.send("PUT", path, body)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a fresh installation is served."""
    folder: Path = tmp_path_factory.mktemp("foundation")
    url = f"sqlite:///{folder / 'data.db'}"
    migrations.upgrade(url)
    people.stock(url)
    app = people.build(url, folder)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    close(app)


@pytest.fixture
def browser(address: str) -> Browser:
    return Browser(address)


def new_profile() -> dict[str, str]:
    return {
        "email": f"asha{next(_numbers)}@example.com",
        "goal": "earn_money",
        "market": "freelancer",
        "skill_level": "beginner",
        "country": "IN",
    }


def signed_up(browser: Browser) -> str:
    return str(browser.post("/api/profile", new_profile()).json["user_id"])


def started(browser: Browser, user_id: str) -> str:
    body = {"user_id": user_id, "workflow_name": "resume_generator", "total_steps": 5}
    return str(browser.post("/api/execution", body).json["execution_id"])


def reported(browser: Browser, metric_type: str, value: float, **more: str) -> Answer:
    user_id = signed_up(browser)
    execution_id = started(browser, user_id)
    body = {
        "execution_id": execution_id,
        "user_id": user_id,
        "metric_type": metric_type,
        "value": value,
    }
    return browser.post("/api/outcome", body | more)


class TestUserProfile:
    def test_create(self, browser: Browser) -> None:
        body = new_profile()
        answer = browser.post("/api/profile", body)
        assert answer.status == 201
        assert answer.json["success"] is True
        assert answer.json["email"] == body["email"]
        assert answer.json["user_id"]
        assert answer.json["access_token"]

    def test_retrieve(self, browser: Browser) -> None:
        body = new_profile()
        user_id = browser.post("/api/profile", body).json["user_id"]
        answer = browser.get(f"/api/profile/{user_id}")
        assert answer.status == 200
        assert body.items() <= answer.json.items()
        assert answer.json["id"] == answer.json["user_id"] == user_id
        assert answer.json["created_at"].endswith("Z")

    def test_duplicate_is_rejected(self, browser: Browser) -> None:
        body = new_profile()
        assert browser.post("/api/profile", body).status == 201
        answer = browser.post("/api/profile", body | {"email": body["email"].upper()})
        assert answer.status == 409
        assert answer.json["success"] is False
        assert answer.json["code"] == "email_taken"

    def test_missing_fields_are_named(self, browser: Browser) -> None:
        answer = browser.post("/api/profile", {"email": "asha@example.com"})
        assert answer.status == 400
        assert answer.json["success"] is False
        assert set(answer.json["fields"]) == {"goal", "market", "skill_level"}


class TestWorkflowExecution:
    def test_start(self, browser: Browser) -> None:
        body = {"user_id": signed_up(browser), "workflow_name": "resume_generator"}
        answer = browser.post("/api/execution", body)
        assert answer.status == 201
        assert answer.json["execution_id"]
        assert answer.json["workflow_name"] == "resume_generator"
        assert answer.json["status"] == "started"
        assert answer.json["total_steps"] == 5

    def test_progress(self, browser: Browser) -> None:
        execution_id = started(browser, signed_up(browser))
        path = f"/api/execution/{execution_id}/progress"
        answer = browser.put(path, {"steps_completed": 3, "notes": "three done"})
        assert answer.status == 200
        assert answer.json == {
            "success": True,
            "execution_id": execution_id,
            "status": "in_progress",
            "progress": "3/5",
        }

    def test_completion(self, browser: Browser) -> None:
        execution_id = started(browser, signed_up(browser))
        answer = browser.put(f"/api/execution/{execution_id}/progress", {"steps_completed": 5})
        assert (answer.status, answer.json["status"]) == (200, "completed")
        assert answer.json["progress"] == "5/5"
        execution = browser.get(f"/api/execution/{execution_id}").json
        assert execution["completed_at"].endswith("Z")

    def test_nonexistent_user(self, browser: Browser) -> None:
        body = {"user_id": "nobody", "workflow_name": "resume_generator", "total_steps": 5}
        answer = browser.post("/api/execution", body)
        assert (answer.status, answer.json["success"]) == (404, False)


class TestOutcomeLogging:
    def test_revenue(self, browser: Browser) -> None:
        answer = reported(browser, "revenue", 4800, currency="INR", proof_type="screenshot")
        assert answer.status == 201
        assert answer.json["outcome_id"]
        assert answer.json["metric_type"] == "revenue"
        assert (answer.json["value"], answer.json["currency"]) == (4800, "INR")

    def test_time_saved(self, browser: Browser) -> None:
        answer = reported(browser, "time_saved", 2.5)
        assert answer.status == 201
        assert (answer.json["value"], answer.json["currency"]) == (2.5, "hours")

    def test_customers(self, browser: Browser) -> None:
        answer = reported(browser, "customers", 3)
        assert answer.status == 201
        assert (answer.json["value"], answer.json["currency"]) == (3, "count")

    def test_missing_fields_are_named(self, browser: Browser) -> None:
        answer = browser.post("/api/outcome", {"metric_type": "revenue"})
        assert answer.status == 400
        assert set(answer.json["fields"]) == {"execution_id", "user_id", "value"}


class TestPerformanceMetrics:
    def test_metrics(self, browser: Browser) -> None:
        user_id = signed_up(browser)
        execution_id = started(browser, user_id)
        browser.put(f"/api/execution/{execution_id}/progress", {"steps_completed": 5})
        answer = browser.get("/api/performance/resume_generator?market=freelancer")
        assert (answer.status, answer.json["workflow_name"]) == (200, "resume_generator")
        (cell,) = answer.json["performance"]
        assert (cell["market"], cell["skill_level"]) == ("freelancer", "beginner")
        assert 0 < cell["success_rate"] <= 100
        assert cell["data_points"] >= 1
        assert cell.keys() >= {"avg_outcome_value", "completion_time_hours"}

    def test_empty_result(self, browser: Browser) -> None:
        answer = browser.get("/api/performance/never_heard_of")
        assert answer.status == 200
        assert answer.json == {
            "success": True,
            "workflow_name": "never_heard_of",
            "performance": [],
        }


class TestRecommendations:
    def test_get(self, browser: Browser) -> None:
        answer = browser.get(f"/api/recommendations/{signed_up(browser)}?limit=3")
        assert answer.status == 200
        shown = answer.json["recommendations"]
        assert [one["rank"] for one in shown] == [1, 2, 3]
        assert all(one["workflow_name"] and one["reason"] for one in shown)
        assert all(one["recommendation_id"] and one["clicked"] is False for one in shown)

    def test_nonexistent_user(self, browser: Browser) -> None:
        answer = browser.get("/api/recommendations/nobody")
        assert (answer.status, answer.json["success"]) == (404, False)


class TestNoRegressions:
    def test_download_still_answers(self, browser: Browser) -> None:
        assert browser.get("/download/starter").body.startswith(b"PK")
        assert browser.get("/download/pro").status == 402
        assert browser.get("/download/never_heard_of").status == 404

    def test_front_door_and_home_still_answer(self, browser: Browser) -> None:
        front, home = browser.get("/"), browser.get("/home")
        assert (front.status, home.status) == (200, 200)
        assert home.url == front.url
        assert b"<h1" in front.body
