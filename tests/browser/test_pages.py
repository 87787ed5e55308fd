"""Every page: nothing axe finds wrong, nothing that jumps, nobody else asked, nothing inline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import gauges, places, visits
from tests.browser.conftest import DESKTOP, PHONE, SCREENS, Server

pytestmark = pytest.mark.browser
MOST_SHIFT: Final = 0.02
# The document is the same on every screen; these rules look at how it is laid out.
LAYOUT: Final = [
    "color-contrast",
    "target-size",
    "scrollable-region-focusable",
    "link-in-text-block",
]
KIB: Final = 1024


@pytest.fixture(params=SCREENS)
def visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A visitor whose layout shifts are counted."""
    width, height = request.param
    opened = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    gauges.shifts(opened)
    yield opened
    opened.close()


def look_at(page: Page, server: Server, found: Iterable[str]) -> list[str]:
    """Everything wrong with some pages."""
    return [wrong for place in found for wrong in look(page, server.address + place)]


def look(page: Page, address: str) -> list[str]:
    """Everything wrong with a page, in light and in dark."""
    traffic = gauges.Traffic()
    traffic.watch(page)
    page.emulate_media(color_scheme="light")
    wrong: list[str] = []
    page.on("pageerror", lambda failure: wrong.append(str(failure)))
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == (404 if "nothing" in address else 200), address
    wrong += [f"asked {stranger}" for stranger in traffic.strangers]
    if (shift := gauges.shifted(page)) > MOST_SHIFT:
        wrong.append(f"shifted by {shift:.3f}")
    is_phone = page.viewport_size is not None and page.viewport_size["width"] == PHONE[0]
    wrong += gauges.violations(page, only=None if is_phone else LAYOUT)
    page.emulate_media(color_scheme="dark")
    wrong += [f"dark {found}" for found in gauges.violations(page, only=["color-contrast"])]
    return [f"{address}: {found}" for found in wrong]


def test_public_pages(visitor: BrowserContext, server: Server) -> None:
    page = visitor.new_page()
    assert look_at(page, server, places.PUBLIC) == []


def test_private_pages(visitor: BrowserContext, server: Server) -> None:
    page = visitor.new_page()
    assert look_at(page, server, places.private(visitor, server)) == []


def test_main_pages_on_a_desktop(browser: Browser, server: Server) -> None:
    """Those that most people see; `make drills` looks at all of them."""
    width, height = DESKTOP
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    gauges.shifts(context)
    found = ["/", "/workflows", "/executor/whatsapp_bot", "/pricing"]
    found += [
        place
        for place in places.private(context, server)
        if place.startswith(("/dashboard", "/executor", "/outcome"))
    ]
    assert look_at(context.new_page(), server, found) == []
    context.close()


def test_sizes(browser: Browser, server: Server) -> None:
    """What a first view moves: the executor with its scripts, and a page for visitors."""
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    page = context.new_page()
    landing = weigh(page, server.address)
    assert landing.scripts <= 5 * KIB
    user_id = visits.sign_up(context, server)
    run = places.begin(context, server, user_id, "resume_generator")
    executor = weigh(page, f"{server.address}/executor/{run}")
    assert executor.total <= 40 * KIB
    assert executor.scripts <= 20 * KIB
    context.close()


def weigh(page: Page, address: str) -> gauges.Traffic:
    """The traffic of a page until nothing more comes."""
    traffic = gauges.Traffic()
    traffic.watch(page)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return traffic


def test_nothing_inline_runs(browser: Browser, server: Server) -> None:
    """The policy is on every page, and a script that gets into one does nothing."""
    page = browser.new_page()
    answer = page.goto(server.address)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " { textContent: 'globalThis.ran = true' }))"
    )
    assert page.evaluate("globalThis.ran") is None
    page.close()


def test_it_can_be_installed(browser: Browser, server: Server) -> None:
    """A manifest, icons that are there, and no offer before the first finished workflow."""
    page = browser.new_page()
    page.goto(server.address)
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    for icon in manifest["icons"]:
        assert page.request.get(urljoin(found["url"], icon["src"])).ok
    wrong = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {error["errorId"] for error in wrong} <= {"in-incognito"}
    page.close()
