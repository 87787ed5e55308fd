"""A guide as JSON, its digest, and for whom its tips are."""

import json
import re

from tests.guides.examples import FILE, TEXT, changed
from whatworks.guides import guide, parser


def test_json_round_trip_and_digest() -> None:
    parsed = parser.parse(TEXT, FILE)
    text = guide.to_json(parsed)
    assert guide.from_json(text) == parsed
    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert re.fullmatch(r"[0-9a-f]{64}", guide.digest(parsed))
    assert guide.digest(parsed) == guide.digest(parser.parse(TEXT, "elsewhere"))
    other = parser.parse(changed("minutes: 15", "minutes: 16"), FILE)
    assert guide.digest(other) != guide.digest(parsed)


def test_json_of_a_later_version_is_read() -> None:
    data = json.loads(guide.to_json(parser.parse(TEXT, FILE)))
    data["colour"] = "blue"
    data["steps"][0]["video"] = {"seconds": 3}
    data["steps"][0]["tips"][0]["weather"] = ["rain"]
    assert guide.from_json(json.dumps(data)) == parser.parse(TEXT, FILE)


def step_with(*tips: guide.Tip) -> guide.Step:
    return guide.Step(number=1, title="t", minutes=1, done_when="d", tips=tips)


def texts(step: guide.Step, *, failed: bool = False, country: str | None = "IN") -> list[str]:
    tips = guide.tips_for(
        step,
        goal="earn_money",
        market="student",
        skill_level="beginner",
        country=country,
        failed=failed,
    )
    return [tip.text for tip in tips]


def test_a_tip_applies_when_every_named_condition_holds() -> None:
    step = step_with(
        guide.Tip("always"),
        guide.Tip("both", markets=("student",), countries=("IN", "NG")),
        guide.Tip("half", markets=("student",), countries=("NG",)),
        guide.Tip("level", skill_levels=("advanced",)),
        guide.Tip("goal", goals=("earn_money", "save_time")),
        guide.Tip("again", failed=True),
        guide.Tip("first time", failed=False),
    )
    assert texts(step) == ["always", "both", "goal", "first time"]
    assert texts(step, failed=True) == ["always", "both", "goal", "again"]
    assert texts(step, country=None) == ["always", "goal", "first time"]
