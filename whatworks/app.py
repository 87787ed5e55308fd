"""Builds the application: settings, database, mail, guards and every door."""

from __future__ import annotations

import atexit
import functools
import logging
import threading
from typing import Final

from flask import Flask

from whatworks import db, mail, settings, shop, storage
from whatworks.results import pictures
from whatworks.settings import Settings
from whatworks.web import (
    admin,
    admin_orders,
    billing,
    buying,
    checkout,
    dashboard,
    dismissals,
    downloads,
    entitlements,
    evidence,
    executions,
    executor,
    failures,
    guards,
    guides,
    http,
    library,
    metering,
    offline,
    openapi,
    orders,
    outcome_pages,
    outcomes,
    pages,
    performance,
    pricing,
    profiles,
    proof_pages,
    proofs,
    rare,
    recommendations,
    reminders,
    review_pages,
    rhythm,
    runs,
    shared,
    sign_in,
    signin,
    site,
    webhooks,
    workflows,
)
from whatworks.web.framework import Application
from whatworks.web.proxies import Proxies
from whatworks.web.shelf import Shelf
from whatworks.web.turnstile import Turnstile

PLACES: Final = 4  # requests that run Python at once, in one process
DOORS = (
    profiles.doors.blueprint,
    profiles.site,
    proofs.doors.blueprint,
    proofs.site,
    proof_pages.site,
    review_pages.site,
    shared.site,
    executions.doors.blueprint,
    runs.doors.blueprint,
    rhythm.site,
    outcomes.doors.blueprint,
    performance.doors.blueprint,
    recommendations.doors.blueprint,
    openapi.site,
    site.site,
    offline.site,
    sign_in.doors.blueprint,
    signin.signin,
    guides.doors.blueprint,
    workflows.site,
    executor.site,
    outcome_pages.site,
    dashboard.site,
    reminders.site,
    admin.site,
    evidence.site,
    rare.site,
    dismissals.site,
    downloads.site,
    checkout.doors.blueprint,
    checkout.site,
    billing.doors.blueprint,
    billing.site,
    entitlements.doors.blueprint,
    webhooks.site,
    pricing.site,
    buying.site,
    orders.site,
    library.site,
    admin_orders.site,
)


def create_app(given: Settings | None = None) -> Flask:
    """The WSGI application. The database has to be migrated before (`whatworks migrate`).

    Raises settings.BadSetting.
    """
    chosen = settings.ensure_secret(given or settings.from_env())
    logging.basicConfig(
        level=chosen.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("flask-limiter").setLevel(logging.ERROR)  # it would log who asked
    app = Application(__name__, static_folder=None)  # pages.register serves them
    app.config.update(
        MAX_CONTENT_LENGTH=chosen.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=chosen.max_body_bytes,
    )
    turnstile = Turnstile(PLACES, chosen.threads, functools.partial(guards.largest_body, chosen))
    database = db.Database(chosen.url, aside=turnstile.aside)
    mailer = mail.Mailer(
        mail.carrier(chosen.smtp_url, chosen.data_dir / "outbox"), chosen.mail_from
    )
    platform = http.Platform(
        settings=chosen,
        database=database,
        mailer=mailer,
        files=storage.open_(chosen.storage_url, chosen.data_dir / "files"),
        studio=pictures.Studio(_upload_limits(chosen), aside=turnstile.aside),
        aside=turnstile.aside,
        shop=shop.open_(chosen, database, mailer, turnstile.aside),
        streams=threading.BoundedSemaphore(chosen.streams),
    )
    app.extensions["whatworks"] = platform
    guards.register(app, chosen)
    metering.register(app)
    for blueprint in DOORS:
        app.register_blueprint(blueprint)
    failures.register(app, pages.error)
    pages.register(app)
    turnstile.app = app.wsgi_app
    hardened = guards.Hardened(Shelf(turnstile))
    app.wsgi_app = Proxies(hardened, chosen)  # type: ignore[method-assign]
    atexit.register(close, app)
    return app


def _upload_limits(chosen: Settings) -> pictures.Limits:
    return pictures.Limits(
        chosen.max_upload_bytes, chosen.max_upload_pixels, chosen.max_upload_pages
    )


def close(app: Flask) -> None:
    """Finish what was accepted and let go of everything; twice is the same as once."""
    platform: http.Platform = app.extensions["whatworks"]
    platform.database.close()
    platform.mailer.close()
