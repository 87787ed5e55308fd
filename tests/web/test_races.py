"""Many at once: one effect, equal answers, and nothing that anybody wrote is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, func, select
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from tests.races import at_once
from whatworks import db, models
from whatworks.evidence import performance
from whatworks.execution import executions
from whatworks.execution.lifecycle import Event
from whatworks.people import operators


def count(app: Flask, table: type[models.Base]) -> int:
    query = select(func.count()).select_from(table)
    return int(people.platform(app).database.read(lambda session: session.value(query)))


def statuses(answers: list[TestResponse]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def events_of(person: Person, execution_id: str) -> list[Event]:
    return people.platform(person.app).database.read(
        executions.list_events, person.user_id, execution_id
    )


def test_two_progress_updates_lose_no_note(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    for _ in range(10):
        execution_id = asha.start()
        path = f"/api/execution/{execution_id}/progress"

        def put(number: int, path: str = path) -> TestResponse:
            body = {"steps_completed": 2 + number, "notes": f"note {number}"}
            return app.test_client().put(path, json=body, headers=asha.bearer)

        assert statuses(at_once(2, put)) == {200: 2}
        found = asha.client.get(f"/api/execution/{execution_id}").get_json()
        assert {note["text"] for note in found["notes"]} == {"note 0", "note 1"}
        assert [event["kind"] for event in found["events"]] == ["started", *["progressed"] * 2]
        database = people.platform(app).database
        stored = database.read(executions.get, asha.user_id, execution_id)
        assert database.read(people.replayed, asha.user_id, execution_id) == stored


def same_twenty(send: Callable[[int], TestResponse]) -> None:
    """Twenty equal requests at once: twenty equal answers, nineteen of them replayed."""
    answers = at_once(20, send)
    assert statuses(answers) == {201: 20}
    assert len({answer.get_data() for answer in answers}) == 1
    replayed = Counter(answer.headers.get("Idempotency-Replayed") for answer in answers)
    assert replayed == {None: 1, "true": 19}


def test_same_key_makes_one_profile(app: Flask) -> None:
    body = {"email": "asha@example.com", **people.NEW}
    same_twenty(
        lambda _: app.test_client().post(
            "/api/profile", json=body, headers={"Idempotency-Key": "key"}
        )
    )
    assert count(app, models.UserProfile) == 1
    assert count(app, models.Email) == 1
    assert count(app, models.Session) == 1


def sender(
    asha: Person, path: str, body: dict[str, Any], key: str | None = None
) -> Callable[[int], TestResponse]:
    headers = asha.bearer if key is None else {**asha.bearer, "Idempotency-Key": key}
    return lambda _: asha.app.test_client().post(path, json=body, headers=headers)


def test_same_key_makes_one_execution(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    body = {"user_id": asha.user_id, "workflow_name": "resume_generator"}
    same_twenty(sender(asha, "/api/execution", body, "key"))
    assert count(app, models.WorkflowExecution) == 1
    assert count(app, models.ExecutionEvent) == 1


def test_same_key_makes_one_outcome(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    body = outcome(asha, asha.start())
    same_twenty(sender(asha, "/api/outcome", body, "key"))
    assert count(app, models.Outcome) == 1
    assert reported(asha) == (1, 1)


def outcome(asha: Person, execution_id: str, **more: object) -> dict[str, Any]:
    return {
        "execution_id": execution_id,
        "user_id": asha.user_id,
        "metric_type": "revenue",
        "value": 4800,
        **more,
    }


def reported(asha: Person) -> tuple[int, int]:
    """How many people of the cell reported, and how many reports there are of hers."""
    answer = asha.client.get("/api/performance/resume_generator").get_json()
    (cell,) = answer["performance"]
    mine = asha.client.get(f"/api/outcome?user_id={asha.user_id}").get_json()["outcomes"]
    return cell["reported"], len(mine)


def test_same_key_with_another_body_is_refused(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    bodies = [outcome(asha, execution_id, value=value) for value in (1, 2)]
    answers = at_once(10, lambda n: sender(asha, "/api/outcome", bodies[n % 2], "key")(n))
    assert statuses(answers) == {201: 5, 409: 5}
    refused = [answer.get_json() for answer in answers if answer.status_code == 409]
    assert {body["code"] for body in refused} == {"idempotency_key_reused"}
    assert count(app, models.Outcome) == 1


def test_same_key_of_two_people_is_two_keys(person: Callable[..., Person]) -> None:
    for someone in (person(), person()):
        body = outcome(someone, someone.start())
        answer = sender(someone, "/api/outcome", body, "key")(0)
        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer.headers


def test_what_failed_may_be_tried_again_with_the_same_key(person: Callable[..., Person]) -> None:
    asha, ravi = person(), person()
    send = sender(asha, "/api/outcome", outcome(asha, ravi.start()), "key")
    assert [send(n).status_code for n in range(2)] == [404, 404]
    assert sender(asha, "/api/outcome", outcome(asha, asha.start()), "key")(0).status_code == 201


def test_one_address_signs_up_once(app: Flask) -> None:
    body = {"email": "asha@example.com", **people.NEW}
    answers = at_once(10, lambda _: app.test_client().post("/api/profile", json=body))
    assert statuses(answers) == {201: 1, 409: 9}
    assert count(app, models.UserProfile) == 1
    assert count(app, models.Session) == 1


def test_an_outcome_is_corrected_once(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    first = asha.report(execution_id)

    def correct(number: int) -> TestResponse:
        body = outcome(asha, execution_id, value=number + 1, supersedes_id=first)
        return app.test_client().post("/api/outcome", json=body, headers=asha.bearer)

    found = statuses(at_once(10, correct))
    assert found[201] == 1
    assert found[404] + found[409] == 9
    assert count(app, models.Outcome) == 2
    assert reported(asha) == (1, 1)
    agree(app)


def test_completed_once(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    path = f"/api/execution/{execution_id}/progress"

    def finish(_: int) -> TestResponse:
        body = {"steps_completed": 5}
        return app.test_client().put(path, json=body, headers=asha.bearer)

    answers = at_once(10, finish)
    assert statuses(answers) == {200: 10}
    assert len({answer.get_data() for answer in answers}) == 1
    assert [event.kind for event in events_of(asha, execution_id)] == ["started", "completed"]
    agree(app)


def test_closed_only_one_way(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    for _ in range(5):
        path = f"/api/execution/{asha.start()}"

        def close(number: int, path: str = path) -> TestResponse:
            client = app.test_client()
            if number:
                return client.delete(path, headers=asha.bearer)
            return client.put(f"{path}/progress", json={"steps_completed": 5}, headers=asha.bearer)

        assert statuses(at_once(2, close)) == {200: 1, 409: 1}
    agree(app)


def test_two_browsers_begin_one_run(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    browsers = [people.signed_in(app, asha.user_id) for _ in range(5)]
    answers = at_once(5, lambda n: browsers[n].post("/executor/whatsapp_bot"))
    assert statuses(answers) == {303: 5}
    assert len({answer.headers["Location"] for answer in answers}) == 1


def agree(app: Flask) -> None:
    """What was folded change by change equals what history adds up to."""
    database = people.platform(app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_first_outcomes_at_once_count_as_one_report(
    app: Flask, person: Callable[..., Person]
) -> None:
    asha = person()
    for _ in range(5):
        body = outcome(asha, asha.start())
        answers = at_once(5, sender(asha, "/api/outcome", body))
        assert statuses(answers) == {201: 5}
    assert reported(asha) == (1, 25)
    agree(app)


def test_people_who_start_at_once_are_counted_once(
    app: Flask, person: Callable[..., Person]
) -> None:
    asha = person()
    body = {"user_id": asha.user_id, "workflow_name": "resume_generator"}
    assert statuses(at_once(10, sender(asha, "/api/execution", body))) == {201: 10}
    agree(app)


def test_evidence_agrees_when_it_is_rebuilt_meanwhile(
    app: Flask, person: Callable[..., Person]
) -> None:
    crowd = [person(market=market) for market in ("freelancer", "student", "agency")]
    runs = [[someone.start() for _ in range(4)] for someone in crowd]
    database = people.platform(app).database

    def work(number: int) -> None:
        if number == len(crowd):
            for _ in range(6):
                database.write(performance.rebuild)
            return
        asha = crowd[number]
        for execution_id in runs[number]:
            client = app.test_client()
            path = f"/api/execution/{execution_id}/progress"
            answer = client.put(path, json={"steps_completed": 5}, headers=asha.bearer)
            assert answer.status_code == 200
            body = outcome(asha, execution_id)
            assert sender(asha, "/api/outcome", body)(0).status_code == 201

    at_once(len(crowd) + 1, work)
    agree(app)


def test_the_first_operator_is_claimed_once(app: Flask) -> None:
    token = operators.first_token(people.platform(app).settings.secret_key)

    def claim(number: int) -> TestResponse:
        form = {"token": token, "email": f"boss{number}@example.com"}
        return app.test_client().post("/admin/claim", data=form)

    assert statuses(at_once(10, claim)) == {303: 1, 410: 9}
    assert count(app, models.Operator) == 1


NAIVE = Table("naive", MetaData(), Column("round", Integer))


def test_control_check_then_act_makes_duplicates(app: Flask) -> None:
    """The same twenty threads against code that looks first and writes later."""
    database = people.platform(app).database
    NAIVE.create(db.engine(database.url))
    assert any(_duplicates(database, number) for number in range(20))


def _duplicates(database: db.Database, number: int) -> bool:
    found = select(func.count()).select_from(NAIVE).where(NAIVE.c.round == number)
    act = NAIVE.insert().values(round=number)

    def check_then_act(_: int) -> None:
        if not database.read(lambda session: session.value(found)):
            database.write(lambda session: session.run(act))

    at_once(20, check_then_act)
    return bool(database.read(lambda session: session.value(found)) > 1)
