"""From the text of a guide, Markdown with YAML front matter, to a `Guide`.

`parse` raises a `GuideError` that lists every mistake with its file, line and remedy. In messages
steps, tips and list items are counted from 1, as authors count them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from whatworks.guides import commonmark, draft, front_matter, guide
from whatworks.guides.commonmark import Section
from whatworks.guides.draft import Page
from whatworks.guides.front_matter import Fields
from whatworks.guides.guide import Guide, Outcome, Step, Tip

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{2,63}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
TIP_FIELDS: Final = ("when", "text")
WHEN_FIELDS: Final = ("goal", "market", "skill_level", "country", "failed")
OUTCOME_FIELDS: Final = ("metric", "ask", "proof")
STEP_FIELDS: Final = ("title", "minutes", "done_when", "checklist", "proof", "tips")
GUIDE_FIELDS: Final = (
    *("workflow", "title", "summary", "language", "tier", "goals", "markets", "skill_levels"),
    *("outcome", "steps"),
)


def parse(text: str, source: str) -> Guide:
    """Check and render a guide. `source` names the text in messages; where it is a `.md` file,
    the file's name must be the workflow's. Raises GuideError with all mistakes at once."""
    page = Page(source)
    front, body, body_line = _split(text, page)
    introduction, sections = commonmark.render(body, body_line, page)
    fields = Fields(page, front_matter.compose(front, page), "", GUIDE_FIELDS)
    read, titles = _read_guide(fields)
    _match(titles, sections, page)
    page.close()
    steps = zip(read.steps, sections, strict=True)
    return replace(
        read,
        introduction_html=introduction,
        steps=tuple(replace(step, html=section.html) for step, section in steps),
    )


def _split(text: str, page: Page) -> tuple[str, str, int]:
    """Front matter, body, and the line on which the body starts."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > draft.LONGEST_FILE:
        page.mistake(1, f"the file has {len(text)} characters; keep it within {draft.LONGEST_FILE}")
    for found in draft.UNPRINTABLE.finditer(text[: draft.LONGEST_FILE]):
        line = text.count("\n", 0, found.start()) + 1
        page.mistake(line, f"holds the invisible character U+{ord(found[0]):04X}; delete it")
        break
    lines = text.split("\n")
    marks = [number for number, line in enumerate(lines) if line.rstrip() == "---"][:2]
    if not marks or marks[0] != 0:
        page.mistake(1, 'the front matter is missing; start the file with a line "---"')
    elif len(marks) == 1:
        page.mistake(1, 'the front matter does not end; close it with a line "---"')
    page.close()
    end = marks[1]
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _read_guide(fields: Fields) -> tuple[Guide, list[tuple[int, str]]]:
    """The guide without its texts, and each step's line and title."""
    steps = fields.groups("steps", STEP_FIELDS, draft.MOST_STEPS)
    if not steps:
        fields.missing("steps", f"write 1 to {draft.MOST_STEPS} steps")
    read = Guide(
        name=_read_name(fields),
        title=fields.text(
            "title", "write what the workflow is called", longest=draft.LONGEST_TITLE
        ),
        summary=fields.text("summary", "write one or two sentences: what one has in the end"),
        language=fields.matching("language", _LANGUAGE, "write a code such as en or hi-IN"),
        tier=fields.choice("tier", guide.TIERS),
        goals=fields.choices("goals", guide.GOALS),
        markets=fields.choices("markets", guide.MARKETS),
        skill_levels=fields.choices("skill_levels", guide.SKILL_LEVELS),
        outcome=_read_outcome(fields),
        steps=tuple(_read_step(number, step) for number, step in enumerate(steps, start=1)),
    )
    return read, [
        (front_matter.line_of(step.nodes.get("title")), done.title)
        for step, done in zip(steps, read.steps, strict=True)
    ]


def _read_name(fields: Fields) -> str:
    """A guide and its file carry the same name, so that either leads to the other."""
    remedy = "write small letters, digits and _, 3 to 64, starting with a letter"
    name, file = fields.matching("workflow", _NAME, remedy), PurePath(fields.page.source)
    if name and file.suffix == ".md" and file.stem != name:
        line = front_matter.line_of(fields.nodes["workflow"])
        fields.page.mistake(
            line, f'workflow is "{draft.cut(name)}"; name it as the file, {file.stem}'
        )
    return name


def _read_outcome(fields: Fields) -> Outcome:
    outcome = fields.group("outcome", OUTCOME_FIELDS)
    if outcome is None:
        fields.missing("outcome", f"write the fields {', '.join(OUTCOME_FIELDS)} below it")
        return Outcome("", "", "")
    return Outcome(
        metric=outcome.choice("metric", guide.METRICS),
        ask=outcome.text("ask", "write the question to ask at the end"),
        proof=outcome.text("proof", "write what proof is worth keeping"),
    )


def _read_step(number: int, fields: Fields) -> Step:
    proof = fields.text("proof", "write what to keep as proof, or delete it", required=False)
    return Step(
        number=number,
        title=fields.text("title", "write what to do in this step", longest=draft.LONGEST_TITLE),
        minutes=fields.minutes("minutes"),
        done_when=fields.text("done_when", "write one sentence: what the person now has"),
        checklist=fields.texts("checklist", "write a list of things to tick off"),
        proof=proof or None,
        tips=tuple(map(_read_tip, fields.groups("tips", TIP_FIELDS, draft.MOST_ITEMS))),
    )


def _read_tip(fields: Fields) -> Tip:
    text = fields.text("text", "write the advice")
    when = fields.group("when", WHEN_FIELDS)
    if when is None:
        return Tip(text)
    return Tip(
        text=text,
        goals=when.choices("goal", guide.GOALS, required=False),
        markets=when.choices("market", guide.MARKETS, required=False),
        skill_levels=when.choices("skill_level", guide.SKILL_LEVELS, required=False),
        countries=when.countries("country"),
        failed=when.flag("failed"),
    )


def _match(titles: list[tuple[int, str]], sections: list[Section], page: Page) -> None:
    """Every step has the one section of its title, in the same order."""
    if not all(title for _, title in titles):
        return  # reported already; comparing would only report it again
    wanted = [title for _, title in titles]
    headings = [name for section in sections for name in section.names]
    for number, (line, title) in enumerate(titles):
        if title in wanted[:number]:
            page.mistake(line, f'two steps are called "{draft.cut(title)}"; rename one')
        elif title not in headings:
            hint = draft.suggest(title, headings)
            page.mistake(
                line,
                f"steps[{number + 1}] has no section in the body{hint}; "
                f'write one under the heading "## {title}"',
            )
    found = [next((n for n in section.names if n in wanted), None) for section in sections]
    for number, (section, match) in enumerate(zip(sections, found, strict=True)):
        name = draft.cut(section.names[1])
        if match is None:
            hint = draft.suggest(section.names[1], wanted)
            page.mistake(
                section.line,
                f'the section "{name}" belongs to no step{hint}; '
                "give it a step's title, or use ### inside a step",
            )
        elif match in found[:number]:
            page.mistake(section.line, f'a second section is called "{name}"; join the two')
    if sorted(wanted) == sorted(map(str, found)) and wanted != found:
        number = next(n for n, title in enumerate(wanted) if found[n] != title)
        here, belongs = draft.cut(str(found[number])), draft.cut(wanted[number])
        page.mistake(
            sections[number].line,
            f'the section "{here}" stands where step {number + 1}, "{belongs}", belongs; '
            "put the sections in the order of the steps",
        )
