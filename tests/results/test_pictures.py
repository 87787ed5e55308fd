"""Sanitising: what is kept of a file, what the child may do, and what it says when it will not."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from PIL import Image, ImageDraw, ImageEnhance

from tests import hostile
from whatworks import errors
from whatworks.results import picture_child, pictures, proofs
from whatworks.results.pictures import Cleaned, Limits, Studio

LIMITS: Final = Limits(bytes=2_000_000, pixels=25_000_000, pages=10)


def clean(content: bytes, limits: Limits = LIMITS) -> Cleaned:
    return Studio(limits).clean(io.BytesIO(content))


def screen(seed: int, size: tuple[int, int] = (540, 960)) -> Image.Image:
    """Something like the screen of an app, another one each time."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], size[1] // 12), fill="#15c")
    for y in range(size[1] // 10, size[1], 20):
        left, right = chance.randint(0, size[0] // 3), chance.randint(size[0] // 3, size[0])
        colour = tuple(chance.randrange(256) for _ in range(3))
        draw.rectangle((left, y, right, y + chance.randint(3, 14)), fill=colour)
    return image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_kept_as_webp_with_a_thumbnail(form: str) -> None:
    cleaned = clean(hostile.encoded(screen(1), form))
    (page,) = cleaned.pages
    assert (cleaned.kind, page.width, page.height) == ("image", 540, 960)
    assert (cleaned.thumb.width, cleaned.thumb.height) == (180, 320)
    with Image.open(io.BytesIO(page.content)) as kept:
        assert (kept.format, kept.size, kept.info.get("exif")) == ("WEBP", (540, 960), None)


def test_a_document_is_kept_as_its_pages() -> None:
    sheets = [screen(n).resize((400, 600)) for n in range(3)]
    target = io.BytesIO()
    sheets[0].save(target, "PDF", save_all=True, append_images=sheets[1:])
    cleaned = clean(target.getvalue())
    assert (cleaned.kind, len(cleaned.pages)) == ("document", 3)
    assert all(page.height == 1800 for page in cleaned.pages)


def test_a_photo_stands_upright_and_says_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825).update({1: "N", 2: (12.0, 58.0, 21.0)})
    cleaned = clean(hostile.encoded(screen(2, (600, 300)), "JPEG", exif=exif))
    assert (cleaned.pages[0].width, cleaned.pages[0].height) == (300, 600)
    assert b"EXIF" not in cleaned.pages[0].content


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_pixel_can_be_looked_at(mode: str) -> None:
    grey = Image.linear_gradient("L")
    image = Image.frombytes("I;16", (64, 64), bytes(range(256)) * 32) if "16" in mode else None
    content = hostile.encoded(image or grey.convert(mode), "PNG")
    with Image.open(io.BytesIO(clean(content).pages[0].content)) as kept:
        assert kept.mode == "RGB"
        low, high = kept.convert("L").getextrema()
        assert high - low > 100  # type: ignore[operator]


def test_what_is_clear_becomes_white() -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 32, 64))
    with Image.open(io.BytesIO(clean(hostile.encoded(image, "PNG")).pages[0].content)) as kept:
        assert min(kept.convert("RGB").getpixel((60, 32))) > 245  # type: ignore[arg-type]


def test_the_same_pixels_have_the_same_hash_in_any_container() -> None:
    image = screen(3)
    png = clean(hostile.encoded(image, "PNG"))
    webp = clean(hostile.encoded(image, "WEBP", lossless=True))
    other = clean(hostile.encoded(screen(4), "PNG"))
    assert png.sha256 == webp.sha256 != other.sha256


