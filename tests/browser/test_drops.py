"""Losing the connection in every way we could think of; nothing that was typed may be lost.

The last line of the run adds up what was typed and what was lost. The control switches the outbox
off and does lose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, Route, expect

from tests.browser import test_capture, visits
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE, Server
from tests.browser.visits import LOCAL, arrived, judge, write

pytestmark = pytest.mark.browser
SIZE = {"width": PHONE[0], "height": PHONE[1]}
Property = Callable[[str, object], None]


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody with a phone."""
    opened = browser.new_context(viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.fixture
def count(record_property: Property) -> Callable[[Page, Server, list[str]], None]:
    """Counts what of the typed words the server does not have."""

    def compare(page: Page, server: Server, typed: list[str], step: int = 1) -> None:
        has = "\n".join(visits.texts(page, server, step))
        lost = [words for words in typed if words not in has]
        record_property("typed", len(typed))
        record_property("notes lost", len(lost))
        assert lost == [], f"the server has: {has}"

    return compare


Count = Callable[[Page, Server, list[str]], None]


def test_typed_without_a_connection(phone: BrowserContext, server: Server, count: Count) -> None:
    page = visits.start(phone, server)
    phone.set_offline(True)
    write(page, "typed offline")
    expect(page.locator(LOCAL)).to_have_text("Saved on this device")
    phone.set_offline(False)
    arrived(page)
    count(page, server, ["typed offline"])


def test_reloaded_without_a_connection(phone: BrowserContext, server: Server, count: Count) -> None:
    page = visits.start(phone, server)
    write(page, "while online. ")
    arrived(page)
    phone.set_offline(True)
    write(page, "and offline.")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#step-1 textarea[data-note]")).to_have_value("while online. and offline.")
    expect(page.locator(LOCAL)).to_be_visible()
    write(page, " More.")
    phone.set_offline(False)
    arrived(page)
    count(page, server, ["while online. and offline. More."])
    assert visits.texts(page, server) == ["while online. and offline. More."]


def test_the_server_is_killed(phone: BrowserContext, own_server: Server, count: Count) -> None:
    """`navigator.onLine` stays true; only the attempts tell."""
    page = visits.start(phone, own_server)
    write(page, "before, ")
    own_server.kill()
    write(page, "during, ")
    expect(page.locator(LOCAL)).to_be_visible()
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    write(page, "after the reload.")
    own_server.start()
    arrived(page)
    count(page, own_server, ["before, during, after the reload."])


def test_the_answer_is_cut(phone: BrowserContext, server: Server, count: Count) -> None:
    """The server has it, the phone cannot know; typed on, it is neither doubled nor a conflict."""
    page = visits.start(phone, server)
    tries: list[str] = []

    def cut_once(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/event", cut_once)
    with page.expect_event("requestfailed"):
        write(page, "once")
    write(page, " and on")
    arrived(page)
    assert tries[0] == tries[1]
    assert len(set(tries)) == 2
    count(page, server, ["once and on"])
    assert visits.texts(page, server) == ["once and on"]
    expect(page.locator(".conflict")).to_have_count(0)


def test_the_tab_is_closed_while_sending(
    phone: BrowserContext, server: Server, count: Count
) -> None:
    page = visits.start(phone, server)
    address = page.url
    page.route("**/event", lambda _: None)  # neither sent nor refused
    write(page, "closed too early")
    page.locator("#step-1 textarea[data-note]").blur()
    expect(page.locator("#save")).to_have_attribute("data-state", "sending")
    page.close()
    again = phone.new_page()
    visits.open_run(again, address)
    expect(again.locator("#step-1 textarea[data-note]")).to_have_value("closed too early")
    arrived(again)
    count(again, server, ["closed too early"])


def test_two_tabs(phone: BrowserContext, server: Server, count: Count) -> None:
    """Each tab knows the other's words, so that nothing is written over."""
    first = visits.start(phone, server)
    second = phone.new_page()
    visits.open_run(second, first.url)
    phone.set_offline(True)
    write(first, "first tab. ")
    expect(second.locator("#step-1 textarea[data-note]")).to_have_value("first tab. ")
    write(second, "second tab.")
    expect(first.locator("#step-1 textarea[data-note]")).to_have_value("first tab. second tab.")
    phone.set_offline(False)
    arrived(first)
    arrived(second)
    count(first, server, ["first tab. second tab."])
    assert visits.texts(first, server) == ["first tab. second tab."]


def test_two_devices(phone: BrowserContext, browser: Browser, server: Server, count: Count) -> None:
    """Both write without a connection; both texts are kept, and shown."""
    page = visits.start(phone, server)
    other = browser.new_context(storage_state=phone.storage_state())
    tablet = other.new_page()
    visits.open_run(tablet, page.url)
    for context in (phone, other):
        context.set_offline(True)
    write(page, "from the phone")
    write(tablet, "from the tablet")
    phone.set_offline(False)
    arrived(page)
    other.set_offline(False)
    arrived(tablet)
    expect(tablet.locator("#step-1 .conflict")).to_contain_text("from the phone")
    count(page, server, ["from the phone", "from the tablet"])
    other.close()


def test_the_sign_in_has_ended(phone: BrowserContext, server: Server, count: Count) -> None:
    """The outbox stays, asks for a sign-in, and drains after it."""
    page = visits.start(phone, server)
    cookies = phone.cookies()
    phone.clear_cookies()
    write(page, "signed out meanwhile")
    expect(page.get_by_role("link", name="Sign in to send")).to_be_visible()
    phone.add_cookies(cookies)  # type: ignore[arg-type]
    page.reload()
    arrived(page)
    count(page, server, ["signed out meanwhile"])


def test_signing_out_sends_and_then_forgets(
    phone: BrowserContext, server: Server, count: Count
) -> None:
    page = visits.start(phone, server)
    run = page.url
    write(page, "the last words")
    page.locator("form[action='/signout'] button").click()
    expect(page).to_have_url(f"{server.address}/")
    left = page.evaluate(
        "async () => [await indexedDB.databases(), await caches.keys(), {...localStorage}]"
    )
    assert left[:2] == [[], []]
    assert "user" not in left[2]
    visits.sign_in(page, server, run)
    expect(page.locator("#step-1 textarea[data-note]")).to_have_value("the last words")
    count(page, server, ["the last words"])


def test_signing_out_without_a_connection_asks(phone: BrowserContext, server: Server) -> None:
    page = visits.start(phone, server)
    phone.set_offline(True)
    write(page, "not sent yet")
    page.locator("form[action='/signout'] button").click()
    expect(page.locator("[data-notice=signout]")).to_contain_text("1 change is only on this device")
    page.locator("[data-notice=signout]").get_by_role("button", name="Close").click()
    expect(page.locator("#step-1 textarea[data-note]")).to_have_value("not sent yet")


def test_verdicts_without_a_connection(phone: BrowserContext, server: Server, count: Count) -> None:
    page = visits.start(phone, server)
    phone.set_offline(True)
    write(page, "did the first")
    judge(page, "worked")
    expect(page.locator("#step-2")).to_be_visible()
    judge(page, "worked")
    expect(page.locator("#step-3")).to_be_visible()
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#rail a[href='#step-2']")).to_have_attribute("data-result", "worked")
    phone.set_offline(False)
    arrived(page)
    found = visits.state(page, server)
    assert [step["result"] for step in found["steps"]][:3] == ["worked", "worked", None]
    assert found["step"] == 3
    count(page, server, ["did the first"])


def test_the_browser_is_started_again(
    chromium: BrowserType, server: Server, tmp_path: Path, count: Count
) -> None:
    """What waits survives the end of the browser, and goes out from any page."""
    where = str(tmp_path / "profile")
    first = chromium.launch_persistent_context(where, executable_path=CHROMIUM, args=list(FLAGS))
    page = visits.start(first, server)
    address = page.url
    cookies = first.cookies()
    first.set_offline(True)
    write(page, "kept over night")
    first.close()
    second = chromium.launch_persistent_context(where, executable_path=CHROMIUM, args=list(FLAGS))
    second.add_cookies(cookies)  # type: ignore[arg-type]
    page = second.new_page()
    visits.open_run(page, address)
    arrived(page)
    count(page, server, ["kept over night"])
    second.close()


def test_the_server_has_a_fault(phone: BrowserContext, server: Server, count: Count) -> None:
    """A 500 for one thing holds nothing else up, and is tried again."""
    page = visits.start(phone, server)
    failed: list[str] = []

    def fail_twice(route: Route) -> None:
        if len(failed) < 2:
            failed.append(route.request.url)
            route.fulfill(status=500, json={"success": False, "error": "Ours", "code": "fault"})
        else:
            route.continue_()

    page.route("**/event", fail_twice)
    write(page, "through a fault")
    page.locator("#step-1 textarea[data-note]").blur()
    arrived(page)
    count(page, server, ["through a fault"])


def test_two_people_on_one_phone(phone: BrowserContext, server: Server, count: Count) -> None:
    """What waits is its writer's; the next person neither sees it nor sends it."""
    page = visits.start(phone, server)
    run, cookies = page.url, phone.cookies()
    phone.set_offline(True)
    write(page, "for my eyes")
    page.close()
    phone.clear_cookies()
    phone.set_offline(False)
    other = visits.start(phone, server)
    visits.arrived(other)
    kept = other.evaluate(
        "async () => (await (await caches.open('pages')).keys()).map((k) => k.url)"
    )
    assert run not in kept
    phone.set_offline(True)
    other.goto(run)
    expect(other.locator("h1")).to_have_text("No connection")
    phone.set_offline(False)
    other.close()
    phone.clear_cookies()
    phone.add_cookies(cookies)  # type: ignore[arg-type]
    page = phone.new_page()
    visits.open_run(page, run)
    arrived(page)
    count(page, server, ["for my eyes"])


AGED = """async () => {
  const db = await idb.openDB(`whatworks-${document.documentElement.dataset.user}`);
  for (const store of ["waiting", "sending"]) {
    for (const old of await db.getAll(store)) await db.put(store, { ...old, at: old.at - 2e8 });
  }
  db.close();
}"""


def test_what_waits_for_days_says_so(phone: BrowserContext, server: Server) -> None:
    page = visits.start(phone, server)
    phone.set_offline(True)
    write(page, "two days ago")
    expect(page.locator(LOCAL)).to_be_visible()
    page.evaluate(AGED)
    page.reload()
    expect(page.locator("[data-notice=old]")).to_contain_text("still only on this device")


def test_what_is_refused_is_shown(phone: BrowserContext, server: Server) -> None:
    page = visits.start(phone, server)
    phone.request.delete(f"{server.address}/api/execution/{visits.execution_of(page)}")
    judge(page, "worked")
    expect(page.locator(".notice")).to_contain_text("Step 1:")
    page.reload()
    expect(page.locator(".notice")).to_contain_text("Step 1:")


def test_what_is_too_long_is_not_called_saved(phone: BrowserContext, server: Server) -> None:
    """Its words stay in their field, also after a reload, until they are mended."""
    page = visits.start(phone, server)
    area = page.locator("#step-1 textarea[data-note]")
    area.fill("o" * 10_001)
    expect(page.locator("#save")).to_have_text("Not saved")
    expect(page.locator(".notice")).to_contain_text("at most 10,000 characters")
    page.reload()
    expect(area).to_have_value("o" * 10_001)
    expect(page.locator("#save")).to_have_text("Not saved")
    area.fill("o" * 10_000)
    visits.arrived(page)
    expect(page.locator(".notice")).to_have_count(0)
    assert visits.texts(page, server) == ["o" * 10_000]


@pytest.mark.parametrize("missing", ["run.js", "outbox.js"])
def test_the_scripts_do_not_come(
    phone: BrowserContext, server: Server, count: Count, missing: str
) -> None:
    """A file is blocked, or lost on the way: the forms work, and take everything along."""
    page = visits.start(phone, server)
    lost = phone.browser.new_context(storage_state=phone.storage_state(), service_workers="block")  # type: ignore[union-attr]
    lost.route(f"**/{missing}", lambda route: route.abort())
    plain = lost.new_page()
    plain.goto(page.url)
    plain.locator("#step-1 textarea[data-note]").fill("typed without scripts")
    plain.locator("#step-1 [data-check]").first.check()
    plain.locator(".now .fails summary").click()
    plain.locator(".now .fails .choice").nth(1).click()
    plain.locator(".now .fails textarea").fill("it took a week")
    visits.judge(plain, "failed")
    expect(plain.locator(".flash")).to_contain_text("Kept: step 1 failed")
    found = visits.state(page, server)["steps"][0]
    assert (found["result"], found["reason"], found["checks"][0]) == ("failed", "too_long", True)
    plain.locator("#rail a[href='#step-3']").click()  # where its own bar is
    plain.evaluate("document.getAnimations().forEach((late) => late.finish())")
    plain.locator("#step-3 textarea[data-note]").fill("a look ahead")
    plain.locator("#step-3 .by-hand button[value=note]").click()
    expect(plain.locator(".flash")).to_contain_text("Saved")
    assert visits.texts(page, server, 3) == ["a look ahead"]
    count(page, server, ["typed without scripts", "it took a week"])
    lost.close()


def test_without_scripts_no_button_loses_a_note(
    phone: BrowserContext, server: Server, count: Count
) -> None:
    """Whatever is pressed about a step takes along what was typed there."""
    page = visits.start(phone, server)
    scriptless = phone.browser.new_context(  # type: ignore[union-attr]
        storage_state=phone.storage_state(), java_script_enabled=False
    )
    plain = scriptless.new_page()
    plain.goto(page.url)
    note = plain.locator("#step-1 textarea[data-note]")
    note.fill("typed before the clock was started")
    plain.locator("#timer button[value=start]").click()
    expect(note).to_have_value("typed before the clock was started")
    note.fill("typed before it was stopped")
    plain.locator("#timer button[value=pause]").click()
    expect(note).to_have_value("typed before it was stopped")
    note.fill("typed before a picture was added")
    picture: Any = {"name": "x.png", "mimeType": "image/png", "buffer": test_capture.png(40, 30)}
    plain.locator("#step-1 input[name=file]").set_input_files(picture)
    plain.locator("#step-1 [data-proof] button", has_text="Add it").click()
    expect(plain.locator(".flash")).to_contain_text("Your proof is kept")
    expect(note).to_have_value("typed before a picture was added")
    expect(plain.locator("#step-1 .thumbs li")).to_have_count(1)
    assert visits.state(page, server)["timer"]["running"] is False
    note.fill("typed before it worked")
    plain.locator("#step-1 input[name=file]").set_input_files(picture)
    plain.locator("#step-1 .go").click()
    expect(plain.locator(".flash")).to_contain_text("Step 1 is done. Your proof is kept")
    expect(plain.locator("#step-1 .thumbs li")).to_have_count(2)
    count(page, server, ["typed before it worked"])
    scriptless.close()


def test_without_the_outbox_it_is_lost(browser: Browser, server: Server) -> None:
    """The control: the same drill loses the words when the page has only its forms.

    With a connection a form of the page takes them along.
    """
    context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
    context.add_init_script("delete Navigator.prototype.locks")
    user = visits.sign_up(context, server)
    page = context.new_page()
    run = context.request.post(
        f"{server.address}/api/execution",
        data={"user_id": user, "workflow_name": visits.WORKFLOW},
    ).json()["execution_id"]
    page.goto(f"{server.address}/executor/{run}")
    context.set_offline(True)
    page.locator("#step-1 textarea[data-note]").press_sequentially("typed offline")
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{server.address}/executor/{run}")
    assert page.locator("#step-1 textarea[data-note]").input_value() == ""
    assert visits.texts(page, server) == []
    page.wait_for_selector("html[data-ready]", state="attached")
    page.locator("#step-1 textarea[data-note]").fill("sent by the verdict's form")
    page.locator("#step-1 [data-check]").first.check()
    visits.judge(page, "worked")
    expect(page).to_have_url(re.compile("#step-2"))
    assert visits.texts(page, server) == ["sent by the verdict's form"]
    assert visits.state(page, server)["steps"][0]["checks"][0] is True
    context.close()
