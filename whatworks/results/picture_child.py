"""Makes a picture harmless, in a process of its own that can do nothing else.

Run as `python -I -m whatworks.results.picture_child PIXELS`: the upload on stdin (a file), the
answer on stdout. Before it looks at the upload it gives up what a picture does not need: it can
open neither files nor sockets, start nothing, and has so much memory and time. It keeps pixels
only, on a new canvas, so that nothing else of a file gets through: no places, no names, no second
file behind the first.

The answer is a line of JSON, then the bytes it announces: `{"refused": reason}`, or `sha256` of the
pixels, `dhash` (16 hex digits or null), and `pages`, each `[width, height, bytes]`, the thumbnail
last.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterable
from typing import BinaryIO, Final

from PIL import Image, ImageOps, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

MEMORY: Final = 640 * 2**20
CPU_SECONDS: Final = 4
ANSWER: Final = 48 * 2**20
FORMATS: Final = ("PNG", "JPEG", "WEBP")
LARGEST_PAGE: Final = 5_000_000  # pixels of a page as it is kept
LONGEST_SIDE: Final = 8_000
THUMB_SIDE: Final = 320
SLIMMEST: Final = 40  # times as long as wide; more is a line
PRELOADED: Final = (MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)  # nothing can be loaded later
STEP: Final = 2  # grey levels by which neighbours have to differ, so that noise is no edge
PLAIN: Final = 6  # edges up to which a picture cannot be told from others


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """The upload is not taken; `args[0]` is one of the reasons that `pictures` explains."""


def main() -> None:
    """One upload, one answer."""
    give_up_rights()
    spend_at_most(CPU_SECONDS)
    try:
        answer([normal(sys.stdin.buffer, int(sys.argv[1]))])
    except Refused as refused:
        refuse(str(refused))
    except MemoryError:
        refuse("heavy")


def give_up_rights() -> None:
    """Limits that the process cannot lift again."""
    Image.preinit()
    os.nice(5)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, ANSWER),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def spend_at_most(seconds: int) -> None:
    """How much processor time the whole process may take; it is ended when that is over."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def normal(file: BinaryIO, most_pixels: int) -> Image.Image:
    """The upload's pixels, upright, on white. Raises Refused."""
    Image.MAX_IMAGE_PIXELS = most_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > most_pixels:
                raise Refused("pixels")
            if min(image.size) < max(image.size) / SLIMMEST:
                raise Refused("slim")
            image.load()
            return _flat(_upright(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as failure:
        raise Refused("pixels") from failure


def answer(images: Iterable[Image.Image]) -> None:
    """Write the pages, each smaller where it is very large, and a thumbnail of the first."""
    pixels = hashlib.sha256()
    thumb, dhash = b"", None
    sizes: list[tuple[int, int, int]] = []
    pages: list[bytes] = []
    for image in images:
        pixels.update(f"{image.width}x{image.height}\n".encode() + image.tobytes())
        if not pages:
            dhash = dhash_of(image)
            small = _fitted(image, THUMB_SIDE)
            thumb = _encoded(small, quality=70)
        page = _fitted(image, LONGEST_SIDE)
        pages.append(_encoded(page, quality=82))
        sizes.append((page.width, page.height, len(pages[-1])))
    sizes.append((small.width, small.height, len(thumb)))
    header = {"sha256": pixels.hexdigest(), "dhash": dhash, "pages": sizes}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + b"".join(pages) + thumb)


def refuse(reason: str) -> None:
    """Answer that the upload is not taken."""
    sys.stdout.buffer.write(json.dumps({"refused": reason}).encode() + b"\n")


def dhash_of(image: Image.Image) -> str | None:
    """The difference hash (64 bits as hex): where grey falls from one field to its right neighbour.

    Survives another encoding and another size. None for a picture with hardly an edge.

    >>> dhash_of(Image.linear_gradient("L").rotate(-90))
    'ffffffffffffffff'
    >>> dhash_of(Image.new("L", (64, 64))) is None
    True
    """
    fields = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = [
        fields[row * 9 + column] > fields[row * 9 + column + 1] + STEP
        for row in range(8)
        for column in range(8)
    ]
    if sum(bits) < PLAIN:
        return None
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - whatever is wrong with the metadata, they are dropped anyway
        return image


def _flat(image: Image.Image) -> Image.Image:
    """New RGB pixels: 16-bit grey as 8, transparency on white."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    canvas = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        canvas.paste(clear, mask=clear.getchannel("A"))
    else:
        canvas.paste(image.convert("RGB"))
    return canvas


def _fitted(image: Image.Image, longest: int) -> Image.Image:
    """Smaller where it has to be, never larger."""
    scale = min(longest / max(image.size), (LARGEST_PAGE / (image.width * image.height)) ** 0.5)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _encoded(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "WEBP", quality=quality, method=2)
    return target.getvalue()


if __name__ == "__main__":
    main()
