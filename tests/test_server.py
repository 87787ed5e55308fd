"""`whatworks serve`: the first start, the tour of the README, and an orderly end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.processes import free_port
from whatworks import db, server, settings
from whatworks.app import PLACES
from whatworks.people import profiles

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("same_umask")
SIGN_UP = {
    "email": "asha@example.com",
    "goal": "earn_money",
    "market": "freelancer",
    "skill_level": "beginner",
}


@dataclass
class Served:
    """A running server, in a session of its own as in a terminal."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    said: list[str] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        return self.ask("GET", path)

    def ask(
        self, method: str, path: str, body: str | None = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        """Status and body of one request over a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request(method, path, body, {"Content-Type": kind})
            response = connection.getresponse()
            return response.status, response.read()

    def end(self, signal_number: int, *, everybody: bool = False) -> tuple[int, float, str]:
        """Exit status, seconds, and all it said."""
        began = time.monotonic()
        kill = os.killpg if everybody else os.kill
        kill(self.process.pid, signal_number)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, time.monotonic() - began, "".join(self.said) + rest


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: str, wait: bool = True, **environment: str
) -> Iterator[Served]:
    port = free_port()
    given = {"PORT": str(port), "DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "whatworks", *(arguments or ("serve",))],
        env=os.environ | given | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    served = Served(process, port, folder)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            served.said.append(line)
            if line.startswith("Ready"):
                break
        if wait:
            wait_for(served)
        yield served
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        process.stdout.close()


def wait_for(served: Served) -> None:
    """Until it answers; there is nothing else to wait on in another process."""
    for _ in range(900):
        assert served.process.poll() is None, served.said
        with contextlib.suppress(OSError):
            if served.get("/readyz")[0] == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"no answer; it said {served.said}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("first") / "data") as running:
        yield running


def test_the_first_start_makes_everything_and_says_so(served: Served) -> None:
    said = "".join(served.said)
    folder = served.folder
    assert f"Database   {folder}/data.db, built" in said
    assert re.search(r"Catalogue  \d\d workflows on offer, \d\d of them new", said)
    assert f"http://localhost:{served.port}/admin/claim?token=" in said
    assert f"mails are written to {folder}/outbox" in said
    assert f"Ready      http://localhost:{served.port}" in said
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("data.db", "secret-key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert served.get("/healthz")[0] == 200
    assert served.get("/workflows")[0] == 200


def test_connections_that_idle_keep_nobody_out(served: Served) -> None:
    """Browsers hold connections open; more of them than threads must not matter."""
    with contextlib.ExitStack() as held:
        for _ in range(40):
            connection = held.enter_context(
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30))
            )
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()


def test_bodies_without_length_or_end_keep_nobody_out(served: Served) -> None:
    """More clients than places for running requests stop in the middle of a chunk."""
    head = b"POST /api/profile HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with contextlib.ExitStack() as open_ones:
        for _ in range(2 * PLACES):
            client = socket.create_connection(("127.0.0.1", served.port))
            open_ones.enter_context(client)
            client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc")
        for _ in range(5):  # by then each has a thread
            assert served.get("/healthz")[0] == 200
            time.sleep(0.1)
        body = json.dumps(SIGN_UP | {"email": "chunks@example.com"}).encode()
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)
            assert client.makefile("rb").readline() == b"HTTP/1.1 201 Created\r\n"


def test_a_head_without_end_is_refused(served: Served) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port)) as connection:
        connection.request("GET", "/healthz", headers={"X-Long": "x" * 4 * server.LARGEST_HEAD})
        assert connection.getresponse().status == 431


def test_the_tour_of_the_readme_works(served: Served, tmp_path: Path) -> None:
    tour = re.search(r"```sh\n(# tour\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert tour is not None
    script = tour[1].replace("http://localhost:8000", f"http://localhost:{served.port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(answers) >= 3
    assert all(answer["success"] for answer in answers)
    assert answers[-1]["recommendations"]


def test_a_port_that_is_taken_is_named(served: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "whatworks", "serve", "--port", str(served.port)],
        env=os.environ | {"DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"port {served.port}: address already in use" in done.stderr
    assert "PORT=8080" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_file_is_served_by_one_server(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "whatworks", "serve", "--port", str(free_port())],
        env=os.environ | {"DATA_DIR": str(served.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "data.db is being served by another process" in done.stderr
    assert "Traceback" not in done.stderr
    assert served.get("/readyz")[0] == 200


@pytest.mark.parametrize("ending", ["SIGTERM", "Ctrl-C"])
def test_it_ends_in_order_with_nothing_lost(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "data"
    with serving(folder) as running:
        status, body = running.ask("POST", "/api/profile", json.dumps(SIGN_UP))
        assert status == 201
        running.ask(
            "POST", "/signin", "email=asha@example.com", "application/x-www-form-urlencoded"
        )
        idle = http.client.HTTPConnection("127.0.0.1", running.port)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        if ending == "Ctrl-C":  # reaches every process of the terminal
            code, seconds, said = running.end(signal.SIGINT, everybody=True)
        else:
            code, seconds, said = running.end(signal.SIGTERM)
        idle.close()
    assert code == 0, said
    assert seconds < server.STOP_SECONDS / 2
    assert "Traceback" not in said
    assert len(list((folder / "outbox").glob("*.eml"))) == 1
    assert not (folder / "data.db-wal").exists()  # the last one out has put everything in place
    database = db.Database(f"sqlite:///{folder / 'data.db'}")
    assert database.read(profiles.find, json.loads(body)["user_id"])
    database.close()


def test_options_reach_the_workers(tmp_path: Path) -> None:
    other = tmp_path / "other"
    with serving(tmp_path / "named", "--data-dir", str(other), "serve", "--workers", "2") as one:
        assert one.ask("POST", "/api/profile", json.dumps(SIGN_UP))[0] == 201
        assert one.end(signal.SIGTERM)[0] == 0
    assert (other / "data.db").exists()
    assert not (tmp_path / "named").exists()


def test_it_ends_while_its_workers_start(tmp_path: Path) -> None:
    """What was sent before a worker had its own way to take signals was lost: 40 seconds."""
    with serving(tmp_path, wait=False, WHATWORKS_WORKERS="2") as running:
        time.sleep(0.1)  # they are there by now, and far from ready
        code, seconds, said = running.end(signal.SIGTERM)
    assert code == 0, said
    assert seconds < server.STOP_SECONDS / 2


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    chosen = settings.from_env({}, data_dir=tmp_path / "file")
    with pytest.raises(settings.BadSetting, match=r"DATA_DIR is .*/file, which cannot be used"):
        server.ensure_folder(chosen)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///data/data.db", "data/data.db"),
        ("postgresql://me:hidden@host:5432/shop?sslmode=require", "PostgreSQL host:5432/shop"),
        ("postgres://host/shop", "PostgreSQL host/shop"),
    ],
)
def test_databases_are_named_without_passwords(url: str, name: str) -> None:
    assert server.name(url) == name
