"""What must not be possible for people who try: other people's accounts, false public numbers."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update

from tests import people
from tests.people import Person
from whatworks import db
from whatworks.models import Outcome, Recommendation
from whatworks.people import operators, signins
from whatworks.web import fields, turnstile

Sign = Callable[..., Person]


def test_who_signs_up_with_anothers_address_is_out_when_its_owner_comes(
    app: Flask, person: Sign
) -> None:
    """The first proof of an address ends what was opened before; later ones end nothing."""
    intruder = person("victim@example.com")
    database = people.platform(app).database
    for ends_it in (True, False):
        challenge = database.write(signins.begin, "victim@example.com", people.KEY)
        database.write(signins.spend_link, challenge.id, challenge.secret)
        path = f"/api/profile/{intruder.user_id}"
        if ends_it:
            assert intruder.client.get(path).status_code == 401
            intruder = Person(
                app,
                people.signed_in(app, intruder.user_id),
                intruder.user_id,
                intruder.email,
                "",
            )
        assert intruder.client.get(path).status_code == 200


@pytest.mark.parametrize("way", ["claim", "grant"])
def test_nobody_waits_inside_an_operators_account(app: Flask, person: Sign, way: str) -> None:
    """Becoming an operator proves the address as well."""
    intruder = person("owner@example.com")
    database = people.platform(app).database
    if way == "claim":
        token = operators.first_token(people.KEY)
        database.write(operators.claim, "owner@example.com", token, people.KEY)
    else:
        database.write(operators.grant, intruder.user_id, by="test")
    assert intruder.client.get("/admin").status_code == 303


def test_wrong_codes_count_over_all_mails_to_an_address(app: Flask, person: Sign) -> None:
    """Asking for more mails does not buy more guesses."""
    person("asha@example.com")
    database = people.platform(app).database
    for _ in range(4):
        challenge = database.write(signins.begin, "asha@example.com", people.KEY)
        for _ in range(5):
            wrong = "000000" if challenge.code != "000000" else "111111"
            assert database.write(signins.spend_code, challenge.id, wrong, people.KEY) is None
    challenge = database.write(signins.begin, "asha@example.com", people.KEY)
    with pytest.raises(Exception, match="Too many wrong codes"):
        database.write(signins.spend_code, challenge.id, challenge.code, people.KEY)


def test_units_of_ones_own_are_not_published(app: Flask, person: Sign) -> None:
    """Free text must not reach a public page by way of the typical value."""
    for _ in range(12):
        asha = person()
        run = asha.start()
        asha.finish(run)
        asha.report(run, metric_type="custom", currency="call 98765", value=1e9)
        asha.report(run, value=4800)
    (cell,) = asha.client.get("/api/performance/resume_generator").get_json()["performance"]
    assert (cell["avg_outcome_value"], cell["currency"]) == (4800.0, "INR")
    assert "98765" not in asha.client.get("/executor/resume_generator").get_data(as_text=True)


def test_next_to_nothing_does_not_ruin_the_typical_value(app: Flask, person: Sign) -> None:
    """1e-300 is nothing, not the smallest earning there ever was."""
    for number in range(12):
        asha = person()
        run = asha.start()
        asha.finish(run)
        asha.report(run, value=5000 if number < 8 else (1e-300, 0)[number % 2])
    (cell,) = asha.client.get("/api/performance/resume_generator").get_json()["performance"]
    assert cell["avg_outcome_value"] == 5000.0
    assert (cell["outcomes"], cell["outcomes_zero"]) == (12, 4)


def test_a_proof_is_something_to_look_at(person: Sign) -> None:
    """Saying that there was a screenshot is not one."""
    asha = person()
    run = asha.start()
    asha.report(run, proof_type="screenshot")
    page = asha.client.get("/dashboard").get_data(as_text=True)
    assert "Proof attached" not in page
    asha.report(run, proof_type="screenshot", proof_url="https://example.com/a.png")
    assert "Proof attached" in asha.client.get("/dashboard").get_data(as_text=True)


def test_what_was_reported_cannot_be_changed_or_removed(app: Flask, person: Sign) -> None:
    """Not by us, not by raw SQL; only its review may follow."""
    asha = person()
    asha.report(asha.start())
    database = people.platform(app).database

    def attempt(session: db.Session, statement: str) -> None:
        session.run(text(statement))

    for statement in (
        "UPDATE outcomes SET value = 1",
        "UPDATE outcomes SET currency = 'USD'",
        "DELETE FROM outcomes",
    ):
        with pytest.raises(Exception, match=r"append-only|corrected by new ones"):
            database.write(attempt, statement)
    database.write(attempt, "UPDATE outcomes SET verified = 1")
    database.write(lambda session: session.run(update(Outcome).values(proof_id="p")))
    with pytest.raises(Exception, match=r"append-only|corrected by new ones"):
        database.write(lambda session: session.run(delete(Outcome)))


def test_an_impression_learns_what_became_of_it(app: Flask, person: Sign) -> None:
    """In progress, completed, abandoned: written by the execution itself."""
    asha = person()
    shown = asha.client.get(f"/api/recommendations/{asha.user_id}").get_json()["recommendations"]
    name, key = shown[0]["workflow_name"], shown[0]["recommendation_id"]
    database = people.platform(app).database

    def became() -> str | None:
        query = select(Recommendation.outcome).where(Recommendation.id == key)
        found: str | None = database.read(lambda session: session.value(query))
        return found

    assert became() is None
    run = asha.start(name)
    assert became() == "in_progress"
    asha.client.delete(f"/api/execution/{run}")
    assert became() == "abandoned"
    asha.client.post(f"/api/execution/{run}/resume")
    assert became() == "in_progress"


def test_history_names_the_operator_who_acted(app: Flask, person: Sign) -> None:
    """Whatever an operator's key does for a person says so."""
    asha = person()
    key = {"Authorization": f"Bearer {people.operator_key(app)}"}
    client = app.test_client()
    body = {"user_id": asha.user_id, "workflow_name": "whatsapp_bot"}
    run = client.post("/api/execution", json=body, headers=key).get_json()["execution_id"]
    report = {"metric_type": "revenue", "value": 1, "execution_id": run, "user_id": asha.user_id}
    assert client.post("/api/outcome", json=report, headers=key).status_code == 201
    events = client.get(f"/api/execution/{run}", headers=key).get_json()["events"]
    assert [event["actor"] for event in events] == ["operator", "operator"]


