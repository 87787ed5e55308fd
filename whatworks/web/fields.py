"""The kinds of value that bodies and queries carry, each with the remedy its error names.

`description` completes "give …"; `extra["check"]` says what else is wrong with a value, or None.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Final, Literal

import email_validator
from msgspec import Meta

from whatworks.people import addresses, zones
from whatworks.results import links, outcomes

LONGEST_UNIT: Final = 16

Goal = Literal["earn_money", "save_time", "scale_business"]
Market = Literal["freelancer", "shop_owner", "content_creator", "agency", "student"]
SkillLevel = Literal["beginner", "intermediate", "advanced"]
Metric = Literal["revenue", "time_saved", "customers", "custom"]
ProofType = Literal["screenshot", "invoice", "text", "none"]
StepResult = Literal["worked", "failed", "skipped"]
Reason = Literal[
    "unclear",
    "too_long",
    "no_access",
    "did_not_work",
    "done_already",
    "not_for_me",
    "later",
    "other",
]
WhyNot = Literal[
    "not_my_field", "too_hard", "too_easy", "too_long", "did_it_elsewhere", "not_now", "other"
]
Happened = Literal["revenue", "time_saved", "customers", "custom", "nothing"]
Answer = Literal["revenue", "time_saved", "customers", "custom", "nothing", "stop"]
OnOff = Literal["on", "off"]
Share = Literal["private", "show"]


def _email_problem(given: str) -> str | None:
    try:
        normal_email(given)
    except email_validator.EmailNotValidError as failure:
        return str(failure)
    return None


def _line_problem(given: str) -> str | None:
    return "give one line" if "\n" in given else None


def unit_problem(given: str) -> str | None:
    """What is wrong with a unit, in whatever script it is written.

    >>> unit_problem("followers"), unit_problem("ग्राहक"), unit_problem("12")
    (None, None, 'give a unit of at most 16 letters')
    """
    written = all(char in " %/_-" or unicodedata.category(char)[0] in "LMN" for char in given)
    if written and given[:1].isalpha() and len(given) <= LONGEST_UNIT:
        return None
    return f"give a unit of at most {LONGEST_UNIT} letters"


def _country_problem(given: str) -> str | None:
    return None if given.upper() in outcomes.COUNTRIES else "give a country code such as IN or US"


def _zone_problem(given: str) -> str | None:
    return None if zones.is_known(given) else "give a time zone such as Asia/Kolkata"


SameEmail = Annotated[
    str, Meta(description="the address that the profile has, or leave it out: it stays as it is")
]
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
Zone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=zones.LONGEST,
        description="a time zone such as Asia/Kolkata",
        extra={"check": _zone_problem},
    ),
]
Moment = Annotated[
    datetime, Meta(tz=True, description="an RFC 3339 time such as 2026-11-22T18:00:00Z")
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
        extra={"check": links.problem},
    ),
]
ProofLink = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="a link that starts with https://, or the address of a proof kept here",
        extra={"check": links.proof_problem},
    ),
]
Currency = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z]{3}$",
        description="an ISO 4217 code such as INR",
        extra={"check": _line_problem},
    ),
]
Unit = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_UNIT,
        description="an ISO 4217 code such as INR, or a unit of at most 16 letters",
        extra={"check": unit_problem},
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
Rev = Annotated[
    int, Meta(ge=0, le=2_000_000_000, description="the note's revision as you know it, 0 for none")
]
Item = Annotated[int, Meta(ge=0, le=100, description="an item of the checklist, from 0")]
Seconds = Annotated[
    float, Meta(ge=0, le=31_536_000, description="a number of seconds, 0 to 31536000")
]
Value = Annotated[
    float, Meta(ge=0, lt=1e12, description="a number from 0 to below 1,000,000,000,000")
]
PageNumber = Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")]
Count = Annotated[int, Meta(ge=0, le=100_000, description="a whole number from 0 to 100000")]
Decision = Literal["approved", "rejected"]
RejectReason = Literal[
    "unreadable", "does_not_show", "too_much_covered", "not_theirs", "altered", "other"
]
PageSize = Annotated[int, Meta(ge=1, le=200, description="a whole number from 1 to 200")]
Limit = Annotated[int, Meta(ge=1, le=50, description="a whole number from 1 to 50")]


def normal_email(given: str) -> str:
    """The form in which a valid address is unique."""
    return addresses.normal(given)
