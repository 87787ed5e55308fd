"""Letters of gateways, as they arrive."""

from __future__ import annotations

from tests import people
from tests.tills import Till

Parcel = tuple[str, bytes, dict[str, str]]


def parcels(till: Till) -> list[Parcel]:
    """Everything on its way from both gateways."""
    found = [("razorpay", *parcel) for parcel in till.razorpay.parcels()]
    found += [("stripe", *parcel) for parcel in till.stripe.parcels()]
    till.razorpay.letters.clear()
    till.stripe.letters.clear()
    return found


def effects(till: Till) -> dict[str, list[str]]:
    """All rows that letters make, but for the inbox."""
    tables = ("orders", "order_events", "subscriptions", "subscription_events", "grants")
    rows = people.everything(till.database)
    return {table: rows[table] for table in tables}


def paid_letter(till: Till) -> tuple[str, bytes, dict[str, str]]:
    """An order and the letter that it is paid."""
    made = till.order()
    till.razorpay.pay(made["id"])
    body, headers = next(
        parcel for parcel in till.razorpay.parcels() if b'"payment.captured"' in parcel[0]
    )
    till.razorpay.letters.clear()
    return made["id"], body, headers
