"""Builds the application: settings, database, mail, guards and every door."""

from __future__ import annotations

import atexit
import logging
from typing import Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from whatworks import db, mail, settings
from whatworks.settings import Settings
from whatworks.web import (
    admin,
    dashboard,
    downloads,
    executions,
    executor,
    failures,
    guards,
    http,
    openapi,
    outcome_pages,
    outcomes,
    pages,
    performance,
    profiles,
    recommendations,
    signin,
    site,
    workflows,
)
from whatworks.web.turnstile import Turnstile

PLACES: Final = 4  # requests that run Python at once, in one process
DOORS = (
    profiles.doors.blueprint,
    profiles.site,
    executions.doors.blueprint,
    outcomes.doors.blueprint,
    performance.doors.blueprint,
    recommendations.doors.blueprint,
    openapi.site,
    site.site,
    signin.signin,
    workflows.site,
    executor.site,
    outcome_pages.site,
    dashboard.site,
    admin.site,
    downloads.site,
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
    app = Flask(__name__, static_folder=None)  # pages.register serves them
    app.config.update(
        MAX_CONTENT_LENGTH=chosen.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=chosen.max_body_bytes,
    )
    turnstile = Turnstile(PLACES, chosen.threads, chosen.max_body_bytes)
    platform = http.Platform(
        settings=chosen,
        database=db.Database(chosen.url, aside=turnstile.aside),
        mailer=mail.Mailer(
            mail.carrier(chosen.smtp_url, chosen.data_dir / "outbox"), chosen.mail_from
        ),
    )
    app.extensions["whatworks"] = platform
    guards.register(app, chosen)
    for blueprint in DOORS:
        app.register_blueprint(blueprint)
    failures.register(app, pages.error)
    pages.register(app)
    turnstile.app = app.wsgi_app
    app.wsgi_app = guards.Hardened(turnstile)  # type: ignore[method-assign]
    if chosen.trusted_proxies:
        hops = chosen.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    atexit.register(close, app)
    return app


def close(app: Flask) -> None:
    """Finish what was accepted and let go of everything; twice is the same as once."""
    platform: http.Platform = app.extensions["whatworks"]
    platform.database.close()
    platform.mailer.close()
