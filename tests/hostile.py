"""Files that nobody means well with, by seed: the same number makes the same file.

Every file carries MARK somewhere it does not belong; no byte of it may be kept.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image, ImageDraw, PngImagePlugin

MARK: Final = b"hostile-7f3a"
REFUSED: Final = "refused"
CLEANED: Final = "cleaned"  # taken, and nothing is left of what was hidden in it
EITHER: Final = "either"  # broken in a way that a decoder may forgive

NAMES: Final = (
    "proof.png",
    "../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/shadow",
    "C:\\proof.png",
    "proof.png\0.exe",
    "\u202egnp.exe",
    'proof.png"\r\nX-Injected: 1',
    "a" * 4000 + ".png",
    "CON",
    ".htaccess",
    "proof.svg",
    "proof.html",
    "💰.webp",
    "$(touch hostile).png",
    "' OR 1=1 --.png",
)
TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "text/html",
    "application/x-php",
    "application/octet-stream",
    "not a type",
    "",
)


@dataclass(frozen=True)
class Upload:
    """A file, what it calls itself, and what has to become of it."""

    kind: str
    name: str
    content_type: str
    content: bytes
    fate: str


def upload(seed: int) -> Upload:
    """The hostile file of this number."""
    chance = random.Random(seed)
    make = MAKERS[seed % len(MAKERS)]
    content, fate = make(chance)
    name = chance.choice(NAMES) if chance.random() < 0.6 else "proof.png"
    return Upload(make.__name__, name, chance.choice(TYPES), content, fate)


Made = tuple[bytes, str]


def picture(chance: random.Random, side: int = 160) -> Image.Image:
    """Something to look at, another one each time."""
    size = chance.randint(side // 2, side), chance.randint(side // 2, side)
    image = Image.new("RGB", size, (chance.randrange(256), 200, 230))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        colour = tuple(chance.randrange(256) for _ in range(3))
        draw.rectangle((x, y, x + chance.randint(5, 60), y + chance.randint(5, 40)), fill=colour)
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of a picture."""
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def honest(chance: random.Random) -> bytes:
    """A file that is what it says, in one of the types that are taken."""
    return encoded(picture(chance), chance.choice(("PNG", "JPEG", "WEBP", "PDF")))


# ---- bombs -----------------------------------------------------------------------------------


def bomb_declared(chance: random.Random) -> Made:
    """A PNG of a few bytes that claims to be enormous."""
    width, height = chance.choice(
        ((60_000, 60_000), (2**31 - 1, 1), (100_000, 300), (5_001, 5_001))
    )
    return png_of(width, height, MARK), REFUSED


def bomb_real(chance: random.Random) -> Made:
    """A PNG that really unpacks to hundreds of megapixels."""
    return black(chance.choice((6_000, 12_000, 20_000))) + MARK, REFUSED


@cache
def black(side: int) -> bytes:
    """Nothing but black, as a PNG."""
    return encoded(Image.new("1", (side, side)), "PNG")


def bomb_text(chance: random.Random) -> Made:
    """A compressed text chunk, or a colour profile, that unpacks to 100 MB."""
    kind = chance.choice((b"zTXt", b"iCCP"))
    return with_chunk(encoded(picture(chance), "PNG"), kind, b"x\0\0" + zeros()), EITHER


@cache
def zeros() -> bytes:
    """100 MB of nothing, packed."""
    return zlib.compress(MARK + bytes(100_000_000), 9)


def bomb_jpeg(chance: random.Random) -> Made:
    """A JPEG whose header claims 65535 × 65535."""
    content = bytearray(encoded(picture(chance), "JPEG"))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return bytes(content) + MARK, REFUSED


def bomb_pdf_pages(chance: random.Random) -> Made:
    """A PDF with more pages than anybody reads."""
    pages = [picture(chance, 40) for _ in range(chance.randint(11, 40))]
    target = io.BytesIO()
    pages[0].save(target, "PDF", save_all=True, append_images=pages[1:], title=MARK.decode())
    return target.getvalue(), REFUSED


