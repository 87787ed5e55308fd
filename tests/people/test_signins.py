"""Challenges: made alike for everybody, spent once, tried five times, ten minutes old at most."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from whatworks import clock, db, errors
from whatworks.people import signins
from whatworks.people.signins import Challenge

KEY = "k" * 40
EMAIL = "asha@example.com"


def begin(database: db.Database, email: str = EMAIL) -> Challenge:
    return database.write(signins.begin, email, KEY)


def code(database: db.Database, challenge: Challenge, given: str, key: str = KEY) -> str | None:
    return database.write(signins.spend_code, challenge.id, given, key)


def link(database: db.Database, challenge: Challenge, secret: str) -> str:
    return database.write(signins.spend_link, challenge.id, secret)


def wrong(challenge: Challenge) -> str:
    return f"{(int(challenge.code) + 1) % 10**6:06d}"


def test_link_and_code_are_one(database: db.Database, asha: str) -> None:
    for first in ("link", "code"):
        challenge = begin(database)
        if first == "link":
            assert link(database, challenge, challenge.secret) == asha
        else:
            assert code(database, challenge, challenge.code) == asha
        with pytest.raises(errors.Gone):
            link(database, challenge, challenge.secret)
        with pytest.raises(errors.Gone):
            code(database, challenge, challenge.code)


def test_challenges_are_made_alike(database: db.Database, asha: str) -> None:
    known, unknown = begin(database), begin(database, "never@example.com")
    assert (known.known, unknown.known) == (True, False)
    for challenge in (known, unknown):
        assert len(challenge.secret) == 43
        assert len(challenge.code) == 6
        assert code(database, challenge, wrong(challenge)) is None
    with pytest.raises(errors.Gone):
        code(database, unknown, unknown.code)
    with pytest.raises(errors.Gone):
        link(database, unknown, unknown.secret)


def test_codes_and_secrets_do_not_repeat(database: db.Database) -> None:
    made = [begin(database) for _ in range(50)]
    assert len({challenge.secret for challenge in made}) == 50
    assert len({challenge.code for challenge in made}) > 45


def test_five_tries(database: db.Database, asha: str) -> None:
    challenge = begin(database)
    for _ in range(4):
        assert code(database, challenge, wrong(challenge)) is None
    assert code(database, challenge, challenge.code) == asha
    challenge = begin(database)
    for _ in range(5):
        assert code(database, challenge, wrong(challenge)) is None
    with pytest.raises(errors.Gone):
        code(database, challenge, challenge.code)
    assert link(database, challenge, challenge.secret) == asha  # the link is not guessed


def test_guesses_at_once_are_counted_one_by_one(database: db.Database, asha: str) -> None:
    challenge = begin(database)

    def guess(_: int) -> str:
        try:
            return str(code(database, challenge, wrong(challenge)))
        except errors.Gone:
            return "gone"

    with ThreadPoolExecutor(10) as pool:
        assert Counter(pool.map(guess, range(30))) == {"None": 5, "gone": 25}


def test_a_code_is_signed_for_its_challenge_and_server(database: db.Database, asha: str) -> None:
    one, other = begin(database), begin(database)
    assert code(database, one, one.code, key="x" * 40) is None
    if one.code != other.code:
        assert code(database, other, one.code) is None
    assert code(database, one, f" {one.code[:3]}-{one.code[3:]}") == asha


@pytest.mark.parametrize(("seconds", "works"), [(599.0, True), (600.0, False), (86_400.0, False)])
def test_ten_minutes(database: db.Database, asha: str, seconds: float, works: bool) -> None:
    now = float(int(clock.timestamp()))
    with time_machine.travel(now, tick=False):
        by_link, by_code = begin(database), begin(database)
    with time_machine.travel(now + seconds, tick=False):
        if works:
            assert link(database, by_link, by_link.secret) == asha
            assert code(database, by_code, by_code.code) == asha
            return
        with pytest.raises(errors.Gone):
            link(database, by_link, by_link.secret)
        with pytest.raises(errors.Gone):
            code(database, by_code, by_code.code)


@pytest.mark.parametrize("secret", ["", "x", "\udcff", "é" * 43, "A" * 43])
def test_secrets_that_are_none(database: db.Database, asha: str, secret: str) -> None:
    challenge = begin(database)
    with pytest.raises(errors.Gone):
        link(database, challenge, secret)
    assert link(database, challenge, challenge.secret) == asha


def test_challenges_nobody_made(database: db.Database, asha: str) -> None:
    real = begin(database)
    for challenge_id in ("", "nothing", clock.new_id()):
        made_up = Challenge(challenge_id, real.secret, real.code, known=True)
        with pytest.raises(errors.Gone):
            link(database, made_up, real.secret)
        with pytest.raises(errors.Gone):
            code(database, made_up, real.code)