def test_addresses_are_one_however_they_are_typed() -> None:
    """Full-width letters and spaces neither make another account nor another mail limit."""
    forms = ("asha@example.com", " Asha@Example.COM ", "asha@ｅxample.com")
    assert {fields.normal_email(form) for form in forms} == {"asha@example.com"}


def echo(environ: Any, _start: Any) -> list[bytes]:
    """An application that answers with what it was sent."""
    return [environ["wsgi.input"].read()]


def test_half_sent_bodies_keep_nobody_out() -> None:
    """When all turns are taken, writes wait a little and are told; reading goes on."""
    gate = turnstile.Turnstile(places=2, threads=2, largest=lambda _: 1000)
    gate.app = echo
    said: list[str] = []

    def start(status: str, _headers: object, _failure: object = None) -> Any:
        said.append(status)

    def send(body: bytes) -> list[bytes]:
        environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        return list(gate(environ, start))

    assert send(b"hello") == [b"hello"]
    assert gate._bodies.acquire()  # somebody's body never ends
    assert b"still being sent" in send(b"hello")[0]
    assert said[-1].startswith("503")
    assert send(b"") == [b""]


def test_a_body_of_unknown_length_waits_with_the_others() -> None:
    """In chunks, it is received before a place is taken, and no more of it than is taken."""
    gate = turnstile.Turnstile(places=1, threads=2, largest=lambda _: 1000)
    told: list[tuple[str, str | None]] = []

    def look(environ: Any, _start: Any) -> list[bytes]:
        told.append((environ["CONTENT_LENGTH"], environ.get("HTTP_TRANSFER_ENCODING")))
        return echo(environ, _start)

    def send(body: bytes) -> list[bytes]:
        environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(body)}
        return list(gate(environ, lambda *_: lambda _: None))

    gate.app = look
    assert send(b"hello") == [b"hello"]
    assert len(send(b"x" * 5000)[0]) == 1001  # which the application refuses
    assert told == [("5", None), ("1001", None)]
    assert gate._bodies.acquire()  # somebody's body never ends
    assert b"still being sent" in send(b"hello")[0]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("size", "asks", "left", "ends"),
    [
        (5_000, {}, 0, False),
        (5_000, {"HTTP_EXPECT": "100-continue"}, 5_000, True),
        (turnstile.LINGER + 1, {}, turnstile.LINGER + 1, True),
    ],
)
def test_what_is_too_large_is_received_or_ends_the_connection(
    size: int, asks: dict[str, str], left: int, ends: bool
) -> None:
    """Else the refusal is lost, or the rest of the body is taken for the next request."""
    gate = turnstile.Turnstile(places=1, threads=2, largest=lambda _: 1000)
    said: list[tuple[str, str]] = []

    def refuse(_environ: Any, start: Any) -> list[bytes]:
        start("413 Payload Too Large", [])
        return []

    gate.app = refuse
    body = io.BytesIO(bytes(size))
    environ = {"CONTENT_LENGTH": str(size), "wsgi.input": body, **asks}
    gate(environ, lambda _status, headers: said.extend(headers))  # type: ignore[arg-type]
    assert size - body.tell() == left
    assert (("Connection", "close") in said) == ends


