"""`whatworks catalogue …`: the workflows on offer."""

from __future__ import annotations

from pathlib import Path

import click

from whatworks import catalogue, db
from whatworks.advice import slates
from whatworks.cli import frame
from whatworks.cli.frame import Chosen
from whatworks.guides import guide, importing, parser
from whatworks.guides.guide import Guide, GuideError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(exists=True, path_type=Path)


@click.group("catalogue")
def commands() -> None:
    """The workflows on offer.

    A workflow is a Markdown guide with front matter. Loading one makes a version that never
    changes; runs that have begun stay with theirs. docs/guides.md describes every field.

    \b
    whatworks catalogue check my_workflows/*.md
    whatworks catalogue load my_workflows
    whatworks catalogue list
    """


@commands.command("list")
@click.pass_obj
def list_(chosen: Chosen) -> None:
    """List the workflows on offer, with version, plan, steps and minutes."""
    with chosen.database() as database:
        offered = database.read(catalogue.list_current)
    rows: list[tuple[object, ...]] = [("NAME", "VERSION", "TIER", "STEPS", "MINUTES", "TITLE")]
    rows += [
        (w.name, w.version, w.tier, len(w.guide.steps), w.guide.minutes, w.title) for w in offered
    ]
    for line in frame.table(rows):
        click.echo(line)


@commands.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
def check(files: tuple[Path, ...]) -> None:
    """Check guides, and explain every mistake with its file and line.

    Nothing is loaded. Exit status 2 when there are mistakes.
    """
    for one in _parsed(list(files)):
        click.echo(f"{one.name}: {len(one.steps)} steps, {one.minutes} minutes, no mistakes")


@commands.command()
@click.argument("places", type=PLACE, nargs=-1, metavar="[FOLDER | FILE]...")
@click.pass_obj
def load(chosen: Chosen, places: tuple[Path, ...]) -> None:
    """Load guides, or every guide (*.md) of a folder; all of them, or none when one has a mistake.

    Without any, the bundled workflows are loaded, as `whatworks serve` does; they never take the
    place of your own workflow of the same name. What is already there is not loaded again.
    """
    files = [file for place in places or (catalogue.BUNDLED,) for file in _guides_at(place)]
    is_bundled = all(file.resolve().parent == catalogue.BUNDLED.resolve() for file in files)
    _load(chosen, _parsed(files), "bundled" if is_bundled else "local")


@commands.command("import")
@click.argument("file", type=FILE)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the guides.  [default: workflows inside the data folder]",
)
@click.option("--force", is_flag=True, help="Overwrite guides that are in the folder already.")
@click.pass_obj
def import_(chosen: Chosen, file: Path, to: Path | None, force: bool) -> None:
    """Turn an existing workflows.json into guides, and load them.

    Whatever is missing or odd is filled in and told. The guides stay in the folder: improve them
    there, and load the folder again.
    """
    folder = to or chosen.settings().data_dir / "workflows"
    found = importing.from_workflows_json(file.read_text(encoding="utf-8"), str(file))
    targets = [folder / f"{one.name}.md" for one in found]
    there = [path.name for path in targets if path.exists()]
    if there and not force:
        raise frame.Refusal(f"{folder} has {', '.join(there)} already; --force overwrites.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one, target in zip(found, targets, strict=True):
        target.write_text(one.markdown, encoding="utf-8")
        click.echo(f"{target}")
        for note in one.notes:
            click.echo(f"  {note}")
    _load(chosen, _parsed(targets), "imported")


@commands.command()
@click.argument("name")
@click.pass_obj
def retire(chosen: Chosen, name: str) -> None:
    """Take a workflow off the offer. Runs that have begun go on, and its evidence stays."""
    with chosen.database() as database:
        database.write(_retire, name)
    click.echo(f"{name} is no longer on offer.")


def _retire(session: db.Session, name: str) -> None:
    catalogue.retire(session, name)
    slates.withdraw(session, name)


def _guides_at(place: Path) -> list[Path]:
    """The file itself, or the guides of a folder."""
    found = sorted(place.glob("*.md")) if place.is_dir() else [place]
    if not found:
        raise frame.Refusal(f"{place} holds no guides (*.md).")
    return found


def _parsed(paths: list[Path]) -> list[Guide]:
    """All of them, or a GuideError with the mistakes of all."""
    guides: list[Guide] = []
    problems: list[guide.Problem] = []
    for path in paths:
        try:
            guides.append(parser.parse(path.read_text(encoding="utf-8"), str(path)))
        except UnicodeDecodeError:
            problems.append(guide.Problem(str(path), 1, "is not UTF-8; save it as UTF-8"))
        except GuideError as mistakes:
            problems += mistakes.problems
    if problems:
        raise frame.Refusal("\n".join(map(str, problems)))
    return guides


def _load(chosen: Chosen, guides: list[Guide], source: str) -> None:
    with chosen.database() as database:
        loaded = database.write(catalogue.load, guides, source=source)
    for line in loaded:
        click.echo(f"loaded {line}")
    if len(loaded) < len(guides):
        click.echo(f"{len(guides) - len(loaded)} unchanged")
