"""Which tips a step shows now, and where each comes from: its author, a rule, or data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from whatworks.advice import phrases
from whatworks.advice.hints import Group, Hint
from whatworks.execution.steps import State
from whatworks.execution.timers import ROUTINE
from whatworks.guides import guide
from whatworks.guides.guide import Guide, Step

MOST: Final = 4
ENOUGH: Final = 5  # people; fewer are not quoted
MORE: Final = 1.5  # times as often among those who failed, to be worth saying
SOON: Final = 300.0  # seconds before the end of the routine
WELL_IN: Final = 900.0  # seconds after its beginning

_AFTER: Final = {
    "unclear": "Read “Done when” once more and do only that. A rough version you can show counts.",
    "too_long": "Give it 10 more minutes, and do the smallest part that gets you to “Done when”.",
    "no_access": "Write down what is missing and who can give it, ask for it now, and read ahead"
    " until it is there.",
    "did_not_work": "Note what you did and what came of it. Then change one thing, only one, and"
    " try again.",
    "other": "Say in the note what stopped you; it is the first thing you will want to know next"
    " time.",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """A tip as it is shown. `source` is author, rule or data; `n` how many people data are of."""

    text: str
    source: str
    why: str
    n: int | None = None


@dataclass(frozen=True)
class Context:
    """Who is at it, how their run stands, and how far today's routine is."""

    goal: str = ""
    market: str = ""
    skill_level: str = ""
    country: str = ""
    states: Mapping[int, State] = field(default_factory=dict)
    elapsed: float = 0.0
    is_current: bool = True

    def state(self, number: int) -> State:
        """How a step stands."""
        return self.states.get(number) or State(number)


def choose(plan: Guide, step: Step, context: Context, hint: Hint | None = None) -> list[Advice]:
    """The tips of a step, those that fit what just went wrong first; at most MOST of them."""
    failed = context.state(step.number).result == "failed"
    found = [*_from_data(plan, step, context, hint or Hint())]
    if failed:
        found += _after_failure(step, context)
    found += _from_author(step, context, failed=failed)
    if context.is_current:
        found += _by_time(step, context)
    if context.is_current and not failed:
        found += _what_was_skipped(plan, step, context)
    return found[:MOST]


def if_it_fails(
    plan: Guide, step: Step, context: Context, hint: Hint | None = None
) -> list[Advice]:
    """The tips this step would show if it failed now; there for when no connection is."""
    state = context.state(step.number)
    failed = replace(state, result="failed", reason=None, failures=state.failures + 1)
    states = {**context.states, step.number: failed}
    return choose(plan, step, replace(context, states=states), hint)


def _from_author(step: Step, context: Context, *, failed: bool) -> Iterator[Advice]:
    chosen = guide.tips_for(
        step,
        goal=context.goal or None,
        market=context.market or None,
        skill_level=context.skill_level or None,
        country=context.country or None,
        failed=failed,
    )
    for tip in sorted(chosen, key=lambda one: one.failed is not True):
        yield Advice(tip.text, "author", _for_whom(tip))


def _for_whom(tip: guide.Tip) -> str:
    words = {"earn_money": "earning money", "save_time": "saving time"}
    words["scale_business"] = "growing a business"
    people = [phrases.MARKETS[market][1] for market in tip.markets]
    people += [f"{level}s" if level == "beginner" else level for level in tip.skill_levels]
    people += ["your country"] if tip.countries else []
    people += [words[goal] for goal in tip.goals]
    parts = ["after a failure"] if tip.failed else []
    parts += [f"for {', '.join(people)}"] if people else []
    return "; ".join(parts) or ""


def _after_failure(step: Step, context: Context) -> Iterator[Advice]:
    state = context.state(step.number)
    if state.reason in _AFTER:
        yield Advice(_AFTER[state.reason], "rule", f"you said: “{phrases.FAILED[state.reason]}”")
    open_items = [
        item
        for item, ticked in zip(step.checklist, state.ticks(len(step.checklist)), strict=True)
        if not ticked
    ]
    if open_items and len(open_items) < len(step.checklist):
        yield Advice(f"Still open on your list: {open_items[0]}", "rule", "your own checklist")


