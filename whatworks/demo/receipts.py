"""Pictures that invented people show for results: drawn, and marked as invented all over."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, EDGE = 720, 1080, 48
PAPER, INK, FAINT = "#fdfcf8", "#1f2328", "#b9b4a6"
COLOURS: Final = ("#0b6e4f", "#2f5d9b", "#8a3b12", "#6b3fa0", "#00707a", "#9b2f4c")
WORD: Final = "INVENTED"
PAYERS: Final = ("Bluebird Bakery", "Corner Books", "Lotus Yoga", "Harbour Cafe", "Pine Studio")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a picture says: a title, what it is about, the figure in large, and the day."""

    title: str
    about: str
    figure: str
    day: str


def png(shown: Shown, seed: str) -> bytes:
    """One picture; the same seed draws the same."""
    target = io.BytesIO()
    _draw(shown, random.Random(seed)).save(target, "PNG", compress_level=1)  # noqa: S311 - a drawing
    return target.getvalue()


def pdf(shown: Shown, seed: str) -> bytes:
    """Two pages."""
    target = io.BytesIO()
    chance = random.Random(seed)  # noqa: S311 - a drawing
    first, second = _draw(shown, chance), _draw(shown, chance)
    first.save(target, "PDF", save_all=True, append_images=[second])
    return target.getvalue()


def _draw(shown: Shown, chance: random.Random) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    colour = chance.choice(COLOURS)
    pen.rectangle((0, 0, WIDTH, 150), colour)
    pen.text((EDGE, 34), shown.title, "white", _font(40))
    pen.text((EDGE, 92), f"{chance.choice(PAYERS)}, {shown.day}", "white", _font(26))
    pen.text((EDGE, 200), shown.about, INK, _font(28), spacing=10)
    pen.text((EDGE, 260), shown.figure, colour, _font(72))
    _lines(pen, chance, colour)
    _stamp(image)
    return image


def _lines(pen: ImageDraw.ImageDraw, chance: random.Random, colour: str) -> None:
    """Rows as on a receipt, with bars of which no two pictures have the same."""
    for row in range(8):
        top = 400 + row * 72
        pen.line((EDGE, top, WIDTH - EDGE, top), FAINT, 2)
        pen.text((EDGE, top + 20), f"Entry {row + 1}", INK, _font(26))
        length = chance.randint(40, 400)
        pen.rectangle((WIDTH - EDGE - length, top + 18, WIDTH - EDGE, top + 54), colour)
    pen.text((EDGE, HEIGHT - 64), "Invented for a demonstration; proves nothing.", INK, _font(24))


def _stamp(image: Image.Image) -> None:
    """The word across the whole picture, so that no part of it passes for a real one."""
    mask = Image.new("L", (WIDTH * 2, 200))
    ImageDraw.Draw(mask).text((WIDTH, 100), WORD, 90, _font(140), anchor="mm")
    turned = mask.rotate(38, expand=True)
    corner = (WIDTH - turned.width) // 2, (HEIGHT - turned.height) // 2
    image.paste("#c0392b", corner, turned)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
