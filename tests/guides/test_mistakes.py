"""Every mistake in a guide is found and placed, and nothing unsafe is let in."""

import re

import pytest

from tests.guides.examples import (
    BODY_LINE,
    FILE,
    LINES,
    TEXT,
    body,
    changed,
    html,
    line_of,
    problems,
)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "minutes: 15",
            "minutes: ten",
            "minutes: 15",
            'steps[1].minutes is "ten"; write a whole number of minutes, 1 to 240',
        ),
        ("minutes: 15", "minutes: 0", "minutes: 15", 'steps[1].minutes is "0"; write'),
        ("minutes: 30", "minutes: 241", "minutes: 30", 'steps[2].minutes is "241"; write'),
        ("minutes: 15", "minutes: 7.5", "minutes: 15", 'steps[1].minutes is "7.5"; write'),
        ("minutes: 15", "minutes:", "minutes: 15", "steps[1].minutes is empty; write"),
        ("minutes: 15", "minutes: [15]", "minutes: 15", "steps[1].minutes is a list; write"),
        (
            "    minutes: 15\n",
            "",
            "- title: Pick one",
            "steps[1].minutes is missing; write a whole number",
        ),
        (
            "summary: ",
            "sumary: ",
            "summary: ",
            'sumary is not a field (did you mean "summary"?)',
        ),
        (
            "    proof: A photo",
            "    colour: red",
            "proof: A photo",
            "steps[1].colour is not a field; the fields here are title, minutes",
        ),
        (
            "tier: free",
            "tier: free\ntier: pro",
            "goals:",
            "tier is already on line 6; keep one of the two",
        ),
        (
            "tier: free",
            "tier: fre",
            "tier: free",
            'tier is "fre" (did you mean "free"?); write one of free, pro, scale',
        ),
        (
            "[freelancer, student]",
            "[freelancer, baker]",
            "markets:",
            'markets[2] is "baker"; write one of freelancer, shop_owner',
        ),
        ("[earn_money]", "[]", "workflow:", "goals is missing; write a list of earn_money"),
        (
            "[earn_money]",
            "[earn_money, earn_money]",
            "goals:",
            "goals[2] repeats; delete it",
        ),
        ("metric: revenue", "metric: likes", "metric:", 'outcome.metric is "likes"; write one of'),
        ("ask: What did it bring?", "ask: ''", "ask:", "outcome.ask is empty; write the question"),
        ("language: en", "language: English", "language:", "write a code such as en or hi-IN"),
        ("demo_flow", "Demo-Flow", "workflow:", "write small letters, digits and _"),
        ("demo_flow", "other_flow", "workflow:", "name it as the file, demo_flow"),
        (
            "One thing is picked.",
            "{{thing}}",
            "done_when: One",
            "steps[1].done_when is a group of fields; write one sentence: what the person now has; "
            "put quotes",
        ),
        (
            "One thing is picked.",
            "x" * 601,
            "done_when: One",
            "steps[1].done_when has 601 characters; keep it within 600",
        ),
        ("[Looked, Picked]", "[Looked, '']", "checklist:", "steps[1].checklist[2] is empty"),
        (
            "{skill_level: beginner, failed: true}",
            "{skil_level: beginner}",
            "skill_level: beginner",
            'steps[1].tips[1].when.skil_level is not a field (did you mean "skill_level"?)',
        ),
        (
            "{skill_level: beginner, failed: true}",
            "{country: India}",
            "skill_level: beginner",
            "write two capital letters per country, such as IN",
        ),
        ("failed: true", "failed: maybe", "failed: true", 'failed is "maybe"; write true or false'),
        (
            "      - text: Take your time.",
            "      - Take your time.",
            "text: Take",
            'steps[1].tips[2] is "Take your time."; write the fields when, text',
        ),
        (
            "title: A demonstration",
            "title: Demo: part one",
            "title: A demonstration",
            "is not valid YAML: mapping values are not allowed here; check the indentation, "
            "put quotes",
        ),
        (
            "title: A demonstration",
            "title: &a *a",
            "title: A",
            "is not valid YAML",
        ),
        ("title: A demonstration", 'title: "\\UFFFFFFFF"', "title: A", "out of range"),
        ("title: A demonstration", 'title: "\\0"', "title: A", "title holds an invisible"),
        ("A demonstration", "A\u2028demonstration", "title: A", "the invisible character U+2028"),
        (
            "title: Pick one",
            "title: Pick won",
            "title: Pick one",
            'steps[1] has no section in the body (did you mean "Pick one"?); '
            'write one under the heading "## Pick won"',
        ),
        (
            "title: Make `it` & sell",
            "title: Pick one",
            "title: Make",
            'two steps are called "Pick one"; rename one',
        ),
        (
            "## Pick one",
            "## Pck one",
            "## Pick one",
            'the section "Pck one" belongs to no step (did you mean "Pick one"?)',
        ),
        (
            "Make it.",
            "Make it.\n\n## More\n\ntext",
            "",
            'the section "More" belongs to no step',
        ),
        ("Look around.", "", "## Pick one", "the section is empty; write what to do in this step"),
        ("What you need.", "", "What you need.", "the introduction is empty; write"),
    ],
)
def test_a_mistake_names_its_line_and_remedy(old: str, new: str, line: str, message: str) -> None:
    expected = line_of(line) if line else len(LINES) + 1
    found = problems(changed(old, new))
    assert any(p.startswith(f"{FILE}:{expected}: ") and message in p for p in found), found


