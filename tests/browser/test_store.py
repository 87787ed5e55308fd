"""A stranger buys, from the price list to the file on disk, and loses it on refund."""

from __future__ import annotations

import itertools
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, SCREENS, Server
from tests.browser.test_loop import newest_mail
from tests.browser.test_pages import look
from tests.browser.test_review import become_operator, somebody
from tests.stubs.razorpay import RazorpayStub
from tests.stubs.stripe import StripeStub

pytestmark = pytest.mark.browser
_numbers = itertools.count(1)


class Shop:
    """A running shop and the pretended banks behind it."""

    def __init__(self, server: Server, razorpay: RazorpayStub, stripe: StripeStub) -> None:
        self.address = server.address
        self.folder = server.folder
        self.claim = server.claim
        self.razorpay = razorpay
        self.stripe = stripe

    def mails(self) -> int:
        """How many mails the outbox holds."""
        return len(list((self.folder / "outbox").glob("*.eml")))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """`whatworks serve` with both gateways, which write letters by themselves."""
    with RazorpayStub() as razorpay, StripeStub() as stripe:
        given = {**razorpay.settings, **stripe.settings, "rate_limits": "off"}
        environment = {f"WHATWORKS_{name.upper()}": str(value) for name, value in given.items()}
        server = Server(tmp_path_factory.mktemp("shop"), **environment)
        try:
            server.start()
            razorpay.webhook_url = f"{server.address}/webhook"
            stripe.webhook_url = f"{server.address}/webhook/stripe"
            yield Shop(server, razorpay, stripe)
        finally:
            server.stop()


def address() -> str:
    return f"buyer{next(_numbers)}-{time.time_ns()}@example.com"


def order(page: Page, shop: Shop, email: str) -> str:
    """From the price list to the order's page; returns the order's id."""
    page.goto(f"{shop.address}/pricing")
    page.get_by_role("link", name="Buy Pro pack").click()
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("Look it over, then pay")
    expect(page.get_by_text(email)).to_be_visible()
    return str(re.findall(r"/order/([^?]+)", page.url)[0])


def pay(page: Page) -> None:
    """Through the bank's own page, and back."""
    page.get_by_role("button", name="Pay ₹499").click()
    expect(page.locator("h1")).to_have_text("Pay INR 49900")
    page.get_by_role("button", name="Pay").click()


def test_a_stranger_buys_pro_and_loses_it_on_refund(page: Page, shop: Shop, tmp_path: Path) -> None:
    email, mails = address(), shop.mails()
    order_id = order(page, shop, email)
    pay(page)
    expect(page.locator("h1")).to_have_text("Paid and ready")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the ZIP").click()
    path = tmp_path / started.value.suggested_filename
    started.value.save_as(path)
    with zipfile.ZipFile(path) as file:
        assert path.name == "pro.zip"
        assert file.testzip() is None
        assert "guides/raise_your_rates.html" in file.namelist()
        assert order_id in file.read("YOUR-LICENCE.txt").decode()
    assert newest_mail(shop.folder, mails, saying=order_id)
    order_page = page.url

    # The workflows open to whoever proves the address.
    page.get_by_role("link", name="Sign up").click()
    expect(page.get_by_label("E-mail")).to_have_value(email)
    mails = shop.mails()
    for answer in ("earn_money", "freelancer", "beginner"):
        page.locator(f"label:has(input[value={answer}])").click()
    page.locator("form[action='/signup'] button").last.click()
    expect(page.locator("h1")).to_have_text("Check your mail")
    code = re.findall(r"^\s+(\d{6})$", newest_mail(shop.folder, mails), re.MULTILINE)[0]
    page.locator("input[name=code]").fill(code)
    page.locator("form[action='/signin/code'] button").click()
    expect(page.locator("h1")).to_have_text("Your library")
    page.get_by_role("link", name="Raise your rates without losing your good clients").click()
    page.get_by_role("button", name="Start").first.click()
    expect(page.locator(".step.now")).to_be_visible()

    # The money goes back: the page says so, the file and new runs are closed, the run stays.
    run = page.url
    payment = next(p for p in shop.razorpay.payments.values() if p["email"] == email)
    shop.razorpay.give_back(payment["id"])
    for _ in range(100):
        page.goto(order_page)
        if page.locator("h1").inner_text() == "This order is closed":
            break
        time.sleep(0.05)  # the letter is written by another thread
    expect(page.locator("h1")).to_have_text("This order is closed")
    expect(page.get_by_role("link", name="Download the ZIP")).to_have_count(0)
    page.goto(f"{shop.address}/download/pro")
    expect(page.get_by_text("was refunded")).to_be_visible()
    page.goto(f"{shop.address}/executor/one_video_ten_posts")
    expect(page.get_by_text("needs the pro plan").first).to_be_visible()
    page.goto(run)
    expect(page.locator(".step.now")).to_be_visible()


