"""A real server and a real Chromium. Without Chromium these tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    Page,
    expect,
    sync_playwright,
)

# The shell without a screen first: the same pages, a third faster.
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM: Final = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
REMEDY: Final = (
    "Chromium is missing: apt-get install chromium-headless-shell (or chromium),"
    " or name one in CHROMIUM"
)
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",  # screen capture without a picker, of the page itself
    "--use-fake-device-for-media-stream=display-media-type=browser",
)
PHONE: Final = (390, 844)
DESKTOP: Final = (1366, 860)
# The same code runs on both; what main pages look like on a desktop, test_pages sees every time.
SCREENS: Final = (
    pytest.param(PHONE, id="phone"),
    pytest.param(DESKTOP, id="desktop", marks=pytest.mark.drill),
)

expect.set_options(timeout=15_000)  # milliseconds; the machine may be busy


class Server:
    """A whatworks that can be started, killed and started again on the same folder and port.

    `claim` is the link that makes the first operator.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._environment = environment
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.address = f"http://localhost:{self.port}"
        self.claim = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """`whatworks serve`, as a user starts it; returns when it answers."""
        environment = {**os.environ, **self._environment}
        environment |= {"DATA_DIR": str(self.folder), "PORT": str(self.port)}
        said = self.folder / "said.txt"
        with said.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "whatworks", "serve"],
                env=environment,
                stdout=output,
                start_new_session=True,
            )
        wait_for(f"{self.address}/readyz", self._process)
        links = [word for word in said.read_text().split() if "/admin/claim" in word]
        self.claim = links[0] if links else self.claim

    def kill(self) -> None:
        """As a power cut would end it, workers and all."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=20)
        self._process = None

    def stop(self) -> None:
        """As its owner ends it."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(timeout=60) == 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that no browser looked at the pages."""
    skipped = terminalreporter.stats.get("skipped", [])
    missed = sum(REMEDY in str(report.longrepr) for report in skipped)
    if missed:
        terminalreporter.write_line(f"{missed} browser tests were NOT run. {REMEDY}", red=True)
    drills = [
        dict(report.user_properties)
        for report in terminalreporter.stats.get("passed", [])
        if "notes lost" in dict(report.user_properties)
    ]
    if drills:
        typed, lost = (sum(int(str(d[name])) for d in drills) for name in ("typed", "notes lost"))
        terminalreporter.write_line(
            f"typed notes lost: {lost} of {typed}, in {len(drills)} drills of losing the connection"
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    """What starts Chromium."""
    if CHROMIUM is None:
        pytest.skip(REMEDY)
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """Chromium, headless."""
    started = chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield started
    started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`whatworks serve` on a fresh data folder."""
    served = Server(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, to be ended in the middle of things."""
    served = Server(tmp_path)
    try:
        served.start()
        yield served
    finally:
        served.stop()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    for _ in range(900):
        assert process.poll() is None, "the server ended before it answered"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)  # the condition is another process's; there is nothing to wait on
    raise AssertionError(f"no answer from {url}")


@pytest.fixture(params=SCREENS)
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A fresh visitor at phone and, in `make drills`, at desktop width."""
    width, height = request.param
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
