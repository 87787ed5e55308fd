"""What `whatworks serve` does: make everything ready, say so, and run the server."""

from __future__ import annotations

import functools
import multiprocessing.util
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from typing import Final

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from whatworks import (
    app,
    catalogue,
    db,
    errors,
    evidence,
    jobs,
    migrations,
    operators,
    settings,
)
from whatworks.settings import Settings

Say = Callable[[str], None]

STOP_SECONDS: Final = 40  # longer than the longest verb may run (db.RUN_SECONDS)
CONNECTIONS: Final = 1024  # open ones per process; those that idle take no thread


class CannotListen(errors.Failure):
    """The port is taken, or not ours to take."""

    code = "cannot_listen"


def run(chosen: Settings, say: Say) -> None:
    """Prepare, and serve until SIGTERM or Ctrl-C. Raises a Failure or BadSetting that says why."""
    chosen = replace(chosen, port=_free_port(chosen.host, chosen.port))
    chosen = prepare(chosen, say)
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
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.serve(target_loader=functools.partial(_application, chosen), wrap_loader=False)


def prepare(chosen: Settings, say: Say) -> Settings:
    """Folder, key, schema, catalogue; returns the settings with their secret key."""
    say(f"whatworks {metadata.version('whatworks')}")
    chosen = ensure_folder(chosen)
    if not chosen.database_url.startswith("postgres") and db.sqlite_version() < db.SAFE_SQLITE:
        say(
            f"Warning    the SQLite library {'.'.join(map(str, db.sqlite_version()))} can corrupt"
            f" data; {'.'.join(map(str, db.SAFE_SQLITE))} or newer is safe (pip install pysqlite3)"
        )
    say(f"Database   {migrated(chosen.url)}")
    database = db.Database(chosen.url)
    try:
        say(f"Catalogue  {_load_catalogue(database)}")
        if database.read(evidence.has_uncounted):
            say("Evidence   older runs are not counted yet; `whatworks rebuild` counts them")
        if not database.read(operators.any_exist):
            say(f"Operator   none yet; open this once to become one: {claim_link(chosen)}")
    finally:
        database.close()
    if chosen.is_demo:
        say("Demo       everybody in here is invented")
    if not chosen.smtp_url:
        say(f"Mail       no server is set; mails are written to {chosen.data_dir / 'outbox'}")
    return chosen


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
    stop = jobs.start(built.extensions["whatworks"].database, chosen.abandon_after_days)
    # A forked process ends without atexit.
    multiprocessing.util.Finalize(None, _finish, (built, stop), exitpriority=1)
    return built


def _finish(built: Flask, stop: threading.Event) -> None:
    stop.set()
    app.close(built)
