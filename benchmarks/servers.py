"""The systems compared: how each is started, and how one is measured while it runs."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import make_data, stores


@dataclass(frozen=True)
class System:
    """An application to compare: the schema it needs, and what granian serves.

    The product has no `app`: it starts as it does in production, by `whatworks serve`.
    """

    schema: str | None
    app: str = ""
    interface: str = "wsgi"


SYSTEMS: Final = {
    "hello": System(None, "benchmarks.peers.hello:app"),
    "product": System("product"),
    "naive": System("peers", "benchmarks.peers.naive_flask:app"),
    "fastapi": System("peers", "benchmarks.peers.fastapi_async:app", "asgi"),
}
START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Server:
    """One that answers."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time of its processes so far."""
        return stores.tree_cpu_seconds(self.pid)


@contextlib.contextmanager
def serving(name: str, database_url: str, folder: Path, threads: int) -> Iterator[Server]:
    """Start a system with one worker process, and stop it at the end."""
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "WHATWORKS_RATE_LIMITS": "off",
        "WHATWORKS_THREADS": str(threads),
        "WHATWORKS_WORKERS": "1",
        "WHATWORKS_ABANDON_AFTER_DAYS": "36500",  # no housekeeping in the middle of a measurement,
        "WHATWORKS_REMINDERS": "off",  # nor mails to everybody in the database
        "WHATWORKS_LOG_LEVEL": "WARNING",
    }
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            _command(SYSTEMS[name], port, threads),
            cwd=make_data.ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_answering(process, port, Path(log.name))
        yield Server(port, process.pid)
    finally:
        _stop(process)


def _command(system: System, port: int, threads: int) -> list[str]:
    if not system.app:
        return [sys.executable, "-m", "whatworks", "serve"]
    server = [sys.executable, "-m", "granian", "--interface", system.interface]
    if system.interface == "wsgi":
        server += ["--blocking-threads", str(threads)]
    else:
        server += ["--loop", "uvloop"]
    listen = ["--host", "127.0.0.1", "--port", str(port)]
    return [*server, *listen, "--workers", "1", "--log-level", "warning", system.app]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise SystemExit(f"A server did not start:\n{log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
