"""The guide format: every mistake is found and placed, nothing unsafe is rendered."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatworks.guides import guide, importing, parser
from whatworks.people import profiles

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


# --- What a good guide becomes ----------------------------------------------------------------


def test_a_guide_is_read() -> None:
    parsed = parser.parse(TEXT, FILE)
    assert parsed.name == "demo_flow"
    assert parsed.title == "A demonstration"
    assert parsed.goals == ("earn_money",)
    assert parsed.markets == ("freelancer", "student")
    assert parsed.outcome == guide.Outcome("revenue", "What did it bring?", "A screenshot")
    assert parsed.minutes == 45
    assert parsed.introduction_html == "<p>What you need.</p>"
    first, second = parsed.steps
    assert (first.number, first.title, first.minutes) == (1, "Pick one", 15)
    assert first.done_when == "One thing is picked."
    assert first.checklist == ("Looked", "Picked")
    assert first.proof == "A photo"
    assert first.html == "<p>Look around.</p>"
    assert (second.title, second.proof, second.tips) == ("Make `it` & sell", None, ())


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TEXT,
        TEXT.replace("\n", "\r\n"),
        changed("skill_levels: [beginner]", "skill_levels: beginner"),
        changed("## Make `it` & sell", "## Make `it` &amp; *sell*\n").replace(
            "  - title: Make `it` & sell", "  - title: Make it & sell"
        ),
    ],
    ids=["byte order mark", "windows lines", "one value for a list", "heading as it is read"],
)
def test_harmless_variants_are_accepted(text: str) -> None:
    assert len(parser.parse(text, FILE).steps) == 2


def test_a_text_without_a_file_needs_no_matching_name() -> None:
    assert parser.parse(TEXT, "editor").name == "demo_flow"


def test_texts_of_the_front_matter_stay_plain_text() -> None:
    parsed = parser.parse(changed("A demonstration", '"<b>2026</b>: yes"'), FILE)
    assert parsed.title == "<b>2026</b>: yes"


def test_tables_and_code_can_be_reached_by_keyboard() -> None:
    rendered = html("| a | b |\n|---|---|\n| 1 | 2 |\n\n| c |\n|---|\n| 3 |\n\n```text\nHi\n```")
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Table 1"><table>' in rendered
    assert 'aria-label="Table 2"' in rendered
    assert rendered.count("</table>\n</div>") == 2
    assert '<th scope="col">a</th>' in rendered
    assert '<pre tabindex="0"><code class="language-text">Hi' in rendered


def test_task_lists_strikethrough_and_headings_are_rendered() -> None:
    rendered = html("### Part\n\n- [ ] open\n- [x] done\n\n~~old~~")
    assert "<h3>Part</h3>" in rendered
    assert rendered.count('type="checkbox"') == 2
    assert rendered.count('checked="checked"') == 1
    assert rendered.count("<label>") == 2
    assert "<s>old</s>" in rendered


def test_links_are_kept_from_the_page_they_lead_to() -> None:
    assert html("[shop](https://shop.example/a?b=1)") == (
        '<p><a href="https://shop.example/a?b=1" rel="noopener noreferrer">shop</a></p>'
    )


# --- Mistakes ---------------------------------------------------------------------------------


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


# --- JSON, digest, tips -----------------------------------------------------------------------


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


def either_reads_or_refuses(text: str) -> None:
    try:
        parsed = parser.parse(text, FILE)
    except guide.GuideError as error:
        found = error.problems
    else:
        assert guide.from_json(guide.to_json(parsed)) == parsed
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert found
    assert all(1 <= problem.line <= lines for problem in found)


@FUZZ
@given(JUNK)
def test_any_text_is_read_or_refused(junk: str) -> None:
    either_reads_or_refuses(junk)
    either_reads_or_refuses(f"---\n{junk}\n---\n{junk}")


@FUZZ
@given(JUNK, st.integers(0, len(TEXT)), st.integers(0, 30))
def test_any_damage_to_a_guide_is_read_or_refused(junk: str, at: int, cut: int) -> None:
    either_reads_or_refuses(TEXT[:at] + junk + TEXT[at + cut :])


# --- workflows.json ---------------------------------------------------------------------------

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


# --- The bundled guides -----------------------------------------------------------------------

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
