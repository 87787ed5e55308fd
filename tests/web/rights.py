"""Who may use which route; a new one belongs into one of these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Anybody may; where these change anything, what they ask for in return is tested elsewhere.
PUBLIC: Final = {
    ("GET", "/"),
    ("GET", "/home"),
    ("GET", "/help"),
    ("GET", "/pricing"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/workflows"),
    ("GET", "/workflows/rare"),
    ("GET", "/download/<product>"),
    ("GET", "/reminder/<token>"),  # the token says whose, and is worth one answer
    ("POST", "/reminder/<token>"),
    ("GET", "/unsubscribe/<token>"),
    ("POST", "/unsubscribe/<token>"),
    ("GET", "/signup"),
    ("POST", "/signup"),
    ("GET", "/signin"),
    ("POST", "/signin"),
    ("POST", "/signin/code"),
    ("GET", "/signin/link"),
    ("POST", "/signin/link"),
    ("POST", "/signout"),
    ("GET", "/admin/claim"),
    ("POST", "/admin/claim"),
    ("GET", "/api/docs"),
    ("GET", "/api/openapi.json"),
    ("POST", "/api/profile"),
    ("GET", "/api/workflows"),
    ("GET", "/api/workflows/<workflow_name>"),
    ("POST", "/api/sign-in"),  # a mail to whoever has the address
    ("POST", "/api/sign-in/code"),
    ("GET", "/api/performance/<workflow_name>"),
    ("GET", "/offline"),
    ("GET", "/sw.js"),
    ("GET", "/shared/<token>"),  # what somebody shares, until they take it back
    ("GET", "/shared/<token>/page/<int:number>"),
    # The shop: buying needs nobody; what an order's routes ask for is in test_order_pages.
    ("GET", "/buy"),
    ("POST", "/buy"),
    ("POST", "/create_order"),
    ("POST", "/validate_coupon"),
    ("POST", "/webhook"),
    ("POST", "/webhook/stripe"),
    ("GET", "/success"),
    ("POST", "/success"),
    ("POST", "/api/billing/create-checkout"),
    ("GET", "/api/billing/success"),
    ("GET", "/api/billing/cancel"),
    ("GET", "/order"),
    ("POST", "/order"),
    ("GET", "/order/<order_id>"),
    ("POST", "/order/<order_id>"),
    ("POST", "/order/<order_id>/check"),
    ("POST", "/order/<order_id>/resend"),
    ("GET", "/order/<order_id>/receipt"),
}
# These name nobody; 404 for who is not signed in.
SIGNED_IN: Final = {("POST", "/api/billing/portal"), ("DELETE", "/api/session")}
OPERATORS: Final = {
    ("GET", "/admin"),
    ("GET", "/admin/evidence"),
    ("GET", "/admin/evidence.csv"),
    ("GET", "/admin/evidence.parquet"),
    ("GET", "/admin/evidence/<workflow_name>"),
    ("GET", "/admin/proofs"),
    ("POST", "/admin/proofs/decide"),
    ("POST", "/admin/proofs/undo"),
    ("GET", "/admin/orders"),
    ("GET", "/admin/orders.csv"),
    ("POST", "/admin/orders"),
    ("GET", "/admin/orders/<order_id>"),
    ("POST", "/admin/orders/<order_id>"),
    ("GET", "/admin/inbox"),
    ("GET", "/admin/inbox/<letter_id>"),
    ("POST", "/admin/inbox/<letter_id>"),
}


@dataclass(frozen=True)
class Own:
    """A route to what is one's own. Names in braces stand for ids of the caller."""

    method: str
    rule: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    state: str = "open"
    preview: bool = False  # a workflow's name in the place of an execution's id is for anybody
    reviewed: bool = False  # operators look at it, too

    @property
    def is_api(self) -> bool:
        return self.rule.startswith("/api/")

    @property
    def ids(self) -> list[str]:
        """The ids that a request names."""
        return re.findall(
            r"[<{](\w+)[>}]", f"{self.rule} {dict(self.query)} {dict(self.body or {})}"
        )


