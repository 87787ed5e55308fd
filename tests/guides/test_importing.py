"""An old workflows.json becomes guides that parse."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.guides.examples import FUZZ, PIECES
from whatworks.guides import guide, importing, parser

OLD = {
    "workflows": {
        "cold-email": {
            "title": "Cold e-mail",
            "description": "<p>Write <b>five</b> mails.</p><p>Then wait.</p>",
            "total_steps": 4,
            "tier": "gold",
            "steps": [
                {
                    "number": 2,
                    "title": "Send",
                    "description": "# Loud\n1. one\n2. <script>alert(1)</script>two",
                    "tips": ["Mornings", "", 7],
                    "estimated_time": "1 hour",
                },
                {
                    "number": 1,
                    "title": "Write",
                    "description": "- a\n- b",
                    "tips": "Short.\nPolite.",
                    "estimated_time": "10-15 min",
                },
                {"number": 3, "title": "Send", "estimated_time": "soon"},
            ],
        },
        "Cold Email": {"title": "Other", "tier": "Free", "steps": []},
    }
}


def imported(data: object) -> list[importing.Imported]:
    return importing.from_workflows_json(json.dumps(data))


def test_an_old_workflow_becomes_a_guide() -> None:
    first, second = imported(OLD)
    parsed = parser.parse(first.markdown, f"{first.name}.md")
    assert parsed.name == first.name == "cold_email"
    assert parsed.title == "Cold e-mail"
    assert parsed.summary == "Write five mails. Then wait."
    assert parsed.tier == "pro"
    assert [step.title for step in parsed.steps] == ["Write", "Send", "Send (2)"]
    assert [step.minutes for step in parsed.steps] == [15, 60, 15]
    assert [tip.text for tip in parsed.steps[0].tips] == ["Short.", "Polite."]
    assert [tip.text for tip in parsed.steps[1].tips] == ["Mornings", "7"]
    assert parsed.steps[0].html.startswith("<ul>")
    assert "# Loud" in parsed.steps[1].html
    assert "alert" not in parsed.steps[1].html
    notes = "\n".join(first.notes)
    for guess in ("cold-email", '"gold"', "total_steps", "Send (2)", "step 3 gave no time", "done"):
        assert guess in notes
    assert second.name == "cold_email_2"
    assert parser.parse(second.markdown, "cold_email_2.md").tier == "free"


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        (20, 20),
        (7.2, 8),
        ("15 minutes", 15),
        ("1 hour", 60),
        ("1.5 hours", 90),
        ("1h 30m", 90),
        ("10-15 min", 15),
        ("10 to 15 minutes", 15),
        ("1–2 hours", 120),
        ("90 seconds", 2),
        ("3 days", 240),
        (10**400, 240),
        ("soon", 15),
        (None, 15),
        (True, 15),
        (-3, 15),
        (float("nan"), 15),
        (float("inf"), 240),
        ([], 15),
    ],
)
def test_times_are_understood(value: object, minutes: int) -> None:
    (one,) = imported({"workflows": {"abc": {"steps": [{"title": "x", "estimated_time": value}]}}})
    assert parser.parse(one.markdown, "abc.md").steps[0].minutes == minutes


def test_a_fence_left_open_does_not_swallow_the_next_step() -> None:
    steps = [{"title": "One", "description": "```\ncode"}, {"title": "Two #", "description": "x"}]
    (one,) = imported({"workflows": {"abc": {"steps": steps}}})
    parsed = parser.parse(one.markdown, "abc.md")
    assert [step.title for step in parsed.steps] == ["One", "Two #"]


def test_more_steps_than_fit_and_odd_numbers_are_noted() -> None:
    steps = [{"title": f"Step {n}", "number": min(n, 58)} for n in range(60)]
    (one,) = imported({"workflows": [{"name": "long-one", "steps": steps}]})
    assert one.name == "long_one"
    assert len(parser.parse(one.markdown, "long_one.md").steps) == 50
    assert any("only the first 50 of 60 steps" in note for note in one.notes)
    assert any("share or lack a number" in note for note in one.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "workflows.json:1: is not valid JSON"),
        ('{\n"a": }', "workflows.json:2: is not valid JSON"),
        ("[" * 100_000, "workflows.json:1: has numbers or nesting beyond reading"),
        ("9" * 5_000, "workflows.json:1: has numbers or nesting beyond reading"),
        ("[]", "workflows.json:1: holds no workflows; write"),
        ('{"workflows": {}}', "workflows.json:1: holds no workflows; write"),
    ],
)
def test_a_file_without_workflows_is_refused(text: str, message: str) -> None:
    with pytest.raises(guide.GuideError, match=re.escape(message)):
        importing.from_workflows_json(text)


FRAGMENT = st.lists(PIECES | st.text(max_size=3), max_size=6).map("".join)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | FRAGMENT
ANY = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FRAGMENT, inner, max_size=3),
    max_leaves=8,
)
OLD_STEP = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("number", "title", "description", "tips", "estimated_time"), ANY),
)
OLD_WORKFLOW = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("title", "description", "tier", "total_steps"), ANY),
        "steps": st.lists(OLD_STEP | ANY, max_size=3) | ANY,
    },
)


@FUZZ
@given(st.dictionaries(FRAGMENT, OLD_WORKFLOW | ANY, min_size=1, max_size=2))
def test_any_old_workflow_becomes_a_guide_that_parses(workflows: dict[str, object]) -> None:
    guides = imported({"workflows": workflows})
    assert len({one.name for one in guides}) == len(workflows)
    for one in guides:
        assert parser.parse(one.markdown, f"{one.name}.md").name == one.name
        assert one.notes
