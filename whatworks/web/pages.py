"""What every page shares: rendering, filters, forms, and the way to sign in and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

import babel
import msgspec
from flask import Flask, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from whatworks import clock, errors
from whatworks.advice import phrases
from whatworks.evidence import findings
from whatworks.results import outcomes
from whatworks.store import money
from whatworks.web import assets, http, identity, numerals

S = TypeVar("S", bound=msgspec.Struct)
COUNTRY_NAMES: Final = sorted(
    ((code, str(babel.Locale("en").territories[code])) for code in outcomes.COUNTRIES),
    key=lambda pair: pair[1],
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
    app.jinja_env.filters.update(
        money=phrases.money,
        price=money.text,
        number=phrases.number,
        minutes=phrases.minutes,
        hours=phrases.hours,
        lapse=phrases.lapse,
        percent=phrases.percent,
        plural=phrases.plural,
        date=phrases.date,
        iso=phrases.iso,
        ago=lambda at: phrases.ago(at, clock.timestamp()),
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    )
    is_demo = app.extensions["whatworks"].settings.is_demo
    app.jinja_env.globals.update(is_demo=is_demo, EARLY=findings.EARLY)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    assets.register(app)
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
    title = TITLES.get(failure.status, "Something broke")
    if isinstance(failure, errors.PaymentRequired):
        action = _way_in(str(failure.details.get("upgrade_url", "/pricing")))
        title = "Not open to you yet" if failure.code == "purchase_required" else title
    elif isinstance(failure, errors.Gone):
        action = {"href": "/signin", "text": "Sign in again"}
    return render_template(
        "error.html",
        status=failure.status,
        title=title,
        message=failure.message,
        action=action,
        path=request.path,
        person=person,
    )


def _way_in(path: str) -> dict[str, str]:
    """The button of a page that says no."""
    texts = {"/order/": "To the order", "/buy": "See what it is"}
    text = next((text for start, text in texts.items() if path.startswith(start)), "See the plans")
    return {"href": path, "text": text}


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
        name: numerals.plain(value) if name in numbers else value
        for name, value in typed.items()
        if value
    }
    said = {name: numerals.problem(typed[name]) for name in numbers if typed.get(name)}
    unclear = {name: problem for name, problem in said.items() if problem}
    try:
        found = http.convert(given, kind, strict=False)
    except errors.Invalid as failure:
        wrong = {name: _sentence(text) for name, text in failure.fields.items()}
        return None, typed, wrong | unclear
    return (None if unclear else found), typed, unclear


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
    text = text.replace("is missing; give", "give").replace("give", "please give", 1)
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _to_sign_in(_: identity.SignInNeeded) -> Response:
    back = request.full_path.rstrip("?") if request.method == "GET" else "/dashboard"
    return redirect(url_for("signin.ask", next=back), 303)
