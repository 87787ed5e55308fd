"""The kinds of value that bodies and queries carry, each with the remedy its error names.

`description` completes "give …"; `extra["check"]` says what else is wrong with a value, or None.
"""

from __future__ import annotations

from typing import Annotated, Literal

import email_validator
from msgspec import Meta

from whatworks import outcomes

Goal = Literal["earn_money", "save_time", "scale_business"]
Market = Literal["freelancer", "shop_owner", "content_creator", "agency", "student"]
SkillLevel = Literal["beginner", "intermediate", "advanced"]
Metric = Literal["revenue", "time_saved", "customers", "custom"]
ProofType = Literal["screenshot", "invoice", "text", "none"]
StepResult = Literal["worked", "failed"]
Verdict = Literal["worked", "next", "note"]
Happened = Literal["revenue", "time_saved", "customers", "custom", "nothing"]


def _email_problem(given: str) -> str | None:
    try:
        normal_email(given)
    except email_validator.EmailNotValidError as failure:
        return str(failure)
    return None


def _line_problem(given: str) -> str | None:
    return "give one line" if "\n" in given else None


def _country_problem(given: str) -> str | None:
    return None if given.upper() in outcomes.COUNTRIES else "give a country code such as IN or US"


Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        description="an e-mail address",
        examples=["asha@example.com"],
        extra={"check": _email_problem},
    ),
]
Country = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z]{2}$",
        description="an ISO 3166-1 alpha-2 country code such as IN",
        extra={"check": _country_problem},
    ),
]
Id = Annotated[str, Meta(min_length=1, max_length=100, description="an id of 1 to 100 characters")]
Name = Annotated[
    str, Meta(min_length=1, max_length=100, description="a workflow's name such as whatsapp_bot")
]
Text = Annotated[
    str, Meta(min_length=1, max_length=10_000, description="text of 1 to 10,000 characters")
]
Note = Annotated[str, Meta(max_length=10_000, description="text of at most 10,000 characters")]
Link = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="a link that starts with https://",
        extra={"check": outcomes.check_proof_url},
    ),
]
Unit = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z][A-Za-z0-9 %/_-]{0,15}$",
        description="an ISO 4217 code such as INR, or a unit of at most 16 letters",
        extra={"check": _line_problem},
    ),
]
SixDigits = Annotated[
    str, Meta(pattern=r"^\s*\d{3}[ -]?\d{3}\s*$", description="the six digits of the mail")
]
TotalSteps = Annotated[int, Meta(ge=1, le=200, description="a whole number from 1 to 200")]
Steps = Annotated[int, Meta(ge=0, le=200, description="a whole number from 0 to total_steps")]
StepNumber = Annotated[
    int, Meta(ge=1, le=200, description="a step's number, from 1 to total_steps")
]
Seconds = Annotated[
    float, Meta(ge=0, le=31_536_000, description="a number of seconds, 0 to 31536000")
]
Value = Annotated[float, Meta(ge=0, lt=1e12, description="a number from 0 to below 1000000000000")]
Limit = Annotated[int, Meta(ge=1, le=50, description="a whole number from 1 to 50")]


def normal_email(given: str) -> str:
    """The form in which a valid address is unique."""
    found = email_validator.validate_email(
        given.strip(), check_deliverability=False, test_environment=True
    )
    return found.normalized.lower()
