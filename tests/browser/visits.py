"""What the browser tests do again and again: sign up, start a run, look at what the server has."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Server

WORKFLOW: Final = "resume_generator"
SAVED: Final = "#save[data-state=saved]"
LOCAL: Final = "#save[data-state=local]"
KEPT: Final = """async () => {
  const pages = await caches.open("pages");
  for (let tries = 0; !(await pages.match(location.pathname)); tries += 1) {
    if (tries === 500) throw new Error("the page is not kept");
    await new Promise((done) => setTimeout(done, 20));
  }
}"""
_numbers = itertools.count(1)
_emails: dict[str, str] = {}  # whose run it is


def sign_up(context: BrowserContext, server: Server, email: str | None = None) -> str:
    """A new person, signed in; returns their user_id."""
    answer = context.request.post(
        f"{server.address}/api/profile",
        data={
            "email": email or f"visitor{next(_numbers)}-{time.time_ns()}@example.com",
            "goal": "earn_money",
            "market": "freelancer",
            "skill_level": "beginner",
        },
    )
    assert answer.ok, answer.text()
    return str(answer.json()["user_id"])


def start(context: BrowserContext, server: Server) -> Page:
    """A new person on the page of a new run, with everything in place for losing the connection."""
    email = f"visitor{next(_numbers)}-{time.time_ns()}@example.com"
    user_id = sign_up(context, server, email)
    answer = context.request.post(
        f"{server.address}/api/execution",
        data={"user_id": user_id, "workflow_name": WORKFLOW},
    )
    assert answer.ok, answer.text()
    execution_id = answer.json()["execution_id"]
    _emails[execution_id] = email
    page = context.new_page()
    open_run(page, f"{server.address}/executor/{execution_id}")
    return page


def sign_in(page: Page, server: Server, place: str) -> None:
    """Back to a place by the mail's code, as whoever owned the page's run."""
    before = len(mails(server))
    page.goto(f"{server.address}/signin?next={urlsplit(place).path}")
    page.get_by_label("E-mail").fill(_emails[urlsplit(place).path.rpartition("/")[2]])
    page.locator("main form button").first.click()
    page.locator("input[name=code]").fill(code(server, before))
    page.locator("form[action='/signin/code'] button").first.click()
    expect(page).to_have_url(place)


def mails(server: Server) -> list[Path]:
    """The mails written so far, the oldest first."""
    return sorted((server.folder / "outbox").glob("*.eml"))


def code(server: Server, before: int) -> str:
    """The six digits of the mail that comes next."""
    for _ in range(600):
        if len(found := mails(server)) > before:
            digits = re.search(r"^Subject: (\d{6}) ", found[-1].read_text(), re.MULTILINE)
            assert digits, found[-1].read_text()
            return digits[1]
        time.sleep(0.05)  # written by another process
    raise AssertionError("no mail came")


def open_run(page: Page, address: str) -> None:
    """Open a run, and wait until page and worker can do without a connection."""
    page.goto(address)
    ready(page)


def ready(page: Page) -> None:
    """Until the scripts have taken over, and the page is kept."""
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate("navigator.serviceWorker.ready")
    page.evaluate(KEPT)


def execution_of(page: Page) -> str:
    found = re.search(r"/executor/([0-9a-f-]{36})", page.url)
    assert found, page.url
    return found[1]


def state(page: Page, server: Server) -> dict[str, Any]:
    """What the server has of the page's run, asked beside the page and its connection."""
    return state_of(page.context, server, execution_of(page))


def state_of(context: BrowserContext, server: Server, execution_id: str) -> dict[str, Any]:
    answer = context.request.get(f"{server.address}/api/execution/{execution_id}/state")
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def texts(page: Page, server: Server, step: int = 1) -> list[str]:
    """All that the server keeps of a step's note, in force or beside it."""
    found = page.context.request.get(f"{server.address}/api/execution/{execution_of(page)}").json()
    return [note["text"] for note in found["notes"] if note["step"] == step]


def write(page: Page, text: str, step: int = 1) -> None:
    """Type into a step's note, and wait until it is kept somewhere."""
    area = page.locator(f"#step-{step} textarea[data-note]")
    area.click()
    area.press("Control+End")
    area.press_sequentially(text)
    kept(page)


def kept(page: Page) -> None:
    """Until the chip claims anything at all."""
    expect(page.locator("#save")).not_to_be_empty()


def arrived(page: Page) -> None:
    expect(page.locator(SAVED)).to_be_visible(timeout=30_000)


def judge(page: Page, result: str) -> None:
    page.locator(f".now .verdict button[value={result}]").click()