def bomb_pdf_size(chance: random.Random) -> Made:
    """A page as large as a town; it is drawn small."""
    return pdf_of(
        b"0 0 500 500 re f", box=chance.choice(("0 0 14400 14400", "0 0 1 99999999"))
    ), EITHER


def bomb_pdf_stream(chance: random.Random) -> Made:
    """A page whose drawing unpacks to much more than it is."""
    lines = chance.choice((9_000, 20_000, 99_000, 2_000_000))
    drawing = zlib.compress(b"0 0 m 9 9 l S\n" * lines, 6)
    return pdf_of(drawing, packed=True), EITHER


# ---- two files in one ------------------------------------------------------------------------


def polyglot_zip(chance: random.Random) -> Made:
    """A picture or a document that is an archive, too."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("evil.txt", MARK)
    return honest(chance) + target.getvalue(), REFUSED


def polyglot_page(chance: random.Random) -> Made:
    """A picture with a web page or a program behind it, or in its comment."""
    payload = chance.choice(
        (b"<script>alert('%s')</script>", b"<?php system('%s'); ?>", b"<!DOCTYPE html><p>%s")
    )
    payload = payload.replace(b"%s", MARK)
    if chance.random() < 0.5:
        return encoded(picture(chance), chance.choice(("PNG", "JPEG", "WEBP"))) + payload, REFUSED
    return encoded(picture(chance), "JPEG", comment=payload), REFUSED


def polyglot_pdf(chance: random.Random) -> Made:
    """A picture that document readers open."""
    content = encoded(picture(chance), "JPEG", comment=b"%PDF-1.7 " + MARK)
    return content, REFUSED


def polyglot_other(chance: random.Random) -> Made:
    """A GIF that is a script, a bitmap that is an archive: no type that is taken."""
    head = chance.choice((b"GIF89a/*", b"BM", b"MZ", b"\x7fELF", b"II*\0", b"Rar!\x1a\x07"))
    return head + MARK + chance.randbytes(200), REFUSED


# ---- what nobody should learn -----------------------------------------------------------------


def private_jpeg(chance: random.Random) -> Made:
    """A photo that says where and by whom it was taken."""
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    exif[0x0112] = chance.randint(1, 8)
    exif.get_ifd(0x8825).update({1: "N", 2: (12.0, 58.0, 21.0), 3: "E", 4: (77.0, 35.0, 40.0)})
    return encoded(picture(chance), "JPEG", exif=exif, comment=MARK), CLEANED


def private_png(chance: random.Random) -> Made:
    """A picture with words beside the pixels."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", MARK.decode())
    text.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{MARK.decode()}</x:xmpmeta>")
    image = picture(chance).convert(chance.choice(("RGB", "RGBA", "LA", "L", "P", "1")))
    return encoded(image, "PNG", pnginfo=text), CLEANED


def private_webp(chance: random.Random) -> Made:
    """A WebP with everything a WebP may carry, moving or not."""
    options = {"xmp": MARK, "exif": b"Exif\0\0" + MARK}
    if chance.random() < 0.5:
        frames = [picture(chance).resize((80, 80)) for _ in range(3)]
        return encoded(
            frames[0], "WEBP", save_all=True, append_images=frames[1:], **options
        ), CLEANED
    return encoded(picture(chance), "WEBP", **options), CLEANED


def private_tail(chance: random.Random) -> Made:
    """Something behind the end, as phones put it there, and as others hide it."""
    return encoded(picture(chance), chance.choice(("PNG", "JPEG", "WEBP"))) + MARK * 50, CLEANED


def private_pdf(chance: random.Random) -> Made:
    """A document with an author, a program, and a link that runs when it is opened."""
    action = b"/OpenAction << /S /JavaScript /JS (app.alert('" + MARK + b"')) >>"
    return pdf_of(b"0.5 g 20 20 100 60 re f", catalogue=action, info=MARK), CLEANED


# ---- broken and wrong -------------------------------------------------------------------------