@pytest.mark.parametrize(
    ("markdown", "offset", "message"),
    [
        ("# Big", 0, "a heading of level 1 is the page's own; use ## for a step"),
        ("a\n\n> ## Quoted", 2, "a ## heading starts a step and stands at the margin"),
        ("a\n\n<div>x</div>", 2, "HTML (<div>x</div>) is not kept; write Markdown"),
        ("a `<b>`\nb <your name> c", 1, "HTML (<your name>) is not kept; write Markdown"),
        ("| a |\n|---|\n| <i>x</i> |", 2, "HTML (<i>) is not kept"),
        ("- one\n- two <!-- x -->", 1, "HTML (<!-- x -->) is not kept"),
        ("a\nb [x](http://a.example)", 1, 'the link "http://a.example" does not start with https'),
        ("[x](javascript:alert(1))", 0, 'the link "javascript:alert(1)" does not start'),
        ("[x](/local)", 0, 'the link "/local" does not start with https://; write the full'),
        ("[x](https://)", 0, 'the link "https://" does not start'),
        ("![x](https://a.example/b.png)", 0, "guides hold no pictures; describe"),
        ("x\n\n[a][r]\n\n[r]: data:text/html,x", 2, 'the link "data:text/html,x" does not start'),
    ],
)
def test_a_mistake_of_the_body_names_its_line(markdown: str, offset: int, message: str) -> None:
    found = problems(body(markdown))
    wanted = f"{FILE}:{BODY_LINE + offset}: {message}"
    assert any(problem.startswith(wanted) for problem in found), found


def test_sections_in_another_order_are_a_mistake() -> None:
    head, first, second = re.split(r"(?=^## )", TEXT, flags=re.MULTILINE)
    found = problems(head + second + first)
    assert found == [
        f'{FILE}:{line_of("## Pick one")}: the section "Make `it` & sell" stands where step 1, '
        '"Pick one", belongs; put the sections in the order of the steps'
    ]


def test_a_second_section_of_one_step_is_a_mistake() -> None:
    found = problems(TEXT + "\n## Pick one\n\nAgain.\n")
    assert 'a second section is called "Pick one"; join the two' in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'demo_flow.md:1: the front matter is missing; start the file with a line "---"'),
        ("# Hi\n---\n", "demo_flow.md:1: the front matter is missing; start the file"),
        ("---\ntitle: x\n", "demo_flow.md:1: the front matter does not end; close it"),
        ("---\n---\nx", "demo_flow.md:1: the front matter is empty; write the fields workflow"),
        ("---\n- a\n---\nx", "demo_flow.md:2: the front matter is a list; write the fields"),
        ("---\n" + "[" * 5000 + "\n---\nx", "demo_flow.md:2: is not valid YAML: references"),
        ("---\na: [\n---\nx", "demo_flow.md:2: is not valid YAML"),
        ("---\nx: \ud800\n---\n", "demo_flow.md:2: holds the invisible character U+D800; delete"),
        ("---\n" + "x" * 400_000, "demo_flow.md:1: the file has 400004 characters; keep it"),
    ],
)
def test_a_text_that_is_no_guide_is_refused(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


def test_all_mistakes_are_told_at_once_in_the_order_of_lines() -> None:
    text = changed("tier: free", "tier: gold").replace("minutes: 15", "minutes: ten")
    found = problems(text.replace("Look around.", "# Look <b>around</b>"))
    assert [int(problem.split(":")[1]) for problem in found] == [6, 16, *[BODY_LINE] * 3]


def test_broken_front_matter_does_not_hide_the_mistakes_of_the_body() -> None:
    found = problems(changed("tier: free", "tier: a: b").replace("Look around.", "# Big"))
    assert len(found) == 2


def test_a_step_without_a_title_is_told_once() -> None:
    found = problems(changed("title: Pick one", "title: ''"))
    assert found == [
        f"{FILE}:{line_of('Pick one')}: steps[1].title is empty; write what to do in this step"
    ]


def test_too_many_steps_are_refused() -> None:
    step = "  - {title: Pick one, minutes: 1, done_when: x}\n"
    found = problems(changed("  - title: Make", step * 60 + "  - title: Make"))
    assert any("steps has 62 items; keep 50 or fewer" in problem for problem in found)


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](https://a.example\\@b.example)",
        '<a href="https://a.example" onclick="x()">y</a>',
        "[x]: javascript:alert(1)\n\n[x]",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        "<!--><script>alert(1)</script>-->",
    ],
)
def test_attacks_are_refused_with_their_line(payload: str) -> None:
    found = problems(body(payload))
    assert all(int(p.split(":")[1]) - BODY_LINE in range(payload.count("\n") + 1) for p in found)


@pytest.mark.parametrize(
    "payload",
    [
        '```"><script>alert(1)</script>\nx\n```',
        "`<script>alert(1)</script>`",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\\<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        '[x](https://a.example/"onmouseover="alert(1) "t\\"onclick=\\"x")',
        "| a |\n|---|\n| `<svg onload=x>` |",
        '- [ ] `" onclick="x`',
    ],
)
def test_what_looks_like_an_attack_is_shown_as_text(payload: str) -> None:
    rendered = html(payload)
    tags = re.findall(r"<([^>]*)>", rendered)
    assert not [tag for tag in tags if re.match(r"/?(script|img|svg|style|iframe)", tag)]
    # Outside quoted values no tag has an event handler.
    assert not [tag for tag in tags if re.search(r"\bon\w+=", re.sub(r'"[^"]*"', "", tag))]