def test_access_comes_with_the_webhook(page: Page, shop: Shop) -> None:
    """The buyer closes the bank's page and never comes back; only the webhook tells."""
    order(page, shop, address())
    order_page = page.url
    gateway_id = page.locator("input[name=order_id]").input_value()
    told = time.monotonic()
    shop.razorpay.pay(gateway_id)
    while True:
        page.goto(order_page)
        if page.locator("h1").inner_text() == "Paid and ready":
            break
        assert time.monotonic() - told < 60, "never ready"
    expect(page.get_by_role("link", name="Download the ZIP")).to_be_visible()


def test_waiting_for_the_bank_ends_by_itself(page: Page, shop: Shop) -> None:
    """The page of somebody who waits looks again without being touched."""
    order(page, shop, address())
    gateway_id = page.locator("input[name=order_id]").input_value()
    payment = shop.razorpay.pay(gateway_id, status="authorized")
    for _ in range(100):
        page.reload()
        if page.locator("h1").inner_text() == "Waiting for the bank":
            break
        time.sleep(0.05)  # the letter is written by another thread
    expect(page.locator("h1")).to_have_text("Waiting for the bank")
    shop.razorpay.capture(payment["id"])
    expect(page.locator("h1")).to_have_text("Paid and ready", timeout=15_000)


def test_a_mistyped_address_is_mended_before_paying(page: Page, shop: Shop) -> None:
    order(page, shop, "ravi@exampel.com")
    page.get_by_role("link", name="change it").click()
    field = page.get_by_label("Your e-mail address")
    expect(field).to_have_value("ravi@exampel.com")
    right = address()
    field.fill(right)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(right)).to_be_visible()
    pay(page)
    expect(page.locator("h1")).to_have_text("Paid and ready")


def test_stripe_sells_as_well(page: Page, shop: Shop) -> None:
    """A subscription: to Stripe by a link, back, and ready."""
    page.goto(f"{shop.address}/buy?product=pro_monthly")
    page.get_by_label("Your e-mail address").fill(address())
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Pay ₹199").click()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("h1")).to_have_text("Paid and ready")


def test_a_subscriber_gets_to_card_and_invoices(page: Page, shop: Shop) -> None:
    """By a form that the browser lets lead to the gateway's own page."""
    body = {
        "email": address(),
        "goal": "earn_money",
        "market": "student",
        "skill_level": "beginner",
    }
    assert page.request.post(f"{shop.address}/api/profile", data=body).ok
    page.goto(f"{shop.address}/buy?product=pro_monthly")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Pay ₹199").click()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("h1")).to_have_text("Paid and ready")
    page.goto(f"{shop.address}/subscription")
    page.get_by_role("button", name="Card and invoices").click()
    page.wait_for_url(f"{shop.stripe.url}/portal/**")


@pytest.fixture(scope="module")
def boss(browser: Browser, shop: Shop) -> Iterator[Page]:
    """The shop's operator."""
    opened = somebody(browser, PHONE)
    become_operator(opened, shop)
    yield opened
    opened.context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_is_wrong_with_any_page(
    browser: Browser, shop: Shop, boss: Page, screen: tuple[int, int]
) -> None:
    """Every page of the shop as axe sees it: to be paid, paid, its receipt; what operators see."""
    page = somebody(browser, screen)
    boss.set_viewport_size({"width": screen[0], "height": screen[1]})
    number = order(page, shop, address())
    unpaid = page.url
    wrong = look(page, unpaid)
    pay(page)
    expect(page.locator("h1")).to_have_text("Paid and ready")
    paid = page.url.removeprefix(shop.address)
    receipt = page.get_by_role("link", name="Receipt").get_attribute("href") or ""
    boss.goto(f"{shop.address}/admin/inbox")
    letter = boss.locator("a[href^='/admin/inbox/']").first.get_attribute("href") or ""
    bought = ["/pricing", "/buy?product=pro", "/order/nothing", paid, receipt]
    sold = [
        "/admin/orders?takings=1",
        f"/admin/orders/{number}",
        "/admin/inbox",
        letter,
        "/library",
    ]
    for opened, places in ((page, bought), (boss, sold)):
        for place in places:
            wrong += look(opened, shop.address + place)
            wide = opened.evaluate("document.documentElement.scrollWidth - innerWidth")
            wrong += [f"{place} is {wide} too wide"] if wide > 0 else []
    assert wrong == []
    page.context.close()


def test_nothing_is_wider_than_the_screen(page: Page, shop: Shop) -> None:
    """The shop's pages at both widths, with an order in every state they show."""
    order(page, shop, f"{'a' * 60}@{'example' * 7}.com")
    paths = ["/pricing", "/buy?product=pro", "/order", "/order/0193", page.url]
    pay(page)
    expect(page.locator("h1")).to_have_text("Paid and ready")
    receipt = page.get_by_role("link", name="Receipt").get_attribute("href")
    for path in [*paths, receipt or ""]:
        page.goto(path if path.startswith("http") else f"{shop.address}{path}")
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, path
