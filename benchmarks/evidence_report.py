"""Measure the product's estimator and its peers on any CSV file or on the public sets.

    python benchmarks/evidence.py ml100k insteval          by name; all four without a name
    python benchmarks/evidence.py --data FILE              user,item,market,skill,success[,time]
        --sizes 500,2000,10000,50000 --seeds 2 --order random|time --json OUT --markdown OUT
        --methods H,LR  only these     --glmer 300  seconds that lme4 may take, 0 for none
        --records JSON ...  judge the records of earlier runs instead of measuring

A fifth of the people is held out ("cold"), and a tenth of the rows of the others ("warm"); the
training rows are the first n of the rest, in random order or in that of time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import evidence_goals, evidence_peers, evidence_sets, evidence_tables, lines
from benchmarks.evidence_methods import METHODS, Fitted, microseconds, tutorial
from benchmarks.evidence_peers import PEERS
from benchmarks.evidence_sets import Data
from whatworks.stats import evaluation
from whatworks.stats.arrays import Floats, Ints

SIZES: Final = (500, 2000, 10_000, 50_000)
COLD_SHARE: Final = 0.2
WARM_SHARE: Final = 0.1
MOST_WARM: Final = 20_000
CLOSE: Final = 0.4  # the smallest part of a size that still counts as it
SEEN: Final = 30  # rows a held-out cell needs to check an interval with
GLMER_SETS: Final = ("insteval", "chem97")
GLMER_SIZES: Final = (2000, 10_000)


@dataclass(frozen=True, slots=True)
class Record:
    """One method on one split; what does not apply is None."""

    data: str
    method: str
    n: int
    seed: int
    users: str
    log_loss: float
    brier: float
    ece: float
    coverage90: float | None
    top1: float | None
    fit_s: float
    update_us: float | None
    serve_us: float | None


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from, rows of unknown people, later rows of known people."""

    train: Ints
    cold: Ints
    warm: Ints


def split(data: Data, size: int, seed: int, by_time: bool) -> Split | None:
    """None when there are far fewer rows than asked for."""
    random = np.random.default_rng(seed)
    held = random.random(data.users) < COLD_SHARE
    if data.users < 2 or held.all():
        held = np.zeros(data.users, dtype=bool)
    cold = np.flatnonzero(held[data.user])
    rest = random.permutation(np.flatnonzero(~held[data.user]))
    if by_time:
        if data.time is None:
            raise SystemExit(f"{data.name} has no column time")
        rest = rest[np.argsort(data.time[rest], kind="stable")]
        train, warm = rest[:size], rest[size : size + MOST_WARM]
    else:
        several = len(np.unique(data.user)) < len(data.user)
        last = min(int(len(rest) * WARM_SHARE), MOST_WARM)
        train, warm = rest[last : last + size], rest[: last if several else 0]
    if not len(train) or (len(train) < size * CLOSE and size > min(SIZES)):
        return None
    return Split(train, cold if len(cold) else warm, warm)


def measure(data: Data, found: Split, seed: int, method: str, fitted: Fitted) -> Iterator[Record]:
    """One record for unknown people, one for known ones."""
    update, serve = microseconds(fitted.update), microseconds(fitted.serve, 100)
    for users, rows, predict in (
        ("cold", found.cold, fitted.cold),
        ("warm", found.warm, fitted.warm),
    ):
        if not len(rows):
            continue
        p, won = np.asarray(predict(rows), dtype=np.float64), data.success[rows]
        yield Record(
            data.name,
            method,
            len(found.train),
            seed,
            users,
            evaluation.log_loss(won, p),
            evaluation.brier(won, p),
            evaluation.calibration_error(won, p),
            _coverage(data, found, fitted) if users == "cold" else None,
            top1(data, rows, p),
            fitted.seconds,
            update,
            serve,
        )