def _what_was_skipped(plan: Guide, step: Step, context: Context) -> Iterator[Advice]:
    for earlier in plan.steps[: step.number - 1]:
        state = context.state(earlier.number)
        if state.result == "skipped" and state.reason == "later":
            text = f"You wanted to do step {earlier.number}, “{earlier.title}”, later."
            yield Advice(f"{text} Is it needed here?", "rule", "what you skipped")


def _by_time(step: Step, context: Context) -> Iterator[Advice]:
    """What fits into what is left of the routine."""
    left = ROUTINE - context.elapsed
    needed = step.minutes * 60 - context.state(step.number).seconds
    why = f"{phrases.minutes(context.elapsed / 60)} of today’s 45 are used"
    if left <= 0:
        text = "Today’s time is used. What is open can wait: write one line where you stopped."
        yield Advice(text, "rule", why)
    elif left <= SOON:
        text = "Five minutes are left today: write one line on where you are, then stop well."
        yield Advice(text, "rule", why)
    elif context.elapsed >= WELL_IN and needed > left:
        text = f"About {phrases.minutes(needed / 60)} of this step and {phrases.minutes(left / 60)}"
        yield Advice(f"{text} of today are left. Do its first part now.", "rule", why)


def _from_data(plan: Guide, step: Step, context: Context, hint: Hint) -> Iterator[Advice]:
    if hint.failed.people < ENOUGH:
        return
    yield from _skipped_by_others(plan, step, context, hint)
    yield from _left_open_by_others(step, context, hint)
    if context.state(step.number).result == "failed":
        yield from _after_their_failure(hint)


def _skipped_by_others(plan: Guide, step: Step, context: Context, hint: Hint) -> Iterator[Advice]:
    n = hint.failed.people
    number = _most(hint.failed.skipped, n, hint.worked, hint.worked.skipped)
    if number is None or number > len(plan.steps):
        return
    if context.state(step.number).failures or context.state(number).result == "skipped":
        text = f"People who failed here mostly skipped step {number}"
        text += f", “{plan.steps[number - 1].title}”: {hint.failed.skipped[number]} of {n} had."
        yield Advice(text, "data", _compared(hint, number), n)


def _left_open_by_others(step: Step, context: Context, hint: Hint) -> Iterator[Advice]:
    n, size = hint.failed.listed, len(step.checklist)
    item = _most(hint.failed.open_items, n, hint.worked, hint.worked.open_items)
    if item is not None and item < size and not context.state(step.number).ticks(size)[item]:
        text = f"People who failed here mostly left this open: {step.checklist[item]}"
        count = hint.failed.open_items[item]
        yield Advice(f"{text} ({count} of {n}).", "data", "their checklists", n)


def _after_their_failure(hint: Hint) -> Iterator[Advice]:
    n = hint.failed.people
    if hint.recovered >= ENOUGH:
        text = f"{hint.recovered} of {n} people who failed here got it to work afterwards."
        yield Advice(text, "data", "their next verdicts", n)
        return
    for reason, count in hint.reasons.most_common(1):
        if count >= ENOUGH and reason in phrases.FAILED:
            text = f"What most said who failed here: “{phrases.FAILED[reason]}”"
            yield Advice(f"{text} ({count} of {n}).", "data", "their reasons", n)


def _compared(hint: Hint, number: int) -> str:
    """The same of those for whom it worked, where there are enough of them."""
    if hint.worked.people < ENOUGH:
        return "others’ runs"
    count = hint.worked.skipped[number]
    return f"others’ runs; of {hint.worked.people} for whom it worked, {count} had"


def _most(counts: Counter[int], people: int, worked: Group, also: Counter[int]) -> int | None:
    """What most of the failed had in common, if the others had it clearly less often."""
    if not people or not counts:
        return None
    found, count = max(counts.items(), key=lambda pair: pair[1])
    usual = also[found] / worked.people if worked.people >= ENOUGH else 0.0
    share = count / people
    return found if count >= ENOUGH and share >= 0.5 and share >= MORE * usual else None
