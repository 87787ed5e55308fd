"""`whatworks operator …`: the people who run the place."""

from __future__ import annotations

import click
import email_validator

from whatworks import clock, db, errors, server
from whatworks.cli import frame
from whatworks.cli.frame import Chosen
from whatworks.people import operators, profiles
from whatworks.people.profiles import Profile
from whatworks.store import entitlements
from whatworks.web import fields

DAY = 86_400.0


@click.group("operator")
def commands() -> None:
    """Operators, their API keys, and plans given by hand.

    \b
    whatworks operator link
    whatworks operator add asha@example.com
    whatworks operator key asha@example.com --label "nightly import"
    whatworks operator grant ravi@example.com --plan pro --days 30
    """


@commands.command("list")
@click.pass_obj
def list_(chosen: Chosen) -> None:
    """List the operators: e-mail, since when, made by whom."""
    with chosen.database() as database:
        found = database.read(operators.list_)
    rows: list[tuple[object, ...]] = [("E-MAIL", "SINCE", "BY")]
    rows += [(email, clock.rfc3339(since), by) for _, email, since, by in found]
    for line in frame.table(rows):
        click.echo(line)


@commands.command()
@click.argument("email")
@click.pass_obj
def add(chosen: Chosen, email: str) -> None:
    """Make somebody who has signed up an operator."""
    with chosen.database() as database:
        person = database.read(_person, email)
        database.write(operators.grant, person.id, by="command line")
    click.echo(f"{person.email} is an operator.")


@commands.command()
@click.argument("email")
@click.option("--label", required=True, help="What the key is for; shown in the list of sessions.")
@click.pass_obj
def key(chosen: Chosen, email: str, label: str) -> None:
    """Make an API key of an operator, and print it this one time.

    A key may act for every person. It lasts a year; its owner can revoke it under Sessions.
    """
    with chosen.database() as database:
        person = database.read(_person, email)
        made = database.write(operators.new_key, person.id, label)
    click.echo(made)


@commands.command()
@click.argument("email")
@click.option("--plan", type=click.Choice(entitlements.PLANS[1:]), required=True)
@click.option("--days", type=click.IntRange(1, 36_500), help="For how long.  [default: for good]")
@click.pass_obj
def grant(chosen: Chosen, email: str, plan: str, days: int | None) -> None:
    """Give somebody a plan, without payment."""
    until = clock.timestamp() + days * DAY if days else None
    with chosen.database() as database:
        person = database.read(_person, email)
        database.write(
            entitlements.grant, person.id, plan, cause="given by an operator", until=until
        )
    click.echo(f"{person.email} has {plan} {f'until {clock.rfc3339(until)}' if days else 'now'}.")


@commands.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where the server listens.  [default: PORT, or 8000]",
)
@click.pass_obj
def link(chosen: Chosen, port: int | None) -> None:
    """Print the one-time link that makes the first operator: whoever opens it signed in.

    It leads to the public address, and where none is set, to localhost: give the port if the
    server was told another than the settings say.
    """
    with chosen.database() as database:
        if database.read(operators.any_exist):
            raise errors.Gone("There is an operator already; use `whatworks operator add`.")
    click.echo(server.claim_link(server.ensure_folder(chosen.settings(port=port))))


def _person(session: db.Session, email: str) -> Profile:
    """Raises NotFound, Invalid."""
    try:
        found = profiles.find_by_email(session, fields.normal_email(email))
    except email_validator.EmailNotValidError as failure:
        raise errors.Invalid(f"{email} is no e-mail address.") from failure
    if found is None:
        raise errors.NotFound(f"Nobody has signed up with {email}; they do that at /signup.")
    return found
