"""The whole loop as a stranger does it: sign up, follow, finish, log, see what changed."""

from __future__ import annotations

import email
import email.policy
import itertools
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Server

pytestmark = pytest.mark.browser
_numbers = itertools.count(1)


def sign_up(page: Page, server: Server) -> str:
    """By the form, pressing what a finger presses; returns the address used."""
    address = f"stranger{next(_numbers)}-{time.time_ns()}@example.com"
    page.goto(f"{server.address}/signup")
    page.get_by_label("E-mail").fill(address)
    for answer in ("earn_money", "freelancer", "beginner"):
        page.locator(f"label:has(input[value={answer}])").click()
        expect(page.locator(f"input[value={answer}]")).to_be_checked()
    page.locator("form[action='/signup'] button").last.click()
    expect(page).to_have_url(re.compile("/dashboard/next"))
    return address


def finish(page: Page, steps: int) -> None:
    """Press "Worked" until the workflow is done."""
    for number in range(1, steps + 1):
        page.locator(f"#step-{number} textarea[data-note]").fill(f"what I did in step {number}")
        page.locator(".now .verdict button[value=worked]").click()
    expect(page).to_have_url(re.compile("/outcome/"))


def newest_mail(folder: Path, after: int, saying: str = "/signin/link") -> str:
    """The text of the next mail of the outbox that says so; others may come before it."""
    for _ in range(600):
        found = sorted((folder / "outbox").glob("*.eml")) if (folder / "outbox").exists() else []
        for file in reversed(found[after:]):
            message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            text = str(message.get_content()) if message.keys() else ""
            if saying in text:
                return text
        time.sleep(0.05)  # written by another process
    raise AssertionError(f"no mail came that says {saying}")


def test_the_loop(page: Page, server: Server) -> None:
    """Profile, recommendation, execution, outcome, evidence, and a better recommendation."""
    page.goto(server.address)
    expect(page.locator("h1")).to_be_visible()
    sign_up(page, server)
    expect(page.get_by_text("nobody like you has tried it").first).to_be_visible()
    page.goto(f"{server.address}/executor/resume_generator")
    page.locator("form[action='/executor/resume_generator'] button").first.click()
    expect(page).to_have_url(re.compile("/executor/[0-9a-f-]{36}"))
    page.locator(".now .fails summary").click()
    page.locator(".now .fails .choice").first.click()
    page.locator(".now .fails button[value=failed]").click()
    expect(page.locator("#step-1 .verdict-said")).to_contain_text("Failed so far")
    finish(page, 5)
    outcome = page.url
    page.locator("button", has_text=re.compile("save|log", re.IGNORECASE)).last.click()
    expect(page.locator(".summary, [role=alert], .error-summary").first).to_be_visible()
    page.locator("input[name=value]").fill("4800")
    page.locator("form.outcome button.wide").click()
    expect(page).to_have_url(re.compile("/done"))
    expect(page.get_by_text("₹4,800").first).to_be_visible()
    page.goto(f"{server.address}/dashboard")
    expect(page.get_by_text("₹4,800").first).to_be_visible()
    expect(page.locator(".rec").first).to_be_visible()
    assert "resume_generator" not in page.locator(".rec").all_inner_texts()
    page.goto(outcome)
    expect(page.get_by_text("₹4,800").first).to_be_visible()


def test_nothing_sticks_out_sideways(page: Page, server: Server) -> None:
    """No page scrolls sideways, not even at 320 px."""
    sign_up(page, server)
    places = (
        "/",
        "/workflows",
        "/executor/whatsapp_bot",
        "/dashboard",
        "/pricing",
        "/help",
        "/profile",
        "/sessions",
        "/dashboard/next",
        "/api/docs",
        "/nothing-here",
    )
    size = page.viewport_size
    assert size is not None
    for width in (size["width"], 320):
        page.set_viewport_size({"width": width, "height": size["height"]})
        for place in places:
            page.goto(server.address + place)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{place} is {wide} px wide at {width}"
    page.goto(f"{server.address}/executor/whatsapp_bot")
    page.locator("form[action='/executor/whatsapp_bot'] button").first.click()
    box = page.locator(".now .verdict .go").bounding_box()  # its bar is fixed, so it widens no page
    assert box is not None
    assert box["x"] + box["width"] <= 320


def test_signing_in_by_code_and_by_link(page: Page, server: Server) -> None:
    """The mail's code signs in; so does its link, which looking at does not spend."""
    address = sign_up(page, server)
    before = len(list((server.folder / "outbox").glob("*.eml")))
    page.context.clear_cookies()
    page.goto(f"{server.address}/dashboard")
    expect(page).to_have_url(re.compile(r"/signin\?next="))
    page.get_by_label("E-mail").fill(address)
    page.locator("main form button").first.click()
    text = newest_mail(server.folder, before)
    code = re.search(r"\b(\d{6})\b", text)
    link = re.search(r"http://\S+/signin/link\S+", text)
    assert code
    assert link
    page.locator("input[name=code]").fill(code[1])
    page.locator("form[action='/signin/code'] button").first.click()
    expect(page).to_have_url(re.compile("/dashboard"))
    page.context.clear_cookies()
    page.goto(link[0])
    page.goto(link[0])
    page.locator("form[action='/signin/link'] button").click()
    expect(page.get_by_text(re.compile("used|too old|older", re.IGNORECASE)).first).to_be_visible()


def test_the_first_operator(browser: Browser, server: Server) -> None:
    """The printed link makes one operator, once."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.claim)
    page.get_by_label("E-mail").fill("operator@example.com")
    page.locator("form[action='/admin/claim'] button").click()
    expect(page).to_have_url(f"{server.address}/admin")
    page.goto(server.claim)
    expect(page.locator("form[action='/admin/claim']")).to_have_count(0)
    context.close()


def test_without_javascript_everything_still_works(browser: Browser, server: Server) -> None:
    """Every step readable, every form saves."""
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": PHONE[0], "height": PHONE[1]}
    )
    page = context.new_page()
    sign_up(page, server)
    page.goto(f"{server.address}/executor/whatsapp_bot")
    page.locator("form[action='/executor/whatsapp_bot'] button").first.click()
    for number in range(1, 5):
        step = page.locator(f"#step-{number}")
        step.locator("textarea[name=text]").fill(f"what I did in step {number}")
        step.locator("button[value=worked]").click()
    expect(page).to_have_url(re.compile("/outcome/"))
    page.locator("input[name=value]").fill("12")
    page.locator("form.outcome button.wide").click()
    expect(page).to_have_url(re.compile("/done"))
    context.close()
