"""Documents say everything there is, and nothing that is not there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests import people
from whatworks import api_docs, settings
from whatworks.cli import main
from whatworks.guides import draft, guide, parser
from whatworks.settings import Settings
from whatworks.web import openapi

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_setting_is_documented_as_it_is() -> None:
    said = [line for line in read("docs/settings.md").splitlines() if line.startswith("| `")]
    assert said == [_row(name) for name in (f.name for f in fields(Settings))]


def _row(name: str) -> str:
    field = next(f for f in fields(Settings) if f.name == name)
    alias = f" (`{settings.ALIASES[name]}`)" if name in settings.ALIASES else ""
    default = str(field.default)
    if isinstance(field.default, bool):
        default = "on" if field.default else "off"
    shown = f"`{default}`" if default else "empty"
    return f"| `WHATWORKS_{name.upper()}`{alias} | {shown} | {field.metadata['doc']} |"


def test_every_address_is_documented(tmp_path: Path) -> None:
    app = people.build(f"sqlite:///{tmp_path / 'data.db'}", tmp_path)
    written = read("docs/architecture.md") + read("docs/api.md").replace("{", "<").replace("}", ">")
    missing = [rule.rule for rule in app.url_map.iter_rules() if not _is_in(rule.rule, written)]
    assert missing == []


def _is_in(rule: str, text: str) -> bool:
    return re.search(rf"(?<![\w/>]){re.escape(rule)}(?![\w/<])", text) is not None


def test_every_field_of_a_guide_is_documented_and_no_other() -> None:
    """And so is every word that a field takes, and every limit."""
    page = read("docs/guides.md")
    tables = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    known = (parser.GUIDE_FIELDS, parser.OUTCOME_FIELDS, parser.STEP_FIELDS, parser.TIP_FIELDS)
    assert sorted(tables) == sorted([*(f for group in known for f in group), *parser.WHEN_FIELDS])
    kinds = (guide.GOALS, guide.MARKETS, guide.SKILL_LEVELS, guide.TIERS, guide.METRICS)
    limits = (draft.MOST_STEPS, draft.MOST_MINUTES, draft.MOST_ITEMS)
    assert [word for kind in kinds for word in kind if f"`{word}`" not in page] == []
    lengths = (draft.LONGEST_TITLE, draft.LONGEST_TEXT)
    assert [n for n in (*limits, *lengths) if not re.search(rf"\b{n}\b", page)] == []


def test_the_guide_in_the_documents_is_one() -> None:
    example = re.search(r"```markdown\n(.*?)```", read("docs/guides.md"), re.DOTALL)
    assert example is not None
    assert len(parser.parse(example[1], "call_five_clients.md").steps) == 2


def test_the_api_reference_is_up_to_date() -> None:
    assert read("docs/api.md") == api_docs.markdown(openapi.build()), "run `make docs`"


def test_every_command_is_documented_and_no_other() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    code = "\n".join(re.findall(r"```sh\n.*?```|`[^`\n]+`", text, re.DOTALL))
    named = set(re.findall(r"(?<![/\w])whatworks (?:--[\w-]+ [^\s-]\S* )*([a-z][\w-]+)", code))
    assert named == set(main.main.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "http://")) or path.endswith(".png"):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{page.name}: {target}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_every_dependency_has_its_reason() -> None:
    listed = re.search(r"dependencies = \[(.*?)\n\]", read("pyproject.toml"), re.DOTALL)
    assert listed is not None
    names = re.findall(r'^\s+"([a-z0-9-]+)', listed[1], re.MULTILINE)
    table = read("docs/decisions/dependencies.md")
    assert [name for name in names if not re.search(rf"^\|.*\b{name}\b.*\|", table, re.M)] == []


def test_every_decision_is_listed() -> None:
    listed = read("docs/decisions/README.md")
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in listed} == set()


def test_lock_files_name_versions_and_hashes_only() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert not re.search(r"https?://|file:|--index|--find-links| @ ", text)
        assert text.count("--hash=sha256:") > 40
