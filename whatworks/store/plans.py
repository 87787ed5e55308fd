"""What each plan allows. Pure.

A plan's terms are one setting: `executions=10 api_calls=1000 exports=3 tiers=free`, the numbers
per month, `-` for no limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatworks.settings import BadSetting, Settings

ORDER: Final = ("free", "pro", "scale")  # each holds more than those before it
METERS: Final = ("executions", "api_calls", "exports")


@dataclass(frozen=True, slots=True)
class Plan:
    """The terms of a plan. None is no limit; the numbers are per month (UTC)."""

    name: str
    executions: int | None
    api_calls: int | None
    exports: int | None
    tiers: tuple[str, ...]

    def limit(self, meter: str) -> int | None:
        """How much of `executions`, `api_calls` or `exports` a month holds."""
        found: int | None = getattr(self, meter)
        return found


@dataclass(frozen=True, slots=True)
class Plans:
    """All plans, the smallest first."""

    free: Plan
    pro: Plan
    scale: Plan

    def get(self, name: str) -> Plan:
        """The plan of this name; an unknown one is the free one."""
        return {"pro": self.pro, "scale": self.scale}.get(name, self.free)

    def covering(self, tier: str) -> Plan | None:
        """The smallest plan that covers a tier."""
        return next((p for p in (self.free, self.pro, self.scale) if tier in p.tiers), None)


def from_settings(settings: Settings) -> Plans:
    """The plans in force. Raises BadSetting."""
    return Plans(*(parse(name, getattr(settings, f"plan_{name}")) for name in ORDER))


def parse(name: str, text: str) -> Plan:
    """A plan from its setting. Raises BadSetting.

    >>> parse("free", "executions=10 api_calls=- exports=3 tiers=free,pro").tiers
    ('free', 'pro')
    """
    given = dict(part.partition("=")[::2] for part in text.split())
    if given.keys() != {*METERS, "tiers"} or not given["tiers"]:
        raise _bad(name, text)
    limits = {meter: _limit(name, text, given[meter]) for meter in METERS}
    return Plan(name, **limits, tiers=tuple(given["tiers"].split(",")))


def _limit(name: str, text: str, given: str) -> int | None:
    if given == "-":
        return None
    if not given.isdecimal():
        raise _bad(name, text)
    return int(given)


def _bad(name: str, text: str) -> BadSetting:
    return BadSetting(
        f"WHATWORKS_PLAN_{name.upper()} is {text!r}; write it like"
        " executions=10 api_calls=1000 exports=3 tiers=free,pro, with - for no limit."
    )
