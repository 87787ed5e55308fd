"""`whatworks evidence …`: count, fit, publish, explain, and hold the numbers to account."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import numpy as np

from whatworks.advice import phrases, policies, reasons
from whatworks.cli import frame
from whatworks.cli.frame import Chosen
from whatworks.evidence import (
    analytics,
    census,
    checks,
    findings,
    performance,
    publications,
    recount,
    totals,
    upkeep,
)
from whatworks.evidence.beliefs import Beliefs
from whatworks.evidence.findings import Level, Levels
from whatworks.people import profiles
from whatworks.stats import evaluation

WAYS: Final = ("auto", "read", "duckdb")


@click.group("evidence", cls=frame.Commands)
def commands() -> None:
    """What works, for whom: count, fit, publish, explain, check."""


@commands.command("rebuild")
@click.option(
    "--with",
    "way",
    type=click.Choice(WAYS),
    default="auto",
    show_default=True,
    help="duckdb reads a SQLite file several times faster (pip install 'whatworks[fast]').",
)
@click.pass_obj
def rebuild(chosen: Chosen, way: str) -> None:
    """Count all evidence again from history.

    Nothing can be written meanwhile. PostgreSQL does the counting by itself; a SQLite file is read
    through, or counted by DuckDB where that is installed.
    """
    with chosen.database() as database:
        total = database.read(totals.count)["executions"]
        count = recount.counter(database, way)
        with frame.bar(total, "Counting executions") as progress:
            cells = database.write(performance.rebuild, progress, count)
    click.echo(f"{cells} cells counted from {total} executions.")


@commands.command("fit")
@click.pass_obj
def fit_(chosen: Chosen) -> None:
    """Fit the model to everybody's votes, and publish what is due.

    A running server does this by itself when 5 % are new, and once a day.
    """
    with chosen.database() as database:
        found = upkeep.fit(database)
        click.echo(
            f"Fitted to {found.people} known ends of {found.workflows} workflows"
            f" in {found.seconds:.1f} s."
        )
        v = found.parameters.variances
        click.echo(f"Workflows differ by {v[0]:.3f} (variance of the logit), markets within one by")
        click.echo(f"{v[1]:.3f}, levels by {v[2]:.3f}, cells by {v[3]:.3f};")
        click.echo(f"people differ by {found.parameters.user_variance:.3f}.")
        names = database.read(publications.known_names)
        with frame.bar(len(names), "Publishing") as progress:
            changed = publications.keep_up_all(database, Beliefs(), progress)
    click.echo(f"{changed} levels published anew.")


@commands.command("explain")
@click.argument("workflow")
@click.option("--market", type=click.Choice(profiles.MARKETS))
@click.option("--skill-level", type=click.Choice(profiles.SKILL_LEVELS))
@click.pass_obj
def explain(chosen: Chosen, workflow: str, market: str | None, skill_level: str | None) -> None:
    """Where the numbers of a workflow come from, level by level.

    Counts are as they are now; "published" is what the public sees.

    \b
    whatworks evidence explain resume_generator --market freelancer
    """
    known = Beliefs()
    with chosen.database() as database:
        known.sync(database)
        levels = database.read(findings.levels_of, workflow)
    path = [
        level
        for level in levels.known()
        if market in (None, level[0]) and skill_level in (None, level[1])
    ]
    if not path:
        raise frame.Refusal(f"Nobody like that has begun {workflow} yet.")
    rows: list[tuple[object, ...]] = [
        ("level", "people", "finished", "raw", "estimate", "90 %", "published", "typical")
    ]
    rows += [_explained(workflow, level, levels, known) for level in path]
    for line in frame.table(rows):
        click.echo(line)
    click.echo(f"Model: {known.fit_id or 'not fitted yet; estimates are wide on purpose'}.")


@commands.command("export")
@click.option("--format", "form", type=click.Choice(("csv", "parquet")), default="csv")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.pass_obj
def export_(chosen: Chosen, form: str, out: Path) -> None:
    """Write every level of every workflow: counts, estimates, typical values.

    These are the numbers behind what is public, also of the smallest cells; keep them to yourself.
    Parquet needs the extra: pip install 'whatworks[fast]'.
    """
    with tempfile.TemporaryDirectory() as folder, chosen.database() as database:
        path = Path(folder) / "evidence.csv"
        with path.open("w+", encoding="utf-8", newline="") as file:
            rows = database.read(analytics.write, Beliefs(), file)
        if form == "parquet":
            recount.to_parquet(path, out)
        else:
            shutil.copyfile(path, out)
    click.echo(f"{rows} rows.", err=True)


@commands.command("evaluate")
@click.option("--seed", type=int, help="For the bootstrap; without one it differs each time.")
@click.pass_obj
def evaluate(chosen: Chosen, seed: int | None) -> None:
    """Hold the model and the recommendations against what happened.

    A fifth of the people is predicted from the other four; then other policies are judged by what
    was shown with which probability. Too little data gives no verdict.
    """
    chance = np.random.default_rng(secrets.randbits(64) if seed is None else seed)
    with chosen.database() as database:
        ends = sum(census.states(row).ends for row in database.read(census.cells))
        checked = database.read(checks.run, ends)
        judged = database.read(policies.report, Beliefs(), chance)
    for line in _checked(checked):
        click.echo(line)
    click.echo("")
    for line in _judged(judged):
        click.echo(line)


def _explained(workflow: str, level: Level, levels: Levels, known: Beliefs) -> tuple[object, ...]:
    live, rate, value = levels.live(level), levels.rate(level), levels.value(level)
    raw = phrases.percent(100 * live.finished / live.ends) if live.ends else ""
    found = analytics.estimate(workflow, level, levels, known)
    return (
        reasons.who(level) if any(level) else "everybody",
        live.people,
        f"{live.finished} of {live.ends}",
        raw,
        phrases.percent(100 * found.mean) if found else "",
        f"{100 * found.low90:.0f} to {100 * found.high90:.0f}" if found else "",
        phrases.percent(100 * rate.mean) if rate else "not yet",
        phrases.quantity(value.median, value.currency) if value else "",
    )


def _checked(checked: checks.Checked | None) -> Iterator[str]:
    if checked is None:
        yield "Too few people have come to an end to check the model."
        return
    yield f"Fitted to {checked.fitted} votes, {checked.predicted} of other people predicted:"
    rows: list[tuple[object, ...]] = [("", "log loss", "Brier", "calibration error")]
    rows += [
        (c.method, f"{c.log_loss:.4f}", f"{c.brier:.4f}", f"{c.calibration_error:.3f}")
        for c in checked.checks
    ]
    yield from frame.table(rows)
    yield "Said → seen: " + ", ".join(
        f"{100 * said:.0f} % → {100 * seen:.0f} % ({people})"
        for said, seen, people in checked.calibration
    )


def _judged(judged: list[policies.Report]) -> Iterator[str]:
    rows: list[tuple[object, ...]] = [("policy", "first ones finished", "90 %", "worth", "verdict")]
    for one in judged:
        verdict = one.verdict
        found = next((v for v in verdict.values if v.method == "SWITCH-DR"), None)
        sure = verdict.effective >= evaluation.ENOUGH
        rows.append(
            (
                one.policy,
                f"{100 * found.value:.1f} %" if found and sure else "",
                f"{100 * found.low:.1f} to {100 * found.high:.1f}" if found and sure else "",
                f"{verdict.effective:.0f} of {verdict.rows} slates",
                verdict.why,
            )
        )
    yield from frame.table(rows)
