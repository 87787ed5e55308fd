"""The pictures of docs/evidence.md, from the records of `evidence.py` and `policies.py`.

python -m benchmarks.evidence_pictures --records FILE.json … --policies FILE.json --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any, Final

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

INK, FAINT, OURS = "#1f2933", "#9aa5b1", "#0b6e4f"
SHOWN: Final = {"naive5": "--", "item": ":", "LR": "-.", "LightGBM": "-.", "H": "-"}


def learning(records: list[dict[str, Any]], path: Path) -> None:
    """Log loss of unknown people by training rows, one panel a set."""
    sets = sorted({r["data"] for r in records})
    _, axes = pyplot.subplots(1, len(sets), figsize=(3 * len(sets), 2.8), squeeze=False)
    for axis, data in zip(axes[0], sets, strict=True):
        for method, line in SHOWN.items():
            points = defaultdict(list)
            for r in records:
                if (r["data"], r["method"], r["users"]) == (data, method, "cold"):
                    points[r["n"]].append(r["log_loss"])
            if points:
                xs = sorted(points)
                colour, width = (OURS, 2.2) if method == "H" else (FAINT, 1.2)
                ys = [mean(points[x]) for x in xs]
                axis.plot(xs, ys, line, color=colour, lw=width, label=method)
        axis.set(xscale="log", title=data, xlabel="executions")
    axes[0][0].set_ylabel("log loss, people nobody knows")
    axes[0][-1].legend(fontsize=7, frameon=False)
    _save(path)


def errors(records: list[dict[str, Any]], path: Path) -> None:
    """Calibration error by method, at about 10,000 rows."""
    by_method = defaultdict(list)
    for r in records:
        if r["users"] == "cold" and 5000 <= r["n"] <= 10_000:
            by_method[r["method"]].append(r["ece"])
    order = sorted(by_method, key=lambda method: mean(by_method[method]))
    _, axis = pyplot.subplots(figsize=(5.2, 2.8))
    colours = [OURS if method.startswith("H") else FAINT for method in order]
    axis.barh(order, [mean(by_method[method]) for method in order], color=colours)
    axis.set_xlabel("how far predicted and observed rates differ (ECE, 10,000 executions)")
    _save(path)


def regrets(found: list[dict[str, Any]], path: Path) -> None:
    """Mean regret per recommendation by policy."""
    sets = sorted({r["data"] for r in found})
    _, axes = pyplot.subplots(1, len(sets), figsize=(4 * len(sets), 2.8), squeeze=False)
    for axis, data in zip(axes[0], sets, strict=True):
        names = list(dict.fromkeys(r["policy"] for r in found))
        values = [
            mean(r["whole"] for r in found if (r["data"], r["policy"]) == (data, name))
            for name in names
        ]
        axis.barh(names, values, color=[OURS if n == "H softmax" else FAINT for n in names])
        axis.set(title=data, xlabel="regret per recommendation")
    _save(path)


def _save(path: Path) -> None:
    pyplot.rcParams["svg.hashsalt"] = "whatworks"
    pyplot.tight_layout()
    pyplot.savefig(path, metadata={"Date": None})
    pyplot.close()


def main() -> None:
    """Draw what there are figures for."""
    parser = argparse.ArgumentParser("evidence_pictures", description=__doc__)
    parser.add_argument("--records", nargs="+", type=Path, required=True)
    parser.add_argument("--policies", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    records = [record for path in arguments.records for record in json.loads(path.read_text())]
    arguments.out.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams.update({"font.size": 8, "text.color": INK, "axes.spines.top": False})
    learning(records, arguments.out / "learning.svg")
    errors(records, arguments.out / "calibration.svg")
    if arguments.policies:
        found = json.loads(arguments.policies.read_text())["regret"]
        regrets(found, arguments.out / "regret.svg")


if __name__ == "__main__":
    main()