def top1(data: Data, rows: Ints, score: Floats) -> float | None:
    """How often what is ranked first, among what somebody really did, was a success."""
    order = np.lexsort((-score, data.user[rows]))
    first = np.flatnonzero(np.diff(data.user[rows][order], prepend=-1))
    several = np.diff(np.append(first, len(order))) > 1
    chosen = order[first[several]]
    return float(data.success[rows][chosen].mean()) if len(chosen) else None


def _coverage(data: Data, found: Split, fitted: Fitted) -> float | None:
    """How often 90 % intervals hold a cell's rate among all rows that nothing was learned from."""
    if fitted.interval is None:
        return None
    unseen = np.ones(len(data.success), dtype=bool)
    unseen[found.train] = False
    rows = np.flatnonzero(unseen)
    size = data.markets * data.skills
    code, back = np.unique(data.item[rows] * size + data.segment[rows], return_inverse=True)
    count = np.bincount(back)
    seen = np.bincount(back, weights=data.success[rows]) / count
    enough = count >= SEEN
    if not enough.any():
        return None
    items, segments = np.divmod(code[enough], size)
    low, high = fitted.interval(items, segments, count[enough], np.random.default_rng(0))
    return evaluation.coverage(low - 1e-9, high + 1e-9, seen[enough])


def peer(data: Data, found: Split, name: str) -> Fitted:
    """A peer fitted twice: from the profile, and knowing who somebody is."""
    fit, _ = PEERS[name]
    begun = time.process_time()
    cold = fit(data, found.train, False)
    seconds = time.process_time() - begun
    warm = fit(data, found.train, True) if len(found.warm) else cold
    some = np.resize(found.train, 2000)

    def serve(_number: int) -> object:
        score = cold(some)
        return np.argpartition(score, -5)[-5:]

    begun = time.process_time()
    serve(0)
    once = time.process_time() - begun
    return Fitted(cold, warm, seconds, serve=serve if once < 0.02 else None)


def lme4(data: Data, found: Split, longest: float) -> Fitted | None:
    """glmer on the same counts; None when it takes too long."""
    rows = np.concatenate([found.cold, found.warm])
    result = evidence_peers.glmer(data, found.train, rows, longest)
    if result is None:
        return None
    p, seconds = result
    known = np.full(len(data.success), np.nan)
    known[rows] = p
    return Fitted(lambda chosen: known[chosen], lambda chosen: known[chosen], seconds)


def run(data: Data, arguments: argparse.Namespace, by_time: bool) -> Iterator[Record]:
    """All methods, sizes and seeds on one set; each printed when it is done."""
    done: set[int] = set()
    for size in arguments.sizes:
        for seed in range(arguments.seeds):
            found = split(data, size, seed, by_time)
            if found is None or (len(found.train) in done and seed == 0):
                break
            done.add(len(found.train))
            for name, fitted in _all(data, found, size, arguments, by_time):
                for record in measure(data, found, seed, name, fitted):
                    show(record)
                    yield record


def _all(
    data: Data, found: Split, size: int, arguments: argparse.Namespace, by_time: bool
) -> Iterator[tuple[str, Fitted]]:
    for name, method in METHODS.items():
        if name in arguments.methods:
            yield name, method(data, found.train, by_time)
    score = tutorial(data, found.train)

    def told(rows: Ints) -> Floats:
        return np.clip(score[data.item[rows], data.segment[rows]], 0.005, 0.995)

    if "tutorial" in arguments.methods:
        yield "tutorial", Fitted(told, told, 0.0)
    for name, (_, installed) in PEERS.items():
        if installed and name in arguments.methods:
            yield name, peer(data, found, name)
    wanted = data.name not in evidence_sets.PUBLIC or (
        data.name in GLMER_SETS and size in GLMER_SIZES
    )
    if evidence_peers.RSCRIPT and arguments.glmer and wanted and "glmer" in arguments.methods:
        fitted = lme4(data, found, arguments.glmer)
        if fitted is not None:
            yield "glmer", fitted


HEAD: Final = (
    f"{'data':<12}{'n':>7} {'seed':>4} {'method':<10}{'users':<5} {'log loss':>8} {'brier':>7}"
    f" {'ece':>6} {'cov90':>6} {'top-1':>6} {'fit s':>8} {'update':>7} {'serve us':>9}"
)


