"""The endpoints as ratios to a bare Flask hello on the same server, in the same rounds.

Every system runs as one worker process; they are measured one at a time, taking turns within each
round, hello right beside each endpoint. Run it through `benchmarks/run.py`, which prepares what it
needs, or by itself:

    python -m benchmarks.http_ratio --quick
    python -m benchmarks.http_ratio --database postgresql --sizes 100000 --rounds 3
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import load, machine, make_data, report, servers, stores

FOLDER: Final = make_data.ROOT / "var" / "benchmarks"
PROFILES: Final = {
    "default": {"rounds": 5, "seconds": 4, "sizes": "100000,1000000"},
    "quick": {"rounds": 2, "seconds": 1, "sizes": "100000"},
}


@dataclass(frozen=True)
class Options:
    """What to measure, and how."""

    database: str
    rounds: int
    seconds: int
    warm_up: int
    sizes: list[int]
    systems: list[str]
    endpoints: list[str]
    threads: int
    folder: Path
    json: Path | None
    results: Path | None


Bench = dict[tuple[str, int, str], load.Load]


def main() -> None:
    """The command line."""
    options = _options()
    load.wrk()
    store = stores.open_store(options.database, options.folder)
    here = machine.describe(options.folder)
    print(f"{store.describe()}\n{here}", flush=True)
    with contextlib.ExitStack() as stack:
        bench = _start(options, store, stack)
        before = _written(options, store)
        cells = list(_measure(options, bench))
        proof = _proof(bench, before, _written(options, store))
    _drop_copies(options, store)
    finished = report.Report(cells)
    text = _page(options, store, here, finished, proof)
    print(text)
    document = _json(options, here, finished, text)
    if options.json:
        options.json.write_text(document)
    if options.results:
        name = f"{datetime.now(UTC):%Y-%m-%d}-{options.database}.json"
        _keep(options.results, name, document)


def _options() -> Options:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one size, two short rounds")
    parser.add_argument("--database", choices=stores.KINDS, default="sqlite")
    parser.add_argument("--rounds", type=int, help="5, quick 2")
    parser.add_argument("--seconds", type=int, help="of each measurement: 4, quick 1")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds before each measurement")
    parser.add_argument("--sizes", help="executions: 100000,1000000, quick 100000")
    parser.add_argument("--systems", default=",".join(servers.SYSTEMS))
    parser.add_argument("--endpoints", default=",".join(load.ENDPOINTS))
    parser.add_argument("--threads", type=int, default=64, help="of every WSGI server")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for databases and logs")
    parser.add_argument("--json", type=Path, help="write everything measured here")
    parser.add_argument("--results", type=Path, help="folder for <date>-<database>.json, latest.md")
    given = vars(parser.parse_args())
    profile = PROFILES["quick" if given.pop("quick") else "default"]
    values = given | {key: given[key] or value for key, value in profile.items()}
    values |= {key: values[key].split(",") for key in ("systems", "endpoints")}
    values["sizes"] = [int(size) for size in values["sizes"].split(",")]
    values["folder"].mkdir(parents=True, exist_ok=True)
    return Options(**values)


def _start(options: Options, store: stores.Store, stack: contextlib.ExitStack) -> Bench:
    """Start every system at every size, each on a database of its own; hello just once."""
    bench: Bench = {}
    folder = options.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    nothing = make_data.Targets([], [])
    for name, size in _systems(options):
        schema = servers.SYSTEMS[name].schema
        if schema is None:
            url, targets = "", nothing
        else:
            template, targets = store.template(schema, size)
            url = store.copy(template, _copy_name(name, size))
        place = folder / f"{name}_{size}"
        server = stack.enter_context(servers.serving(name, url, place, options.threads))
        for key in options.endpoints:
            endpoint = load.ENDPOINTS[key] if schema else load.HELLO
            plan = endpoint.plan(targets)
            one = load.Load(endpoint, server, store, plan, place / f"{key}.plan")
            for each in options.sizes if schema is None else [size]:
                bench[key, each, name] = one
    return bench


def _systems(options: Options) -> Iterator[tuple[str, int]]:
    for name in options.systems:
        for size in options.sizes if servers.SYSTEMS[name].schema else [0]:
            yield name, size


def _measure(options: Options, bench: Bench) -> Iterator[report.Cell]:
    """Round by round; within one, systems take turns at every endpoint and size."""
    for number in range(1, options.rounds + 1):
        fsync = machine.fsync_microseconds(options.folder)
        print(f"Round {number} of {options.rounds} (fdatasync {fsync:.0f} µs)", flush=True)
        for endpoint in options.endpoints:
            for size in options.sizes:
                for system in options.systems:
                    one = bench[endpoint, size, system].measure(options.seconds, options.warm_up)
                    _progress(endpoint, size, system, one)
                    yield report.Cell(number, endpoint, size, system, one)


def _progress(endpoint: str, size: int, system: str, one: load.Measurement) -> None:
    state = f"VOID: {one.void}" if one.void else f"{one.rate:9,.1f} req/s"
    print(
        f"  {load.ENDPOINTS[endpoint].title:<20} {size:>9,} {system:<8} {state}"
        f"  p50 {one.p50_ms:8.2f}  p99 {one.p99_ms:8.2f} ms  CPU {one.cpu_us:8,.0f} µs",
        file=sys.stderr,
        flush=True,
    )


def _written(options: Options, store: stores.Store) -> dict[tuple[str, int], int]:
    """How many outcomes each system's database holds."""
    return {
        (name, size): store.count(_copy_name(name, size), "outcomes")
        for name, size in _systems(options)
        if servers.SYSTEMS[name].schema
    }