OWN: Final = [
    Own("GET", "/api/profile/<user_id>"),
    Own("PATCH", "/api/profile/<user_id>", body={"goal": "save_time"}),
    Own("GET", "/api/execution", query={"user_id": "{user_id}"}),
    Own(
        "POST",
        "/api/execution",
        body={"user_id": "{user_id}", "workflow_name": "resume_generator"},
    ),
    Own("GET", "/api/execution/<execution_id>"),
    Own("DELETE", "/api/execution/<execution_id>"),
    Own("PUT", "/api/execution/<execution_id>/progress", body={"steps_completed": 2, "notes": "n"}),
    Own("POST", "/api/execution/<execution_id>/log", body={"step": 1, "result": "worked"}),
    Own("GET", "/api/execution/<execution_id>/state"),
    *(
        Own("POST", "/api/execution/<execution_id>/event", body=event)
        for event in (
            {"kind": "verdict", "step": 1, "result": "failed", "reason": "unclear", "note": "n"},
            {"kind": "note", "step": 1, "text": "n", "base_rev": 0},
            {"kind": "check", "step": 1, "item": 0, "checked": True},
            {"kind": "timer", "action": "start"},
            {"kind": "timer", "action": "pause"},
            {"kind": "timer", "action": "gap", "gap_id": "g", "keep": True},
        )
    ),
    Own("POST", "/api/execution/<execution_id>/resume", state="abandoned"),
    Own("GET", "/api/outcome", query={"user_id": "{user_id}"}),
    Own(
        "POST",
        "/api/outcome",
        body={
            "user_id": "{user_id}",
            "execution_id": "{execution_id}",
            "supersedes_id": "{outcome_id}",
            "metric_type": "revenue",
            "value": 1,
        },
    ),
    Own("GET", "/api/recommendations/<user_id>"),
    Own("POST", "/api/recommendations/<recommendation_id>/click"),
    Own(
        "POST",
        "/api/recommendations/<recommendation_id>/dismiss",
        body={"reason": "too_long", "note": "no"},
    ),
    Own("GET", "/dashboard"),
    Own("GET", "/dashboard/next"),
    Own("GET", "/profile"),
    Own(
        "POST",
        "/profile",
        body={"goal": "save_time", "market": "agency", "skill_level": "beginner", "country": "IN"},
    ),
    Own("POST", "/profile/reminders", body={"on": "off"}),
    Own("GET", "/sessions"),
    Own("POST", "/sessions/revoke"),
    Own("POST", "/sessions/<session_id>/revoke"),
    Own("POST", "/recommendations/<recommendation_id>/click"),
    Own("POST", "/recommendations/<recommendation_id>/dismiss", body={"reason": "not_now"}),
    Own("GET", "/executor/<place>", preview=True),
    Own("POST", "/executor/<workflow_name>"),
    Own("POST", "/executor/<execution_id>/event", body={"step": "1", "kind": "note", "text": "n"}),
    Own(
        "POST",
        "/executor/<execution_id>/event",
        body={"step": "1", "kind": "verdict", "result": "worked"},
    ),
    Own("GET", "/routine.ics"),
    Own("POST", "/executor/<execution_id>/abandon"),
    Own("POST", "/executor/<execution_id>/resume", state="abandoned"),
    Own("GET", "/outcome/<execution_id>"),
    Own(
        "POST",
        "/outcome/<execution_id>",
        body={"metric_type": "revenue", "value": "5", "supersedes_id": "{outcome_id}"},
    ),
    Own("GET", "/outcome/<execution_id>/done", query={"outcome": "{outcome_id}"}),
    Own("GET", "/api/proof", query={"user_id": "{user_id}"}),
    Own("POST", "/api/proof", body={"execution_id": "{execution_id}", "step": 1, "text": "n"}),
    Own("GET", "/proofs"),
    Own("GET", "/proofs/<proof_id>"),
    Own("GET", "/proofs/<proof_id>/thumb", reviewed=True),
    Own("GET", "/proofs/<proof_id>/page/1", reviewed=True),
    Own("GET", "/proofs/<proof_id>/file", reviewed=True),
    Own("GET", "/proofs/<proof_id>/file/1", reviewed=True),
    Own("POST", "/proofs/<proof_id>/attach", body={"outcome_id": "{outcome_id}"}),
    Own("POST", "/proofs/<proof_id>/replace", body={"outcome_id": "{outcome_id}", "text": "n"}),
    Own(
        "POST",
        "/proofs/<proof_id>/answer",
        body={"outcome_id": "{outcome_id}", "text": "n"},
        state="rejected",
    ),
    Own("POST", "/proofs/<proof_id>/share", body={"listed": "on"}),
    Own("POST", "/proofs/<proof_id>/unshare"),
    Own("POST", "/proofs/<proof_id>/take-back", body={"sure": "on"}),
    Own("DELETE", "/api/proof/<proof_id>"),
    Own("GET", "/api/entitlements/<user_id>"),
    Own("GET", "/library"),
    Own("POST", "/library/export", body={"what": "executions"}),
    Own("GET", "/subscription"),
    Own("POST", "/subscription", body={"action": "cancel"}),
]
RULES: Final = {  # as the map spells them
    "/executor/<workflow_name>": "/executor/<place>",
    "/proofs/<proof_id>/page/1": "/proofs/<proof_id>/page/<int:number>",
    "/proofs/<proof_id>/file/1": "/proofs/<proof_id>/file/<int:number>",
}