def show(record: Record) -> None:
    """One line."""
    r = record
    update, serve = _cell(r.update_us, "7.1f"), _cell(r.serve_us, "9.1f")
    print(
        f"{r.data:<12}{r.n:>7} {r.seed:>4} {r.method:<10}{r.users:<5} {r.log_loss:>8.4f}"
        f" {r.brier:>7.4f} {r.ece:>6.3f} {_cell(r.coverage90, '6.2f')} {_cell(r.top1, '6.3f')}"
        f" {r.fit_s:>8.3f} {update} {serve}",
        flush=True,
    )


def _cell(value: float | None, form: str) -> str:
    width = int(form.split(".", maxsplit=1)[0])
    return "·".rjust(width) if value is None else format(value, form)


def main() -> int:
    """Measure, print, write; 1 when a goal that was measured is missed by the public sets.

    The goals were set for those; a file of one's own is only measured against them.
    """
    arguments = parse(sys.argv[1:])
    left_out = [name for name, (_, installed) in PEERS.items() if not installed]
    left_out += [] if evidence_peers.RSCRIPT else ["glmer (no Rscript)"]
    if left_out:
        print(f"Not installed, left out: {', '.join(left_out)}")
    print(HEAD)
    records, early = _stored(arguments.records), _stored(map(_timed, arguments.records))
    for data in () if arguments.records else sets(arguments):
        records.extend(run(data, arguments, arguments.order == "time"))
        if data.time is not None and arguments.order == "random" and not arguments.data:
            print(f"{data.name} in the order of time:")
            few = argparse.Namespace(**{**vars(arguments), "methods": {"H", "eb_cell"}})
            few.sizes = [size for size in (2000, 10_000) if size in arguments.sizes]
            early.extend(run(data, few, by_time=True))
    if arguments.json:
        _write(Path(arguments.json), records)
        if early:
            _write(_timed(Path(arguments.json)), early)
    goals = evidence_goals.judge(records, early, arguments.sizes)
    text = evidence_goals.table(goals)
    print(text)
    if arguments.markdown:
        Path(arguments.markdown).write_text(f"{text}\n\n{evidence_tables.report(records, early)}")
    return int(not arguments.data and any(goal.passed is False for goal in goals))


def _timed(path: Path) -> Path:
    """Where the records in the order of time are written, beside the others."""
    return path.with_name(f"{path.stem}-time{path.suffix}")


def _write(path: Path, records: list[Record]) -> None:
    path.write_text(lines.written(map(asdict, records)) + "\n")


def _stored(paths: Iterable[Path]) -> list[Record]:
    """Records of earlier runs; of a file that is not there, none."""
    texts = (path.read_text() for path in paths if path.exists())
    return [Record(**record) for text in texts for record in json.loads(text)]


def sets(arguments: argparse.Namespace) -> Iterable[Data]:
    """The sets asked for, read one after the other."""
    if arguments.data:
        path = Path(arguments.data)
        yield replace(evidence_sets.load(path.stem, path), name=path.stem)
    else:
        for name in arguments.names or evidence_sets.PUBLIC:
            yield evidence_sets.load(name)


def parse(words: list[str]) -> argparse.Namespace:
    """The arguments; sizes and methods as lists."""
    usage = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("evidence", description=__doc__, formatter_class=usage)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--data", metavar="FILE")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--order", choices=("random", "time"), default="random")
    parser.add_argument("--methods", default=",".join([*METHODS, "tutorial", *PEERS, "glmer"]))
    parser.add_argument("--glmer", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--markdown", metavar="OUT")
    parser.add_argument("--records", nargs="*", type=Path, default=[], metavar="JSON")
    found = parser.parse_args(words)
    found.sizes = sorted(int(size) for size in found.sizes.split(","))
    found.methods = set(found.methods.split(","))
    return found


if __name__ == "__main__":
    sys.exit(main())
