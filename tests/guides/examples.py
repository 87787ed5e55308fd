"""A guide to spoil, in lines and in pieces."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from whatworks.guides import guide, parser

FILE = "demo_flow.md"
TEXT = """\
---
workflow: demo_flow
title: A demonstration
summary: You have a demonstration.
language: en
tier: free
goals: [earn_money]
markets: [freelancer, student]
skill_levels: [beginner]
outcome:
  metric: revenue
  ask: What did it bring?
  proof: A screenshot
steps:
  - title: Pick one
    minutes: 15
    done_when: One thing is picked.
    checklist: [Looked, Picked]
    proof: A photo
    tips:
      - when: {skill_level: beginner, failed: true}
        text: Try a smaller one.
      - text: Take your time.
  - title: Make `it` & sell
    minutes: 30
    done_when: It is made.
---
What you need.

## Pick one

Look around.

## Make `it` & sell

Make it.
"""
LINES = TEXT.split("\n")


def line_of(text: str) -> int:
    """The line on which a text first stands in TEXT."""
    return next(number for number, line in enumerate(LINES, start=1) if text in line)


def problems(text: str, source: str = FILE) -> list[str]:
    with pytest.raises(guide.GuideError) as caught:
        parser.parse(text, source)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def body(markdown: str) -> str:
    """The guide with other Markdown in its first step, from BODY_LINE on."""
    return changed("Look around.", markdown)


BODY_LINE = line_of("Look around.")


def html(markdown: str) -> str:
    return parser.parse(body(markdown), FILE).steps[0].html


# --- Any input --------------------------------------------------------------------------------


PIECES = st.sampled_from(
    [
        *("---\n", "\n", "\t", "    ", "- ", "? ", ": ", "[", "]", "{", "}", '"', "'", "|\n", "> "),
        *("steps:", "title: ", "workflow: ", "<<: ", "&a", "*a", "!", "!!", "%YAML", "%TAG", " 1"),
        *("\\U", "FFFFFFFF", "\u2028", "\ud800", "\x00", "\ufeff", "a", "~", "&amp;"),
        *("#", "# ", "## ", "```", "<b>", "<!--", "[x](", ")", "[x]: ", "https://", "1. "),
        *("- [ ] ", "- [x] ", "|", "|---|"),
    ]
)
JUNK = st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join)
FUZZ = settings(suppress_health_check=[HealthCheck.too_slow])
