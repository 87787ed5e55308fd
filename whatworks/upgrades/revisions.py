"""Revisions of the schema: where they are written, the newest, and what a database has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

Progress = Callable[[str, int, int], None]

SHOP: Final = "a27bd4c9f5a9"
FIVE_TABLES: Final = "d27fa85d1bf4"

_package = Path(__file__).parents[1]


def head() -> str:
    """The newest revision there is."""
    return str(scripts().get_current_head())


def scripts() -> ScriptDirectory:
    """All revisions there are."""
    return ScriptDirectory.from_config(config())


def config(
    connection: Connection | None = None, target: str = "head", progress: Progress | None = None
) -> Config:
    """Alembic's own settings. `progress` is told the title of the revision at work, how many are
    done, and of how many.
    """
    installed = _package / "_alembic"
    folder = installed if installed.is_dir() else _package.parent / "alembic"
    made = Config()
    made.set_main_option("path_separator", "os")
    made.set_main_option("script_location", str(folder).replace("%", "%%"))
    made.attributes["connection"] = connection
    if connection is not None and progress is not None:
        made.attributes["applied"] = _reporter(made, stamps(connection), target, progress)
    return made


def _reporter(
    settings: Config, found: list[str], target: str, progress: Progress
) -> Callable[..., None]:
    """Tell `progress` what is to be done; the answer tells it of each revision that is done."""
    way = ScriptDirectory.from_config(settings).iterate_revisions(target, *(found or ["base"]))
    titles = [str(revision.doc) for revision in way][::-1]
    if titles:  # another process may have been faster
        progress(titles[0], 0, len(titles))

    def applied(*, step: Any, **_: Any) -> None:
        done = titles.index(str(step.up_revision.doc)) + 1
        progress(titles[min(done, len(titles) - 1)], done, len(titles))

    return applied


def stamps(connection: Connection) -> list[str]:
    """What the database is stamped with; [] where it has no stamp."""
    if not inspect(connection).has_table("alembic_version"):
        return []
    return [
        str(stamp)
        for stamp in connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
    ]
