"""Other processes: what they run, where they listen, and how to wait for what they do."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LOCK = """
import sys
from whatworks import db

connection = db.sqlite_driver.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Python that runs some code; a warning ends it."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A SQLite file while another process writes to it."""
    other = child(LOCK, str(path))
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    yield
    other.communicate(timeout=60)


@pytest.fixture
def same_umask() -> Iterator[None]:
    """Commands keep what they write to themselves; the tests' own process stays as it is."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)
