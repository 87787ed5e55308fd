"""Deliveries: who may have which product's ZIP, which bytes it has for them, and that they got it.

The right is asked for at every download, never remembered: what is refunded opens no longer.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from whatworks import catalogue, clock, db, errors
from whatworks.catalogue import Workflow
from whatworks.guides import guide, parser
from whatworks.models import Download
from whatworks.store import archives, entitlements, orders
from whatworks.store.archives import Archive
from whatworks.store.entitlements import Holdings
from whatworks.store.links import Link
from whatworks.store.orders import Order
from whatworks.store.products import Product

FOLDER: Final = "deliveries"  # inside the data folder
KEPT: Final = 86_400.0  # how long a file made for a front server stays


@dataclass(frozen=True, slots=True)
class Right:
    """Why somebody may have a product: `number` is what their licence names."""

    way: str  # free | order | plan | link
    holder: str
    number: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A download that began (`first_byte` 0) or went on."""

    product: str
    order_id: str | None
    way: str
    first_byte: int
    size: int
    at: float


_APPEND: Final = db.Query(insert(Download))
_OF_ORDER: Final = db.Query(
    select(
        Download.product,
        Download.order_id,
        Download.way,
        Download.first_byte,
        Download.size,
        Download.at,
    )
    .where(Download.order_id == bindparam("order_id"))
    .order_by(Download.id.desc())
    .limit(bindparam("limit"))
)


def right(session: db.Session, product: Product, user_id: str | None, link: Link | None) -> Right:
    """Why this caller may have the product. Raises PaymentRequired that says why not, and the way.

    `link` is what a signed link says, where one was sent.
    """
    if product.is_free:
        return Right("free", "", "")
    by_link = orders.find(session, link.order_id) if link else None
    if link is not None and link.is_live and by_link and opens(session, by_link, product):
        return Right("link", by_link.holder or "", by_link.id, by_link.id)
    mine = orders.list_for(session, user_id) if user_id else []
    for order in mine:
        if opens(session, order, product):
            return Right("order", order.holder or "", order.id, order.id)
    if user_id is not None:
        held = entitlements.holdings(session, user_id)
        if entitlements.may_download(held, product):
            return Right("plan", user_id, _cause(held, product))
    raise _refusal(product, link, by_link, mine)


def opens(session: db.Session, order: Order, product: Product) -> bool:
    """Whether what an order gave, and is still in force, holds this product."""
    if order.product != product.key:
        return False
    if order.is_subscription:
        held = entitlements.holdings(session, order.holder or "")
        return order.is_paid and entitlements.may_download(held, product)
    now = clock.timestamp()
    given = entitlements.list_of_cause(session, order.id)
    return any(entitlements.in_force(grant, now) for grant in given)


def _cause(held: Holdings, product: Product) -> str:
    """What gives a product to somebody without an order of it, as the licence names it."""
    causes = [g.cause_id or g.id for g in held.grants if g.plan or g.product == product.key]
    return causes[-1] if causes else held.user_id


def record(session: db.Session, product: Product, given: Right, *, first: int, size: int) -> None:
    """Append that a delivery began, or went on from byte `first`."""
    session.run(
        _APPEND,
        user_id=given.holder,
        id=clock.new_id(),
        product=product.key,
        order_id=given.order_id,
        way=given.way,
        first_byte=first,
        size=size,
        at=clock.timestamp(),
    )


def list_of_order(session: db.Session, order_id: str, limit: int = 50) -> list[Delivery]:
    """The deliveries of an order, newest first."""
    return [Delivery(*row) for row in session.all(_OF_ORDER, order_id=order_id, limit=limit)]


def archive(product: Product, workflows: Iterable[Workflow], given: Right, folder: Path) -> Archive:
    """The ZIP of a product for one buyer, its guides chosen from the workflows on offer.

    `folder` is where large contents are put together. Raises Unavailable when a file that the
    seller names is missing or cannot be read.
    """
    inside = [w for w in workflows if w.tier in product.tiers or w.name in product.workflows]
    guides = tuple((w.guide, _markdown().get(guide.digest(w.guide), "")) for w in inside)
    try:
        content = (
            archives.from_files(product.title, guides, product.files, folder)
            if product.files
            else archives.from_guides(product.title, guides)
        )
        if not given.number:
            return archives.for_everybody(content)
        return archives.for_order(content, product.title, given.number)
    except (OSError, zipfile.BadZipFile) as failure:
        raise errors.Unavailable(
            f"The file of {product.title} cannot be read just now; nothing is lost, and the seller"
            " has to put it back.",
            code="product_file_unreadable",
            retry_after=60,
        ) from failure


def place(made: Archive, folder: Path) -> Path:
    """The archive as a file for a front server to send, written once. Raises OSError.

    Its time comes from its content, so that a front server gives equal files equal tags.
    """
    path = folder / f"{made.tag}.zip"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{made.tag}.{secrets.token_hex(4)}.part"
    with made.open() as source, draft.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
    moment = int(made.tag[:7], 16)
    os.utime(draft, (clock.timestamp(), moment))
    draft.replace(path)
    return path


def tidy(folder: Path) -> int:
    """Drop files that were made for a front server and lie about; returns how many."""
    gone = 0
    for path in folder.glob("*.*") if folder.exists() else ():
        with contextlib.suppress(OSError):
            if path.stat().st_ctime < clock.timestamp() - KEPT:
                path.unlink()
                gone += 1
    return gone


@functools.cache
def _markdown() -> dict[str, str]:
    """The text of every bundled guide, by its digest; others are delivered without."""
    texts = ((path.name, path.read_text("utf-8")) for path in catalogue.BUNDLED.glob("*.md"))
    return {guide.digest(parser.parse(text, name)): text for name, text in texts}


def _refusal(
    product: Product, link: Link | None, by_link: Order | None, mine: Sequence[Order]
) -> errors.PaymentRequired:
    """Why not, and what to do about it, from the order that comes closest."""
    order = by_link or next((one for one in mine if one.product == product.key), None)
    reason, message, where = "purchase", f"{product.title} has to be bought first.", ""
    if order is not None and (link is None or link.is_live or not order.is_paid):
        reason, message = _STATES.get(order.status, _STATES["created"])
        if order.held and order.status == "paid":
            reason, message = _STATES["held"]
        where = f"/order/{order.id}"
    elif link is not None:
        reason = "link_expired"
        message = "This link is older than a quarter of an hour; your order page gives a new one."
        where = f"/order/{link.order_id}"
    details: dict[str, Any] = {
        "reason": reason,
        "plan": product.key,
        "limit": None,
        "used": None,
        "upgrade_url": where or f"/buy?product={product.key}",
    }
    return errors.PaymentRequired(message, code="purchase_required", details=details)


_STATES: Final = {
    "created": ("waiting", "This order is not paid yet, or the bank has not told us so far."),
    "failed": ("failed", "The payment of this order did not go through; no money was taken."),
    "refunded": ("refunded", "This order was refunded, so it opens nothing any more."),
    "disputed": ("disputed", "The bank is looking into this payment; until then it opens nothing."),
    "fulfilled": ("ended", "What this order gave has ended."),
    "paid": ("waiting", "The payment is here and the order is being made ready; try in a minute."),
    "held": ("held", "Your payment arrived and we are checking it; you need not pay again."),
}
