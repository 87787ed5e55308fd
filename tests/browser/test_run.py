"""A run in the browser: its clock, its steps, by keyboard, on two devices, without a connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import gauges, visits
from tests.browser.conftest import DESKTOP, PHONE, Server

SLACK: Final = 8  # seconds between the press and the answer, on a busy machine
pytestmark = pytest.mark.browser


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody with a phone."""
    width, height = PHONE
    opened = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    yield opened
    opened.close()


def clock(page: Page) -> int:
    """Seconds left on the page's clock."""
    shown = page.locator("#timer [data-clock]").inner_text()
    minutes, seconds = shown.removeprefix("+").split(":")
    return (-1 if shown.startswith("+") else 1) * (60 * int(minutes) + int(seconds))


def left(page: Page, begun: float) -> float:
    """Seconds that should be left by the device's own clock."""
    return 2700 - (float(page.evaluate("Date.now()")) - begun) / 1000


def test_the_clock_is_computed(phone: BrowserContext, server: Server) -> None:
    """Sleep, a reload without a connection and the last five minutes, by the server's time."""
    page = visits.start(phone, server)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Start the timer").click()
    visits.arrived(page)
    begun = float(page.evaluate("Date.now()"))
    page.clock.run_for(60_000)
    assert abs(clock(page) - left(page, begun)) <= SLACK
    page.clock.fast_forward(600_000)  # asleep: no tick of a clock ran
    page.clock.run_for(1_000)
    assert 2700 - clock(page) > 660
    assert abs(clock(page) - left(page, begun)) <= SLACK
    phone.set_offline(True)  # the server's clock did not sleep: what it answers is another time
    page.get_by_role("button", name="Pause the timer").click()
    paused = clock(page)
    page.clock.run_for(120_000)
    assert clock(page) == paused


def test_five_minutes_are_announced_once(phone: BrowserContext, server: Server) -> None:
    page = visits.start(phone, server)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Start the timer").click()
    page.clock.run_for(1_000)
    voice = page.locator("#timer-voice")
    expect(voice).to_be_empty()
    page.clock.fast_forward(40 * 60_000)
    page.clock.run_for(2_000)
    expect(voice).to_contain_text("Five minutes left")
    page.reload()
    page.clock.run_for(2_000)
    expect(voice).to_be_empty()


def test_going_on_elsewhere(phone: BrowserContext, browser: Browser, server: Server) -> None:
    """A second device shows what the first did; coming back to the first shows what it did."""
    page = visits.start(phone, server)
    visits.write(page, "begun on the phone")
    page.locator("#step-1 [data-check]").first.check()
    visits.judge(page, "worked")
    visits.arrived(page)
    other = browser.new_context(storage_state=phone.storage_state())
    laptop = other.new_page()
    visits.open_run(laptop, page.url.split("#")[0])
    expect(laptop.locator("#step-2")).to_be_visible()
    expect(laptop.locator("#step-1")).to_be_hidden()
    laptop.locator("#rail a[href='#step-1']").click()
    expect(laptop.locator("#step-1 textarea[data-note]")).to_have_value("begun on the phone")
    expect(laptop.locator("#step-1 [data-check]").first).to_be_checked()
    visits.write(laptop, ", continued on the laptop")
    visits.arrived(laptop)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#step-1 textarea[data-note]")).to_have_value(
        "begun on the phone, continued on the laptop"
    )
    other.close()


OLDER_ANSWER: Final = """async () => {
  const { src } = document.querySelector("script[src$='run.js']");
  const { outbox } = await import(src.replace("run.js", "person.js"));
  const { execution, stateUrl } = document.getElementById("run").dataset;
  const state = await (await fetch(stateUrl)).json();
  const box = document.querySelector("#step-1 [data-check]");
  const told = [];
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "checked");
  Object.defineProperty(box, "checked", { get, set(on) { told.push(on); set.call(this, on); } });
  const detail = { run: execution, body: { kind: "timer" }, answer: { state } };
  outbox.dispatchEvent(new CustomEvent("answer", { detail }));
  box.click();
  while (!document.querySelector("#save[data-state=saved]") || !told.length) {
    await new Promise((done) => setTimeout(done, 20));
  }
  return told;
}"""


