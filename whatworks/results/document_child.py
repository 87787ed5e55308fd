"""Makes pictures of a PDF's pages, in a process of its own that can do nothing else.

Run as `python -I -m whatworks.results.document_child PAGES`, and otherwise as `picture_child`: what
a document might run, link to or carry inside stays behind, only what its pages look like is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import pypdfium2
from PIL import Image

from whatworks.results import picture_child
from whatworks.results.picture_child import Refused

LONG_SIDE: Final = 1_800  # pixels: an A4 page with 150 to the inch
SHARPEST: Final = 3.0
SECONDS_TO_OPEN: Final = 2
SECONDS_A_PAGE: Final = 1
ENCRYPTED: Final = pypdfium2.raw.FPDF_ERR_PASSWORD


def main() -> None:
    """One upload, one answer."""
    picture_child.give_up_rights()
    picture_child.spend_at_most(SECONDS_TO_OPEN + SECONDS_A_PAGE * int(sys.argv[1]))
    try:
        picture_child.answer(pages(sys.stdin.buffer.read(), int(sys.argv[1])))
    except Refused as refused:
        picture_child.refuse(str(refused))
    except MemoryError:
        picture_child.refuse("heavy")


def pages(content: bytes, most: int) -> Iterator[Image.Image]:
    """The pages as RGB pictures. Raises Refused."""
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as failure:
        locked = getattr(failure, "err_code", None) == ENCRYPTED
        raise Refused("locked" if locked else "unreadable") from failure
    if not 1 <= len(document) <= most:
        raise Refused("pages" if len(document) else "unreadable")
    picture_child.spend_at_most(SECONDS_TO_OPEN + SECONDS_A_PAGE * len(document))
    document.init_forms()
    for number in range(len(document)):
        page = document[number]
        width, height = page.get_size()
        if min(width, height) < 1:
            raise Refused("unreadable")
        scale = min(SHARPEST, LONG_SIDE / max(width, height))
        yield page.render(scale=scale).to_pil().convert("RGB")


if __name__ == "__main__":
    main()
