"""One key, one effect: the first answer again, or a word that the key was for something else."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select

from tests.races import at_once
from whatworks import clock, db, errors, idempotency
from whatworks.idempotency import Key, Replayed
from whatworks.models import IdempotencyKey, UserProfile
from whatworks.people import profiles

DAY = 86_400.0


def key(given: str = "k", body: bytes = b"{}", caller: str = "asha", path: str = "/a") -> Key:
    return idempotency.key(caller, given, "POST", path, body)


def send(database: db.Database, used: Key | None, email: str = "asha@example.com") -> bytes:
    """Sign up under a key; a repeat raises Replayed."""
    return database.write(
        idempotency.once,
        used,
        lambda profile: profile.id.encode(),
        profiles.create,
        email=email,
        goal="earn_money",
        market="freelancer",
        skill_level="beginner",
        country="IN",
    )


def people(database: db.Database) -> int:
    query = select(func.count()).select_from(UserProfile)
    return int(database.read(lambda session: session.value(query)))


def test_a_repeat_gets_the_first_answer(database: db.Database) -> None:
    first = send(database, key())
    for email in (
        "asha@example.com",
        "other@example.com",
    ):  # whether or not it would fail by itself
        with pytest.raises(Replayed) as again:
            send(database, key(), email)
        assert again.value.body == first
    assert people(database) == 1


def test_without_a_key_everything_counts(database: db.Database) -> None:
    for number in range(2):
        send(database, None, f"{number}@example.com")
    assert people(database) == 2


@pytest.mark.parametrize("other", [key(body=b"[]"), key(path="/b")])
def test_another_request_under_the_key_is_refused(database: db.Database, other: Key) -> None:
    send(database, key())
    with pytest.raises(errors.Conflict) as refused:
        send(database, other, "other@example.com")
    assert refused.value.code == "idempotency_key_reused"
    assert people(database) == 1


def test_keys_belong_to_their_callers(database: db.Database) -> None:
    send(database, key(caller="asha"), "asha@example.com")
    send(database, key(caller="ravi"), "ravi@example.com")
    assert people(database) == 2


def test_what_failed_is_not_kept(database: db.Database) -> None:
    send(database, None)
    for _ in range(2):
        with pytest.raises(errors.Conflict, match="already registered"):
            send(database, key())
    send(database, key(), "other@example.com")


def test_twenty_at_once(database: db.Database) -> None:
    def attempt(_: int) -> tuple[bytes, bool]:
        try:
            return send(database, key()), False
        except Replayed as earlier:
            return earlier.body, True

    answers = at_once(20, attempt)
    assert len({body for body, _ in answers}) == 1
    assert Counter(replayed for _, replayed in answers) == {False: 1, True: 19}
    assert people(database) == 1


def test_keys_are_stored_only_as_hashes(database: db.Database) -> None:
    send(database, key(given="a key of mine", body=b"a body of mine"))
    rows = database.read(lambda session: session.all(select(IdempotencyKey)))
    assert len(rows) == 1
    assert "mine" not in repr(rows)


def test_keys_are_forgotten_after_their_time(database: db.Database) -> None:
    send(database, key())
    now = clock.timestamp()
    assert database.write(idempotency.forget, now - DAY) == 0
    assert database.write(idempotency.forget, now + DAY) == 1
    send(database, key(), "other@example.com")
