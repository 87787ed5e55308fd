"""The one command: `python benchmarks/run.py`, or `make bench`.

Makes `.venv-bench` from the product's and the benchmarks' lock files unless it is there already,
measures, and writes `results/<date>-<database>.json` and `results/latest.md`. Arguments are handed
on to `http_ratio.py`: `--database postgresql`, `--rounds 3`; `--quick` writes no results.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
VENV: Final = ROOT / ".venv-bench"
PYTHON: Final = VENV / "bin" / "python"
LOCKS: Final = (ROOT / "requirements.lock", HERE / "requirements.lock")


def main() -> int:
    """Prepare and measure; returns the exit status."""
    prepare()
    arguments = sys.argv[1:]
    if "--quick" not in arguments:
        arguments = ["--results", str(HERE / "results"), *arguments]
    command = [str(PYTHON), "-W", "ignore", "-m", "benchmarks.http_ratio", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def prepare() -> None:
    """An environment with exactly what the lock files say, and the product."""
    stamp = VENV / "locks"
    wanted = "\n".join(lock.read_text() for lock in LOCKS)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Preparing {VENV.name} …", flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    locks = [argument for lock in LOCKS for argument in ("-r", str(lock))]
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", *_from_source(), *locks], check=True)
    product = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    subprocess.run([*pip, *product], check=True)
    stamp.write_text(wanted)


def _from_source() -> list[str]:
    """The wheel of LightFM needs a C library of before 2020; where one can compile, it is compiled.

    Elsewhere it is left out, as `evidence.py` says then.
    """
    header = Path(sysconfig.get_path("include")) / "Python.h"
    possible = shutil.which("cc") and header.exists()
    return ["--no-binary", "lightfm-next"] if possible else []


if __name__ == "__main__":
    sys.exit(main())
