"""Doors by which a program gets a token again, with a mailed code, and gives one up."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

import msgspec
from flask import Response

from whatworks import clock, db, errors
from whatworks.people import sessions, signins
from whatworks.people.sessions import Credential
from whatworks.people.signins import Challenge
from whatworks.web import fields, guards, http, identity, signin

REPLAY_SECONDS: Final = 600.0
doors = http.Doors("Signing in")


class AskForCode(msgspec.Struct):
    """Whose address."""

    email: fields.Email


class CodeSent(msgspec.Struct):
    """The same for every address, whether or not somebody signed up with it."""

    message: str = "If there is an account with this address, a code is in its mail."
    minutes: int = 10
    success: Literal[True] = True


class SpendCode(msgspec.Struct):
    """The address, and the six digits of the newest mail to it."""

    email: fields.Email
    code: fields.SixDigits


class TokenAnswer(msgspec.Struct):
    """A token of one's own, and until when it is one."""

    user_id: str
    access_token: str
    expires_at: str | None
    success: Literal[True] = True


class SignedOut(msgspec.Struct):
    """The credential of this request has ended."""

    success: Literal[True] = True


@doors.door(
    "POST",
    "/api/sign-in",
    body=AskForCode,
    answer=CodeSent,
    status=202,
    errors=(400, 409, 415, 429),
    private=False,
)
@guards.mail_to_client
@guards.mail_to_address
def ask(body: AskForCode) -> Response:
    """Mail a six-digit code, good once and for ten minutes; the same answer for every address."""
    email, made = fields.normal_email(body.email), list[Challenge]()

    def encode(challenge: Challenge) -> bytes:
        made.append(challenge)  # for the mail alone
        return msgspec.json.encode(CodeSent())

    key = http.platform().settings.secret_key
    answer = http.once(_caller(), encode, signins.begin, email, key)
    if not answer.replayed:
        signin.send(email, made[-1], "")
    return http.reply(answer, 202)


@doors.door(
    "POST",
    "/api/sign-in/code",
    body=SpendCode,
    answer=TokenAnswer,
    errors=(400, 409, 410, 415, 429),
    private=False,
)
@guards.try_code
def spend(body: SpendCode) -> Response:
    """Get a token for the code of the newest mail; five tries."""
    caller, settings = _caller(), http.platform().settings
    key = http.request_key(caller)
    secret = sessions.new_secret()
    if key is not None:  # no token is kept, so that of a repeat is made again of what was sent
        parts = f"{key.caller} {key.key_hash} {key.request_hash}".encode()
        secret = hmac.new(settings.secret_key.encode(), parts, hashlib.sha256).digest()
    answer = http.once(
        caller,
        msgspec.json.encode,
        _open,
        fields.normal_email(body.email),
        body.code,
        settings.secret_key,
        secret,
        identity.device(),
        settings.session_days,
    )
    if answer.replayed and clock.timestamp() - answer.at > REPLAY_SECONDS:
        raise signins.gone()
    opened = msgspec.json.decode(answer.body, type=TokenAnswer | None)
    if opened is None:
        told = "this is not the code of the newest mail; look again"
        raise errors.Invalid(f"Please check: code ({told}).", fields={"code": told})
    opened.access_token = sessions.token_of(opened.user_id, secret)
    response = http.reply(opened)
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


@doors.door("DELETE", "/api/session", answer=SignedOut, errors=(401, 404))
def sign_out() -> Response:
    """Sign out: the token or cookie that this request came with is worth nothing any more."""
    caller = identity.credential()
    if caller is None:
        raise errors.NotFound("There is no such session.")
    http.write(sessions.revoke, caller.user_id, caller.id)
    return identity.clear_cookie(http.reply(SignedOut()))


def _open(
    session: db.Session, email: str, code: str, key: str, secret: bytes, label: str, days: int
) -> TokenAnswer | None:
    """A new session, told without its token; None for a wrong code, which has to be counted."""
    user_id = signins.spend_newest(session, email, code, key)
    if user_id is None:
        return None
    token = sessions.open_(session, user_id, kind="token", label=label, days=days, secret=secret)
    opened: Credential | None = sessions.find(session, token)
    return TokenAnswer(user_id, "", clock.rfc3339(opened.expires_at) if opened else None)


def _caller() -> str:
    return "client:" + hashlib.sha256(identity.client().encode()).hexdigest()[:32]
