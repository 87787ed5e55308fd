"""What invented people showed for their results, and what the operator said of it.

Every picture goes the way of an upload: made harmless, kept, then its row. Each step is told at its
time by the verb of the product.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from whatworks import clock, db
from whatworks.demo import receipts
from whatworks.demo.people import DAY, HOUR, Person, Run
from whatworks.demo.receipts import Shown
from whatworks.evidence import performance
from whatworks.execution import runs
from whatworks.results import gallery, proof_files, proofs, reviews
from whatworks.results.outcomes import Outcome
from whatworks.results.pictures import Studio
from whatworks.results.proofs import Draft, Quota
from whatworks.storage import Store

MOST: Final = 36
# What became of one proof after the other; "" waits to be looked at.
FATES: Final = ("shared", "", "rejected", "approved", "", "approved", "", "listed", "answered", "")
KINDS: Final = (
    "picture",
    "text",
    "picture",
    "picture",
    "text",
    "pdf",
    "picture",
    "text",
    "picture",
)
PLENTY: Final = Quota(count=500, bytes=200_000_000)
NOUNS: Final = {
    "revenue": ("Payment received", "Paid in full"),
    "time_saved": ("Week at a glance", "Hours kept free"),
    "customers": ("New customers", "Signed this month"),
    "custom": ("Result", "Counted this month"),
}
TEXT: Final = "{figure}, as of {day}. I can show where it comes from; just ask. (Invented.)"
ANSWER: Final = "The second page has the name of the shop; the amount is at its foot."
OTHER: Final = "The date is that of last year."


@dataclass(frozen=True, slots=True)
class Claim:
    """A result to show something for."""

    user_id: str
    run: Run
    outcome: Outcome

    @property
    def at(self) -> float:
        """When it was shown."""
        return (self.outcome.created_at or 0.0) + HOUR


@dataclass(frozen=True, slots=True)
class Place:
    """Where proofs go, and who looks at them."""

    database: db.Database
    files: Store
    studio: Studio
    reviewer_id: str


def tell(place: Place, people: Iterable[Person], now: float) -> int:
    """Show proofs for the results of these people, and decide on most; returns how many."""
    number = -1
    for number, claim in enumerate(_chosen(people, now)):
        kind, fate = KINDS[number % len(KINDS)], FATES[number % len(FATES)]
        proof_id = _show(place, claim, kind)
        if fate:
            place.database.write(_decide, place.reviewer_id, claim, proof_id, fate, number, now)
    return number + 1


def _chosen(people: Iterable[Person], now: float) -> Iterator[Claim]:
    """All results of the first of them, then one of everybody who has any, MOST in all."""
    left = MOST
    for number, person in enumerate(people):
        claims = [
            Claim(person.profile.id, run, brought)
            for run in person.runs
            if (brought := run.brought) is not None
        ]
        for claim in claims[: None if number == 0 else 1]:
            if left and claim.at < now - 2 * HOUR:
                left -= 1
                yield claim


def _show(place: Place, claim: Claim, kind: str) -> str:
    proof_id, shown = clock.new_id(), _shown(claim.outcome)
    if kind == "text":
        text = TEXT.format(figure=shown.figure, day=shown.day)
        digest = hashlib.sha256(text.encode()).hexdigest()
        draft = Draft("text", len(text.encode()), digest, text)
        place.database.write(_keep, claim, proof_id, draft)
        return proof_id
    draw = receipts.pdf if kind == "pdf" else receipts.png
    seed = f"{claim.outcome.value}/{shown.day}"
    cleaned = place.studio.clean(io.BytesIO(draw(shown, seed)))
    with proof_files.stored(place.files, proof_id, cleaned):
        place.database.write(_keep, claim, proof_id, proof_files.draft_of(cleaned))
    return proof_id


def _shown(outcome: Outcome) -> Shown:
    title, about = NOUNS[outcome.metric_type]
    day = (clock.rfc3339(outcome.created_at) or "")[:10]
    unit = "customers" if outcome.metric_type == "customers" else outcome.currency
    return Shown(title, about, f"{outcome.value:,.10g} {unit}", day)


def _keep(session: db.Session, claim: Claim, proof_id: str, draft: Draft) -> None:
    """The proof in the last step of its run, and for its result."""
    user_id, run = claim.user_id, claim.run.execution
    step = max(run.steps_completed, 1)
    with clock.told_at(claim.at):
        proofs.add(session, user_id, proof_id, draft, PLENTY, execution_id=run.id, step=step)
        runs.record_proof(session, user_id, run.id, step=step, proof_id=proof_id)
        performance.folded(session, reviews.attach, user_id, proof_id, claim.outcome.id)


def _decide(
    session: db.Session,
    reviewer_id: str,
    claim: Claim,
    proof_id: str,
    fate: str,
    number: int,
    now: float,
) -> None:
    """The operator's word a day later, and what the owner did then."""
    rejected = fate in ("rejected", "answered")
    reason = list(reviews.REASONS)[number // len(FATES) % len(reviews.REASONS)]
    if fate == "answered":
        reason = "other"
    with clock.told_at(min(claim.at + DAY, now - HOUR)):
        performance.folded(
            session,
            reviews.decide,
            reviewer_id,
            claim.user_id,
            claim.outcome.id,
            "rejected" if rejected else "approved",
            proof_id=proof_id,
            seen=0,
            reason=reason if rejected else None,
            text=OTHER if reason == "other" and rejected else None,
        )
    if fate == "answered":
        performance.folded(session, reviews.answer, claim.user_id, claim.outcome.id, ANSWER)
    elif fate in ("shared", "listed"):
        gallery.share(session, claim.user_id, proof_id, is_listed=fate == "listed")
