"""Doors to signing in and out, and to the sessions one has."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from whatworks import errors
from whatworks.people import operators, sessions, signins
from whatworks.people.signins import Challenge
from whatworks.settings import Settings
from whatworks.web import fields, guards, http, identity, pages

signin = Blueprint("signin", __name__)
HOME = "/dashboard"


class Ask(msgspec.Struct):
    """Whose address."""

    email: fields.Email


class Link(msgspec.Struct):
    """The secret of the mailed link."""

    token: fields.Id


class Code(msgspec.Struct):
    """The six digits of the mail."""

    challenge: fields.Id
    code: fields.SixDigits


@signin.get("/signin")
def ask() -> Response:
    """Ask for the address."""
    if identity.person() is not None:
        return pages.go(pages.local_path(request.args.get("next"), HOME))
    form = {"email": request.args.get("email", "")[:254]}
    return pages.render("signin.html", form=form, errors={}, next=request.args.get("next"))


@signin.post("/signin")
@guards.mail_to_client
@guards.mail_to_address
def begin() -> Response | tuple[Response, int]:
    """Send the mail; the answer is the same for every address."""
    asked, typed, wrong = pages.read_form(Ask)
    if asked is None:
        page = pages.render("signin.html", form=typed, errors=wrong, next=typed.get("next"))
        return page, 400
    return confirm(asked.email, typed.get("next"))


def confirm(typed: str, then: str | None) -> Response:
    """Mail a code to an address and ask for it; the answer is the same for every address."""
    settings = http.platform().settings
    email = fields.normal_email(typed)
    challenge = http.write(signins.begin, email, settings.secret_key)
    send(email, challenge, pages.local_path(then, ""))
    return pages.render(
        "signin_code.html",
        email=typed,
        challenge=challenge.id,
        errors=None,
        next=then,
        outbox=_outbox(settings),
    )


@signin.post("/signin/code")
@guards.try_code
def spend_code() -> Response | tuple[Response, int]:
    """Sign in with the code."""
    settings = http.platform().settings
    given, typed, wrong = pages.read_form(Code)
    if given is not None:
        user_id = http.write(signins.spend_code, given.challenge, given.code, settings.secret_key)
        if user_id is not None:
            return _sign_in(user_id, typed.get("next"))
        wrong = {"code": "This is not the code of the newest mail; look again."}
    page = pages.render(
        "signin_code.html",
        email=typed.get("email", ""),
        challenge=typed.get("challenge", ""),
        errors=wrong,
        next=typed.get("next"),
        outbox=_outbox(settings),
    )
    return page, 400


@signin.get("/signin/link")
def look_at_link() -> Response:
    """Where the mailed link leads. Mail scanners open links, so looking spends nothing."""
    return pages.render(
        "signin_link.html",
        token=request.args.get("token", ""),
        next=request.args.get("next"),
        expired=False,
    )


@signin.post("/signin/link")
@guards.limiter.limit(guards.SIGN_IN)
def spend_link() -> Response | tuple[Response, int]:
    """Sign in with the link, once."""
    given, _, _ = pages.read_form(Link)
    challenge_id, _, secret = (given.token if given else "").partition(".")
    try:
        user_id = http.write(signins.spend_link, challenge_id, secret)
    except errors.Gone:
        page = pages.render("signin_link.html", token="", next=None, expired=True)
        return page, errors.Gone.status
    return _sign_in(user_id, request.form.get("next"))


@signin.post("/signout")
def sign_out() -> Response:
    """End this session."""
    try:
        caller = identity.credential()
    except errors.BadCredential:
        caller = None
    if caller is not None:
        http.write(sessions.revoke, caller.user_id, caller.id)
    return identity.clear_cookie(pages.go("/"))


@signin.get("/sessions")
def list_sessions() -> Response:
    """Where I am signed in."""
    person = identity.require_person()
    caller = identity.credential()
    return pages.render(
        "sessions.html",
        sessions=http.read(sessions.list_, person.id),
        current_id=caller.id if caller else None,
    )


@signin.post("/sessions/<session_id>/revoke")
def revoke(session_id: str) -> Response:
    """End one session."""
    person = identity.require_person()
    http.write(sessions.revoke, person.id, session_id)
    return pages.go("/sessions", "That session has ended.")


@signin.post("/sessions/revoke")
def revoke_others() -> Response:
    """Sign out everywhere but here."""
    person = identity.require_person()
    caller = identity.credential()
    http.write(sessions.revoke_all, person.id, keep=caller.id if caller else None)
    return pages.go("/sessions", "You are signed out everywhere but here.")


@signin.get("/admin/claim")
def look_at_claim() -> Response:
    """The one-time link that makes the first operator."""
    return pages.render(
        "operator_claim.html",
        token=request.args.get("token", ""),
        form={},
        errors={},
        used=http.read(operators.any_exist),
    )


@signin.post("/admin/claim")
@guards.limiter.limit(guards.SIGN_IN)
def claim() -> Response | tuple[Response, int]:
    """Make the first operator and sign them in; the printed link is the proof."""
    asked, typed, wrong = pages.read_form(Ask)
    token = request.form.get("token", "")
    if asked is None:
        page = pages.render(
            "operator_claim.html", token=token, form=typed, errors=wrong, used=False
        )
        return page, 400
    key = http.platform().settings.secret_key
    try:
        user_id = http.write(operators.claim, fields.normal_email(asked.email), token, key)
    except errors.Gone:
        page = pages.render("operator_claim.html", token="", form={}, errors={}, used=True)
        return page, errors.Gone.status
    return _sign_in(user_id, "/admin")


def start_session(response: Response, user_id: str) -> Response:
    """A new browser session, its cookie on the response."""
    token = http.write(
        sessions.open_,
        user_id,
        kind="browser",
        label=identity.device(),
        days=http.platform().settings.session_days,
    )
    return identity.set_cookie(response, token)


def _sign_in(user_id: str, then: str | None) -> Response:
    return start_session(pages.go(pages.local_path(then, HOME)), user_id)


def _outbox(settings: Settings) -> str | None:
    """Where the mail is, for whoever tries this on their own machine; nobody else is told."""
    if settings.smtp_url or not identity.is_local():
        return None
    return str(settings.data_dir / "outbox")


def send(email: str, challenge: Challenge, then: str) -> None:
    """One mail for every address: with the code, or saying that there is no account."""
    address = http.platform().settings.address
    onward = {"next": then} if then else {}
    if challenge.known:
        token = {"token": challenge.token}
        url = f"{address}/signin/link?{urlencode(token | onward)}"
        subject = f"{challenge.code} is your whatworks code"
        text = render_template("mail/signin.txt", url=url, code=challenge.code, minutes=10)
    else:
        subject = "No whatworks account with this address"
        url = f"{address}/signup?{urlencode(onward | {'email': email})}"
        text = render_template("mail/no_account.txt", url=url)
    http.platform().mailer.send(email, subject, text)