def cut_short(chance: random.Random) -> Made:
    """The connection ended in the middle."""
    content = encoded(picture(chance), chance.choice(("PNG", "JPEG", "WEBP")))
    return content[: chance.randint(20, len(content) * 2 // 3)], REFUSED


def scrambled(chance: random.Random) -> Made:
    """Some bytes are not what they were."""
    content = bytearray(honest(chance))
    for _ in range(chance.randint(1, 60)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content), EITHER


def head_only(chance: random.Random) -> Made:
    """The right first bytes, then noise."""
    head = chance.choice(
        (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"%PDF-1.7\n")
    )
    return head + chance.randbytes(chance.randint(0, 4000)) + MARK, REFUSED


def nothing(chance: random.Random) -> Made:
    """No byte, or one."""
    return chance.choice((b"", b"\0")), REFUSED


def a_line(chance: random.Random) -> Made:
    """So long and so slim that there is nothing to see."""
    long = chance.choice((2_000, 20_000, 60_000))
    size = (long, 8) if chance.random() < 0.5 else (17, long)
    return encoded(Image.new("RGB", size), "PNG"), REFUSED


def drawing(chance: random.Random) -> Made:
    """A drawing made of text, which may carry programs."""
    body = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + MARK + b"</svg>"
    before = chance.choice(
        (b"", b"\xef\xbb\xbf", b"  \n", b"<?xml version='1.0'?>\n", b"<!-- x -->")
    )
    return before + body, REFUSED


def other_type(chance: random.Random) -> Made:
    """A type that is not taken, whatever it is called."""
    kind = chance.choice(("GIF", "BMP", "TIFF", "ICO", "PPM", "html", "heic", "text", "mp4"))
    if kind == "html":
        return b"<!doctype html><script>/*" + MARK + b"*/</script>", REFUSED
    if kind in ("heic", "mp4"):
        return b"\0\0\0\x18ftyp" + (b"heic" if kind == "heic" else b"isom") + MARK * 9, REFUSED
    if kind == "text":
        return MARK * chance.randint(1, 99), REFUSED
    return encoded(picture(chance).convert("RGB"), kind) + MARK, REFUSED


def locked_pdf(chance: random.Random) -> Made:
    """A document that asks for a password, or says that it would."""
    trailer = b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <%s> /U <%s> >>"
    noise = (chance.randbytes(32).hex().encode(), chance.randbytes(32).hex().encode())
    return pdf_of(MARK, trailer=trailer % noise + b" /ID [<00> <00>]"), REFUSED


def too_large(chance: random.Random) -> Made:
    """More bytes than are taken."""
    return encoded(picture(chance), "PNG") + bytes(2_000_001), REFUSED


MAKERS: Final[tuple[Callable[[random.Random], Made], ...]] = (
    bomb_declared,
    polyglot_zip,
    private_jpeg,
    cut_short,
    drawing,
    bomb_jpeg,
    polyglot_page,
    private_png,
    scrambled,
    other_type,
    bomb_pdf_pages,
    polyglot_pdf,
    private_webp,
    head_only,
    nothing,
    bomb_pdf_size,
    polyglot_other,
    private_tail,
    scrambled,
    a_line,
    bomb_text,
    private_pdf,
    locked_pdf,
    bomb_real,
    too_large,
    bomb_pdf_stream,
)


# ---- by hand ----------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png_of(width: int, height: int, content: bytes) -> bytes:
    """A PNG with any header."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(content)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return png[:33] + chunk(kind, content) + png[33:]


def pdf_of(
    drawing: bytes,
    *,
    box: str = "0 0 200 150",
    packed: bool = False,
    catalogue: bytes = b"",
    info: bytes = b"",
    trailer: bytes = b"",
) -> bytes:
    """A PDF of one page, with its table of objects."""
    how = b"/Filter /FlateDecode " if packed else b""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R " + catalogue + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [" + box.encode() + b"] /Contents 4 0 R >>",
        b"<< %s/Length %d >>\nstream\n" % (how, len(drawing)) + drawing + b"\nendstream",
        b"<< /Author (" + info + b") >>",
    )
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    ending = b"trailer << /Root 1 0 R /Info 5 0 R /Size 6 " + trailer + b" >>"
    start = len(out)
    return (
        out
        + b"xref\n0 6\n0000000000 65535 f \n"
        + table
        + ending
        + b"\nstartxref\n%d\n%%%%EOF" % start
    )
