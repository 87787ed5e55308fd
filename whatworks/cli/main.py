"""The `whatworks` command: the same verbs as the doors."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from whatworks import api_docs, backup, clock, db, export, jobs, server, settings
from whatworks.cli import catalogue, evidence, frame, operators, store
from whatworks.cli.frame import Chosen
from whatworks.demo import building
from whatworks.people import signins
from whatworks.upgrades import legacy, migrations
from whatworks.web import openapi

DAY = 86_400.0


@click.group(cls=frame.Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="whatworks", message="whatworks %(version)s")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the database, keys and unsent mail.  [default: DATA_DIR, or data]",
)
@click.option(
    "--database-url",
    metavar="URL",
    help="The database.  [default: DATABASE_URL, or data.db inside the data folder]",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings file (TOML).  [default: whatworks.toml inside the data folder]",
)
@click.pass_context
def main(
    context: click.Context, data_dir: Path | None, database_url: str | None, config: Path | None
) -> None:
    """Follow workflows, log what they bring, see what works, for whom.

    Everything begins with `whatworks serve`; the first start prepares all it needs. The options
    below stand before the command and overrule the environment.

    \b
    whatworks serve
    whatworks --data-dir /srv/whatworks serve --port 80
    DATABASE_URL=postgresql://me@localhost/whatworks whatworks migrate
    """
    context.obj = Chosen(data_dir, database_url, config)


@main.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port.  [default: PORT, or 8000]")
@click.option("--workers", type=click.IntRange(1), help="Server processes.")
@click.pass_obj
def serve(chosen: Chosen, host: str | None, port: int | None, workers: int | None) -> None:
    """Prepare everything and serve until Ctrl-C.

    Makes the data folder, the secret key and the database when they are not there, applies
    migrations, loads the bundled workflows, and says where it listens. While there is no operator,
    it prints a link that makes the first one.

    \b
    whatworks serve
    PORT=9000 whatworks serve --host 0.0.0.0
    """
    server.run(chosen.settings(host=host, port=port, workers=workers), click.echo)


@main.command()
@click.option("--check", is_flag=True, help="Only look. Exit status 1 when there is work to do.")
@click.option("--report", is_flag=True, help="Only list old values that cannot be used, and why.")
@click.option("--to", metavar="REVISION", help="Go to this revision, up or down.")
@click.option("--yes", is_flag=True, help="Do not ask before going down.")
@click.pass_obj
def migrate(chosen: Chosen, check: bool, report: bool, to: str | None, yes: bool) -> None:
    """Build the database, or bring it up to date.

    It is one transaction: all or nothing. A damaged, foreign or newer database is refused and not
    touched. Twice, or from several machines at once, does no harm.

    \b
    whatworks migrate --report    what of an old shop's data cannot be used
    whatworks migrate --check     is there anything to do?
    whatworks migrate
    """
    url = chosen.settings().url
    if report:
        _report(migrations.report(url))
    elif check:
        _check(url)
    else:
        if url.startswith("sqlite"):
            server.ensure_folder(chosen.settings())
        if to:
            _go_to(url, to, yes)
        else:
            click.echo(server.migrated(url, _tell))


def _tell(title: str, done: int, total: int) -> None:
    click.echo(f"[{done}/{total}] {title}", err=True)


def _report(found: list[legacy.Finding]) -> None:
    for one in found:
        click.echo(f"{one.table} {one.id}: {one.column} {one.value!r} {one.problem}")
    click.echo(
        f"{len(found)} old values cannot be used; they are kept as they are."
        if found
        else "Every value can be used.",
        err=True,
    )


def _check(url: str) -> None:
    migrations.check(url)
    now, newest = migrations.current(url), migrations.head()
    if now == newest:
        click.echo(f"{server.name(url)}, up to date ({now})")
        return
    click.echo(
        f"{server.name(url)}, {now or 'not built yet'}; `whatworks migrate` leads to {newest}"
    )
    raise SystemExit(1)


def _go_to(url: str, revision: str, yes: bool) -> None:
    """Up when the revision lies ahead; down, after a question, when it lies behind."""
    migrations.upgrade(url, revision=revision)
    if migrations.current(url) != revision:
        if not yes:
            click.confirm(
                f"What has no room in {revision} will be lost. Is there a backup, and go on?",
                abort=True,
            )
        migrations.downgrade(url, revision)
    click.echo(f"{server.name(url)}, at {migrations.current(url)}")


@main.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup_(chosen: Chosen, file: Path) -> None:
    """Copy the SQLite database, also while it is served.

    The copy is whole and checked. Keep the file secret-key of the data folder with it.

    \b
    whatworks backup /backups/whatworks-$(date +%F).db
    """
    os.umask(0o077)
    size = backup.take(chosen.settings().url, file)
    click.echo(f"{file}, {size / 1e6:.1f} MB")


@main.command()
@click.option(
    "--days",
    type=click.IntRange(1),
    help="Abandon what nobody touched for this many days; fewer days abandon more."
    "  [default: WHATWORKS_ABANDON_AFTER_DAYS, 30]",
)
@click.pass_obj
def expire(chosen: Chosen, days: int | None) -> None:
    """Abandon executions that nobody touched for their window.

    A running server does this every hour by itself; this is for a machine without one, or to try
    another window once. What is abandoned counts as stopped in the evidence. Its owner may resume
    it, and then it counts as open again.

    \b
    whatworks expire              by the setting
    whatworks expire --days 60    only what has been silent for two months
    """
    window = days or chosen.settings().abandon_after_days
    with chosen.database() as database:
        done = jobs.expire(database, clock.timestamp() - window * DAY, _count_up)
    click.echo(f"{done} executions abandoned.")


def _count_up(done: int) -> None:
    click.echo(f"{done} more", err=True)


@main.command("export")
@click.option(
    "--what",
    type=click.Choice(sorted(export.TABLES)),
    default="executions",
    show_default=True,
    help="The table, a row for each of its things.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(export.FORMATS),
    default="csv",
    show_default=True,
    help="csv for spreadsheets; jsonl, one JSON object a line, for programs.",
)
@click.option("--out", type=click.Path(dir_okay=False), default="-", help="File, or - for stdout.")
@click.pass_obj
def export_(chosen: Chosen, what: str, form: str, out: str) -> None:
    """Write a table as CSV or JSON lines.

    People appear by user id only; notes and links stay out. Text that a spreadsheet would run as
    a formula gets an apostrophe before it; in JSON lines nothing is changed. A file is replaced
    only when the new one is complete.

    \b
    executions     runs: whose, which workflow and version, how far, when, in which segment
    outcomes       results as reported, corrected ones too
    performance    the counts behind the evidence, per workflow, market and level
    proofs         what was shown, without text or pictures
    reviews        what was decided on them, and why

    \b
    whatworks export --what outcomes --out outcomes.csv
    whatworks export --what performance --format jsonl | head
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        with chosen.database() as database:
            total = database.read(export.count, what)
            with frame.bar(total, f"Exporting {what}") as progress:
                done = database.read(export.write, what, form, file, progress)
        file.seek(0)
        with click.open_file(out, "w", encoding="utf-8", atomic=out != "-") as target:
            shutil.copyfileobj(file, target)
    click.echo(f"{done} rows.", err=True)


