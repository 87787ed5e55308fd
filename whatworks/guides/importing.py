"""An existing `workflows.json` as guides, with a note for everything that had to be guessed."""

from __future__ import annotations

import itertools
import json
import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

import nh3
import yaml

from whatworks.guides import commonmark, draft, guide
from whatworks.guides.guide import GuideError, Problem


@dataclass(frozen=True)
class Imported:
    """A workflow of a `workflows.json` as guide Markdown, and what had to be guessed for it."""

    name: str
    markdown: str
    notes: tuple[str, ...]


def from_workflows_json(text: str, source: str = "workflows.json") -> list[Imported]:
    """Turn `{"workflows": {name: {title, description, tier, steps: […]}}}` into guides that
    `parse` accepts, in their order. Whatever is missing or odd is filled in and noted.
    Raises GuideError where the text is no JSON or has no workflows."""
    taken: set[str] = set()
    guides: list[Imported] = []
    for key, entry in _entries(text, source):
        name = _free_name(key, taken)
        taken.add(name)
        guides.append(_import(name, key, entry))
    return guides


def _entries(text: str, source: str) -> list[tuple[str, Any]]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(source, error.lineno, f"is not valid JSON: {error.msg}; correct it there")
        raise GuideError([problem]) from error
    except (ValueError, RecursionError) as error:
        problem = Problem(source, 1, "has numbers or nesting beyond reading; export it again")
        raise GuideError([problem]) from error
    workflows = data.get("workflows") if isinstance(data, dict) else None
    if isinstance(workflows, list):
        return [(_listed_name(entry, n), entry) for n, entry in enumerate(workflows, start=1)]
    if not isinstance(workflows, dict) or not workflows:
        remedy = 'holds no workflows; write {"workflows": {"a_name": {"title": …, "steps": […]}}}'
        raise GuideError([Problem(source, 1, remedy)])
    return list(workflows.items())


def _listed_name(entry: object, number: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return _import_text(name) or f"workflow {number}"


def _free_name(key: str, taken: set[str]) -> str:
    ascii_key = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_key).strip("_")
    if len(name) < 3 or not name[0].isalpha():
        name = f"workflow_{name}".rstrip("_")
    name = name[:60].rstrip("_")
    return _free(name, taken, "{}_{}")


def _free(text: str, taken: Collection[str], numbered: str) -> str:
    """The text, or the first numbered form of it that is not taken."""
    others = (numbered.format(text, number) for number in itertools.count(2))
    return next(t for t in itertools.chain([text], others) if t not in taken)


def _import(name: str, key: str, entry: object) -> Imported:
    notes: list[str] = [] if name == key else [f'the name "{draft.cut(key)}" became {name}']
    fields = entry if isinstance(entry, dict) else {}
    if not fields:
        notes.append("it held no fields; all of it is a placeholder")
    candidates = (fields.get("title"), key.replace("_", " "), name)
    title = next(
        filter(None, (draft.cut(_import_text(c), draft.LONGEST_TITLE) for c in candidates))
    )
    description = _import_text(fields.get("description"))
    steps, bodies = _import_steps(fields, title, notes)
    front = {
        "workflow": name,
        "title": title,
        "summary": draft.cut(description, draft.LONGEST_TEXT) or title,
        "language": "en",
        "tier": _import_tier(fields.get("tier"), notes),
        "goals": ["earn_money"],
        "markets": list(guide.MARKETS),
        "skill_levels": list(guide.SKILL_LEVELS),
        "outcome": {
            "metric": "custom",
            "ask": "What did this workflow bring you?",
            "proof": "A screenshot of the result, names hidden",
        },
        "steps": steps,
    }
    notes.append("language, goals, markets, skill levels and the outcome were not in the file")
    notes.append("done_when and checklist of every step are placeholders; write what one then has")
    yaml_text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    parts = [f"---\n{yaml_text}---", _import_body(description or title, notes)]
    parts += [
        f"## {_escape(step['title'])}\n\n{_import_body(body, notes)}"
        for step, body in zip(steps, bodies, strict=True)
    ]
    return Imported(name, "\n\n".join(parts) + "\n", tuple(dict.fromkeys(notes)))


