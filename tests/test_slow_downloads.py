"""Slow downloads leave the pages as quick as they were."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import Figure
from tests.processes import free_port


@pytest.mark.drill
def test_slow_downloads_leave_pages_quick(figure: Figure) -> None:
    """32 clients draw 50 MB at 100 kB a second; a page takes at most twice its time of idle."""
    command = [sys.executable, "-m", "benchmarks.slow_downloads", "--port", str(free_port())]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"ratio +([\d.]+)", run.stdout)
    assert found is not None, run.stdout + run.stderr
    assert "32 × 200" in run.stdout  # all of them were served
    figure(f"{found[1]} of idle latency with 32 slow downloads (goal 2)")
    assert run.returncode == 0, run.stdout