def test_a_place_is_free_while_one_waits_for_a_commit() -> None:
    """Two people write at once although only one may run."""
    gate = turnstile.Turnstile(places=1, threads=2, largest=lambda _: 1000)
    met = threading.Barrier(2, timeout=60)

    def wait(_environ: object, _start: object) -> list[bytes]:
        with gate.aside():
            met.wait()
        return [b"both"]

    def nothing(*_: object) -> Any:
        """Nobody reads the status."""

    gate.app = wait
    answers: list[list[bytes]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(list(gate({}, nothing)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[b"both"], [b"both"]]


class Body:
    """An answer in pieces that knows whether it was closed."""

    def __init__(self, pieces: int, size: int, fails: bool = False) -> None:
        self.left = pieces
        self.piece = b"x" * size
        self.fails = fails
        self.closed = 0

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        if not self.left:
            if self.fails:
                raise OSError("the disk")
            raise StopIteration
        self.left -= 1
        return self.piece

    def close(self) -> None:
        self.closed += 1


def answered(body: Body) -> Any:
    gate = turnstile.Turnstile(places=1, threads=2, largest=lambda _path: 1000)
    gate.app = lambda _environ, _start: body
    return gate({}, lambda *_: lambda _: None)


def test_a_small_answer_is_handed_over_whole() -> None:
    """A list is what the server sends by itself; anything else keeps one of our threads."""
    body = Body(4, 1000)
    assert answered(body) == [body.piece] * 4
    assert body.closed == 1


def test_a_large_answer_goes_in_pieces_and_is_closed() -> None:
    body = Body(4, turnstile.WHOLE)
    whole = answered(body)
    assert not isinstance(whole, list)
    assert body.left >= 2  # not all of it was read into memory
    assert sum(map(len, whole)) == 4 * turnstile.WHOLE
    assert body.closed == 0
    whole.close()
    assert body.closed == 1


def test_an_answer_that_fails_is_closed() -> None:
    body = Body(1, 10, fails=True)
    with pytest.raises(OSError, match="the disk"):
        answered(body)
    assert body.closed == 1


def test_what_there_is_not_is_not_kept(app: Flask) -> None:
    """Names and tokens that nobody has are without end; keeping them would take all memory."""
    client = app.test_client()
    held = people.platform(app).kept
    for number in range(3):
        token = {"Authorization": f"Bearer a.{number}{'x' * 300}"}
        assert client.get("/api/profile/x", headers=token).status_code == 401
        answer = client.get(f"/api/performance/nothing_{number}{'x' * 300}").get_json()
        assert answer["performance"] == []
    assert not held
    asha = people.sign_up(app)
    assert asha.client.get("/api/performance/whatsapp_bot").status_code == 200
    assert asha.client.get(f"/api/profile/{asha.user_id}").status_code == 200
    assert bool(held) == people.platform(app).database.is_sqlite  # the control