def _import_steps(
    fields: dict[str, Any], title: str, notes: list[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The steps of the front matter, and the text of each step's section."""
    raw = fields.get("steps")
    entries = [e if isinstance(e, dict) else {"title": e} for e in _as_list(raw)]
    if not entries:
        notes.append("it had no steps; one step stands for all")
        entries = [{"title": title}]
    if fields.get("total_steps") not in (None, len(entries)):
        notes.append(f"total_steps did not agree with its steps; there are {len(entries)}")
    numbers = [e["number"] for e in entries if type(e.get("number")) is int]
    if len(set(numbers)) == len(entries):
        entries.sort(key=lambda e: e["number"])
    elif numbers:
        notes.append("some steps share or lack a number; their order in the file was kept")
    if len(entries) > draft.MOST_STEPS:
        notes.append(f"only the first {draft.MOST_STEPS} of {len(entries)} steps were taken")
    steps: list[dict[str, Any]] = []
    bodies: list[str] = []
    for number, entry in enumerate(entries[: draft.MOST_STEPS], start=1):
        step = _import_step(number, entry, [s["title"] for s in steps], notes)
        steps.append(step)
        bodies.append(_import_text(entry.get("description")) or step["title"])
    return steps, bodies


def _import_step(
    number: int, entry: dict[str, Any], taken: list[str], notes: list[str]
) -> dict[str, Any]:
    first = draft.cut(_import_text(entry.get("title")), draft.LONGEST_TITLE - 8) or f"Step {number}"
    title = _free(first, taken, "{} ({})")
    if title != _import_text(entry.get("title")):
        notes.append(f'step {number} is now called "{draft.cut(title)}"')
    minutes = _import_minutes(entry.get("estimated_time"))
    if minutes is None:
        notes.append(f"step {number} gave no time that can be read; it has 15 minutes")
    step: dict[str, Any] = {
        "title": title,
        "minutes": minutes or 15,
        "done_when": f"“{draft.cut(title, 80)}” is done and you have its result.",
        "checklist": [f"“{draft.cut(title, 80)}” is done"],
    }
    tips = _as_list(entry.get("tips"))
    lines = [line.lstrip("-*• ") for tip in tips for line in _import_text(tip).split("\n")]
    texts = [{"text": draft.cut(line, draft.LONGEST_TEXT)} for line in lines if draft.plain(line)][
        : draft.MOST_ITEMS
    ]
    return step | ({"tips": texts} if texts else {})


def _import_tier(tier: object, notes: list[str]) -> str:
    if tier is None:
        notes.append("it had no tier; free was taken")
        return "free"
    word = draft.plain(str(tier)).lower()
    if word in guide.TIERS:
        return word
    # Never give away what somebody sold.
    notes.append(f'the tier "{draft.cut(str(tier))}" is not known; pro was taken')
    return "pro"


_DURATION: Final = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,3})?)\s*(?:(-|–|—|to\b)|([a-z]*))")
_UNIT_MINUTES: Final = {"h": 60.0, "d": 60.0 * 24, "w": 60.0 * 24 * 7, "s": 1 / 60}


def _import_minutes(value: object) -> int | None:
    """Minutes from 15, "15 minutes", "1h 30m" or "10-15 min" (the longer); within our limits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        parts = _DURATION.findall(value.lower())
        value = sum(
            float(amount.replace(",", ".")) * _UNIT_MINUTES.get(unit[:1], 1.0)
            for amount, is_lower_end, unit in parts
            if not is_lower_end
        )
    if not value > 0:  # NaN is not greater than anything
        return None
    return max(1, math.ceil(min(value, draft.MOST_MINUTES)))


_BREAK: Final = re.compile(r"(?i)<br\s*/?>|</(?:p|div|li|h[1-6]|tr)>")
_HTML: Final = re.compile(
    r"(?i)</?(?:a|b|br|code|div|em|font|h[1-6]|hr|i|iframe|img|li|ol|p|pre|script|span|strong"
    r"|style|svg|table|td|th|tr|u|ul)\b[^>]*>"
)


def _import_text(value: object) -> str:
    """The readable text of any JSON value; HTML is taken out, its lines kept."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_import_text, value)))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    text = draft.UNPRINTABLE.sub("", text)
    if _HTML.search(text):
        text = re.sub(r"(?i)<li\b[^>]*>", "\n- ", _BREAK.sub("\n", text))
        text = unescape(nh3.clean(text, tags=set()))
    return draft.UNPRINTABLE.sub("", text).strip()


def _as_list(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value] if value else []


def _import_body(text: str, notes: list[str]) -> str:
    """The text as Markdown where it is sound by itself, otherwise with its signs escaped."""
    if commonmark.stands_alone(text):
        return text
    notes.append("some texts held HTML, pictures, headings or links; they are plain text now")
    return "\n".join(map(_escape, text.split("\n")))


def _escape(line: str) -> str:
    """A line whose every sign Markdown shows as it is."""
    line = re.sub(r"([\\`*_\[\]<>#|~&!])", r"\\\1", line.strip())
    return re.sub(r"^([-+=]|[0-9]+(?=[.)]))", _escape_start, line)


def _escape_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"
