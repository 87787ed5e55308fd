"""Demo data: invented, marked, alike for the same seed, and true to the rules of real data."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from sqlalchemy import func, select

from tests import people
from whatworks import catalogue, db, demo, demo_people, errors, settings
from whatworks.catalogue import Workflow
from whatworks.demo_people import Person
from whatworks.evidence import performance
from whatworks.execution import executions, lifecycle
from whatworks.models import Recommendation, UserProfile
from whatworks.people import sessions
from whatworks.settings import Settings

OFFERED = [Workflow(one.name, 1, one) for one in catalogue.read_folder(catalogue.BUNDLED)]
NOW = 1_790_000_000.0


@functools.cache
def invented(count: int = 600, seed: int = 1) -> list[Person]:
    return list(demo_people.people(OFFERED, count, seed, NOW))


def story(person: Person) -> list[object]:
    """Everything about somebody but identifiers."""
    profile = replace(person.profile, id="")
    return [profile, person.plan, *(_told(run) for run in person.runs)]


def _told(run: demo_people.Run) -> object:
    return (
        replace(run.execution, id="", user_id=""),
        [replace(event, reference_id=None) for _, event in run.events],
        [(note.step, note.text, note.created_at) for note in run.notes],
        [(o.metric_type, o.value, o.currency, o.created_at) for o in run.outcomes],
    )


def test_the_same_seed_tells_the_same_stories() -> None:
    again = list(demo_people.people(OFFERED, 600, 1, NOW))
    assert [story(p) for p in again] == [story(p) for p in invented()]
    assert [story(p) for p in invented(600, 2)] != [story(p) for p in invented()]


def test_people_are_of_all_kinds_and_invented() -> None:
    profiles = [person.profile for person in invented()]
    assert all(p.email.endswith("@demo.example") for p in profiles)
    assert len({p.email for p in profiles}) == len(profiles)
    assert len({p.segment for p in profiles}) == 15
    assert profiles[0].email == "asha@demo.example"
    assert len(invented()[0].runs) == 6


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
            assert NOW - (run.execution.touched_at or 0) < 31 * demo_people.DAY
    reported = [outcome for run in runs for outcome in run.outcomes]
    assert {o.currency for o in reported} >= {"INR", "USD", "hours", "count"}
    assert any(o.value == 0 for o in reported)
    assert any(o.supersedes_id for o in reported)
    assert any(event.result == "failed" for run in runs for _, event in run.events)
    assert any(run.notes for run in runs)


def test_some_workflows_work_better_than_others() -> None:
    rates = [
        mean(demo_people.chance_of_success(p.profile, workflow) for p in invented())
        for workflow in OFFERED
    ]
    assert max(rates) - min(rates) > 0.15


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    folder = tmp_path / "demo"
    folder.mkdir()
    return settings.from_env({}, data_dir=folder, secret_key="k" * 40)


def test_the_database_is_whole_and_its_evidence_true(chosen: Settings) -> None:
    told: list[int] = []
    made = demo.build(chosen, people=40, seed=3, progress=told.append)
    assert sum(told) == made.people == 40
    assert chosen.is_demo
    database = db.Database(chosen.url)
    assert database.read(_count, UserProfile) == 41  # and an operator
    assert database.read(_count, Recommendation) > 40
    kept = database.read(people.read_model)
    database.write(performance.rebuild)
    assert database.read(people.read_model) == kept
    asha = database.read(sessions.find, made.token)
    boss = database.read(sessions.find, made.operator_key)
    assert asha is not None
    assert boss is not None
    assert boss.is_operator
    for run in database.read(executions.list_for, asha.user_id):
        assert database.read(people.replayed, asha.user_id, run.id) == run
    database.close()
    with pytest.raises(errors.Failure, match="has demo data already"):
        demo.build(chosen, people=1, seed=1, progress=told.append)
    demo.remove(chosen.data_dir)
    assert not chosen.data_dir.exists()
    demo.remove(chosen.data_dir)


def _count(session: db.Session, table: type[UserProfile] | type[Recommendation]) -> int:
    return int(session.value(select(func.count()).select_from(table)))


def test_nothing_but_demo_data_is_ever_removed(tmp_path: Path) -> None:
    precious = tmp_path / "data.db"
    precious.write_text("precious")
    with pytest.raises(errors.Failure, match="nothing was removed"):
        demo.remove(tmp_path)
    assert precious.read_text() == "precious"


def test_half_a_demo_is_not_left_behind(chosen: Settings) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.build(chosen, people=1, seed=1, progress=interrupt)
    assert not chosen.data_dir.exists()
