"""Tips fit the moment and say where they come from; data are quoted of five others or more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from tests.followers import GUIDE, sign_up, start
from whatworks import db
from whatworks.advice import hints, phrases, tips
from whatworks.advice.hints import Group, Hint
from whatworks.advice.tips import Advice, Context
from whatworks.execution import executions, runs, steps
from whatworks.execution.steps import State
from whatworks.guides import comparison
from whatworks.guides.guide import Step, Tip

STEP: Final = GUIDE.steps[1]
BARE: Final = replace(STEP, tips=(), checklist=("one", "two"))


def chosen(
    context: Context, hint: Hint | None = None, step: Step = BARE
) -> list[tuple[str, int | None]]:
    return [(tip.source, tip.n) for tip in tips.choose(GUIDE, step, context, hint)]


def failed(reason: str | None = None, checks: str = "") -> Context:
    state = State(2, "failed", reason, 1, reason, checks, checks)
    return Context(states={2: state})


# ---- rules and authors ------------------------------------------------------------------------


def test_the_authors_tips_are_for_whom_they_say() -> None:
    step = replace(
        BARE,
        tips=(
            Tip("all"),
            Tip("students", markets=("student",)),
            Tip("after", failed=True),
            Tip("beginners in India", skill_levels=("beginner",), countries=("IN",)),
        ),
    )
    asha = Context("earn_money", "freelancer", "beginner", "IN")
    texts = [(tip.text, tip.why) for tip in tips.choose(GUIDE, step, asha)]
    assert texts == [
        ("all", ""),
        ("beginners in India", "for beginners, your country"),
    ]
    later = replace(asha, states={2: State(2, "failed", failures=1)})
    assert tips.choose(GUIDE, step, later)[0] == Advice("after", "author", "after a failure")
    assert tips.if_it_fails(GUIDE, step, asha)[0].text == "after"


@pytest.mark.parametrize("reason", steps.FAILED)
def test_every_reason_has_its_rule(reason: str) -> None:
    (first, *_) = tips.choose(GUIDE, BARE, failed(reason))
    assert (first.source, first.why) == ("rule", f"you said: “{phrases.FAILED[reason]}”")


def test_words_and_codes_of_reasons_agree() -> None:
    assert tuple(phrases.FAILED) == steps.FAILED
    assert tuple(phrases.SKIPPED) == steps.SKIPPED


def test_after_a_failure_what_is_still_open_is_named() -> None:
    (found,) = tips.choose(GUIDE, BARE, failed(checks="1"))
    assert found.text == "Still open on your list: two"
    assert tips.choose(GUIDE, BARE, failed(checks="11")) == []


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [(0.0, None), (600.0, None), (2000.0, "Do its first part now"), (2500.0, "stop well"),
     (2700.0, "Today’s time is used"), (9000.0, "Today’s time is used")],
)  # fmt: skip
def test_the_time_of_the_routine_is_told(elapsed: float, expected: str | None) -> None:
    step = replace(BARE, minutes=25)
    found = tips.choose(GUIDE, step, Context(elapsed=elapsed))
    assert len(found) == (expected is not None)
    if expected is not None:
        assert expected in found[0].text
    assert tips.choose(GUIDE, step, Context(elapsed=elapsed, is_current=False)) == []


def test_what_was_put_off_comes_back() -> None:
    (found,) = tips.choose(GUIDE, BARE, Context(states={1: State(1, "skipped", "later")}))
    assert GUIDE.steps[0].title in found.text
    assert tips.choose(GUIDE, BARE, Context(states={1: State(1, "skipped", "not_for_me")})) == []


def test_there_are_few() -> None:
    many = replace(BARE, tips=tuple(Tip(f"tip {number}") for number in range(9)))
    assert len(tips.choose(GUIDE, many, failed("unclear"))) == tips.MOST


# ---- data -------------------------------------------------------------------------------------


def hint(
    people: int = 12, skipped: int = 8, worked: int = 30, usually: int = 3, **more: object
) -> Hint:
    return Hint(Group(people, Counter({1: skipped})), Group(worked, Counter({1: usually})), **more)  # type: ignore[arg-type]


def test_what_those_who_failed_had_skipped_is_quoted_with_its_counts() -> None:
    context = Context(states={1: State(1, "skipped", "not_for_me")})
    (found,) = tips.choose(GUIDE, BARE, context, hint())
    assert found.text.startswith("People who failed here mostly skipped step 1")
    assert "8 of 12 had" in found.text
    assert found.why == "others’ runs; of 30 for whom it worked, 3 had"
    assert (found.source, found.n) == ("data", 12)
    assert tips.choose(GUIDE, BARE, Context(), hint()) == []  # I have not skipped it


@pytest.mark.parametrize(
    "weak",
    [
        hint(people=4, skipped=4),  # too few
        hint(skipped=4),  # four of twelve are not most, and too few
        hint(people=20, skipped=9),  # not most
        hint(usually=20),  # it works for people who skip it as well
    ],
)
def test_weak_data_are_not_quoted(weak: Hint) -> None:
    assert chosen(Context(states={1: State(1, "skipped", "other")}), weak) == []


def test_an_open_item_that_others_failed_with_is_named() -> None:
    known = Hint(
        Group(10, Counter(), 10, Counter({1: 8})), Group(20, Counter(), 20, Counter({1: 2}))
    )
    (found,) = tips.choose(GUIDE, BARE, Context(), known)
    assert found.text == "People who failed here mostly left this open: two (8 of 10)."
    assert tips.choose(GUIDE, BARE, Context(states={2: State(2, checks="01")}), known) == []


def test_after_a_failure_others_who_recovered_are_counted() -> None:
    known = Hint(Group(14), Group(), Counter(), 11)
    texts = [tip.text for tip in tips.choose(GUIDE, BARE, failed(), known)]
    assert texts[0] == "11 of 14 people who failed here got it to work afterwards."
    known = Hint(Group(14), Group(), Counter({"unclear": 9}), 2)
    texts = [tip.text for tip in tips.choose(GUIDE, BARE, failed(), known)]
    assert "“The step was not clear” (9 of 14)" in texts[0]


# ---- the counts behind ------------------------------------------------------------------------


def follow(database: db.Database, user_id: str, verdicts: Sequence[tuple[int, str]]) -> None:
    run = start(database, user_id)
    for step, result in verdicts:
        database.write(runs.record_verdict, user_id, run, step=step, result=result)
        if result == "worked":
            database.write(runs.tick, user_id, run, step=step, item=0, checked=True)


def of_others(database: db.Database, user_id: str) -> dict[int, Hint]:
    return hints.of_others(database.read(hints.gather, "resume_generator", 1, 4), user_id)


def test_people_are_counted_and_oneself_is_not(database: db.Database, asha: str) -> None:
    unlucky = [(1, "skipped"), (2, "failed")]
    for number in range(5):
        other = sign_up(database, f"other{number}@example.com")
        for _ in range(2):  # the same person twice is one person
            follow(database, other, unlucky)
        follow(database, sign_up(database, f"lucky{number}@example.com"),
               [(1, "worked"), (2, "worked")])  # fmt: skip
    follow(database, asha, [*unlucky, (2, "worked")])
    found = of_others(database, asha)
    assert (found[2].failed.people, found[2].failed.skipped[1]) == (5, 5)
    assert (found[2].worked.people, found[2].worked.skipped[1]) == (5, 0)
    assert found[2].recovered == 0
    assert (found[2].failed.listed, found[2].failed.open_items[0]) == (5, 5)
    assert found[2].worked.open_items[0] == 0
    as_other = of_others(database, sign_up(database, "new@example.com"))
    assert (as_other[2].failed.people, as_other[2].recovered) == (6, 1)
    context = Context(states={1: State(1, "skipped")})
    assert any(tip.source == "data" for tip in tips.choose(GUIDE, STEP, context, found[2]))


def test_another_version_is_another_matter(database: db.Database, asha: str) -> None:
    follow(database, asha, [(1, "failed")])
    assert database.read(hints.gather, "resume_generator", 2, 4) == {}
    assert database.read(hints.gather, "whatsapp_bot", 1, 4) == {}


def test_reasons_are_counted(database: db.Database, asha: str) -> None:
    run = start(database, asha)
    for reason in ("unclear", "too_long"):  # the last one counts
        database.write(runs.record_verdict, asha, run, step=1, result="failed", reason=reason)
    database.write(executions.record_step, asha, run, step=2, result="failed")
    found = of_others(database, "somebody else")
    assert found[1].reasons == Counter({"too_long": 1})
    assert found[2].reasons == Counter()


# ---- what changed in a guide ------------------------------------------------------------------


def texts(old: tuple[Step, ...], new: tuple[Step, ...]) -> list[tuple[int | None, str]]:
    def numbered(steps_: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(replace(step, number=number) for number, step in enumerate(steps_, 1))

    changes = comparison.between(
        replace(GUIDE, steps=numbered(old)), replace(GUIDE, steps=numbered(new))
    )
    return [(change.step, change.text) for change in changes]


def test_changes_are_told_in_plain_words() -> None:
    one, two, three, four, _ = GUIDE.steps
    assert texts((one, two), (one, two)) == []
    assert texts((one, two), (one, three, two)) == [(2, f"“{three.title}” is new.")]
    assert texts((one, two, three), (one, three)) == [
        (None, f"“{two.title}”, step 2 before, is gone.")
    ]
    assert texts((one, two, three, four), (four, one, two, three)) == [
        (1, f"“{four.title}” was step 4 before.")
    ]
    longer = replace(two, minutes=two.minutes + 5, html="<p>Other words</p>", done_when="It hangs.")
    assert texts((one, two), (one, longer)) == [
        (2, "It is done when: It hangs."),
        (2, f"It is planned for {longer.minutes} minutes, before {two.minutes}."),
        (2, "Its text was reworded."),
    ]
    renamed = replace(two, title=f"{two.title} today", checklist=(*two.checklist[1:], "New item"))
    assert texts((one, two), (one, renamed)) == [
        (2, f"“{two.title} today” was called “{two.title}” before."),
        (2, "New on its checklist: New item"),
        (2, f"No longer on its checklist: {two.checklist[0]}"),
    ]
