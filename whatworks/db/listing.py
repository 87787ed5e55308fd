"""One person's rows page by page: where a page begins is told by the row before it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from whatworks import errors
from whatworks.db.query import Query, Session

Column = InstrumentedAttribute[Any]


class Listing:
    """A select of one person's rows, the newest by `time` first; old rows may lack a time."""

    def __init__(
        self, chosen: Select[*tuple[Any, ...]], user_id: Column, time: Column, row_id: Column
    ) -> None:
        place = (func.coalesce(time, -1.0), row_id)
        newest_first = (
            chosen.where(user_id == bindparam("user_id"))
            .order_by(*(part.desc() for part in place))
            .limit(bindparam("limit"))
        )
        before = select(*place).where(user_id == bindparam("user_id"), row_id == bindparam("after"))
        self._first = Query(newest_first)
        self._later = Query(
            newest_first.where(tuple_(*place) < before.correlate(None).scalar_subquery())
        )
        self._known = Query(before)

    def rows(self, session: Session, user_id: str, limit: int, after: str | None) -> list[Any]:
        """A page: the first, or what comes after a row. Raises Invalid when that is not there."""
        if after is None:
            return session.all(self._first, user_id=user_id, limit=limit)
        if session.first(self._known, user_id=user_id, after=after) is None:
            told = "take it from `next` of the page before"
            raise errors.Invalid(f"Please check: after ({told}).", fields={"after": told})
        return session.all(self._later, user_id=user_id, limit=limit, after=after)
