"""The bundled guides: for everybody, and worth following."""

import re
from collections import Counter
from pathlib import Path

import pytest

from whatworks.guides import guide, parser
from whatworks.people import profiles

FOLDER = Path(guide.__file__).parents[1] / "workflows"
BUNDLED = {path.stem: parser.parse(path.read_text(), path.name) for path in FOLDER.glob("*.md")}


def test_guides_speak_of_people_as_profiles_do() -> None:
    assert guide.GOALS == profiles.GOALS
    assert guide.MARKETS == profiles.MARKETS
    assert guide.SKILL_LEVELS == profiles.SKILL_LEVELS


def test_the_bundled_guides_cover_everybody() -> None:
    assert len(BUNDLED) >= 12
    guides = BUNDLED.values()
    steps = {name: len(one.steps) for name, one in BUNDLED.items()}
    assert (steps["resume_generator"], steps["whatsapp_bot"], steps["prompt_selling"]) == (5, 4, 6)
    tiers = Counter(one.tier for one in guides)
    assert tiers["free"] >= 5
    assert tiers["pro"] >= 4
    assert tiers["scale"] >= 1
    for name in ("resume_generator", "whatsapp_bot", "prompt_selling"):
        assert BUNDLED[name].tier == "free"
    assert all(Counter(m for one in guides for m in one.markets)[m] >= 2 for m in guide.MARKETS)
    assert all(Counter(g for one in guides for g in one.goals)[g] >= 2 for g in guide.GOALS)


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_a_bundled_guide_is_worth_following(name: str) -> None:
    one = BUNDLED[name]
    assert any(tip.failed for step in one.steps for tip in step.tips)
    for step in one.steps:
        assert step.done_when
        assert 3 <= len(step.checklist) <= 5
        assert 1 <= len(step.tips) <= 3
        assert 10 <= step.minutes <= 60
    text = (FOLDER / f"{name}.md").read_text().split("\n---\n", 1)[1]
    assert 900 <= len(text.split()) <= 1800
    assert re.search(r"<pre|<table", "".join(step.html for step in one.steps))
    assert '<th scope="col"></th>' not in "".join(step.html for step in one.steps)
