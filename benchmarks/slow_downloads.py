"""Do slow downloads slow the site? `python -m benchmarks.slow_downloads`.

Starts `whatworks serve` with a large product, reads a page over and over (idle), then again while
many clients draw the product at a slow rate, and prints both and their ratio, which is the figure
to trust: absolute times change with the machine. Exits with 1 when the ratio is above --most.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRODUCTS: Final = """
[products.large]
title = "A large product"
kind = "free"
files = ["film.bin"]
"""
HEAD: Final = b"GET /download/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
TICKS: Final = 10  # reads of a slow client in a second


@dataclass(frozen=True)
class Latency:
    """Times of a page, in milliseconds."""

    median: float
    p95: float
    requests: int

    def __str__(self) -> str:
        return f"{self.median:6.2f} ms median, {self.p95:6.2f} ms p95 ({self.requests} requests)"


def draw(port: int, count: int, rate: int, end: float) -> str:
    """Clients that read so many bytes a second each, until a time; returns what they got."""
    sockets = [_ask(port) for _ in range(count)]
    new, statuses, taken = set(sockets), Counter[str](), 0
    while time.monotonic() < end:
        time.sleep(1 / TICKS)
        for one in sockets:
            with contextlib.suppress(BlockingIOError):
                data = one.recv(rate // TICKS)
                taken += len(data)
                if data and one in new:
                    new.discard(one)
                    statuses[data.split(b" ", 2)[1].decode()] += 1
    said = ", ".join(f"{number} × {status}" for status, number in statuses.items())
    return f"{said}; {taken / 1e6:.1f} MB taken"


def _ask(port: int) -> socket.socket:
    asked = socket.socket()
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)  # so that the server must wait
    asked.connect(("127.0.0.1", port))
    asked.sendall(HEAD)
    asked.setblocking(False)
    return asked


def measure(port: int, path: str, seconds: float) -> Latency:
    """Read a page over one connection, one request after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 2:  # two at least, however slow
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append((time.perf_counter() - started) * 1000)
    connection.close()
    return Latency(statistics.median(times), statistics.quantiles(times, n=20)[-1], len(times))


@contextlib.contextmanager
def serving(folder: Path, port: int, megabytes: int, threads: int) -> Iterator[int]:
    """The product as in production, with something large to download."""
    (folder / "film.bin").write_bytes(os.urandom(1 << 20) * megabytes)
    (folder / "products.toml").write_text(PRODUCTS)
    environment = os.environ | {
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "WHATWORKS_PRODUCTS_FILE": str(folder / "products.toml"),
        "WHATWORKS_RATE_LIMITS": "off",
        "WHATWORKS_THREADS": str(threads),
    }
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "whatworks", "serve"], env=environment, stdout=said, stderr=said
        )
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError):
            measure(port, "/readyz", 0.05)
            return
        time.sleep(0.1)
    raise SystemExit("The server did not start.")


def main() -> int:
    """Measure and print; the exit status says whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rate", type=int, default=100_000, help="bytes a second of each client")
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5, help="of each of three measurements")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--path", default="/workflows")
    parser.add_argument("--most", type=float, default=2.0)
    parser.add_argument("--port", type=int, default=8529)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        port = stack.enter_context(
            serving(Path(folder), given.port, given.megabytes, given.threads)
        )
        measure(port, given.path, given.seconds)  # warm up
        before = measure(port, given.path, given.seconds)
        # Readers in a process of their own, so that they do not keep this one from measuring.
        pool = stack.enter_context(ProcessPoolExecutor(1))
        end = time.monotonic() + given.seconds + 2
        drawn = pool.submit(draw, port, given.clients, given.rate, end)
        time.sleep(1.5)
        under = measure(port, given.path, given.seconds)
        said = drawn.result()
        after = measure(port, given.path, given.seconds)
    idle = statistics.mean((before.median, after.median))
    print(f"idle before  {before}\nwith {given.clients:3} slow {under}\nidle after   {after}")
    print(f"downloads    {said}")
    print(f"ratio        {under.median / idle:.2f} (goal: at most {given.most})")
    return int(under.median / idle > given.most)


if __name__ == "__main__":
    sys.exit(main())
