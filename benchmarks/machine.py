"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

PACKAGES: Final = ("flask", "granian", "sqlalchemy", "psycopg", "fastapi", "aiosqlite", "asyncpg")


@dataclass(frozen=True)
class Machine:
    """One machine at one time."""

    cpu: str
    cores: int
    ram_gb: float
    system: str
    python: str
    packages: str
    fsync_us: float
    load: float  # the average of the minute before: work of others

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.ram_gb:.0f} GB, {self.system}; fdatasync"
            f" {self.fsync_us:.0f} µs (median), load {self.load:.1f} before the start;"
            f" Python {self.python}, {self.packages}"
        )


def describe(folder: Path) -> Machine:
    """This machine; `folder` is on the disk whose fsync counts."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        ram_gb=psutil.virtual_memory().total / 2**30,
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        packages=", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
        fsync_us=fsync_microseconds(folder),
        load=os.getloadavg()[0],
    )


def fsync_microseconds(folder: Path, tries: int = 100) -> float:
    """The median time to append 4 KiB to a file and have it on the disk."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(tries):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            _sync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
