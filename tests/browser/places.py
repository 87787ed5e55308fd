"""Every page there is, as somebody sees it who has done something.

Proofs, shared pages and what operators see are looked at in test_review, the shop in test_store,
where the links of mails lead in test_outcome, dialogs in test_run.
"""

from __future__ import annotations

from playwright.sync_api import BrowserContext

from tests.browser import visits
from tests.browser.conftest import Server

PUBLIC = (
    *("/", "/workflows", "/workflows/rare", "/executor/whatsapp_bot", "/pricing", "/order"),
    *("/help", "/signup", "/signin", "/api/docs", "/offline", "/nothing-here"),
)


def private(context: BrowserContext, server: Server) -> list[str]:
    """Signs somebody up who is in one run and has finished another; returns their pages."""
    user_id = visits.sign_up(context, server)
    open_run = begin(context, server, user_id, "whatsapp_bot")
    done = begin(context, server, user_id, "resume_generator")
    put(context, server, f"/api/execution/{done}/progress", {"steps_completed": 5})
    result = {"execution_id": done, "user_id": user_id, "metric_type": "revenue", "value": 4800}
    logged = context.request.post(f"{server.address}/api/outcome", data=result)
    assert logged.ok, logged.text()
    return [
        *("/dashboard", "/dashboard/next", "/profile", "/sessions", "/proofs"),
        *("/library", "/subscription", "/workflows/rare"),
        *(f"/executor/{open_run}", f"/executor/{done}"),
        *(f"/outcome/{done}", f"/outcome/{done}/done?outcome={logged.json()['outcome_id']}"),
    ]


def begin(context: BrowserContext, server: Server, user_id: str, workflow: str) -> str:
    body = {"user_id": user_id, "workflow_name": workflow}
    answer = context.request.post(f"{server.address}/api/execution", data=body)
    assert answer.ok, answer.text()
    return str(answer.json()["execution_id"])


def put(context: BrowserContext, server: Server, path: str, body: object) -> None:
    answer = context.request.put(server.address + path, data=body)
    assert answer.ok, answer.text()
