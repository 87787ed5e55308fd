"""What the events of an order or a subscription add up to. Pure.

Events arrive in any order, twice, or from three sides at once. So a state is never moved from one
to the next: it is what a *set* of facts says, and the same facts give the same answer however they
came. A fact's `key` names it: told again, it is the same fact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

DAY: Final = 86_400.0
GRACE: Final = 2 * DAY  # a renewal is told a little after the period it renews
DUNNING: Final = 7 * DAY  # how long somebody whose card failed goes on
Refunding = Literal["refund_asked", "refund_answered", "refund_refused"]
OLD: Final = ""  # the payment of an old order of which only that it was paid is known


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to an order. `at` is epoch seconds by the gateway's clock; amounts
    are in the smallest unit; that of a refund is all that has been refunded so far.
    """

    kind: str
    key: str
    at: float
    payment_id: str = OLD
    amount: int | None = None
    currency: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What an order's facts add up to."""

    status: str  # created | paid | failed | refunded | disputed
    paid_at: float | None = None
    ended_at: float | None = None  # since when what it gave is taken back
    # amount | currency | paid_twice | refund_failed | refund_unheard: somebody has to look
    held: str | None = None
    held_at: float | None = None


def paid(payment_id: str, at: float, amount: int | None, currency: str | None) -> Fact:
    """The money has arrived."""
    key = f"paid:{payment_id}:{amount}:{currency}"
    return Fact("paid", key, at, payment_id, amount, currency)


def authorized(payment_id: str, at: float, amount: int, currency: str) -> Fact:
    """The bank has agreed; the money has not arrived."""
    return Fact("authorized", f"authorized:{payment_id}", at, payment_id, amount, currency)


def failed(payment_id: str, at: float) -> Fact:
    """A try to pay went wrong; another may follow, and so may the money."""
    return Fact("failed", f"failed:{payment_id}", at, payment_id)


def refunded(payment_id: str, at: float, total: int, currency: str) -> Fact:
    """So much of a payment has gone back by now, all refunds together."""
    return Fact("refunded", f"refunded:{payment_id}:{total}", at, payment_id, total, currency)


def refund_failed(payment_id: str, refund_id: str, at: float) -> Fact:
    """A refund that had been on its way did not arrive: the money is here again."""
    return Fact("refund_failed", f"refund_failed:{refund_id}", at, payment_id, reference=refund_id)


def refunding(what: Refunding, payment_id: str, at: float) -> Fact:
    """That a refund was asked for here, and that its gateway agreed or refused; by our clock."""
    return Fact(what, f"{what}:{payment_id}:{at}", at, payment_id)


def disputed(kind: str, dispute_id: str, payment_id: str, at: float) -> Fact:
    """The buyer's bank wants the money back: `disputed`, then `dispute_won` or `dispute_lost`."""
    return Fact(kind, f"{kind}:{dispute_id}", at, payment_id, reference=dispute_id)


def of_invoice(fact: Fact, invoice_id: str, *, is_first: bool) -> Fact:
    """What is told of a payment, told of the invoice of a subscription that it paid.

    Only the first invoice is the order's own; of a renewal it is kept and changes nothing.
    """
    key = fact.key.replace(fact.payment_id, invoice_id)
    kind = fact.kind if is_first else f"renewal_{fact.kind}"
    key = key if is_first else f"renewal_{key}"
    return replace(fact, kind=kind, key=key, payment_id=invoice_id)


def standing(amount: int | None, currency: str | None, facts: Iterable[Fact]) -> Standing:
    """What an order of this amount and currency is, by its facts. Their order means nothing."""
    known = tuple(facts)
    found = _by_money(amount, currency, _kinds(known))
    since = unheard(known)
    return replace(found, held="refund_unheard", held_at=min(since.values())) if since else found


def unheard(facts: Iterable[Fact]) -> dict[str, float]:
    """Payments whose refund was asked for while no answer is known, and since when.

    The question may have reached the gateway or not, and the money may be gone.
    """
    kinds = _kinds(facts)
    found: dict[str, float] = {}
    for payment_id, told in _payments(kinds).items():
        asked = _last(payment_id, kinds, "refund_asked")
        whole = max((fact.amount or 0) for fact in told)
        is_gone = any(  # gateways tell the time in whole seconds
            fact.payment_id == payment_id and (fact.amount or 0) >= whole and fact.at >= asked // 1
            for fact in kinds.get("refunded", ())
        )
        if asked > _last(payment_id, kinds, "refund_answered", "refund_refused") and not is_gone:
            found[payment_id] = asked
    return found


def _last(payment_id: str, kinds: Mapping[str, list[Fact]], *wanted: str) -> float:
    """When one of these happened to a payment for the last time; 0 for never."""
    facts = (fact for kind in wanted for fact in kinds.get(kind, ()))
    named = (fact.at for fact in facts if payment_id in (fact.payment_id, fact.reference))
    return max(named, default=0.0)


