"""Somebody in the middle of a run: begun a while ago, a step done, the next one half ticked off."""

from __future__ import annotations

from typing import Final

from whatworks import clock, db
from whatworks.demo.people import Person
from whatworks.evidence import performance
from whatworks.execution import runs

WORKFLOW: Final = "first_paying_client"
MINUTE: Final = 60.0
NOTE: Final = "Resumes for nurses who go abroad. Two friends have asked me before."


def tell(session: db.Session, person: Person, now: float) -> None:
    """The person has been at it for half an hour, and goes on from step 2."""
    user_id = person.profile.id
    with clock.told_at(now - 32 * MINUTE):
        begun = performance.folded(session, runs.begin, user_id, WORKFLOW, terms=None).after
    with clock.told_at(now - 20 * MINUTE):
        runs.save_note(session, user_id, begun.id, step=1, text=NOTE, base_rev=0)
    with clock.told_at(now - 14 * MINUTE):
        runs.record_verdict(session, user_id, begun.id, step=1, result="worked")
    with clock.told_at(now - 5 * MINUTE):
        runs.tick(session, user_id, begun.id, step=2, item=0, checked=True)
