"""Who a person is: what they want, where they sell, how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from whatworks import clock, db, errors
from whatworks.models import Email, UserProfile

GOALS: Final = ("earn_money", "save_time", "scale_business")
MARKETS: Final = ("freelancer", "shop_owner", "content_creator", "agency", "student")
SKILL_LEVELS: Final = ("beginner", "intermediate", "advanced")
CHANGEABLE: Final = frozenset({"goal", "market", "skill_level", "country", "time_zone"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as stored. Old rows may lack any field; times are epoch seconds."""

    id: str
    email: str
    goal: str
    market: str
    skill_level: str
    country: str
    created_at: float | None
    updated_at: float | None
    time_zone: str = ""

    @property
    def segment(self) -> tuple[str, str]:
        """Market and skill level, the cell in which evidence counts this person."""
        return self.market, self.skill_level


_COLUMNS = select(
    UserProfile.id,
    UserProfile.email,
    UserProfile.goal,
    UserProfile.market,
    UserProfile.skill_level,
    UserProfile.country,
    UserProfile.created_at,
    UserProfile.updated_at,
    UserProfile.time_zone,
)
_ONE: Final = _COLUMNS.where(UserProfile.id == bindparam("user_id"))
_GET: Final = db.Query(_ONE)
_LOCK: Final = db.Query(_ONE.with_for_update(key_share=True))
_BY_EMAIL: Final = db.Query(select(Email.user_id).where(Email.email == bindparam("email")))
_PROVED: Final = db.Query(
    select(Email.verified_at).where(
        Email.user_id == bindparam("user_id"), Email.verified_at.is_not(None)
    )
)
_CLAIM_EMAIL: Final = db.Query(insert(Email).on_conflict_do_nothing())
_INSERT: Final = db.Query(insert(UserProfile))


def create(
    session: db.Session,
    *,
    email: str,
    goal: str,
    market: str,
    skill_level: str,
    country: str,
    time_zone: str = "",
    source: str | None = None,
) -> Profile:
    """A new person; `email` is already normalised. Raises Conflict when the address is taken.

    `source` stands for the network they come from (`sources.of`).
    """
    now = clock.timestamp()
    user_id = clock.new_id()
    if not session.run(
        _CLAIM_EMAIL, email=email, user_id=user_id, created_at=now, verified_at=None
    ):
        raise taken()
    profile = Profile(user_id, email, goal, market, skill_level, country, now, now, time_zone)
    session.run(
        _INSERT,
        id=user_id,
        email=email,
        goal=goal,
        market=market,
        skill_level=skill_level,
        country=country,
        created_at=now,
        updated_at=now,
        time_zone=time_zone or None,
        source=source,
    )
    return profile


def taken() -> errors.Conflict:
    """The address belongs to somebody already."""
    return errors.Conflict(
        "This e-mail address is already registered; sign in instead.",
        code="email_taken",
        fields={"email": "already registered"},
    )


def find(session: db.Session, user_id: str) -> Profile | None:
    """The person with this id, if there is one."""
    row = session.first(_GET, user_id=user_id)
    return None if row is None else _profile(row)


def get(session: db.Session, user_id: str) -> Profile:
    """The person with this id. Raises NotFound."""
    found = find(session, user_id)
    if found is None:
        raise _not_found()
    return found


def lock(session: db.Session, user_id: str) -> Profile:
    """As `get`, and what is counted per person stays as it is until the transaction ends."""
    row = session.first(_LOCK, user_id=user_id)
    if row is None:
        raise _not_found()
    return _profile(row)


def find_by_email(session: db.Session, email: str) -> Profile | None:
    """The person an address belongs to, if any; `email` is already normalised."""
    user_id = session.value(_BY_EMAIL, email=email)
    return None if user_id is None else find(session, user_id)


def has_proved_address(session: db.Session, user_id: str) -> bool:
    """Whether the person has shown that their address is theirs."""
    return session.value(_PROVED, user_id=user_id) is not None


def change(session: db.Session, user_id: str, changes: Mapping[str, str]) -> Profile:
    """Change what is CHANGEABLE; evidence already counted stays where it is."""
    profile = get(session, user_id)
    values: dict[str, Any] = {k: v for k, v in changes.items() if k in CHANGEABLE}
    if values:
        values["updated_at"] = clock.timestamp()
        session.run(update(UserProfile).where(UserProfile.id == user_id).values(**values))
        profile = get(session, user_id)
    return profile


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such person.")


def _profile(row: Any) -> Profile:
    """Old rows hold NULLs; a page must never stumble over one."""
    return Profile(
        id=row.id,
        email=_text(row.email),
        goal=_text(row.goal),
        market=_text(row.market),
        skill_level=_text(row.skill_level),
        country=_text(row.country),
        created_at=row.created_at,
        updated_at=row.updated_at,
        time_zone=_text(row.time_zone),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
