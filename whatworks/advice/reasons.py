"""Why a workflow is recommended, in sentences that are true by construction. Pure.

Every number comes from a published level, and the sentence names that level. What is drawn
towards other levels is called an estimate; what nobody has tried is called new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks.advice import phrases
from whatworks.evidence import findings
from whatworks.evidence.findings import Evidence, Hours, Level, Value
from whatworks.evidence.sums import States
from whatworks.people.profiles import Profile

PLANS: Final = {"free": "Free", "pro": "Pro", "scale": "Scale"}
NOTED: Final = 0.1  # from this share on, those who got nothing, or are still at it, are mentioned
VERBS: Final = {"revenue": "earned", "time_saved": "saved", "customers": "won"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence for the card, and the sentences behind "Why this one?"."""

    text: str
    why: tuple[str, ...]


def reason(
    found: Evidence, profile: Profile, *, serves_goal: bool, tier: str | None = None
) -> Reason:
    """Why this workflow for this person; `tier` names the plan they would need first."""
    parts = [_finishing(found, profile)]
    if found.value is not None:
        parts.append(_bringing(found.value, found.value_level, found.rate_level))
    if found.hours is not None:
        parts.append(_taking(found.hours))
    text = "; ".join(parts)
    if tier is not None:
        text = f"needs the {PLANS.get(tier, tier)} plan; {text}"
    return Reason(text, tuple(_why(found, profile, serves_goal, tier)))


def in_ten(share: float) -> str:
    """A share as people say it.

    >>> in_ten(0.61), in_ten(0.02), in_ten(0.97), in_ten(1.0)
    ('about 6 in 10', 'fewer than 1 in 10', 'nearly all', 'all')
    """
    if share >= 1:
        return "all"
    if share < 0.05:
        return "fewer than 1 in 10" if share else "none"
    return "nearly all" if share >= 0.95 else f"about {round(10 * share)} in 10"


def who(level: Level | None, number: int = 2) -> str:
    """Whom a level is about, as a plural: "beginner freelancers", "people".

    >>> who(("freelancer", "beginner")), who(("", "beginner")), who(None)
    ('beginner freelancers', 'beginners', 'people')
    """
    market, skill_level = level or ("", "")
    if skill_level == "beginner" and not market:
        return "beginner" if number == 1 else "beginners"
    return phrases.people(number, market or None, skill_level or None)


def amounts(value: Value) -> str:
    """The middle half of what was reported.

    >>> from whatworks.evidence.findings import Value
    >>> amounts(Value("revenue", "INR", 4e3, 2e3, 9e3, 1, 2, 3, 4, True, 0, 12, 0, 0, []))
    '₹2,000–9,000'
    """
    if value.low == value.high:
        return phrases.quantity(value.low, value.currency)
    low = phrases.quantity(value.low, value.currency)
    high = phrases.quantity(value.high, value.currency)
    if value.metric == "revenue":
        return f"{low}–{high.lstrip('₹$€£')}" if low[0] in "₹$€£" else f"{low} to {high}"
    number = f"{phrases.number(value.low)}–{phrases.number(value.high)}"
    return f"{number} {'hours' if value.metric == 'time_saved' else 'customers'}"


def _finishing(found: Evidence, profile: Profile) -> str:
    """The rate of the level shown, from its counts."""
    if found.rate_level is None:
        if found.uncounted:
            return "older runs are not counted yet"
        if found.states.people:
            begun = phrases.plural(found.states.people, "person", "people")
            return f"new: {begun} like you began it, too early to say how it ends"
        return "new: nobody like you has tried it yet"
    states = found.states
    like = " like you" if found.is_own and all(profile.segment) else ""
    whom = f"{who(found.rate_level)}{like}"
    if states.people < findings.EARLY:
        return f"too early to say: so far {states.finished} of {states.ends} {whom} finished"
    if states.finished == states.ends:
        return f"all {states.ends} {whom} finished"
    return f"{states.finished} of {states.ends} {whom} finished"


def _bringing(value: Value, level: Level | None, rated: Level | None) -> str:
    reporters = "those who report" if level == rated else f"the {who(level)} who report"
    verb = VERBS.get(value.metric, "got")
    if value.zero_share > 0.5:
        return f"{in_ten(value.zero_share)} of {reporters} {verb} nothing yet"
    estimate = "" if value.is_counted else ", an estimate"
    whom = reporters if value.zeros == 0 else f"{reporters} something"
    text = f"half of {whom} {verb} {amounts(value)}{estimate}"
    if value.zero_share >= NOTED:
        text += f", {in_ten(value.zero_share)} nothing yet"
    return text


def _taking(hours: Hours) -> str:
    """Calendar time, said so that nobody takes it for hours of work."""
    low, high = phrases.lapse(hours.low), phrases.lapse(hours.high)
    if low == high:
        return f"most who finish do so within {high} of beginning"
    number, _, unit = low.rpartition(" ")
    if high.endswith(f" {unit}"):
        low, high = number, high.removeprefix("about ")
    return f"most who finish do so {low} to {high} after beginning"


def _why(found: Evidence, profile: Profile, serves_goal: bool, tier: str | None) -> list[str]:
    lines = ["It serves your goal." if serves_goal else "Your goal is not what it was written for."]
    if tier is not None:
        lines.append(f"You need the {PLANS.get(tier, tier)} plan before you can start it.")
    if found.rate_level is None and found.uncounted:
        lines.append("Older runs are not counted yet, so we cannot say how it ends.")
        return lines
    if found.rate_level is None:
        lines.append(
            "Fewer than five people like you, or of any kind, have come to an end with it. We show"
            " it now and then, because that is the only way to find out."
        )
        return lines
    lines.append(_counted(found.states, found.rate_level))
    if not found.is_own and all(profile.segment):
        own = who(profile.segment)
        lines.append(f"Too few {own} have come to an end with it, so this is about others as well.")
    estimate = found.rate
    lines.append(
        "Our estimate, which reckons with those still at it and with how others fared:"
        f" {phrases.percent(100 * estimate.mean)},"
        f" likely {phrases.percent(100 * estimate.low50)}"
        f" to {phrases.percent(100 * estimate.high50)}."
    )
    if found.states.pending > NOTED * found.states.people:
        lines.append(
            "Who finishes is known sooner than who gives up without a word, so the count looks a"
            " little better than it is."
        )
    if found.value is not None:
        lines.append(_valued(found.value, found.value_level))
    if found.hours is not None:
        middle = phrases.lapse(found.hours.median)
        lines.append(f"Half of those who finish have done so within {middle} of beginning.")
    return lines


def _counted(states: States, level: Level) -> str:
    pending = f" {states.pending} more are still at it." if states.pending else ""
    return (
        f"{states.finished} of the {states.ends} {who(level)} whose end we know finished it;"
        f" {states.stopped} stopped.{pending}"
    )


def _valued(value: Value, level: Level | None) -> str:
    typical = phrases.quantity(value.median, value.currency)
    checked = f", {value.verified} of them reviewed" if value.verified else ", none reviewed yet"
    return (
        f"By what {value.people} {who(level)} said it brought{checked}: typical of those who got"
        f" something is {typical}, an estimate."
    )
