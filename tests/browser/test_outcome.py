"""The outcome's page in a browser: it says numbers back, keeps a draft, and points at mistakes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import insert

from tests.browser import gauges, places, test_capture, visits
from tests.browser.conftest import Server
from whatworks import clock, db, signed
from whatworks.execution import executions
from whatworks.models import Reminder

pytestmark = pytest.mark.browser


@pytest.fixture
def form(page: Page, context: BrowserContext, server: Server) -> str:
    """The address of a page that asks what a run brought, open in `page`."""
    user_id = visits.sign_up(context, server)
    run = places.begin(context, server, user_id, "resume_generator")
    places.put(context, server, f"/api/execution/{run}/progress", {"steps_completed": 5})
    page.goto(f"{server.address}/outcome/{run}")
    return page.url


def choose(page: Page, value: str) -> None:
    page.locator(f"label:has(input[value={value}])").click()


def test_numbers_are_said_back(page: Page, form: str) -> None:
    echo = page.locator("[data-echo]")
    for typed, said in (
        ("12000", "That is ₹12,000."),
        ("₹12,34,567.50", "That is ₹12,34,567.50."),
        ("4 800", "That is ₹4,800."),
        ("Rs. 4,800/-", "That is ₹4,800."),
        ("4.800,50", "That is ₹4,800.50."),
        ("४,८००", "That is ₹4,800."),
        ("4.800", "Is that 4800 or 4.8? Write it that way."),
        ("a lot", ""),
    ):
        page.fill("#value", typed)
        expect(echo).to_have_text(said)
    page.locator("#value").blur()
    expect(echo).to_contain_text("not a number yet")
    page.fill("#value", "1234567")
    page.select_option("#currency", "USD")
    expect(echo).to_have_text("That is $1,234,567.")
    choose(page, "time_saved")
    page.fill("#value", "2.5")
    expect(echo).to_have_text("That is 2 h 30 min.")
    choose(page, "nothing")
    expect(page.locator("#value")).to_be_hidden()


def test_mistakes_take_the_focus_and_lead_to_their_field(page: Page, form: str) -> None:
    page.locator("form.outcome button.wide").click()
    summary = page.locator(".errors")
    expect(summary).to_be_focused()
    summary.get_by_role("link").first.click()
    expect(page.locator("#value")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))


def test_a_mistake_is_no_longer_shown_once_it_is_mended(page: Page, form: str) -> None:
    page.locator("form.outcome button.wide").click()
    expect(page.locator("#value-error")).to_be_visible()
    page.fill("#value", "4800")  # when it is left, the button under the pointer would move
    for gone in ("#value-error", ".errors", "[aria-invalid]"):
        expect(page.locator(gone)).to_have_count(0)


def test_a_mistake_is_not_shown_where_nothing_is_asked(page: Page, form: str) -> None:
    page.locator("form.outcome button.wide").click()
    expect(page.locator(".errors")).to_be_visible()
    choose(page, "nothing")
    expect(page.locator(".errors")).to_have_count(0)


def test_a_draft_waits_for_the_connection(context: BrowserContext, form: str) -> None:
    page = context.new_page()  # whose console may say that there is no connection
    page.goto(form)
    expect(page.locator("#note[data-kept]")).to_have_count(1)  # from now on it is kept
    choose(page, "customers")
    page.fill("#value", "7")
    page.fill("#note", "typed before the tunnel")
    context.set_offline(True)
    page.locator("form.outcome button.wide").click()
    expect(page.locator("[data-draft-said]")).to_contain_text("kept on this device")
    context.set_offline(False)
    page.goto(form)
    expect(page.locator("#value")).to_have_value("7")
    expect(page.locator("#note")).to_have_value("typed before the tunnel")
    expect(page.locator("[value=customers]")).to_be_checked()
    page.locator("form.outcome button.wide").click()
    expect(page).to_have_url(re.compile("/done"))
    expect(page.get_by_text("7 customers").first).to_be_visible()
    page.goto(form)
    expect(page.locator("#value")).to_have_value("")


def test_a_chosen_picture_is_shown_and_can_be_removed(page: Page, form: str) -> None:
    expect(page.locator("#note[data-kept]")).to_have_count(1)
    picture: Any = {"name": "x.png", "mimeType": "image/png", "buffer": test_capture.png(90, 60)}
    page.locator("#file").set_input_files(picture)
    page.locator("#redact button[value=keep]").click()
    expect(page.locator("[data-proofs] canvas")).to_be_visible()
    page.reload()
    expect(page.locator("[data-proofs] canvas")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("[data-proofs] li")).to_have_count(0)
    page.reload()  # the draft has forgotten it, too
    expect(page.locator("#note[data-kept]")).to_have_count(1)
    expect(page.locator("[data-proofs] li")).to_have_count(0)
    assert page.locator("#file").evaluate("(field) => field.files.length") == 0


def test_tables_say_what_the_charts_show(page: Page, context: BrowserContext, form: str) -> None:
    for value in ("100", "200"):
        page.goto(form)
        page.fill("#value", value)
        page.locator("form.outcome button.wide").click()
        expect(page).to_have_url(re.compile("/done"))
    page.goto(form.partition("/outcome")[0] + "/dashboard")
    section = page.locator("section[aria-labelledby=brought]")
    section.locator("summary").click()
    expect(section.locator("tbody tr")).to_have_count(2)
    expect(section.locator("tbody tr").last).to_contain_text("₹300")
    week = page.locator("section[aria-labelledby=week]")
    week.locator("summary").click()
    expect(week.locator("tbody tr")).to_have_count(7)


def test_where_a_mails_links_lead(page: Page, server: Server, form: str) -> None:
    """Without being signed in, and nothing wrong with any of the pages."""
    run = form.rpartition("/")[2]
    database = db.Database(f"sqlite:///{server.folder / 'data.db'}")
    user_id = database.write(asked, run)
    database.close()
    key = (server.folder / "secret-key").read_text().strip()
    link = f"{server.address}/reminder/{signed.token(key, 'reminder', user_id, run, '7')}"
    end = f"{server.address}/unsubscribe/{signed.token(key, 'unsubscribe', user_id)}"
    page.context.clear_cookies()
    for place in (f"{link}?answer=revenue", f"{link}?answer=stop", end, f"{link}?answer=nothing"):
        page.goto(place)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert gauges.violations(page) == [], place
    page.get_by_role("button", name="Save it").click()
    expect(page.get_by_role("heading", name="Thank you.")).to_be_visible()
    assert gauges.violations(page) == []


def asked(session: db.Session, execution_id: str) -> str:
    """As if a mail about a run had been sent; returns whose run it is."""
    user_id = executions.find_owner(session, execution_id)
    assert user_id is not None
    now = clock.timestamp()
    mail = {"user_id": user_id, "execution_id": execution_id, "days": 7, "claimed_at": now}
    session.run(insert(Reminder).values(**mail, tries=1, sent_at=now))
    return user_id
