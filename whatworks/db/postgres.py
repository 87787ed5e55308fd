"""PostgreSQL: connections that find out when they are dead, busy or unlucky."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Engine

from whatworks.db import limits


class Connector:
    """Opens PostgreSQL connections in autocommit, and knows a dead one when it sees it."""

    TRANSIENT: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
    # lock not available, statement timeout, disk full, out of memory
    BUSY: Final = frozenset({"55P03", "57014", "53100", "53200"})

    def __init__(self, created: Engine) -> None:
        self.dialect = created.dialect
        self.lost = created.dialect.loaded_dbapi.OperationalError
        self._arguments = created.dialect.create_connect_args(created.url)

    def connect(self) -> Any:
        args, kwargs = self._arguments
        connection = self.dialect.loaded_dbapi.connect(*args, autocommit=True, **kwargs)
        # Only `write` says READ WRITE, and nobody waits for a lock for ever.
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET lock_timeout = {limits.START_SECONDS * 1000:.0f}")
        return connection

    @contextlib.contextmanager
    def snapshot(self, connection: Any) -> Iterator[Any]:
        yield connection.cursor()

    def is_lost(self, connection: Any, failure: Exception) -> bool:
        del failure
        return bool(connection.closed or connection.broken)

    def interrupt(self, connection: Any) -> None:
        """Break off what another thread does on it."""
        with contextlib.suppress(self.lost):
            connection.cancel()

    def tolerates(self, connection: Any, failure: BaseException) -> bool:
        """PostgreSQL never stores text that it cannot read back."""
        del connection, failure
        return False

    def is_transient(self, failure: Exception) -> bool:
        return getattr(failure, "sqlstate", None) in self.TRANSIENT

    def is_busy(self, failure: Exception) -> bool:
        return getattr(failure, "sqlstate", None) in self.BUSY
