"""The catalogue of products: a TOML file next to the workflows. Prices come from here only."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from babel.numbers import list_currencies

from whatworks import errors
from whatworks.settings import BadSetting
from whatworks.store import plans

BUNDLED: Final = Path(__file__).parent.parent / "workflows" / "products.toml"
CURRENCIES: Final = frozenset(list_currencies())
Price = Annotated[int, msgspec.Meta(gt=0, le=2_000_000_000)]
Key = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,59}$")]


@dataclass(frozen=True)
class Product:
    """Something the shop sells or gives. `prices` are in each currency's smallest unit.

    `tiers` and `workflows` are the guides in its ZIP and, while it is held, open to run; `files`
    go into the ZIP besides. `days` is how long a one-off purchase lasts, 0 for good.
    """

    key: str
    title: str
    summary: str = ""
    kind: str = "one_off"
    prices: Mapping[str, int] = field(default_factory=dict)
    interval: str = ""
    plan: str = ""
    days: int = 0
    tiers: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def is_free(self) -> bool:
        """Whether anybody may have it without an order."""
        return self.kind == "free"

    @property
    def is_subscription(self) -> bool:
        """Whether it is paid for again and again."""
        return self.kind == "subscription"

    @property
    def absent(self) -> list[str]:
        """Its files that are not there, though they were when the catalogue was read."""
        return [path.name for path in self.files if not path.is_file()]

    def currency(self, wished: str | None = None) -> str:
        """The currency to charge in: the wished one, or the first. Raises Invalid."""
        chosen = (wished or next(iter(self.prices), "")).upper()
        if chosen not in self.prices:
            offered = ", ".join(self.prices)
            raise errors.Invalid(
                f"{self.title} is not sold in {chosen or 'any currency'}.",
                fields={"currency": f"one of {offered}"},
            )
        return chosen


@dataclass(frozen=True)
class Catalogue:
    """All products, in the order of the file."""

    products: Mapping[str, Product]

    def find(self, key: str) -> Product | None:
        """The product of this key, if there is one."""
        return self.products.get(key)

    def get(self, key: str) -> Product:
        """The product of this key. Raises NotFound."""
        found = self.products.get(key)
        if found is None:
            raise errors.NotFound("There is no product of this name.", code="product_not_found")
        return found

    def list_(self) -> list[Product]:
        """Every product."""
        return list(self.products.values())


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]+$")]
    summary: str = ""
    kind: Literal["one_off", "subscription", "free"] = "one_off"
    prices: dict[str, Price] = {}
    interval: Literal["month", "year", ""] = ""
    plan: Literal["", "free", "pro", "scale"] = ""
    days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    tiers: list[str] = []
    workflows: list[str] = []
    files: list[str] = []


class _File(msgspec.Struct, forbid_unknown_fields=True):
    products: dict[Key, _Entry]


def load(path: Path = BUNDLED) -> Catalogue:
    """The catalogue of a file. Raises BadSetting, which names the file and the mistake."""
    try:
        entries = msgspec.convert(_toml(path), _File).products
    except (OSError, ValueError) as failure:
        raise BadSetting(f"The products file {path} cannot be used: {failure}.") from failure
    for key, entry in entries.items():
        if mistake := _mistake(entry, path.parent):
            raise BadSetting(f"The products file {path}: {key} {mistake}.")
    return Catalogue({key: _product(key, entry, path.parent) for key, entry in entries.items()})


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _mistake(entry: _Entry, folder: Path) -> str:
    unknown = sorted(entry.prices.keys() - CURRENCIES)
    absent = [name for name in entry.files if not (folder / name).is_file()]
    mistakes = {
        f"has prices in unknown currencies: {', '.join(unknown)}": unknown,
        "is free and has prices": entry.kind == "free" and entry.prices,
        "is sold and has no prices": entry.kind != "free" and not entry.prices,
        "is a subscription without an interval (month or year)": (
            entry.kind == "subscription" and not entry.interval
        ),
        f"is a subscription without a plan ({', '.join(plans.ORDER[1:])})": (
            entry.kind == "subscription" and entry.plan not in plans.ORDER[1:]
        ),
        f"names files that are not there: {', '.join(absent)}": absent,
    }
    return next((text for text, found in mistakes.items() if found), "")


def _product(key: str, entry: _Entry, folder: Path) -> Product:
    return Product(
        key=key,
        title=entry.title,
        summary=entry.summary,
        kind=entry.kind,
        prices=dict(entry.prices),
        interval=entry.interval,
        plan=entry.plan,
        days=entry.days,
        tiers=tuple(entry.tiers),
        workflows=tuple(entry.workflows),
        files=tuple(folder / name for name in entry.files),
    )
