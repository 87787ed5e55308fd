"""The review queue by keyboard, and what its owner then sees; every page of it as axe sees it."""

from __future__ import annotations

import random
from typing import Final, Protocol

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests import hostile
from tests.browser import gauges, visits
from tests.browser.conftest import SCREENS, Server
from tests.browser.test_pages import look_at

pytestmark = pytest.mark.browser
WHY: Final = "The important part cannot be read."


class Opened(Protocol):
    """A server, or a shop on one."""

    address: str
    claim: str


def somebody(browser: Browser, screen: tuple[int, int]) -> Page:
    """A page in a browser of its own, whose layout shifts are counted."""
    width, height = screen
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    gauges.shifts(context)
    return context.new_page()


def become_operator(page: Page, server: Opened) -> None:
    """Open the printed link, once."""
    page.goto(server.claim)
    page.get_by_label("E-mail").fill("operator@example.com")
    page.locator("form[action='/admin/claim'] button").click()
    expect(page).to_have_url(f"{server.address}/admin")


def show(page: Page, server: Server, seed: int) -> str:
    """A result with a picture of somebody new; returns the proof's id."""
    request = page.context.request
    user_id = visits.sign_up(page.context, server)
    body = {"user_id": user_id, "workflow_name": "resume_generator"}
    execution_id = request.post(f"{server.address}/api/execution", data=body).json()["execution_id"]
    picture = hostile.encoded(hostile.picture(random.Random(seed), 500), "PNG")
    file: FilePayload = {"name": "proof.png", "mimeType": "image/png", "buffer": picture}
    made = request.post(f"{server.address}/api/proof", multipart={"file": file}).json()
    report = {**body, "execution_id": execution_id, "metric_type": "revenue", "value": 4800}
    del report["workflow_name"]
    answer = request.post(
        f"{server.address}/api/outcome", data={**report, "proof_id": made["proof_id"]}
    )
    assert answer.ok, answer.text()
    return str(made["proof_id"])


@pytest.mark.parametrize("screen", SCREENS)
def test_a_proof_is_rejected_undone_and_approved_by_keyboard(
    browser: Browser, own_server: Server, screen: tuple[int, int]
) -> None:
    boss, asha, stranger = (somebody(browser, screen) for _ in range(3))
    become_operator(boss, own_server)
    proof_id = show(asha, own_server, 1)
    page = f"/proofs/{proof_id}"
    evidence = ["/admin/evidence", "/admin/evidence/resume_generator"]
    assert look_at(boss, own_server, ["/admin/proofs", "/admin", *evidence]) == []

    boss.goto(f"{own_server.address}/admin/proofs")
    boss.keyboard.press("r")
    expect(boss.locator("#reason")).to_be_focused()
    boss.keyboard.press("Space")
    boss.get_by_label("What would settle it?").fill("a day near the amount")  # no key acts here
    boss.get_by_role("button", name="Reject it").click()
    expect(boss.get_by_role("status")).to_contain_text("Rejected.")
    assert look_at(asha, own_server, [page]) == []
    asha.goto(own_server.address + page)
    expect(asha.get_by_text(WHY)).to_be_visible()
    asha.get_by_role("button", name="show it large").click()
    expect(asha.locator(".large img")).to_be_visible()
    asha.keyboard.press("Escape")
    expect(asha.locator(".large img")).to_be_hidden()

    boss.get_by_role("button", name="Undo").click()
    expect(boss.get_by_text("Taken back.")).to_be_visible()
    boss.keyboard.press("a")
    expect(boss.get_by_role("status")).to_contain_text("Approved.")
    expect(boss.get_by_text("Nothing waits for you")).to_be_visible()

    asha.goto(own_server.address + page)
    asha.get_by_text("Share this one with others").click()
    asha.get_by_role("button", name="Yes, share this one").click()
    address = asha.locator(".address a").get_attribute("href") or ""
    assert look_at(asha, own_server, [page, "/proofs"]) == []
    assert look_at(stranger, own_server, [address]) == []
    for opened in (boss, asha, stranger):
        opened.context.close()
