"""What protects every door: same-site writes, security headers, rate limits."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import email_validator
from flask import Flask, Response, request
from flask_limiter import Limiter

from whatworks import errors
from whatworks.settings import Settings
from whatworks.web import fields, http, identity

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SIGNED_BY_SENDER: Final = ("/webhook",)  # payment providers prove themselves by a signature
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), microphone=(), geolocation=()"),
    ("Cache-Control", "no-store"),
)
TRANSPORT_SECURITY: Final = (
    "Strict-Transport-Security",
    "max-age=31536000; includeSubDomains",
)
SIGN_UP: Final = "60 per minute; 1000 per day"
SIGN_IN: Final = "10 per minute; 60 per hour"
SIGN_IN_ADDRESS: Final = "5 per 10 minutes; 20 per day"
DOWNLOAD: Final = "30 per minute"

limiter = Limiter(identity.client, headers_enabled=True, strategy="moving-window")


def register(app: Flask, settings: Settings) -> None:
    """Put the guards around every route of the app."""
    app.before_request(refuse_unreadable_addresses)
    app.before_request(refuse_other_sites)
    app.after_request(let_in_whoever_waited)  # before the limiter's own, so it runs after that
    app.config.update(RATELIMIT_ENABLED=settings.rate_limits, RATELIMIT_STORAGE_URI="memory://")
    limiter.init_app(app)


def address_asked_for() -> str:
    """The e-mail address of a sign-in form, for a limit on mails to one address."""
    given = request.form.get("email", "")[:254]
    try:
        address = fields.normal_email(given)
    except email_validator.EmailNotValidError:
        address = identity.client()
    key = http.platform().settings.secret_key.encode()
    return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()  # it may be logged


def let_in_whoever_waited(response: Response) -> Response:
    """The limiter rounds Retry-After down; a second more, and the next call passes."""
    if response.status_code == errors.TooManyRequests.status and limiter.current_limit:
        response.headers["Retry-After"] = str(int(response.headers["Retry-After"]) + 1)
    return response


def refuse_unreadable_addresses() -> None:
    """Nothing of ours has a NUL in its address, and no database would look one up."""
    if "\0" in request.path:
        raise errors.NotFound("There is nothing at this address.")


def refuse_other_sites() -> None:
    """Cookies are sent with requests that other sites make; those must change nothing.

    Fetch Metadata says where a request comes from (OWASP CSRF cheat sheet), Origin where it does
    not. A request with neither is not a browser's.
    """
    if request.method in SAFE_METHODS or "Authorization" in request.headers:
        return
    if request.path.startswith(SIGNED_BY_SENDER):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin is None or _is_ours(origin)
    if not allowed:
        raise errors.Forbidden("This request came from another site; open the page here instead.")


class Hardened:
    """WSGI middleware: security headers on every response, and no shared copies of private ones.

    Below the framework because it is on every path, static files and failures included.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, and add what the response does not say itself."""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            own = {name for name, _ in headers}
            headers += [pair for pair in HEADERS if pair[0] not in own]
            if environ["wsgi.url_scheme"] == "https":
                headers.append(TRANSPORT_SECURITY)
            return start_response(status, headers, exc_info)

        return self._app(environ, start)


def _is_ours(origin: str) -> bool:
    own = {request.host, urlsplit(http.platform().settings.address).netloc}
    try:
        return urlsplit(origin).netloc in own
    except ValueError:
        return False