def _kinds(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    kinds = defaultdict[str, list[Fact]](list)
    for fact in facts:
        kinds[fact.kind].append(fact)
    return kinds


def _by_money(
    amount: int | None, currency: str | None, kinds: Mapping[str, list[Fact]]
) -> Standing:
    payments = _payments(kinds)
    right = {p for p, told in payments.items() if _is_right(p, told, amount, currency, kinds)}
    ends = {p: _ended_at(payments[p], p, kinds) for p in payments}
    good = {p for p in right if ends[p] is None}
    if good:
        at = min(fact.at for p in good for fact in payments[p])
        here = [p for p, end in ends.items() if end is None]  # other money may not fit, and is here
        if len(here) > 1:
            return Standing("paid", paid_at=at, held="paid_twice", held_at=at)
        return _unless_back_again(Standing("paid", paid_at=at), kinds)
    if right:
        ended = max(end for p in right if (end := ends[p]) is not None)
        began = min(fact.at for p in right for fact in payments[p])
        lost = any(_dispute_ended_at(p, kinds) is not None for p in right)
        status = "disputed" if lost else "refunded"
        return _unless_back_again(Standing(status, paid_at=began, ended_at=ended), kinds)
    return _unpaid(payments, ends, amount, currency, kinds)


def _unless_back_again(found: Standing, kinds: Mapping[str, list[Fact]]) -> Standing:
    """Held, when a refund that was told of has failed since an operator last asked for one."""
    told = {fact.payment_id for fact in kinds.get("refunded", ())}
    failed = [f.at for f in kinds.get("refund_failed", ()) if f.payment_id in told]
    asked = max((fact.at for fact in kinds.get("refund_asked", ())), default=0.0)
    if max(failed, default=0.0) <= asked:
        return found
    return replace(found, held="refund_failed", held_at=max(failed))


def _unpaid(
    payments: Mapping[str, list[Fact]],
    ends: Mapping[str, float | None],
    amount: int | None,
    currency: str | None,
    kinds: Mapping[str, list[Fact]],
) -> Standing:
    wrong = [fact for p, told in payments.items() if ends[p] is None for fact in told]
    if wrong:
        first = min(wrong, key=lambda fact: (fact.at, fact.key))
        reason = "currency" if first.currency != currency else "amount"
        return Standing("created", held=reason, held_at=first.at)
    if any((fact.amount or 0) >= (amount or 0) for fact in kinds.get("refunded", ())):
        return Standing("refunded")
    return Standing("failed" if kinds.get("failed") else "created")


def _payments(kinds: Mapping[str, list[Fact]]) -> dict[str, list[Fact]]:
    """What is told of each payment. An old order's nameless one is whichever is named later."""
    payments = defaultdict[str, list[Fact]](list)
    for fact in kinds.get("paid", ()):
        payments[fact.payment_id].append(fact)
    if OLD in payments:
        named = {
            fact.payment_id
            for kind in ("paid", "refunded", "disputed", "dispute_lost", "dispute_won")
            for fact in kinds.get(kind, ())
        } - {OLD}
        if named:
            payments[min(named)] += payments.pop(OLD)
    return payments


def _is_right(
    payment_id: str,
    told: list[Fact],
    amount: int | None,
    currency: str | None,
    kinds: Mapping[str, list[Fact]],
) -> bool:
    """Whether it is the money that was asked for, or an operator has taken it for that."""
    if any(fact.payment_id == payment_id for fact in kinds.get("accepted", ())):
        return True
    return any((fact.amount, fact.currency) == (amount, currency) for fact in told)


def _ended_at(told: list[Fact], payment_id: str, kinds: Mapping[str, list[Fact]]) -> float | None:
    """When the money was gone again; None while it is here. Part of it back ends nothing."""
    whole = max((fact.amount or 0) for fact in told)
    back = [
        fact.at
        for fact in kinds.get("refunded", ())
        if fact.payment_id == payment_id and (fact.amount or 0) >= whole
    ]
    found = [min(back)] if back else []
    if (lost := _dispute_ended_at(payment_id, kinds)) is not None:
        found.append(lost)
    return min(found, default=None)


def _dispute_ended_at(payment_id: str, kinds: Mapping[str, list[Fact]]) -> float | None:
    won = {fact.reference for fact in kinds.get("dispute_won", ())}
    lost = {fact.reference for fact in kinds.get("dispute_lost", ())}
    against = [
        fact.at
        for kind in ("disputed", "dispute_lost")
        for fact in kinds.get(kind, ())
        if fact.payment_id == payment_id and fact.reference not in won - lost
    ]
    return min(against, default=None)


def is_lost(facts: Iterable[Fact]) -> bool:
    """Whether a bank has decided that the money goes back to the buyer."""
    return any(fact.kind == "dispute_lost" for fact in facts)


def is_awaited(facts: Iterable[Fact]) -> bool:
    """Whether a bank has been asked for money and has yet to say that it does not come.

    Another try that failed says nothing about this one, so nobody is to pay again meanwhile.
    """
    refused: dict[str, float] = {}
    asked: dict[str, float] = {}
    for fact in facts:
        if fact.kind == "failed":
            refused[fact.payment_id] = max(fact.at, refused.get(fact.payment_id, 0.0))
        elif fact.kind in ("authorized", "returned"):
            asked[fact.payment_id] = max(fact.at, asked.get(fact.payment_id, 0.0))
    return any(refused.get(payment, 0.0) <= at for payment, at in asked.items())


def given_back(amount: int, facts: Iterable[Fact]) -> int:
    """How much of an order's price has gone back; a payment too many is no part of it."""
    known = tuple(facts)
    return max(0, _total("refunded", known) - max(0, _total("paid", known) - amount))


def sent_back(facts: Iterable[Fact]) -> int:
    """How much money has gone back in all, of whatever payment, renewals too."""
    known = tuple(facts)
    return _total("refunded", known) + _total("renewal_refunded", known)


def untold(facts: Iterable[Fact]) -> int:
    """How much has gone back in all, if that is more than the buyer was told of; else 0."""
    known = tuple(facts)
    gone = sent_back(known)
    told = max((fact.amount or 0 for fact in known if fact.kind == "refund_told"), default=0)
    return gone if gone > told else 0


@dataclass(frozen=True, slots=True)
class Move:
    """Money that came, or, below zero, that went again."""

    at: float
    amount: int
    currency: str


def moves(facts: Iterable[Fact]) -> list[Move]:
    """The money of an order as it came and went; what a bank took back for good went as well."""
    kinds = _kinds(facts)
    found: list[Move] = []
    for payment_id, told in _payments(kinds).items():
        came = max(told, key=lambda fact: (fact.amount or 0, fact.key))
        left = came.amount or 0
        found.append(Move(min(fact.at for fact in told), left, came.currency or ""))
        for at, still_here in _departures(left, payment_id, kinds):
            found.append(Move(at, still_here - left, came.currency or ""))
            left = still_here
    return [move for move in found if move.amount]


def _departures(
    amount: int, payment_id: str, kinds: Mapping[str, list[Fact]]
) -> Iterator[tuple[float, int]]:
    """When something of a payment went, and how much of it was left then; each is less."""
    back = [f for f in kinds.get("refunded", ()) if f.payment_id == payment_id]
    for fact in sorted(back, key=lambda fact: (fact.amount or 0, fact.at)):
        yield fact.at, max(0, amount - (fact.amount or 0))
    lost = [f.at for f in kinds.get("dispute_lost", ()) if f.payment_id == payment_id]
    if lost:
        yield min(lost), 0


def _total(kind: str, facts: Iterable[Fact]) -> int:
    """What is told of each payment grows; the most counts."""
    most = defaultdict[str, int](int)
    for fact in facts:
        if fact.kind == kind:
            most[fact.payment_id] = max(most[fact.payment_id], fact.amount or 0)
    return sum(most.values())


# ---- subscriptions ---------------------------------------------------------------------------

RUNNING: Final = ("trialing", "active")
ENDED: Final = ("canceled", "incomplete_expired")
# Of two that are told of the same second, the later in the life of a subscription counts.
LIFE: Final = ("incomplete", "trialing", "past_due", "unpaid", "paused", "active", *ENDED)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A subscription as its gateway described it at a moment."""

    key: str
    at: float
    status: str
    product: str | None = None
    plan: str | None = None
    period_start: float | None = None
    period_end: float | None = None
    cancel_at_period_end: bool = False
    ended_at: float | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """All it says, but for when and by which name it was told."""
        return (
            self.status,
            self.product,
            self.plan,
            self.period_start,
            self.period_end,
            self.cancel_at_period_end,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when somebody has a plan; `revoked_at` when it was taken away before."""

    since: float
    until: float | None
    revoked_at: float | None


def current(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The snapshot that counts: what has ended stays ended, else the newest. Raises ValueError."""
    return max(snapshots, key=_weight)


def span(snapshots: Iterable[Snapshot]) -> Span | None:
    """What a subscription gives; None when it never ran."""
    known = list(snapshots)
    ran = [s for s in known if s.status in (*RUNNING, "past_due")]
    now = current(known)
    if not ran:
        return None
    since = min(s.period_start if s.period_start is not None else s.at for s in ran)
    if now.status in RUNNING:
        grace = 0.0 if now.cancel_at_period_end else GRACE
        return Span(since, None if now.period_end is None else now.period_end + grace, None)
    if now.status == "past_due":
        return Span(since, (now.period_start or now.at) + DUNNING, None)
    return Span(since, now.period_end, now.ended_at if now.ended_at is not None else now.at)


def _weight(snapshot: Snapshot) -> tuple[bool, float, int, float, str]:
    life = LIFE.index(snapshot.status) if snapshot.status in LIFE else -1
    return (
        snapshot.status in ENDED,
        snapshot.at,
        life,
        snapshot.period_end or 0.0,
        snapshot.key,
    )
