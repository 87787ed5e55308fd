"""What `whatworks serve` does: make everything ready, say so, and run the server."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import multiprocessing.util
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from typing import Final

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from whatworks import app, catalogue, db, errors, jobs, settings, shop
from whatworks.evidence import findings, upkeep
from whatworks.people import operators
from whatworks.settings import Settings
from whatworks.store import plans
from whatworks.upgrades import migrations
from whatworks.web import reminders, review_pages

Say = Callable[[str], None]

STOP_SECONDS: Final = 40  # longer than the longest verb may run (db.RUN_SECONDS)
PATIENCE: Final = 5.0  # seconds for another server of the same file to end
STOPS: Final = (signal.SIGINT, signal.SIGTERM)
SWITCH: Final = 0.002  # seconds until a thread that calculates lets a request go on
CONNECTIONS: Final = 1024  # open ones per process; those that idle take no thread
LARGEST_HEAD: Final = 65_536  # bytes of a request's first line and headers


class CannotListen(errors.Failure):
    """The port is taken, or not ours to take."""

    code = "cannot_listen"


class AlreadyServed(errors.Failure):
    """Another server has the SQLite file."""

    code = "already_served"


def run(chosen: Settings, say: Say) -> None:
    """Prepare, and serve until SIGTERM or Ctrl-C. Raises a Failure or BadSetting that says why."""
    chosen = replace(chosen, port=_free_port(chosen.host, chosen.port))
    chosen = ensure_folder(chosen)
    with _alone(chosen.url):
        _serve(prepare(chosen, say), say)


def _serve(chosen: Settings, say: Say) -> None:
    say(f"Ready      {chosen.address} (Ctrl-C stops it)")
    server = Granian(
        "whatworks",
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.WSGI,
        workers=chosen.processes,
        blocking_threads=chosen.threads,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        websockets=False,
        http=HTTPModes.http1,  # in HTTP/2 a head may be as large as a house
        http1_settings=HTTP1Settings(max_buffer_size=LARGEST_HEAD),
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    _heed_signals_from_birth()
    server.serve(target_loader=functools.partial(_application, chosen), wrap_loader=False)


def _heed_signals_from_birth() -> None:
    """Let a worker end at once while it starts, when its parent says so (SIGTERM).

    It is born with its parent's way to take signals, which only notes them, and has its own once
    it is ready; what was sent between was lost on it, and the server ended after STOP_SECONDS.
    """

    def born() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is everybody's; the parent decides
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOPS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS),
        after_in_child=born,
    )


def prepare(chosen: Settings, say: Say) -> Settings:
    """Folder, key, schema, catalogue; returns the settings with their secret key."""
    say(f"whatworks {metadata.version('whatworks')}")
    chosen = ensure_folder(chosen)
    takers = _takers(chosen)
    if not chosen.database_url.startswith("postgres") and db.sqlite_version() < db.SAFE_SQLITE:
        say(
            f"Warning    the SQLite library {'.'.join(map(str, db.sqlite_version()))} can corrupt"
            f" data; {'.'.join(map(str, db.SAFE_SQLITE))} or newer is safe (pip install pysqlite3)"
        )
    say(f"Database   {migrated(chosen.url)}")
    database = db.Database(chosen.url)
    try:
        say(f"Catalogue  {_load_catalogue(database)}")
        if database.read(findings.has_uncounted):
            say("Evidence   older runs are not counted yet; `whatworks rebuild` counts them")
        if not database.read(operators.any_exist):
            say(f"Operator   none yet; open this once to become one: {claim_link(chosen)}")
    finally:
        database.close()
    say(f"Payments   {takers}")
    if chosen.is_demo:
        say("Demo       everybody in here is invented")
    if not chosen.smtp_url:
        say(f"Mail       no server is set; mails are written to {chosen.data_dir / 'outbox'}")
    return chosen


@contextlib.contextmanager
def _alone(url: str) -> Iterator[None]:
    """Hold a SQLite file for this server; the workers hold it too, until they have ended.

    One process serves a SQLite file: it knows what has changed (`db.Database.mark`). Raises
    AlreadyServed.
    """
    if not url.startswith("sqlite"):
        yield
        return
    file = name(url)
    with open(f"{file}.serving", "w", encoding="ascii") as lock:
        deadline = time.monotonic() + PATIENCE
        while not _is_ours(lock.fileno()):
            if time.monotonic() > deadline:
                raise AlreadyServed(
                    f"{file} is being served by another process; end that one,"
                    " or choose another DATA_DIR. (Several machines share a PostgreSQL.)"
                )
            time.sleep(0.1)
        yield


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ensure_folder(chosen: Settings) -> Settings:
    """The data folder and the secret key in it, for nobody else to read. Raises BadSetting."""
    os.umask(0o077)
    try:
        chosen.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return settings.ensure_secret(chosen)
    except OSError as failure:
        raise settings.BadSetting(
            f"DATA_DIR is {chosen.data_dir}, which cannot be used: {failure.strerror}."
        ) from failure


def migrated(url: str, progress: migrations.Progress | None = None) -> str:
    """Bring the database to the newest schema, and say in a line what that took."""
    migrations.check(url)
    before = migrations.current(url)
    migrations.upgrade(url, progress)
    after = migrations.current(url)
    where = name(url)
    if before == after:
        return f"{where}, up to date ({after})"
    return f"{where}, " + (f"upgraded {before} to {after}" if before else f"built ({after})")


def name(url: str) -> str:
    """How messages call a database: its file, or its server and name, never a password."""
    if url.startswith("sqlite"):
        return url.removeprefix("sqlite:///")
    return "PostgreSQL " + url.rpartition("@")[2].partition("?")[0].rpartition("//")[2]


def claim_link(chosen: Settings) -> str:
    """The link that makes the first operator."""
    return f"{chosen.address}/admin/claim?token={operators.first_token(chosen.secret_key)}"


def _load_catalogue(database: db.Database) -> str:
    guides = list(catalogue.read_folder(catalogue.BUNDLED))
    loaded = database.write(catalogue.load, guides, source="bundled")
    offered = len(database.read(catalogue.list_current))
    return f"{offered} workflows on offer" + (f", {len(loaded)} of them new" if loaded else "")


def _takers(chosen: Settings) -> str:
    """Who takes money; looks at products and plans before any worker does. Raises BadSetting."""
    sold = shop.products_of(chosen).list_()
    plans.from_settings(chosen)
    names = {"Razorpay": chosen.razorpay_key_id, "Stripe": chosen.stripe_secret_key}
    found = " and ".join(name for name, key in names.items() if key)
    return (
        f"{len(sold)} products, paid through {found}"
        if found
        else ("no gateway is set; what is free can be had")
    )


def _free_port(host: str, port: int) -> int:
    """The port when nobody listens on it; for 0, one that is free. Raises CannotListen.

    Asked here because the server itself would share the port with whoever has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as failure:
            raise CannotListen(
                f"Cannot listen on {host}, port {port}: {_reason(failure)}."
                " Choose another port, such as PORT=8080, or end what uses this one."
            ) from failure
        return int(probe.getsockname()[1])


def _reason(failure: Exception) -> str:
    return str(getattr(failure, "strerror", None) or "there is no such host").lower()


def _application(chosen: Settings) -> Flask:
    """What a worker serves. Runs in the worker's own process, before it takes requests."""
    # Ctrl-C reaches every process of a terminal; the main one tells the workers, and once is
    # enough: a second signal can leave them waiting for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    built = app.create_app(chosen)
    platform = built.extensions["whatworks"]
    stop = jobs.start(
        platform.database,
        chosen.abandon_after_days,
        chores=[
            functools.partial(reminders.send_due, built),
            functools.partial(review_pages.keep_house, built),
        ],
    )
    closed = jobs.start_shop(built.extensions["whatworks"].shop)
    fresh = upkeep.start(platform.database, platform.beliefs)
    sys.setswitchinterval(SWITCH)
    # What is there by now stays: nobody has to look through all of it for garbage again, which
    # would hold up every request for a tenth of a second now and then.
    gc.collect()
    gc.freeze()
    # A forked process ends without atexit.
    multiprocessing.util.Finalize(None, _finish, (built, stop, closed, fresh), exitpriority=1)
    return built


def _finish(built: Flask, *stops: threading.Event) -> None:
    for stop in stops:
        stop.set()
    app.close(built)
