"""What all commands share: the settings chosen, an open database, and failures in one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from whatworks import db, errors, server, settings
from whatworks.guides import guide
from whatworks.settings import Settings
from whatworks.upgrades import migrations

PATIENCE: Final = 24 * 3_600.0  # a command may take its time


@dataclass(frozen=True)
class Chosen:
    """The options before the command."""

    data_dir: Path | None
    database_url: str | None
    config: Path | None

    def settings(self, **overrides: Any) -> Settings:
        """The settings in force. Raises BadSetting."""
        return settings.from_env(
            config=self.config,
            data_dir=self.data_dir,
            database_url=self.database_url,
            **overrides,
        )

    @contextlib.contextmanager
    def database(self) -> Iterator[db.Database]:
        """The database, open. Raises Refused when it is not there or not of this version."""
        url = self.settings().url
        migrations.check(url)
        found = migrations.current(url)
        if found is None:
            raise migrations.Refused(
                f"There is no database at {server.name(url)}. Name its folder before the command,"
                " with --data-dir, or make one with `whatworks migrate`."
            )
        if found != migrations.head():
            raise migrations.Refused(
                f"{server.name(url)} is older than this program; run `whatworks migrate` first."
            )
        opened = db.Database(url, patience=PATIENCE)
        try:
            yield opened
        finally:
            opened.close()


class Refusal(click.ClickException):
    """An expected failure: one line, exit status 2."""

    exit_code = 2


class Commands(click.Group):
    """A group whose expected failures are told in one line, never by a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except (settings.BadSetting, guide.GuideError, errors.Failure) as failure:
            raise Refusal(str(failure)) from failure
        except BrokenPipeError:
            raise  # the reader of our output has had enough; click ends quietly
        except OSError as failure:
            where = f"{failure.filename}: " if failure.filename else ""
            raise Refusal(f"{where}{failure.strerror or failure}") from failure


@contextlib.contextmanager
def bar(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr that is full at the end, whatever the steps added up to."""
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as shown:
        yield shown.update
        shown.update(shown.length - shown.pos if shown.length else 0)


def table(rows: list[tuple[object, ...]]) -> Iterator[str]:
    """Lines of aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip()
