"""The whole of it on a phone: sign up, lose the connection, work on, hide, come back, prove it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import test_capture, visits
from tests.browser.conftest import PHONE, Server
from tests.browser.test_capture import corner
from tests.browser.test_loop import sign_up

pytestmark = pytest.mark.browser


class Album:
    """Pictures of the way, for whoever wants to look at it: in the test's own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def take(self, page: Page, name: str) -> None:
        """The window as it is."""
        self._count += 1
        page.screenshot(path=self._folder / f"{self._count:02}-{name}.png")


def test_the_whole_run(browser: Browser, own_server: Server, tmp_path: Path) -> None:
    server, album = own_server, Album(tmp_path)
    width, height = PHONE
    options: Any = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
    context = browser.new_context(**options)
    page = context.new_page()
    sign_up(page, server)
    album.take(page, "signed-up")
    page.goto(f"{server.address}/executor/{visits.WORKFLOW}")
    page.locator(f"form[action='/executor/{visits.WORKFLOW}'] button").first.click()
    expect(page).to_have_url(re.compile("/executor/[0-9a-f-]{36}"))
    visits.ready(page)
    album.take(page, "started")
    visits.write(page, "freelancers who write badly")
    visits.judge(page, "worked")
    expect(page.locator("#step-2")).to_be_visible()
    visits.arrived(page)

    context.set_offline(True)
    visits.write(page, "built without a connection", step=2)
    expect(page.locator(visits.LOCAL)).to_be_visible()
    page.locator("#step-2 [data-check]").first.check()
    canvas = test_capture.choose(page, test_capture.png(800, 600), step=2)
    page.mouse.click(*corner(canvas, 0.1, 0.1))
    page.mouse.click(*corner(canvas, 0.6, 0.6))
    album.take(page, "hidden")
    test_capture.keep(page)
    expect(page.locator("#step-2 .thumbs li small")).to_have_text("On this device")
    album.take(page, "offline")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#step-2 textarea[data-note]")).to_have_value("built without a connection")
    expect(page.locator("#step-2 .thumbs li")).to_have_count(1)
    for number in (2, 3):
        visits.judge(page, "worked")
        expect(page.locator(f"#step-{number + 1}")).to_be_visible()
    album.take(page, "worked-on")

    context.set_offline(False)
    visits.arrived(page)
    visits.judge(page, "worked")
    expect(page.locator("#step-5")).to_be_visible()
    visits.judge(page, "worked")
    expect(page).to_have_url(re.compile("/outcome/"))
    album.take(page, "outcome")
    page.locator("label:has(input[value=revenue])").click()
    page.locator("input[name=value]").fill("4800")
    expect(page.locator("[data-echo]")).to_contain_text("₹4,800")
    page.locator("label:has(input[name=proof_id]):has(img)").click()
    album.take(page, "outcome-filled")
    page.locator("form.outcome button.wide").click()
    expect(page).to_have_url(re.compile("/done"))
    expect(page.get_by_text("₹4,800").first).to_be_visible()
    album.take(page, "logged")

    approve(browser, server, album)
    page.goto(f"{server.address}/proofs")
    expect(page.locator("main")).to_contain_text("Reviewed")
    shown = page.locator("main img").first
    address = shown.get_attribute("src") or ""
    proof_id = address.split("/")[2]
    colours = test_capture.pixels(page, proof_id, (0.3, 0.3), (0.9, 0.9))[2:]
    assert colours[0] == [0, 0, 0]
    assert test_capture.is_red(colours[1])
    album.take(page, "gallery")
    page.goto(f"{server.address}/dashboard")
    expect(page.get_by_text("₹4,800").first).to_be_visible()
    album.take(page, "dashboard")
    context.close()


def approve(browser: Browser, server: Server, album: Album) -> None:
    """The operator looks at the proof and says yes, by keyboard."""
    context = browser.new_context(viewport={"width": 1366, "height": 860})
    page = context.new_page()
    page.goto(server.claim)
    page.get_by_label("E-mail").fill("operator@example.com")
    page.locator("form[action='/admin/claim'] button").click()
    expect(page).to_have_url(f"{server.address}/admin")
    page.goto(f"{server.address}/admin/proofs")
    expect(page.locator("#claim + .big")).to_have_text("₹4,800")
    album.take(page, "review")
    page.keyboard.press("a")
    expect(page.locator("form.undo")).to_contain_text("Approved")
    context.close()