def test_an_older_answer_takes_back_no_tick(phone: BrowserContext, server: Server) -> None:
    """It tells of the moment before, and is read while the tick is on its way into the outbox."""
    page = visits.start(phone, server)
    told = page.evaluate(OLDER_ANSWER)
    assert False not in told  # not for a moment: a finger would press again, and take it back
    expect(page.locator("#step-1 [data-check]").first).to_be_checked()
    assert visits.state(page, server)["steps"][0]["checks"][0]


def test_a_double_tap_judges_one_step(phone: BrowserContext, server: Server) -> None:
    """From the moment the next step is there, no finger reaches the bar for a while."""
    page = visits.start(phone, server)
    is_shut = page.evaluate("""() => new Promise((done) => {
      const next = document.getElementById("step-2");
      const seen = new MutationObserver(() => done(next.querySelector(".verdict").inert));
      seen.observe(next, { attributes: true });
      document.querySelector("#step-1 .go").click();
    })""")
    assert is_shut
    expect(page.locator(".now .verdict:not([inert])")).to_be_visible()


def test_what_is_left_for_later_is_asked_about_first(phone: BrowserContext, server: Server) -> None:
    """The last step sends nothing until it is clear that the rest may stay."""
    page = visits.start(phone, server)
    last = page.locator(".step").count()
    page.locator(".now .skips summary").click()
    page.locator(".now .skips [value=later]").check(force=True)
    page.locator(".now .skips button[value=skipped]").click()
    visits.arrived(page)
    page.evaluate("location.hash = `step-${document.querySelectorAll('.step').length}`")
    page.locator(".now .verdict .go:visible").click()
    expect(page.locator("#unfinished")).to_contain_text("you left step 1, “")
    assert visits.state(page, server)["status"] == "in_progress"
    page.locator("#unfinished [data-later-back]").click()
    expect(page.locator("#step-1")).to_be_visible()
    page.evaluate(f"location.hash = 'step-{last}'")
    page.locator(".now .verdict .go").click()
    gone = []
    page.on(
        "request", lambda asked: gone.append(asked.url) if asked.is_navigation_request() else None
    )
    page.locator("#unfinished button").click()
    expect(page.locator(".flash")).to_contain_text(f"{last - 1} of {last} steps, 1 skipped")
    assert len(gone) == 1  # a second one would break off the first, and show as an error


def test_the_last_step_left_for_later_keeps_its_reason(
    phone: BrowserContext, server: Server
) -> None:
    """Also by the question in between, where the reason's own button is not pressed again."""
    page = visits.start(phone, server)
    last = page.locator(".step").count()
    for number in range(1, last):
        page.locator(f"#step-{number}.now .verdict:not([inert]) .go").click()
    page.locator(f"#step-{last}.now .verdict:not([inert]) .skips summary").click()
    page.locator(".now .skips [value=later]").check(force=True)
    page.locator(".now .skips button[value=skipped]").click()
    expect(page.locator("#unfinished")).to_contain_text(f"you left step {last}, “")
    page.locator("#unfinished button").click()
    expect(page.locator(".flash")).to_contain_text(f"{last - 1} of {last} steps, 1 skipped")
    run = page.url.rpartition("/")[2]
    found = visits.state_of(phone, server, run)["steps"][-1]
    assert (found["result"], found["reason"]) == ("skipped", "later")


def test_failed_opens_reasons_and_tips(phone: BrowserContext, server: Server) -> None:
    page = visits.start(phone, server)
    page.locator(".now .fails summary").click()
    page.locator(".now .fails label.choice").first.click()
    page.locator(".now .fails textarea[name=note]").fill("nobody answered")
    page.locator(".now .fails button[value=failed]").click()
    visits.arrived(page)
    expect(page.locator(".now .fails")).not_to_have_attribute("open", "")
    expect(page.locator("#step-1")).to_be_visible()
    found = visits.state(page, server)["steps"][0]
    assert (found["result"], found["reason"]) == ("failed", "unclear")
    assert "nobody answered" in visits.texts(page, server)


