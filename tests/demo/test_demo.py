"""Demo data: invented, marked, alike for the same seed, and true to the rules of real data."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from tests import people
from whatworks import catalogue, clock, db, errors, settings, storage
from whatworks.advice import policies
from whatworks.catalogue import Workflow
from whatworks.demo import building, receipts
from whatworks.demo import people as invention
from whatworks.demo.people import Person
from whatworks.demo.receipts import Shown
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import executions, lifecycle
from whatworks.models import (
    ExecutionEvent,
    OrderEvent,
    ProofShare,
    Recommendation,
    Slate,
    UserProfile,
)
from whatworks.models import Review as ReviewRow
from whatworks.people import sessions
from whatworks.results import proof_files, proofs, reviews
from whatworks.settings import Settings
from whatworks.store import orders

OFFERED = [Workflow(one.name, 1, one) for one in catalogue.read_folder(catalogue.BUNDLED)]
NOW = 1_790_000_000.0


@functools.cache
def invented(count: int = 600, seed: int = 1) -> list[Person]:
    return list(invention.people(OFFERED, count, seed, NOW))


def story(person: Person) -> list[object]:
    """Everything about somebody but identifiers."""
    profile = replace(person.profile, id="")
    return [profile, person.plan, *(_told(run) for run in person.runs)]


def _told(run: invention.Run) -> object:
    return (
        replace(run.execution, id="", user_id=""),
        [replace(event, reference_id=None) for _, event in run.events],
        [(note.step, note.text, note.created_at) for note in run.notes],
        [(o.metric_type, o.value, o.currency, o.created_at) for o in run.outcomes],
    )


def test_the_same_seed_tells_the_same_stories() -> None:
    again = list(invention.people(OFFERED, 600, 1, NOW))
    assert [story(p) for p in again] == [story(p) for p in invented()]
    assert [story(p) for p in invented(600, 2)] != [story(p) for p in invented()]


def test_people_are_of_all_kinds_and_invented() -> None:
    profiles = [person.profile for person in invented()]
    assert all(p.email.endswith("@demo.example") for p in profiles)
    assert len({p.email for p in profiles}) == len(profiles)
    assert len({p.segment for p in profiles}) == 15
    assert profiles[0].email == "asha@demo.example"
    assert len(invented()[0].runs) == 6
    assert sum(run.brought is not None for run in invented()[0].runs) >= invention.RESULTS


def test_what_happened_could_have_happened() -> None:
    runs = [run for person in invented() for run in person.runs]
    statuses = Counter(run.execution.status for run in runs)
    assert set(statuses) == set(lifecycle.STATUSES)
    for run in runs:
        ids = [event_id for event_id, _ in run.events]
        assert ids == sorted(ids)
        at = [event.at for _, event in run.events]
        assert at == sorted(at)
        assert at[-1] <= NOW
        if run.execution.is_open:
            assert NOW - (run.execution.touched_at or 0) < 31 * invention.DAY
    reported = [outcome for run in runs for outcome in run.outcomes]
    assert {o.currency for o in reported} >= {"INR", "USD", "hours", "count"}
    assert any(o.value == 0 for o in reported)
    assert any(o.supersedes_id for o in reported)
    assert any(event.result == "failed" for run in runs for _, event in run.events)
    assert any(run.notes for run in runs)


def test_some_workflows_work_better_than_others() -> None:
    rates = [
        mean(invention.chance_of_success(p.profile, workflow) for p in invented())
        for workflow in OFFERED
    ]
    assert max(rates) - min(rates) > 0.15


def test_pictures_are_drawn_alike_for_the_same_seed() -> None:
    shown = Shown("Payment received", "Paid in full", "4,800 INR", "2026-03-01")
    assert receipts.png(shown, "a") == receipts.png(shown, "a")
    assert receipts.png(shown, "a") != receipts.png(shown, "b")


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    folder = tmp_path / "demo"
    folder.mkdir()
    bucket = {"WHATWORKS_STORAGE_URL": "s3+http://key:secret@127.0.0.1:9/real"}
    return settings.from_env(bucket, data_dir=folder, secret_key="k" * 40)


def test_the_database_is_whole_and_its_evidence_true(chosen: Settings) -> None:
    told: list[int] = []
    made = building.build(chosen, count=40, seed=3, progress=told.append)
    assert sum(told) == made.people == 40
    assert chosen.is_demo
    database = db.Database(chosen.url)
    assert database.read(_count, UserProfile) == 41  # and an operator
    assert database.read(_count, Recommendation) > 40
    assert database.read(people.read_model) == people.rebuilt(database)
    asha = database.read(sessions.find, made.token)
    boss = database.read(sessions.find, made.operator_key)
    assert asha is not None
    assert boss is not None
    assert boss.is_operator
    for run in database.read(executions.list_for, asha.user_id):
        assert database.read(people.replayed, asha.user_id, run.id) == run
    assert_every_page_has_something(database, chosen, asha.user_id, boss.user_id)
    database.close()
    with pytest.raises(errors.Failure, match="has demo data already"):
        building.build(chosen, count=1, seed=1, progress=told.append)
    building.remove(chosen.data_dir)
    assert not chosen.data_dir.exists()
    building.remove(chosen.data_dir)


def assert_every_page_has_something(
    database: db.Database, chosen: Settings, asha_id: str, boss_id: str
) -> None:
    files = storage.open_("", chosen.data_dir / "files")  # never in the real bucket
    shown = database.read(proofs.list_for, asha_id)
    assert len(shown) >= invention.RESULTS
    assert all(proof_files.thumb(files, proof) for proof in shown if proof.pages)
    decided = [review.decision for review in database.read(reviews.list_recent, boss_id)]
    assert {"approved", "rejected"} <= set(decided)
    assert database.read(reviews.count_waiting, boss_id) > 2
    assert database.read(_count, ProofShare) > 1
    sold = database.read(orders.search)
    assert {order.status for order in sold} == {*orders.OPEN, *LATER}
    assert any(order.held for order in sold)
    judged = database.read(policies.report, Beliefs(), np.random.default_rng(1))
    assert all(report.verdict.rows > 20 for report in judged)
    for at in (ExecutionEvent.at, Slate.created_at, ReviewRow.at, OrderEvent.at):
        assert database.read(_latest, at) <= clock.timestamp()


LATER = ("fulfilled", "refunded", "disputed")


def _latest(session: db.Session, at: Any) -> float:
    return float(session.value(select(func.max(at))))


def _count(session: db.Session, table: type[Any]) -> int:
    return int(session.value(select(func.count()).select_from(table)))


def test_nothing_but_demo_data_is_ever_removed(tmp_path: Path) -> None:
    precious = tmp_path / "data.db"
    precious.write_text("precious")
    with pytest.raises(errors.Failure, match="nothing was removed"):
        building.remove(tmp_path)
    assert precious.read_text() == "precious"


def test_half_a_demo_is_not_left_behind(chosen: Settings) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        building.build(chosen, count=1, seed=1, progress=interrupt)
    assert not chosen.data_dir.exists()
