"""`make gates`: what the pages weigh and how fast they answer, in a real Chromium, against limits.

Times want a quiet machine. Ends with 1 when a limit is missed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser import gauges, places, visits
from tests.browser.conftest import CHROMIUM, DESKTOP, FLAGS, PHONE, Server

SIZES: Final = {"phone": PHONE, "desktop": DESKTOP}
SLOWER: Final = 4  # times, for the processor
CHANGE: Final = """async (number) => {
  const begun = performance.now();
  document.querySelector(`#rail a[href="#step-${number}"]`).click();
  document.querySelector(`#step-${number}`).getBoundingClientRect();
  return performance.now() - begun;
}"""
Figure = tuple[str, float, float, str]  # what, measured, limit, unit


def main() -> int:
    """Print every figure beside its limit; returns the exit code."""
    server = Server(Path(tempfile.mkdtemp(prefix="whatworks-gates-")))
    server.start()
    missed = 0
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            for what, measured, limit, unit in figures(browser, server):
                verdict = "ok" if measured <= limit else "MISSED"
                missed += measured > limit
                print(f"{what:48} {measured:9.3f} ≤ {limit:g} {unit:6} {verdict}", flush=True)
            browser.close()
    finally:
        server.stop()
    return 1 if missed else 0


def figures(browser: Browser, server: Server) -> Iterator[Figure]:
    """Everything that is measured, one after the other."""
    for name, (width, height) in SIZES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        gauges.shifts(context)
        yield from weights(context, server, name)
        yield from looks(context, server, name)
        yield from speeds(context, server, name)
        context.close()


def weights(context: BrowserContext, server: Server, name: str) -> Iterator[Figure]:
    """What first views move over the wire."""
    page = context.new_page()
    landing = weigh(page, server.address)
    yield f"{name}: landing, scripts", landing.scripts / 1024, 5, "KiB"
    user_id = visits.sign_up(context, server)
    run = places.begin(context, server, user_id, visits.WORKFLOW)
    executor = weigh(page, f"{server.address}/executor/{run}")
    yield f"{name}: executor, first view", executor.total / 1024, 40, "KiB"
    yield f"{name}: executor, scripts", executor.scripts / 1024, 20, "KiB"
    yield f"{name}: requests to anybody else", len(landing.strangers + executor.strangers), 0, ""
    page.close()


def weigh(page: Page, address: str) -> gauges.Traffic:
    """The traffic of a page until nothing more comes."""
    traffic = gauges.Traffic()
    traffic.watch(page)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return traffic


def looks(context: BrowserContext, server: Server, name: str) -> Iterator[Figure]:
    """Accessibility and layout shifts over every page, in light and in dark."""
    page = context.new_page()
    found: list[str] = []
    worst = 0.0
    for place in (*places.PUBLIC, *places.private(context, server)):
        page.emulate_media(color_scheme="light")
        page.goto(server.address + place)
        shift = gauges.shifted(page)
        worst = max(worst, shift)
        found += [f"{place} shifts by {shift:.3f}"] if shift > 0.02 else []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += [f"{place} {scheme} {wrong}" for wrong in gauges.violations(page)]
    for wrong in found:
        print(f"  {wrong}")
    yield f"{name}: found wrong by axe, light and dark", len(found), 0, ""
    yield f"{name}: largest layout shift of a page", worst, 0.02, ""
    page.close()


def speeds(context: BrowserContext, server: Server, name: str) -> Iterator[Figure]:
    """How long a step change takes, and the slowest answer to a finger on a slow processor."""
    context.add_init_script(gauges.LONGEST_EVENT)
    page = visits.start(context, server)
    changes = [float(page.evaluate(CHANGE, number)) for number in (2, 3, 4, 5, 1, 2, 3, 4, 5, 1)]
    yield f"{name}: step change, the slowest of 10", max(changes), 50, "ms"
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    for number in (1, 2):
        visits.write(page, "typed on a slow phone", step=number)
        page.locator(f"#step-{number} [data-check]").first.check()
        visits.judge(page, "worked")
    visits.arrived(page)
    longest = float(page.evaluate("globalThis.longest"))
    yield f"{name}: slowest interaction at {SLOWER}× slower", longest, 200, "ms"
    page.close()


if __name__ == "__main__":
    sys.exit(main())