def test_pictures_are_known_again_after_another_encoding_and_size() -> None:
    """And from other pictures; screens of one app look alike, and only a person can tell."""
    known = [picture_child.dhash_of(screen(seed)) for seed in range(30)]
    hashes = [int(one or "", 16) for one in known]
    for seed, original in enumerate(hashes):
        image = screen(seed)
        jpeg = Image.open(io.BytesIO(hostile.encoded(image, "JPEG", quality=50)))
        changed = (jpeg, image.resize((180, 320)), ImageEnhance.Brightness(image).enhance(1.1))
        for other in changed:
            found = int(picture_child.dhash_of(other.convert("RGB")) or "", 16)
            assert proofs.distance(original, found) <= proofs.NEAR
    others = [picture_child.dhash_of(hostile.picture(random.Random(seed))) for seed in range(40)]
    known_others = [int(other, 16) for other in others if other]
    pairs = list(itertools.combinations(known_others, 2))
    assert [pair for pair in pairs if proofs.distance(*pair) <= proofs.NEAR] == []


def test_a_blank_picture_resembles_nothing() -> None:
    assert picture_child.dhash_of(Image.new("RGB", (300, 300), "#eee")) is None
    assert picture_child.dhash_of(screen(1)) is not None


def test_each_refusal_names_its_remedy() -> None:
    small = Limits(bytes=100_000, pixels=10_000, pages=2)
    cases: list[tuple[bytes, Limits, type[errors.Failure], str]] = [
        (b"", LIMITS, errors.Invalid, "proof_empty"),
        (b"<svg/>", LIMITS, errors.UnsupportedMedia, "proof_type"),
        (hostile.encoded(screen(1), "GIF"), LIMITS, errors.UnsupportedMedia, "proof_type"),
        (hostile.encoded(screen(1), "PNG")[:900], LIMITS, errors.Invalid, "proof_unreadable"),
        (hostile.encoded(screen(1), "PNG"), small, errors.TooLarge, "proof_pixels"),
        (bytes(100_001), small, errors.TooLarge, "proof_bytes"),
        (hostile.bomb_pdf_pages(random.Random(1))[0], small, errors.TooLarge, "proof_pages"),
        (hostile.locked_pdf(random.Random(1))[0], LIMITS, errors.Invalid, "proof_locked"),
        (hostile.polyglot_zip(random.Random(1))[0], LIMITS, errors.Invalid, "proof_hidden"),
        (hostile.nothing(random.Random(3))[0] or b"\0", LIMITS, errors.Failure, "proof_"),
    ]
    for content, limits, kind, code in cases:
        with pytest.raises(kind) as told:
            clean(content, limits)
        assert told.value.code.startswith(code)
        assert told.value.fields["file"]
        assert told.value.message.endswith(".")


PROBE: Final = """
import os, socket, sys
from whatworks.results import picture_child

picture_child.give_up_rights()

def attempt(name, action):
    try:
        action()
    except (OSError, MemoryError) as refused:
        return
    print(name)

attempt("reads files", lambda: open("/etc/passwd").read())
attempt("writes files", lambda: open("/dev/shm/probe", "w"))
attempt("connects", lambda: socket.socket().connect(("127.0.0.1", 9)))
attempt("resolves names", lambda: socket.getaddrinfo("localhost", 80))
attempt("takes memory", lambda: bytearray(2**30))
attempt("sees secrets", lambda: os.environ["SECRET_OF_THE_PARENT"])
sys.stdout.flush()
"""


def probe(code: str) -> list[str]:
    """What a child of the sanitiser's kind manages to do."""
    code = code.replace("except (OSError,", "except (OSError, KeyError,")
    found = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        env={},
        cwd="/",
        timeout=60,
        check=True,
    )
    return found.stdout.split("\n")[:-1]


def test_the_child_can_do_nothing_but_look() -> None:
    assert probe(PROBE) == []


def test_control_without_limits_it_could() -> None:
    free = probe(PROBE.replace("picture_child.give_up_rights()", ""))
    assert {"reads files", "takes memory"} <= set(free)
    Path("/dev/shm/probe").unlink(missing_ok=True)


def test_a_picture_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = hostile.pdf_of(b"0 0 m 9 9 l S\n" * 120_000)
    monkeypatch.setattr(pictures, "SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(errors.Invalid) as told:
        clean(heavy)
    assert told.value.code == "proof_heavy"
    assert time.monotonic() - began < 20


def test_a_full_disk_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(errors.Unavailable, match="try again"):
        clean(hostile.encoded(screen(1), "PNG"))
