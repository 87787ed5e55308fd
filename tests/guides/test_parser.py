"""What a good guide becomes, and that any text is read or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.guides.examples import FILE, FUZZ, JUNK, TEXT, changed, html
from whatworks.guides import guide, parser

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


# --- Any input --------------------------------------------------------------------------------


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
