"""What every page shares: rendering, filters, forms, and the way to sign in and back."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import babel
import msgspec
from flask import Flask, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from whitenoise import WhiteNoise

from whatworks import clock, errors, outcomes, phrases
from whatworks.web import http, identity

S = TypeVar("S", bound=msgspec.Struct)
STATIC: Final = Path(__file__).parent.parent / "static"
COUNTRY_NAMES: Final = sorted(
    ((code, str(babel.Locale("en").territories[code])) for code in outcomes.COUNTRIES),
    key=lambda pair: pair[1],
)
GAP: Final = "[, \u00a0\u202f]"
GROUPED_NUMBER: Final = re.compile(
    rf"[₹$€£]?\s?\d{{1,3}}(?:{GAP}\d{{2,3}})*{GAP}\d{{3}}(?:\.\d+)?"  # 4,800 and 12,34,567.50
    r"|[₹$€£]\s?\d+(?:\.\d+)?"
)
FLASH: Final = "whatworks_flash"
TITLES: Final = {
    400: "That did not work",
    402: "This needs a plan",
    403: "From another site",
    404: "Nothing here",
    409: "That contradicts what is here",
    410: "Too late",
    413: "Too large",
    429: "A little slower",
    503: "Not right now",
}


def register(app: Flask) -> None:
    """Filters, globals, static files and the turn to /signin."""
    prefix = f"/static/{_digest(STATIC)}/"
    app.jinja_env.filters.update(
        money=phrases.money,
        number=phrases.number,
        minutes=phrases.minutes,
        hours=phrases.hours,
        percent=phrases.percent,
        plural=phrases.plural,
        date=phrases.date,
        iso=phrases.iso,
        ago=lambda at: phrases.ago(at, clock.timestamp()),
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    )
    is_demo = app.extensions["whatworks"].settings.is_demo
    app.jinja_env.globals.update(static=lambda name: prefix + name, is_demo=is_demo)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=STATIC,
        prefix=prefix,
        max_age=31_536_000,
        immutable_file_test=".*",  # the address changes with the content
        add_headers_function=_harden,
    )
    app.register_error_handler(identity.SignInNeeded, _to_sign_in)


def render(template: str, **context: Any) -> Response:
    """A page, with what the frame needs."""
    flashes = _flashes()
    page = make_response(
        render_template(
            template,
            person=identity.person(),
            is_operator=identity.is_operator(),
            path=request.path,
            flashes=flashes,
            form_key=clock.new_id(),
            **context,
        )
    )
    if flashes:
        page.delete_cookie(FLASH, samesite="Lax", httponly=True)
    return page


def error(failure: errors.Failure) -> str:
    """The page of a failure. After a fault of ours it asks for nothing that may have failed."""
    person = identity.person() if failure.status < 500 else None
    action = None
    if isinstance(failure, errors.PaymentRequired):
        action = {"href": failure.details.get("upgrade_url", "/pricing"), "text": "See the plans"}
    elif isinstance(failure, errors.Gone):
        action = {"href": "/signin", "text": "Sign in again"}
    return render_template(
        "error.html",
        status=failure.status,
        title=TITLES.get(failure.status, "Something broke"),
        message=failure.message,
        action=action,
        path=request.path,
        person=person,
    )


def go(path: str, message: str | None = None, kind: str = "done") -> Response:
    """Lead to another page after a form (303), perhaps with a word about what was done."""
    response = redirect(path, 303)
    if message:
        value = base64.urlsafe_b64encode(f"{kind} {message}".encode()).decode()
        response.set_cookie(FLASH, value, max_age=60, samesite="Lax", httponly=True)
    return response


def read_form(kind: type[S], *numbers: str) -> tuple[S | None, dict[str, str], dict[str, str]]:
    """The posted form as (typed value or None, what was typed, field → what is wrong).

    Empty fields count as not given, spaces around text are dropped, and the fields named as
    `numbers` may be typed as people write them: ₹4,800.
    """
    typed = {name: value.strip() for name, value in request.form.items()}
    given = {
        name: plain_number(value) if name in numbers else value
        for name, value in typed.items()
        if value
    }
    try:
        return http.convert(given, kind, strict=False), typed, {}
    except errors.Invalid as failure:
        return None, typed, {name: _sentence(text) for name, text in failure.fields.items()}


def plain_number(typed: str) -> str:
    """A number without its currency sign and grouping; any other text as it is.

    >>> plain_number("₹12,34,567.50"), plain_number("4 800"), plain_number("12,50")
    ('1234567.50', '4800', '12,50')
    """
    if not GROUPED_NUMBER.fullmatch(typed):
        return typed
    return re.sub(r"[^\d.]", "", typed)


def local_path(given: str | None, fallback: str) -> str:
    """Where to go on to, if it is a path of ours.

    >>> local_path("//evil.example", "/dashboard"), local_path("/workflows?goal=x", "/")
    ('/dashboard', '/workflows?goal=x')
    """
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return fallback
    return given if given.isprintable() else fallback


def try_verb(action: Callable[[], Any]) -> dict[str, str]:
    """Run a write and return what it refused, field → sentence; empty when it went through."""
    try:
        action()
    except (errors.Invalid, errors.Conflict) as failure:
        return failure.fields or {"": failure.message}
    return {}


def _flashes() -> list[tuple[str, str]]:
    """The word about what was done, as (kind, message)."""
    try:
        text = base64.urlsafe_b64decode(request.cookies.get(FLASH, "")).decode()
    except ValueError:
        return []
    kind, _, message = text.partition(" ")
    return [(kind, message)] if kind in ("done", "info", "error") and message else []


def _sentence(text: str) -> str:
    text = text.replace("is missing; give", "Give").replace("give", "Give", 1)
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _to_sign_in(_: identity.SignInNeeded) -> Response:
    back = request.full_path.rstrip("?") if request.method == "GET" else "/dashboard"
    return redirect(url_for("signin.ask", next=back), 303)


def _digest(folder: Path) -> str:
    """Changes whenever any static file does, so that copies may be kept for ever."""
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:12]


def _harden(headers: Any, path: str, url: str) -> None:
    del path, url
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