@main.command("demo")
@click.option("--people", type=click.IntRange(1, 100_000), default=3_000, show_default=True)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed: the same people."
)
@click.option("--fresh", is_flag=True, help="Remove the demo data that are there.")
@click.option("--serve", "is_served", is_flag=True, help="Serve them when they are made.")
@click.pass_obj
def demo_(chosen: Chosen, people: int, seed: int, fresh: bool, is_served: bool) -> None:
    """Make a database of invented people, to see every page in use.

    It lies in `demo` inside the data folder and is never mixed with yours. With --serve it is
    served, with links that sign you in as one of the people and as the operator; the second time,
    `whatworks demo --serve` serves what is there. Reminders are off, and no gateway is asked.

    \b
    whatworks demo --serve
    whatworks demo --fresh --people 500 --seed 7
    """
    given = chosen.settings()
    folder = given.data_dir / building.FOLDER
    there = replace(given, data_dir=folder, database_url="", smtp_url="", plan_limits="enforce")
    there = replace(there, razorpay_key_id="", razorpay_key_secret="", stripe_secret_key="")
    # Reminders would go to hundreds of people at once, and bury the codes for signing in.
    # Nobody has to be told of invented orders that no gateway knows.
    there = replace(there, storage_url="", reminders=False, log_level="error")
    if fresh:
        building.remove(folder)
    if not (is_served and (folder / "data.db").exists()):
        _make_demo(there, people, seed)
    if is_served:
        _tell_how_to_sign_in(server.ensure_folder(there))
        server.run(there, click.echo)
    else:
        click.echo("See it: whatworks demo --serve, which says how to sign in")


def _make_demo(there: settings.Settings, people: int, seed: int) -> None:
    there = server.ensure_folder(there)
    with frame.bar(people, "Inventing people") as progress:
        made = building.build(there, count=people, seed=seed, progress=progress)
    click.echo(
        f"{made.people} people, {made.executions} executions, {made.outcomes} outcomes,"
        f" {made.proofs} proofs"
    )
    click.echo(f"For programs: token of {building.PERSON} {made.token}")
    click.echo(f"              key of {building.OPERATOR} {made.operator_key}")


def _tell_how_to_sign_in(there: settings.Settings) -> None:
    database = db.Database(there.url)
    for role, email in (("Person", building.PERSON), ("Operator", building.OPERATOR)):
        token = database.write(signins.begin, email, there.secret_key).token
        click.echo(f"{role:<10} {email}: {there.address}/signin/link?token={token}")
    database.close()
    click.echo(
        "           Each link works once, within ten minutes. Later, give the address at /signin;"
        f" the code is in the newest file of {there.data_dir / 'outbox'}"
    )


@main.command("settings")
@click.pass_obj
def settings_(chosen: Chosen) -> None:
    """Show the settings in force.

    Secrets are hidden. docs/settings.md says what each setting does.
    """
    for name, value in settings.masked(chosen.settings()).items():
        click.echo(f"{name} = {value}")


@main.command("api-docs")
def api_docs_() -> None:
    """Print the API reference as Markdown: docs/api.md."""
    sys.stdout.write(api_docs.markdown(openapi.build()))


main.add_command(catalogue.commands)
main.add_command(operators.commands)
main.add_command(store.commands)
main.add_command(store.reconcile_)
main.add_command(evidence.commands)
main.add_command(evidence.rebuild, "rebuild")
