"""What changed in a workflow between two versions, in plain words. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whatworks.guides.guide import Guide, Step

ALIKE: Final = 0.6  # of the titles and ends of two steps that are one step reworded


@dataclass(frozen=True, slots=True)
class GuideChange:
    """One thing that changed: `step` is its number now, None when the step is gone."""

    step: int | None
    text: str


def between(old: Guide, new: Guide) -> tuple[GuideChange, ...]:
    """Steps that are new, moved or reworded in the order of the new version, then what is gone."""
    pairs = _pairs(old.steps, new.steps)
    order = [number for number, _ in sorted(pairs.items(), key=lambda pair: pair[1].number)]
    moved = _moved(order)
    found = []
    for step in new.steps:
        before = pairs.get(step.number)
        if before is None:
            found.append(GuideChange(step.number, f"“{step.title}” is new."))
            continue
        if step.number in moved:
            text = f"“{step.title}” was step {before.number} before."
            found.append(GuideChange(step.number, text))
        found += [GuideChange(step.number, text) for text in _reworded(before, step)]
    kept = {before.number for before in pairs.values()}
    gone = [step for step in old.steps if step.number not in kept]
    found += [GuideChange(None, f"“{s.title}”, step {s.number} before, is gone.") for s in gone]
    return tuple(found)


def _pairs(old: tuple[Step, ...], new: tuple[Step, ...]) -> dict[int, Step]:
    """New step's number → the old step it comes from: the same title, else the most alike."""
    found: dict[int, Step] = {}
    left = list(old)
    for step in new:
        same = next((one for one in left if one.title == step.title), None)
        if same is not None:
            found[step.number] = same
            left.remove(same)
    for step in new:
        if step.number in found or not left:
            continue
        likeness, best = max(((_likeness(one, step), one) for one in left), key=lambda p: p[0])
        if likeness >= ALIKE:
            found[step.number] = best
            left.remove(best)
    return found


def _likeness(old: Step, new: Step) -> float:
    texts = (f"{old.title} {old.done_when}".lower(), f"{new.title} {new.done_when}".lower())
    return difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()


def _moved(order: list[int]) -> set[int]:
    """New numbers, in the order of the old version, without the longest run that still rises."""
    longest: list[list[int]] = []  # the longest rising run that ends with each
    for number in order:
        before: list[int] = []
        for run in longest:
            if run[-1] < number and len(run) > len(before):
                before = run
        longest.append([*before, number])
    stayed: list[int] = max(longest, key=len, default=[])
    return set(order) - set(stayed)


def _reworded(old: Step, new: Step) -> Iterator[str]:
    if old.title != new.title:
        yield f"“{new.title}” was called “{old.title}” before."
    if old.done_when != new.done_when:
        yield f"It is done when: {new.done_when}"
    if old.minutes != new.minutes:
        yield f"It is planned for {new.minutes} minutes, before {old.minutes}."
    added = [item for item in new.checklist if item not in old.checklist]
    yield from (f"New on its checklist: {item}" for item in added)
    removed = [item for item in old.checklist if item not in new.checklist]
    yield from (f"No longer on its checklist: {item}" for item in removed)
    if old.html != new.html:
        yield "Its text was reworded."
    if old.tips != new.tips:
        yield "Its tips were reworded."
