"""Charts: marks inside their frame, words beside them, a table under each, no inline styles."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from flask import Flask
from markupsafe import Markup

Macro = Callable[..., Markup]
POINTS: Final = [
    {"x": 10.0, "y": 20.0, "row": ["1 Sep 2026", "₹2,400", "₹2,400"]},
    {"x": 95.0, "y": 95.0, "row": ["20 Nov 2026", "₹9,000", "₹11,400"]},
]
DAYS: Final = [
    {"name": name, "label": f"{name}day", "state": state, "said": state, "today": name == "Wed"}
    for name, state in zip(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        ("done", "rest", "today", "ahead", "ahead", "ahead", "ahead"),
        strict=True,
    )
]


@pytest.fixture
def draw(shared_app: Flask) -> Callable[..., str]:
    """A macro of charts.html, drawn: `draw("band", …)`."""
    module = shared_app.jinja_env.get_template("charts.html").module

    def macro(name: str, *args: object, **kwargs: object) -> str:
        found: Macro = getattr(module, name)
        return re.sub(r"\s+", " ", str(found(*args, **kwargs)))

    return macro


def estimate(**more: Any) -> dict[str, Any]:
    base = {"name": "Referral <ask>", "mean": 31.0, "low50": 25.0, "high50": 37.0}
    return {**base, "low90": 18.0, "high90": 46.0, "people": 48, **more}


def drawn(draw: Callable[..., str]) -> dict[str, str]:
    return {
        "estimates": draw("estimates", [estimate(), estimate(people=9)], "What worked"),
        "line": draw(
            "line",
            POINTS,
            "Added up",
            "₹20,000",
            "₹10,000",
            "1 Sep",
            "today",
            ["Day", "Won", "In all"],
        ),
        "band": draw("band", 20.0, 60.0, 45.0, "₹2,000", "₹9,000", "₹4,800", "Per run"),
        "dots": draw("dots", DAYS, "This week"),
    }


def test_each_has_its_table_and_says_what_it_is(draw: Callable[..., str]) -> None:
    for name, html in drawn(draw).items():
        assert "<details" in html, name
        assert "<table>" in html, name
        assert 'scope="row"' in html, name
        assert "style=" not in html, name
        images = re.findall(r"<svg[^>]*>", html)
        assert images, name
        for image in images:  # either it has a name, or the text beside it says it all
            assert 'role="img"' in image or "aria-hidden" in image, name


def test_words_are_outside_of_the_marks(draw: Callable[..., str]) -> None:
    for name, html in drawn(draw).items():
        assert "<text" not in html, name
        for inside in re.findall(r"<svg.*?</svg>", html):
            shown = re.sub(r"<title>.*?</title>|<desc>.*?</desc>|<[^>]*>|\s", "", inside)
            assert shown == "", name


def test_what_people_typed_is_text(draw: Callable[..., str]) -> None:
    html = drawn(draw)["estimates"]
    assert "Referral &lt;ask&gt;" in html
    assert "<ask>" not in html


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((31, 25, 37, 48), "about 3 in 10 (likely 2 to 4)"),
        ((31, 22, 47, None), "about 3 in 10 (likely 2 to 5)"),
        ((2, 1, 4, 400), "fewer than 1 in 10 (likely 0 to 1)"),
        ((97, 95, 99, 400), "nearly all (likely 9 to 10)"),
        ((31, 25, 37, 19), "too early to say"),
        ((31, 25, 37, 0), "too early to say"),
        ((31, 25, 37, 20), "about 3 in 10 (likely 2 to 4)"),
    ],
)
def test_the_sentence(draw: Callable[..., str], numbers: tuple[Any, ...], said: str) -> None:
    assert draw("sentence", *numbers).strip() == said


def test_counts_and_estimates_are_told_apart(shared_app: Flask) -> None:
    """Where they differ it is said why; times are those from the beginning, not of work."""
    facts: Macro = getattr(shared_app.jinja_env.get_template("ui.html").module, "facts")  # noqa: B009
    shown = {"people": 30, "completed": 12, "closed": 27, "level": "freelancers", "is_own": True}
    typical = {"metric_type": "revenue", "value": 4100.0, "currency": "INR"}
    told = str(facts({**shown, "rate": 61.0, "hours": 70.0, "typical": typical}))
    assert told == (
        "12 of 27 freelancers finished this, usually within about 3 days of beginning;"
        " typical ₹4,100. That is the plain count; the estimate also reckons with those still"
        " at it, and with how others fared."
    )
    assert "estimate" not in str(facts({**shown, "rate": 44.0}))


def test_few_people_are_faded(draw: Callable[..., str]) -> None:
    numbers = (31.0, 25.0, 37.0, 18.0, 46.0, "Ask")
    assert "faint" in draw("interval", *numbers, 19)
    assert "faint" not in draw("interval", *numbers, 20)
    assert "faint" not in draw("interval", *numbers)


def marks(html: str) -> list[tuple[str, float]]:
    """(attribute, per cent) of all that is placed along an axis."""
    found = re.findall(r'\b(x|x1|x2|cx|y1|y2|cy|y|width|height)="([\d.]+)%"', html)
    return [(name, float(value)) for name, value in found]


@pytest.mark.parametrize("shift", [-200.0, -20.0, 0.0, 60.0, 500.0])
def test_no_mark_leaves_its_frame(draw: Callable[..., str], shift: float) -> None:
    """Whatever a caller's numbers are: beyond the edge is at the edge."""
    values = [shift + value for value in (31.0, 25.0, 37.0, 18.0, 46.0)]
    htmls = [
        draw("interval", *values),
        draw("band", shift + 20, shift + 60, shift + 40, "a", "b", "c", "Per run"),
        draw(
            "line",
            [{"x": shift + 10, "y": shift + 30, "row": ["a", "b"]}],
            *("Added up", "2", "1", "then", "today", ["Day", "Sum"]),
        ),
    ]
    for html in htmls:
        placed = marks(html)
        assert placed
        assert all(0 <= value <= 100 for _, value in placed), (shift, html)


def test_the_thick_is_inside_the_thin(draw: Callable[..., str]) -> None:
    html = draw("interval", 31.0, 25.0, 37.0, 18.0, 46.0)
    spans = {
        name: (float(x), float(x) + float(width))
        for name, x, width in re.findall(
            r'class="(thin|thick)" x="([\d.]+)%" y="\d+" width="([\d.]+)%"', html
        )
    }
    assert spans["thin"][0] < spans["thick"][0] < spans["thick"][1] < spans["thin"][1]
    assert spans == {"thin": (18.0, 46.0), "thick": (25.0, 37.0)}


def test_a_band_without_me(draw: Callable[..., str]) -> None:
    html = draw("band", 20.0, 60.0, None, "₹2,000", "₹9,000", "", "Per run")
    assert "You" not in html
    assert "<circle" not in html


def test_the_week_says_each_day(draw: Callable[..., str]) -> None:
    html = drawn(draw)["dots"]
    assert html.count("<li") == 7
    assert html.count('aria-current="date"') == 1
    assert "Monday: done" in html
