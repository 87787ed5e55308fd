"""What is measured on a page: accessibility, layout shifts, bytes, requests, time to answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

AXE: Final = Path(__file__).parent / "vendor" / "axe-core-4.14.1.js"
RULES: Final = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"),
]
# Naming every element that passed takes most of the time on a long page, and nobody reads it.
LOOK: Final = "(chosen) => axe.run({ runOnly: chosen, resultTypes: ['violations'] })"
SHIFTS: Final = """
globalThis.shifted = 0;
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifted += value;
}).observe({ type: "layout-shift", buffered: true });
"""
LONGEST_EVENT: Final = """
globalThis.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
}).observe({ type: "event", durationThreshold: 16, buffered: true });
"""


@dataclass
class Traffic:
    """What a page's visit moved over the wire; bytes with headers, of scripts without."""

    strangers: list[str] = field(default_factory=list)
    total: int = 0
    scripts: int = 0

    def watch(self, page: Page) -> None:
        """Begin to count."""
        own = ""
        kinds: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")

        def asked(event: dict[str, Any]) -> None:
            nonlocal own
            host = urlsplit(event["request"]["url"]).netloc
            own = own or host
            if host and host != own:
                self.strangers.append(event["request"]["url"])
            kinds[event["requestId"]] = event.get("type", "")

        def begun(event: dict[str, Any]) -> None:
            if kinds.get(event["requestId"]) == "Script":
                self.scripts -= int(event["response"]["encodedDataLength"])  # its headers

        def arrived(event: dict[str, Any]) -> None:
            size = int(event["encodedDataLength"])
            self.total += size
            if kinds.get(event["requestId"]) == "Script":
                self.scripts += size

        session.on("Network.responseReceived", begun)
        session.on("Network.requestWillBeSent", asked)
        session.on("Network.loadingFinished", arrived)


def violations(page: Page, *, only: list[str] | None = None) -> list[str]:
    """What axe finds wrong, each as "rule: where"."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    chosen = {"type": "rule", "values": only} if only else {"type": "tag", "values": RULES}
    found = page.evaluate(LOOK, chosen)
    return [f"{one['id']}: {one['nodes'][0]['target'][0]}" for one in found["violations"]]


def shifts(context: BrowserContext) -> None:
    """Count layout shifts on every page of the context; `shifted(page)` reads them."""
    context.add_init_script(SHIFTS)


def shifted(page: Page) -> float:
    """The layout shifts so far, once nothing moves any more."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return float(page.evaluate("globalThis.shifted"))
