"""Building the demo: a separate database, marked, with people whose doings fill every page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert

from whatworks import catalogue, clock, db, settings, storage
from whatworks.demo import orders, people, proofs, slates, today
from whatworks.demo.people import Person, Run
from whatworks.evidence import fits, performance, publications
from whatworks.evidence.beliefs import Beliefs
from whatworks.execution import steps
from whatworks.models import (
    Email,
    ExecutionEvent,
    ExecutionStep,
    Grant,
    Outcome,
    StepNote,
    UserProfile,
    WorkflowExecution,
)
from whatworks.people import operators, sessions
from whatworks.results import pictures
from whatworks.settings import Settings
from whatworks.store import plans, products
from whatworks.store.entitlements import Terms
from whatworks.upgrades import migrations

FOLDER: Final = "demo"
BATCH: Final = 200
FEW: Final = 25
TOLD: Final = 300  # of so many people it is told what they were recommended, showed and bought
PERSON, OPERATOR = "asha@demo.example", "operator@demo.example"
LIMITS: Final = pictures.Limits(bytes=10_000_000, pixels=25_000_000, pages=10)
PATIENCE: Final = 600.0

_ADD: Final = {
    table: db.Query(insert(table))
    for table in (
        UserProfile,
        Email,
        Grant,
        WorkflowExecution,
        StepNote,
        ExecutionEvent,
        ExecutionStep,
        Outcome,
    )
}
Rows = dict[type[Any], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, and how programs get in: as PERSON, and as OPERATOR."""

    people: int
    executions: int
    outcomes: int
    proofs: int
    token: str
    operator_key: str


def build(chosen: Settings, *, count: int, seed: int, progress: Callable[[int], None]) -> Made:
    """Fill a new database inside the folder, which is marked. Raises Refused when there is one."""
    if (chosen.data_dir / "data.db").exists():
        raise migrations.Refused(
            f"{chosen.data_dir} has demo data already; --fresh makes new ones, --serve shows them."
        )
    (chosen.data_dir / settings.DEMO_MARK).write_text("Everybody in here is invented.\n")
    migrations.upgrade(chosen.url)
    database = db.Database(chosen.url, patience=PATIENCE)
    try:
        made = _fill(database, chosen, count, seed, progress)
    except BaseException:  # also Ctrl-C: half of the people are of no use
        database.close()
        remove(chosen.data_dir)
        raise
    database.close()
    return made


def remove(folder: Path) -> None:
    """Remove demo data. Raises Refused when the folder holds anything else."""
    if not folder.exists():
        return
    if not (folder / settings.DEMO_MARK).exists():
        raise migrations.Refused(f"{folder} does not hold demo data; nothing was removed.")
    shutil.rmtree(folder)


def _fill(
    database: db.Database,
    chosen: Settings,
    people_count: int,
    seed: int,
    progress: Callable[[int], None],
) -> Made:
    now = clock.timestamp()
    operator_id, operator_key = database.write(_add_operator)
    told, executions, outcomes = _add_people(database, people_count, seed, now, progress)
    first = told[0].profile.id
    known, terms = _count(database)
    database.write(orders.tell, told, terms.products, now)
    place = proofs.Place(
        database,
        storage.open_("", chosen.data_dir / "files"),
        pictures.Studio(LIMITS),
        operator_id,
    )
    shown = proofs.tell(place, told, now)
    for start in range(0, len(told), FEW):  # a commit each would take longer than the telling
        database.write(slates.tell, told[start : start + FEW], known, terms, seed, now)
    database.write(today.tell, told[0], now)
    token = database.write(sessions.open_, first, kind="token", label="demo", days=90)
    return Made(people_count, executions, outcomes, shown, token, operator_key)


def _add_people(
    database: db.Database, count: int, seed: int, now: float, progress: Callable[[int], None]
) -> tuple[list[Person], int, int]:
    """Everybody with their runs; returns the first of them, of whom more is told, and counts."""
    guides = list(catalogue.read_folder(catalogue.BUNDLED))
    database.write(catalogue.load, guides, source="bundled")
    invented = people.people(database.read(catalogue.list_current), count, seed, now)
    first: list[Person] = []
    executions = outcomes = 0
    while batch := list(islice(invented, BATCH)):
        database.write(_add, batch)
        progress(len(batch))
        first += batch[: TOLD - len(first)]
        executions += sum(len(person.runs) for person in batch)
        outcomes += sum(len(run.outcomes) for person in batch for run in person.runs)
    return first, executions, outcomes


def _count(database: db.Database) -> tuple[Beliefs, Terms]:
    """Count what happened, fit the model, and publish."""
    known = Beliefs()
    database.write(performance.rebuild)
    database.write(fits.store, database.read(fits.compute))
    publications.keep_up_all(database, known)
    return known, Terms(plans.from_settings(Settings()), products.load())


def _add_operator(session: db.Session) -> tuple[str, str]:
    now, user_id = clock.timestamp(), clock.new_id()
    _insert(session, _person_rows(user_id, OPERATOR, "scale_business", "agency", "advanced", now))
    operators.grant(session, user_id, by="demo data")
    return user_id, operators.new_key(session, user_id, "demo")


def _person_rows(
    user_id: str, email: str, goal: str, market: str, skill_level: str, joined: float
) -> Rows:
    profile = {
        "id": user_id,
        "email": email,
        "goal": goal,
        "market": market,
        "skill_level": skill_level,
        "country": "IN",
        "time_zone": None,
        "created_at": joined,
        "updated_at": joined,
        "source": None,
    }
    return {
        UserProfile: [profile],
        Email: [{"email": email, "user_id": user_id, "created_at": joined, "verified_at": joined}],
    }


def _add(session: db.Session, batch: list[Person]) -> None:
    rows: Rows = {table: [] for table in _ADD}
    for person in batch:
        for table, values in _rows(person):
            rows[table].append(values)
    _insert(session, rows)


def _insert(session: db.Session, rows: Rows) -> None:
    for table, values in rows.items():
        if values:
            session.many(_ADD[table], values)


def _rows(person: Person) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    profile = person.profile
    yield UserProfile, asdict(profile) | {"source": None}
    yield (
        Email,
        {
            "email": profile.email,
            "user_id": profile.id,
            "created_at": profile.created_at,
            "verified_at": profile.created_at,
        },
    )
    if person.plan != "free":
        yield Grant, _grant(person)
    for run in person.runs:
        yield from _run_rows(run)


def _grant(person: Person) -> dict[str, Any]:
    return {
        "user_id": person.profile.id,
        "id": clock.new_id(),
        "plan": person.plan,
        "cause": "demo data",
        "cause_id": None,
        "product": None,
        "valid_from": person.profile.created_at,
        "valid_until": None,
        "revoked_at": None,
    }


def _run_rows(run: Run) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    execution = asdict(run.execution)
    execution["execution_notes"] = execution.pop("old_notes") or None
    owner = {"user_id": run.execution.user_id, "execution_id": run.execution.id}
    yield WorkflowExecution, execution
    for note in run.notes:
        yield StepNote, owner | asdict(note) | {"rev": None, "superseded_at": None}
    for event_id, event in run.events:
        yield ExecutionEvent, owner | {"id": event_id} | asdict(event)
    for state in steps.fold(event for _, event in run.events).values():
        yield ExecutionStep, owner | asdict(state)
    for outcome in run.outcomes:
        values = owner | asdict(outcome) | {"verified": int(outcome.verified)}
        values["review"] = "approved" if outcome.verified else None
        values["timestamp"] = values.pop("created_at")
        yield Outcome, values