def test_a_run_never_opened_is_said_plainly(phone: BrowserContext, server: Server) -> None:
    """Without a connection: the kept run opens, another page says what can be opened."""
    page = visits.start(phone, server)
    run = page.url
    phone.set_offline(True)
    page.goto(f"{server.address}/workflows/rare")
    expect(page.locator("h1")).to_have_text("No connection")
    page.locator("[data-pages] a").first.click()
    expect(page).to_have_url(run)
    assert page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth)")


def test_keyboard_alone(browser: Browser, server: Server) -> None:
    """From the sign-up to a logged outcome, with Tab, arrows, Space and Enter."""
    width, height = DESKTOP
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{server.address}/signup")
    reach(page, "input[type=email]")
    page.keyboard.type(f"keyboard-{id(page)}@example.com")
    for name in ("earn_money", "freelancer", "beginner"):
        reach(page, f"fieldset:has(input[value={name}]) input")
        press_until(page, "ArrowDown", f"input[value={name}]")
        page.keyboard.press("Space")
    reach(page, "form[action='/signup'] button")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/dashboard/next"))
    page.goto(f"{server.address}/executor/{visits.WORKFLOW}")
    reach(page, f"form[action='/executor/{visits.WORKFLOW}'] button")
    page.keyboard.press("Enter")
    visits.ready(page)
    for number in range(1, 6):
        expect(page.locator(f"#step-{number}.now")).to_be_visible()  # the one before has gone
        reach(page, f"#step-{number} textarea[data-note]")
        page.keyboard.type(f"note {number}")
        reach(page, ".now .verdict button[value=worked]")
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/outcome/"))
    reach(page, "input[name=metric_type]")
    press_until(page, "ArrowDown", "input[value=revenue]")
    page.keyboard.press("Space")
    reach(page, "input[name=value]")
    page.keyboard.type("4800")
    reach(page, "form.outcome button.wide")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/done"))
    expect(page.get_by_text("₹4,800").first).to_be_visible()
    context.close()


FOCUSED = "(selector) => document.activeElement.matches(selector)"
COVERED = """() => {
  const { activeElement: it } = document;
  const { left, top, width, height } = it.getBoundingClientRect();
  const on = document.elementFromPoint(left + width / 2, top + Math.min(height / 2, 20));
  return !on || !(it.contains(on) || on.contains(it) || it.labels?.[0]?.contains(on));
}"""


def reach(page: Page, selector: str) -> None:
    """Tab to a control; wherever the focus comes by, it is not covered by a bar."""
    for _ in range(120):
        if page.evaluate(FOCUSED, selector):
            assert not page.evaluate(COVERED), f"{selector} is covered"
            return
        page.keyboard.press("Tab", delay=15)  # as fast as a person presses
    raise AssertionError(f"{selector} cannot be reached by Tab")


def press_until(page: Page, key: str, selector: str) -> None:
    for _ in range(12):
        if page.evaluate(FOCUSED, selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{selector} cannot be reached by {key}")


def test_the_dialog_has_nothing_wrong(phone: BrowserContext, server: Server) -> None:
    """axe, with the dialog open, the reasons open, and a notice shown."""
    page = visits.start(phone, server)
    page.locator(".now .fails summary").click()
    assert gauges.violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator(".now .fails")).not_to_have_attribute("open", "")
    page.locator("#step-1 [data-capture=screen]").click()
    expect(page.locator("#redact")).to_be_visible()
    assert gauges.violations(page) == []
    page.get_by_role("button", name="Discard").click()
    phone.set_offline(True)
    visits.write(page, "unsent")
    page.locator("form[action='/signout'] button").click()
    expect(page.locator(".notice")).to_be_visible()
    assert gauges.violations(page) == []
