"""What protects every door: same-site writes, security headers, rate limits."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_limiter import Limiter

from whatworks import errors
from whatworks.settings import Settings
from whatworks.web import http, identity

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SIGNED_BY_SENDER: Final = ("/webhook",)  # payment providers prove themselves by a signature
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
SIGN_UP: Final = "60 per minute; 1000 per day"
SIGN_IN: Final = "10 per minute; 60 per hour"
SIGN_IN_ADDRESS: Final = "5 per 10 minutes; 20 per day"
DOWNLOAD: Final = "30 per minute"

limiter = Limiter(identity.client, headers_enabled=True, strategy="moving-window")


def register(app: Flask, settings: Settings) -> None:
    """Put the guards around every route of the app."""
    app.before_request(refuse_other_sites)
    app.after_request(add_headers)
    app.config.update(RATELIMIT_ENABLED=settings.rate_limits, RATELIMIT_STORAGE_URI="memory://")
    limiter.init_app(app)


def address_asked_for() -> str:
    """The e-mail address of a sign-in form, for a limit on mails to one address."""
    return request.form.get("email", "").strip().casefold()[:254]


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


def add_headers(response: Response) -> Response:
    """Security headers on everything, and no shared copies of private answers."""
    headers = response.headers
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    headers.setdefault("Cache-Control", "no-store")
    return response


def _is_ours(origin: str) -> bool:
    own = {request.host, urlsplit(http.platform().settings.address).netloc}
    return urlsplit(origin).netloc in own
