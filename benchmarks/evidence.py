"""How good the estimator is: `python benchmarks/evidence.py`, or `make evidence`.

Makes `.venv-bench` from the lock files unless it is there (with `--here` the Python that runs this
is used as it is), and measures in it: see `evidence_report.py`, whose arguments these are.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(module: str = "benchmarks.evidence_report") -> int:
    """Prepare and measure; returns the exit status."""
    sys.path.insert(0, str(ROOT))
    from benchmarks import run  # noqa: PLC0415 (found only after the line above)

    arguments = [argument for argument in sys.argv[1:] if argument != "--here"]
    python = Path(sys.executable)
    if "--here" not in sys.argv:
        try:
            run.prepare()
            python = run.PYTHON
        except (subprocess.CalledProcessError, OSError) as failure:
            print(f"Without {run.VENV.name} ({failure}): what is not installed is left out.")
    # One thread each, so that times compare; nothing is fetched while measuring.
    own = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **own}
    command = [str(python), "-W", "ignore", "-m", module, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
