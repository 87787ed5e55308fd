"""Pictures: every way in, every way to hide something, and that black is what arrives."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser import visits
from tests.browser.conftest import PHONE, Server

pytestmark = pytest.mark.browser
DIALOG: Final = "#redact"
SENT: Final = ".thumbs li small:text-is('Sent')"
WAITING: Final = """async () => {
  const db = await idb.openDB(`whatworks-${document.documentElement.dataset.user}`);
  const entries = [...(await db.getAll("waiting")), ...(await db.getAll("sending"))];
  const { file } = entries.find((entry) => entry.file);
  db.close();
  return [file.type, file.name, btoa(String.fromCharCode(...new Uint8Array(file.bytes)))];
}"""
PIXELS: Final = """async ([address, points]) => {
  const answer = await fetch(address);
  const picture = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { width, height } = picture;
  const at = ([x, y]) => [...context.getImageData(x * width, y * height, 1, 1).data].slice(0, 3);
  return [width, height, ...points.map(at)];
}"""


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Somebody with a phone, on a run."""
    width, height = PHONE
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(15_000)
    yield visits.start(context, server)
    context.close()


def png(width: int, height: int) -> bytes:
    """A picture that is red all over, with a text that nobody should see."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    secret = b"Comment\0taken at home"
    parts = ((b"IHDR", head), (b"tEXt", secret), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(part(*one) for one in parts)


def choose(page: Page, picture: bytes, step: int = 1) -> Locator:
    """The picture into the step's file field; returns the canvas it is shown on."""
    file: Any = {"name": "secret name.png", "mimeType": "image/png", "buffer": picture}
    page.locator(f"#step-{step} [data-proof] input[name=file]").set_input_files(file)
    expect(page.locator(DIALOG)).to_be_visible()
    return page.locator(f"{DIALOG} canvas")


def corner(canvas: Locator, x: float, y: float) -> tuple[float, float]:
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def keep(page: Page) -> None:
    page.get_by_role("button", name="Nothing private is visible").click()
    expect(page.locator(DIALOG)).to_be_hidden()


def arrived(page: Page, server: Server, count: int = 1) -> list[str]:
    """The ids of the pictures that the server has, once there are so many."""
    expect(page.locator(SENT)).to_have_count(count, timeout=30_000)
    visits.arrived(page)
    found: list[str] = visits.state(page, server)["steps"][0]["proofs"]
    assert len(found) == count
    return found


def pixels(page: Page, proof_id: str, *points: tuple[float, float]) -> list[Any]:
    """Width, height and colours of what is kept; places as parts of the whole."""
    found: list[Any] = page.evaluate(PIXELS, [f"/proofs/{proof_id}/page/1", points])
    return found


def is_red(colour: list[int]) -> bool:
    return colour[0] > 230 and max(colour[1:]) < 25


def test_black_is_what_arrives(page: Page, server: Server) -> None:
    """Dragged, tapped and typed; outside of it the picture is as it was."""
    inside, outside = (0.25, 0.25), (0.75, 0.75)
    canvas = choose(page, png(800, 600))
    page.mouse.move(*corner(canvas, 0.1, 0.1))
    page.mouse.down()
    page.mouse.move(*corner(canvas, 0.5, 0.5), steps=4)
    page.mouse.up()
    keep(page)
    canvas = choose(page, png(800, 600))
    page.mouse.click(*corner(canvas, 0.1, 0.1))
    page.mouse.click(*corner(canvas, 0.5, 0.5))
    keep(page)
    canvas = choose(page, png(800, 600))
    for key, times in (("Enter", 1), ("ArrowLeft", 16), ("ArrowUp", 14), ("Enter", 1)):
        for _ in range(times):
            canvas.press(key)
    keep(page)
    for proof_id in arrived(page, server, 3):
        width, height, hidden, shown = pixels(page, proof_id, inside, outside)
        assert (width, height) == (800, 600)
        assert hidden == [0, 0, 0]
        assert is_red(shown)


def test_undo_and_the_control(page: Page, server: Server) -> None:
    """What is taken back is not black; so black above is the dialog's doing."""
    canvas = choose(page, png(3200, 800))
    page.mouse.click(*corner(canvas, 0.1, 0.1))
    page.mouse.click(*corner(canvas, 0.5, 0.9))
    page.get_by_role("button", name="Undo").click()
    page.context.set_offline(True)
    keep(page)
    expect(page.locator(visits.LOCAL)).to_be_visible()
    kind, name, kept = page.evaluate(WAITING)
    assert (kind, name) == ("image/webp", "picture.webp")
    assert b"WEBP" in base64.b64decode(kept)
    assert b"taken at home" not in base64.b64decode(kept)
    page.context.set_offline(False)
    (proof_id,) = arrived(page, server)
    width, height, shown = pixels(page, proof_id, (0.25, 0.25))
    assert (width, height) == (1600, 400)
    assert is_red(shown)


def test_discarded_is_gone(page: Page, server: Server) -> None:
    choose(page, png(80, 60))
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(DIALOG)).to_be_hidden()
    assert page.locator("#step-1 input[name=file]").input_value() == ""
    expect(page.locator(".thumbs")).to_have_count(0)
    assert visits.state(page, server)["steps"][0]["proofs"] == []


def test_the_screen_paste_and_drop(page: Page, server: Server) -> None:
    page.locator("#step-1 [data-capture=screen]").click()
    expect(page.locator(DIALOG)).to_be_visible()
    keep(page)
    picture = base64.b64encode(png(90, 60)).decode()
    for event, kind, field in (
        ("paste", "ClipboardEvent", "clipboardData"),
        ("drop", "DragEvent", "dataTransfer"),
    ):
        page.evaluate(
            """([picture, event, kind, field]) => {
              const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0));
              const data = new DataTransfer();
              data.items.add(new File([bytes], "x.png", { type: "image/png" }));
              const options = { [field]: data, bubbles: true, cancelable: true };
              document.body.dispatchEvent(new globalThis[kind](event, options));
            }""",
            [picture, event, kind, field],
        )
        expect(page.locator(DIALOG)).to_be_visible()
        keep(page)
    first, *_ = arrived(page, server, 3)
    width, height = pixels(page, first)
    assert min(width, height) > 100


def test_what_is_no_picture_is_said(page: Page) -> None:
    file: Any = {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.locator("#step-1 [data-proof] input[name=file]").set_input_files(file)
    expect(page.locator(".notice")).to_contain_text("cannot be read as a picture")


def test_without_a_connection(page: Page, server: Server) -> None:
    """A picture waits like everything else, through a reload, and is black when it arrives."""
    context: BrowserContext = page.context
    canvas = choose(page, png(400, 300))
    keep(page)
    arrived(page, server)
    context.set_offline(True)
    canvas = choose(page, png(400, 300))
    page.mouse.click(*corner(canvas, 0.1, 0.1))
    page.mouse.click(*corner(canvas, 0.9, 0.9))
    keep(page)
    expect(page.locator(".thumbs li small:text-is('On this device')")).to_have_count(1)
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator(".thumbs li small:text-is('On this device')")).to_have_count(1)
    context.set_offline(False)
    visits.arrived(page)
    newest = visits.state(page, server)["steps"][0]["proofs"][-1]
    assert pixels(page, newest, (0.5, 0.5))[2:] == [[0, 0, 0]]
