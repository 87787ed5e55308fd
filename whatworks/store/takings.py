"""What came in and what went again: by month, product and currency, and order by order as a file.

Amounts are in the smallest unit of their currency.
"""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TextIO

from sqlalchemy import select

from whatworks import clock, db, export
from whatworks.models import Order as Row
from whatworks.models import OrderEvent
from whatworks.store import ledger, orders
from whatworks.store.ledger import Fact, Move
from whatworks.store.orders import Order

KINDS: Final = ("paid", "refunded", "disputed", "dispute_won", "dispute_lost")
COLUMNS: Final = (
    "order_id",
    "created_at",
    "paid_at",
    "status",
    "held",
    "product",
    "currency",
    "list_price",
    "coupon_code",
    "amount",
    "paid",
    "refunded",
    "net",
    "email",
    "user_id",
    "gateway",
    "gateway_id",
)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a product took in a month (UTC), in one currency."""

    month: str
    product: str
    currency: str
    paid: int
    refunded: int

    @property
    def net(self) -> int:
        """What stayed."""
        return self.paid - self.refunded


def by_month(session: db.Session, text: str = "", status: str | None = None) -> list[Taking]:
    """The takings of the orders that operators look for (`orders.wanted`), newest month first."""
    sums = defaultdict[tuple[str, str, str], list[Move]](list)
    for _, product, moves in _moves(session, text, status):
        for move in moves:
            sums[_month(move.at), product, move.currency].append(move)
    found = [Taking(*key, *_sums(moves)) for key, moves in sorted(sums.items())]
    return sorted(found, key=lambda one: one.month, reverse=True)


def write(session: db.Session, text: str, status: str | None, file: TextIO) -> None:
    """Write the same orders as CSV, oldest first; no cell of it is run by a spreadsheet."""
    file.seek(0)  # a read may run twice
    file.truncate()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    moves = {order_id: moved for order_id, _, moved in _moves(session, text, status)}
    for row in session.stream(orders.COLUMNS.where(*orders.wanted(text, status)).order_by(Row.id)):
        order = orders.from_row(row)
        writer.writerow(map(export.defused, _line(order, moves.get(order.id, []))))


def _line(order: Order, moves: list[Move]) -> Iterator[object]:
    paid, refunded = _sums(moves)
    sums = {"order_id": order.id, "paid": paid, "refunded": refunded, "net": paid - refunded}
    for name in COLUMNS:
        value = sums[name] if name in sums else getattr(order, name)
        yield clock.rfc3339(value) if name.endswith("_at") else value


def _sums(moves: list[Move]) -> tuple[int, int]:
    came = sum(move.amount for move in moves if move.amount > 0)
    return came, came - sum(move.amount for move in moves)


def _month(at: float) -> str:
    return (clock.rfc3339(at) or "")[:7]


def _moves(
    session: db.Session, text: str, status: str | None
) -> Iterator[tuple[str, str, list[Move]]]:
    """Order, product and the money of each order that has seen any."""
    told = (
        select(
            OrderEvent.order_id,
            Row.product,
            OrderEvent.kind,
            OrderEvent.key,
            OrderEvent.at,
            OrderEvent.payment_id,
            OrderEvent.amount,
            OrderEvent.currency,
        )
        .join(Row, Row.id == OrderEvent.order_id)
        .where(OrderEvent.kind.in_(KINDS), *orders.wanted(text, status))
        .order_by(OrderEvent.order_id)
    )
    of_order = itertools.groupby(session.stream(told), key=lambda row: (row.order_id, row.product))
    for (order_id, product), rows in of_order:
        facts = [Fact(r.kind, r.key, r.at, r.payment_id or "", r.amount, r.currency) for r in rows]
        yield order_id, product or "", ledger.moves(facts)
