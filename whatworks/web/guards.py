"""What protects every door: same-site writes, security headers, rate limits."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import email_validator
from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, Limiter
from werkzeug.wrappers import Response as BaseResponse

from whatworks import errors
from whatworks.settings import Settings
from whatworks.web import fields, http, identity

R = TypeVar("R", bound=BaseResponse)
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SIGNED_BY_SENDER: Final = ("/webhook", "/success")  # payment providers sign what they send
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
OF_FILES: Final = HEADERS[:2]  # a style or a script is no document; the rest would only weigh
TRANSPORT_SECURITY: Final = (
    "Strict-Transport-Security",
    "max-age=31536000; includeSubDomains",
)
SIGN_UP: Final = "60 per minute; 1000 per day"
SIGN_IN: Final = "10 per minute; 60 per hour"
SIGN_IN_ADDRESS: Final = "5 per 10 minutes; 20 per day"
DOWNLOAD: Final = "30 per minute"
UPLOAD: Final = "60 per minute; 1000 per day"
TAKES_FILES: Final = re.compile(
    r"/api/proof|/executor/[^/]+/event|/outcome/[^/]+|/proofs(/[^/]+/replace)?"
)
AROUND_A_FILE: Final = 65_536  # what the rest of a form may take
CREATE_ORDER: Final = "10 per minute"
COUPON: Final = "20 per minute; 200 per day"  # codes are short enough to guess at
EXPORT: Final = "10 per minute"
LINK: Final = "5 per 10 minutes; 20 per day"  # mails to one buyer
LOOK_UP: Final = "30 per minute"  # an order by its number and address
PROVIDER: Final = "600 per minute"  # a burst of webhooks, but no flood
WRITES: Final = "600 per minute; 20000 per day"  # of one person, over all doors
STORAGE_SECONDS: Final = 0.25  # a counter that takes longer is as good as down


def _writer() -> str | None:
    """Whose writes are counted: whoever is signed in, but for an operator's key."""
    if request.method in SAFE_METHODS:
        return None
    try:
        caller = identity.credential()
    except errors.BadCredential:
        return None  # the door says so
    return None if caller is None or identity.may_act_for(caller) else caller.user_id


limiter = Limiter(
    identity.client,
    application_limits=[
        ApplicationLimit(
            WRITES, key_function=lambda: _writer() or "", exempt_when=lambda: not _writer()
        )
    ],
    headers_enabled=True,
    strategy="moving-window",
    in_memory_fallback_enabled=True,
    swallow_errors=True,  # of the requests that are under way when the storage goes down
)


def address_asked_for() -> str:
    """The e-mail address that asks for a sign-in, for a limit on mails to one address."""
    sent = request.get_json(silent=True) if request.is_json else request.form
    given = sent.get("email", "") if isinstance(sent, dict) else ""
    try:
        address = fields.normal_email(str(given)[:254])
    except email_validator.EmailNotValidError:
        address = identity.client()
    key = http.platform().settings.secret_key.encode()
    return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()  # it may be logged


# Pages and programs count together, so that nobody gets twice the mails or the tries.
mail_to_client: Final = limiter.shared_limit(SIGN_IN, scope="sign-in")
mail_to_address: Final = limiter.shared_limit(
    SIGN_IN_ADDRESS, scope="sign-in-address", key_func=address_asked_for
)
try_code: Final = limiter.shared_limit(SIGN_IN, scope="sign-in-code")


def register(app: Flask, settings: Settings) -> None:
    """Put the guards around every route of the app."""
    app.before_request(check_request)
    app.after_request(let_in_whoever_waited)  # before the limiter's own, so it runs after that
    app.config.update(RATELIMIT_ENABLED=settings.rate_limits, **_storage(settings))
    limiter.init_app(app)


def largest_body(settings: Settings, path: str) -> int:
    """How many bytes a request to this path may bring."""
    if TAKES_FILES.fullmatch(path):
        return max(settings.max_upload_bytes + AROUND_A_FILE, settings.max_body_bytes)
    return settings.max_body_bytes


def take_files_where_they_belong() -> None:
    """Bodies as large as files only where files are taken. Raises TooLarge, naming the remedy."""
    if request.mimetype != "multipart/form-data" or not TAKES_FILES.fullmatch(request.path):
        return
    settings = http.platform().settings
    largest = largest_body(settings, request.path)
    request.max_content_length = largest
    if (request.content_length or 0) > largest:
        message = f"Files here have at most {settings.max_upload_bytes / 1e6:.3g} MB; send less."
        raise errors.TooLarge(message, code="proof_bytes", fields={"file": message})


def _storage(settings: Settings) -> dict[str, object]:
    """Where the limiter counts. Valkey and Redis speak alike, so one client does for both."""
    if not settings.rate_limit_storage:
        return {"RATELIMIT_STORAGE_URI": "memory://"}
    return {
        "RATELIMIT_STORAGE_URI": re.sub(r"^redis", "valkey", settings.rate_limit_storage),
        "RATELIMIT_STORAGE_OPTIONS": {
            "socket_connect_timeout": STORAGE_SECONDS,
            "socket_timeout": STORAGE_SECONDS,
        },
    }


def allow_forms_to(response: R, hosts: Iterable[str]) -> R:
    """Let the forms of this one page lead to a payment provider's origin."""
    policy = POLICY.replace("form-action 'self'", " ".join(("form-action 'self'", *hosts)))
    response.headers["Content-Security-Policy"] = policy
    return response


LATER: Final = {
    kind.status for kind in (errors.TooManyRequests, errors.Unavailable, errors.Uncertain)
}


def let_in_whoever_waited(response: Response) -> Response:
    """The limiter rounds Retry-After down; a second more, and the next call passes.

    It also writes it into answers that ask nobody to wait.
    """
    if response.status_code == errors.TooManyRequests.status and limiter.current_limit:
        # A storage that goes down just now leaves none; a minute is the usual window.
        told = response.headers.get("Retry-After", "60")
        response.headers["Retry-After"] = str(int(told) + 1)
    elif response.status_code not in LATER:
        response.headers.pop("Retry-After", None)
    return response


def check_request() -> None:
    """Before every door. Raises NotFound, Forbidden and TooLarge."""
    environ = request.environ
    if "\0" in environ["PATH_INFO"]:  # nothing of ours has one, and no database would look it up
        raise errors.NotFound("There is nothing at this address.")
    if environ["REQUEST_METHOD"] not in SAFE_METHODS:
        refuse_other_sites(environ)
        take_files_where_they_belong()


def refuse_other_sites(environ: WSGIEnvironment) -> None:
    """Cookies are sent with requests that other sites make; those must change nothing.

    Fetch Metadata says where a request comes from (OWASP CSRF cheat sheet), Origin where it does
    not. A request with neither is not a browser's.
    """
    if environ.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer "):
        return  # no browser adds that by itself; a password of HTTP it would
    if environ["PATH_INFO"].startswith(SIGNED_BY_SENDER):
        return
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
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
            own = dict(headers)
            given = HEADERS if "immutable" not in own.get("Cache-Control", "") else OF_FILES
            headers += [pair for pair in given if pair[0] not in own]
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
