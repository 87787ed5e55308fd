"""How alembic runs: inside the one locked transaction of `whatworks.migrations`.

`migrations.upgrade` hands its connection over; the `alembic` command opens one the same way, for
the database named by `-x url=…` or by the settings.
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from whatworks import models, settings
from whatworks.upgrades import migrations


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tables we never heard of are no difference between the models and a database."""
    return kind != "table" or name in models.Base.metadata.tables


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=models.Base.metadata,
        include_name=_ours,
        on_version_apply=context.config.attributes.get("applied"),
        transactional_ddl=True,
    )
    context.run_migrations()


def _url() -> str:
    named = context.get_x_argument(as_dictionary=True).get("url")
    return str(named) if named else settings.from_env().url


if context.is_offline_mode():
    raise CommandError("migrations look at the data; they cannot be written out as an SQL script")
handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:
    with migrations.transaction(_url()) as opened:
        _run(opened)
