"""A real server and a real Chromium. Without Chromium these tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM: Final = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
REMEDY: Final = "Chromium is missing: apt-get install chromium, or name one in CHROMIUM"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE: Final = (390, 844)
DESKTOP: Final = (1366, 860)


@dataclass(frozen=True)
class Server:
    """A running whatworks. `claim` is the link that makes the first operator."""

    address: str
    folder: Path
    claim: str


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that no browser looked at the pages."""
    skipped = terminalreporter.stats.get("skipped", [])
    missed = sum(REMEDY in str(report.longrepr) for report in skipped)
    if missed:
        terminalreporter.write_line(f"{missed} browser tests were NOT run. {REMEDY}", red=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip(REMEDY)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`whatworks serve` on a fresh data folder, as a user starts it."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATA_DIR": str(folder), "PORT": str(port)}
    said = folder / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "whatworks", "serve"], env=environment, stdout=output
        )
    address = f"http://localhost:{port}"
    try:
        wait_for(f"{address}/readyz", process)
        claim = next(word for word in said.read_text().split() if "/admin/claim" in word)
        yield Server(address, folder, claim)
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    for _ in range(300):
        assert process.poll() is None, "the server ended before it answered"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)  # the condition is another process's; there is nothing to wait on
    raise AssertionError(f"no answer from {url}")


@pytest.fixture(params=["phone", "desktop"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A fresh visitor at phone and at desktop width."""
    width, height = PHONE if request.param == "phone" else DESKTOP
    opened = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Their page; what its console complains of fails the test."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda failure: complaints.append(str(failure)))
    yield opened
    refused = "the server responded with a status of 4"  # what the tests themselves provoke
    assert [c for c in complaints if refused not in c] == []