def _proof(
    bench: Bench, before: dict[tuple[str, int], int], after: dict[tuple[str, int], int]
) -> list[str]:
    """Whether every acknowledged outcome is a row."""
    lines = []
    for (name, size), count in before.items():
        answered = bench["outcome", size, name].answered if ("outcome", size, name) in bench else 0
        written = after[name, size] - count
        state = "ok" if written >= answered else "ROWS ARE MISSING"
        lines.append(f"{name}, {size:,}: {answered:,} acknowledged, {written:,} written, {state}")
    return lines


def _copy_name(system: str, size: int) -> str:
    return f"run_{system}_{size}"


def _drop_copies(options: Options, store: stores.Store) -> None:
    for name, size in _systems(options):
        store.drop(_copy_name(name, size))


def _page(
    options: Options,
    store: stores.Store,
    here: machine.Machine,
    finished: report.Report,
    proof: list[str],
) -> str:
    today = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"# {store.describe()}\n\n"
        f"{today}. {here}.\n\n"
        f"{options.rounds} rounds, {options.seconds} s each after {options.warm_up} s warm-up,"
        f" wrk -t1 -c{load.CONNECTIONS}, 1 worker, {options.threads} threads. Medians of the"
        " rounds; “of hello” is the median of the ratios within each round.\n\n"
        f"{report.tables(finished)}\n"
        "Acknowledged outcomes against rows: " + "; ".join(proof) + ".\n"
    )


def _json(options: Options, here: machine.Machine, finished: report.Report, page: str) -> str:
    """Everything measured."""
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(here),
        "options": asdict(options) | {"folder": options.folder.name},
        "lines": [asdict(line) for line in finished.lines()],
        "targets": [asdict(one) | {"verdict": one.verdict} for one in finished.targets()],
        "cells": [asdict(cell) for cell in finished.cells],
        "page": page,
    }
    return json.dumps(document, indent=1, default=str) + "\n"


def _keep(results: Path, name: str, document: str) -> None:
    """File a run, and put the newest page of each database into `latest.md`."""
    results.mkdir(parents=True, exist_ok=True)
    (results / name).write_text(document)
    newest = [sorted(results.glob(f"*-{kind}.json"))[-1:] for kind in stores.KINDS]
    pages = [json.loads(path.read_text())["page"] for found in newest for path in found]
    (results / "latest.md").write_text("\n".join(pages))


if __name__ == "__main__":
    main()
