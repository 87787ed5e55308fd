"""`whatworks reconcile` and `whatworks coupon`: the shop from the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from whatworks import clock, mail, reconcile, settings, shop
from whatworks.cli import frame
from whatworks.cli.frame import Chosen
from whatworks.shop import Shop
from whatworks.store import coupons

DAY = 86_400.0


@contextlib.contextmanager
def _open(chosen: Chosen) -> Iterator[Shop]:
    found = settings.ensure_secret(chosen.settings())
    carrier = mail.carrier(found.smtp_url, found.data_dir / "outbox")
    mailer = mail.Mailer(carrier, found.mail_from)
    with chosen.database() as database:
        try:
            yield shop.open_(found, database, mailer, contextlib.nullcontext)
        finally:
            mailer.close()


@click.command("reconcile")
@click.pass_obj
def reconcile_(chosen: Chosen) -> None:
    """Ask the gateways about every order that may have been paid.

    The server does it by itself every 15 minutes. It makes up for lost webhooks: payments,
    refunds, disputes and renewals of the last seven days. Twice does no harm.

    \b
    whatworks reconcile
    """
    with _open(chosen) as opened:
        done = reconcile.run(opened)
    click.echo(
        f"Asked about {done.looked} orders: {done.paid} paid, {done.granted} granted,"
        f" {done.held} held, {done.unreachable} without an answer."
    )
    if done.unreachable:
        raise click.exceptions.Exit(1)


@click.group("coupon", cls=frame.Commands)
def commands() -> None:
    """Make, end and list coupons."""


@commands.command("add")
@click.argument("code")
@click.option("--percent", type=click.IntRange(1, 100), required=True, help="What comes off.")
@click.option("--days", type=click.IntRange(1), help="How long it can be used.  [default: ever]")
@click.option("--uses", type=click.IntRange(1), help="How often.  [default: without limit]")
@click.pass_obj
def add(chosen: Chosen, code: str, percent: int, days: int | None, uses: int | None) -> None:
    """Make a coupon; capitals make no difference.

    \b
    whatworks coupon add LAUNCH50 --percent 50 --uses 100 --days 30
    """
    until = None if days is None else clock.timestamp() + days * DAY
    with chosen.database() as database:
        made = database.write(coupons.create, code, percent, expires_at=until, max_uses=uses)
    click.echo(f"{made.code}: {made.percent} % off.")


@commands.command("end")
@click.argument("code")
@click.pass_obj
def end(chosen: Chosen, code: str) -> None:
    """Let nobody use a coupon any more; orders that took it keep their price.

    \b
    whatworks coupon end LAUNCH50
    """
    with chosen.database() as database:
        ended = database.write(coupons.end, code)
    click.echo(f"{ended.code} has ended; it was used {ended.uses} times.")


@commands.command("list")
@click.pass_obj
def list_(chosen: Chosen) -> None:
    """List coupons, with how often each was used.

    \b
    whatworks coupon list
    """
    with chosen.database() as database:
        found = database.read(coupons.list_)
    now = clock.timestamp()
    rows = [("code", "percent", "used", "of", "until", "state")]
    rows += [
        (
            one.code,
            str(one.percent),
            str(one.uses),
            "-" if one.max_uses is None else str(one.max_uses),
            clock.rfc3339(one.expires_at) or "-",
            one.problem(now) or "usable",
        )
        for one in found
    ]
    for line in frame.table([tuple(row) for row in rows]):
        click.echo(line)
