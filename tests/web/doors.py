"""Every door that takes a JSON body, and a body that it would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests import people
from tests.people import Person
from whatworks.people import signins


class Raw(str):
    """JSON as it is to stand in the body, valid or not."""

    __slots__ = ()


@dataclass(frozen=True)
class Door:
    """A door, a body it takes, and what kind of value each field is; `?` marks what may lack."""

    method: str
    path: str
    body: dict[str, object]
    kinds: dict[str, str]


def doors(asha: Person) -> dict[str, Door]:
    """Every door that takes a body, with bodies that would do something."""
    user_id, execution_id = asha.user_id, asha.start()
    profile = {"goal": "choice", "market": "choice", "skill_level": "choice", "country": "country?"}
    profile["time_zone"] = "zone?"
    event = f"/api/execution/{execution_id}/event"
    database, settings = people.platform(asha.app).database, people.platform(asha.app).settings
    mailed = database.write(signins.begin, asha.email, settings.secret_key)
    return {
        "profile": Door(
            "POST",
            "/api/profile",
            {"email": "ravi@example.com", **people.NEW, "country": "IN", "time_zone": "UTC"},
            {"email": "email", **profile},
        ),
        "change": Door(
            "PATCH",
            f"/api/profile/{user_id}",
            {**people.NEW, "goal": "save_time", "country": "US", "time_zone": "Asia/Tokyo"},
            {name: f"{kind.rstrip('?')}?" for name, kind in profile.items()},
        ),
        "proof": Door(
            "POST",
            "/api/proof",
            {"text": "Paid by Ravi", "execution_id": execution_id, "step": 1},
            {"text": "text", "execution_id": "id?", "step": "step?"},
        ),
        "execution": Door(
            "POST",
            "/api/execution",
            {"user_id": user_id, "workflow_name": "resume_generator", "total_steps": 5},
            {"user_id": "id", "workflow_name": "id", "total_steps": "total?"},
        ),
        "progress": Door(
            "PUT",
            f"/api/execution/{execution_id}/progress",
            {"steps_completed": 2, "notes": "done"},
            {"steps_completed": "step", "notes": "text0?"},
        ),
        "log": Door(
            "POST",
            f"/api/execution/{execution_id}/log",
            {"step": 1, "result": "worked", "note": "done", "seconds_spent": 60},
            {"step": "step", "result": "choice", "note": "text0?", "seconds_spent": "number?"},
        ),
        "verdict": Door(
            "POST",
            event,
            {
                "kind": "verdict",
                "step": 1,
                "result": "failed",
                "reason": "unclear",
                "note": "hm",
                "at": "2026-11-22T18:00:00+05:30",
            },
            {
                "kind": "choice",
                "step": "step",
                "result": "choice",
                "reason": "choice?",
                "note": "text0?",
                "at": "moment?",
            },
        ),
        "note": Door(
            "POST",
            event,
            {"kind": "note", "step": 1, "text": "done", "base_rev": 0},
            {"kind": "choice", "step": "step", "text": "text0", "base_rev": "rev"},
        ),
        "check": Door(
            "POST",
            event,
            {"kind": "check", "step": 1, "item": 0, "checked": True},
            {"kind": "choice", "step": "step", "item": "item", "checked": "boolean"},
        ),
        "timer": Door(
            "POST",
            event,
            {"kind": "timer", "action": "start", "step": 1, "at": "2026-11-22T12:30:00Z"},
            {"kind": "choice", "action": "choice", "step": "step?", "at": "moment?"},
        ),
        "gap": Door(
            "POST",
            event,
            {"kind": "timer", "action": "gap", "gap_id": "g", "keep": False},
            {"kind": "choice", "action": "choice", "gap_id": "text", "keep": "boolean"},
        ),
        "outcome": Door(
            "POST",
            "/api/outcome",
            {
                "execution_id": execution_id,
                "user_id": user_id,
                "metric_type": "revenue",
                "value": 4800,
                "currency": "INR",
                "proof_type": "none",
                "proof_url": "https://example.com/proof",
                "note": "paid",
            },
            {
                "execution_id": "id",
                "user_id": "id",
                "metric_type": "choice",
                "value": "number",
                "currency": "unit?",
                "proof_type": "choice?",
                "proof_url": "link?",
                "note": "text0?",
                "supersedes_id": "id?",
            },
        ),
        "dismiss": Door(
            "POST",
            f"/api/recommendations/{recommended(asha)}/dismiss",
            {"reason": "too_long", "note": "no time"},
            {"reason": "choice", "note": "text0?"},
        ),
        "sign in": Door("POST", "/api/sign-in", {"email": asha.email}, {"email": "email"}),
        "code": Door(  # the last, for it ends every credential made before
            "POST",
            "/api/sign-in/code",
            {"email": asha.email, "code": mailed.code},
            {"email": "email", "code": "code"},
        ),
    }


def recommended(asha: Person) -> str:
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()
    return str(shown["recommendations"][0]["recommendation_id"])


NAMES: Final = [
    *("profile", "change", "proof", "execution", "progress", "log"),
    *("verdict", "note", "check", "timer", "gap", "outcome", "dismiss"),
    *("sign in", "code"),
]
# Without a gateway these answer 503 before they look; test_bad_forms sends them bad bodies.
SHOP: Final = {
    ("POST", "/create_order"),
    ("POST", "/validate_coupon"),
    ("POST", "/api/billing/create-checkout"),
}
