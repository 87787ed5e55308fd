"""Who is calling: a bearer token, or the session cookie."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeVar
from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from flask import g, request
from werkzeug.wrappers import Response

from whatworks import clock, errors
from whatworks.execution import executions
from whatworks.people import operators, profiles, sessions
from whatworks.people.profiles import Profile
from whatworks.people.sessions import Credential
from whatworks.web import http, kept
from whatworks.web.shelf import Caller

R = TypeVar("R", bound=Response)
COOKIE: Final = "whatworks_session"
SECURE_COOKIE: Final = "__Host-whatworks_session"
SEEN_EVERY: Final = 3600.0
CREDENTIAL: Final = "whatworks.credential"  # where a request keeps it


def credential() -> Credential | None:
    """The caller's credential. Raises BadCredential when one was sent and is wrong or expired."""
    environ = request.environ
    if CREDENTIAL not in environ:
        environ[CREDENTIAL] = _read_credential(environ)
    found: Credential | None = environ[CREDENTIAL]
    return found


def acting_for(user_id: str) -> str:
    """The user_id when the caller is that person, or an operator's key acting for them.

    Raises NotFound, the same whether the person is somebody else or nobody.
    """
    caller = credential()
    if caller is None:
        raise nothing_without_credential("person")
    if caller.user_id == user_id or may_act_for(caller):
        return user_id
    raise errors.NotFound("There is no such person.")


def owner_of_execution(execution_id: str) -> str:
    """The user_id under which to look for an execution. Raises NotFound."""
    caller = credential()
    if caller is None:
        raise nothing_without_credential("execution")
    if may_act_for(caller):
        owner = http.read(executions.find_owner, execution_id)
        return owner or caller.user_id
    return caller.user_id


def nothing_without_credential(noun: str) -> errors.NotFound:
    """What is told to whoever sent no credential, the same whether or not the thing exists."""
    return errors.NotFound(
        f"There is no such {noun} for you; send your access token as Authorization: Bearer TOKEN."
    )


def may_act_for_others() -> bool:
    """Whether the caller is an operator's API key."""
    caller = credential()
    return caller is not None and may_act_for(caller)


def may_act_for(caller: Credential) -> bool:
    """Whether this credential is an operator's API key."""
    return caller.kind == "key" and caller.is_operator


def actor() -> str:
    """Who history says did it."""
    return "operator" if may_act_for_others() else "owner"


def person() -> Profile | None:
    """The signed-in person of a page; a stale cookie counts as nobody."""
    if "person" not in g:
        g.person = _read_person()
    found: Profile | None = g.person
    return found


def is_operator() -> bool:
    """Whether the person of a page is an operator."""
    found = person()
    return found is not None and http.look(operators.is_operator, found.id)


def require_person() -> Profile:
    """The signed-in person. Raises SignInNeeded, which leads to /signin and back."""
    found = person()
    if found is None:
        raise SignInNeeded
    return found


def require_operator() -> Profile:
    """The signed-in operator. Raises SignInNeeded, or NotFound for everybody else."""
    found = require_person()
    if not is_operator():
        raise errors.NotFound("There is nothing at this address.")
    return found


class SignInNeeded(Exception):  # noqa: N818 - a turn in the way, not an error
    """A page needs a person."""


def is_local() -> bool:
    """Whether this is localhost, where cookies need no TLS."""
    host = urlsplit(f"//{request.host}").hostname or ""
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")


def set_cookie(response: R, token: str) -> R:
    """Sign the browser in."""
    secure = not is_local()
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        token,
        max_age=http.platform().settings.session_days * 86_400,
        secure=secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def clear_cookie(response: R) -> R:
    """Sign the browser out."""
    secure = not is_local()
    response.delete_cookie(
        SECURE_COOKIE if secure else COOKIE, path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


def device() -> str:
    """A short name of the caller's program, for the list of sessions."""
    agent = request.user_agent.string
    system = next((s for s in _SYSTEMS if s in agent), "")
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    return agent.split("/")[0][:40] or "unknown program"


_SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def client() -> str:
    """The caller's address, as far as declared proxies tell it; of IPv6, which gives a client
    a whole /64, that.
    """
    address = request.remote_addr or "unknown"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _read_credential(environ: WSGIEnvironment) -> Credential | None:
    terms = kept.terms(environ)
    terms.caller = Caller.NOBODY
    token = _token(environ)
    if token is None:
        return None
    watched = kept.watch_of(sessions.owner_of(token) or "", sessions.OWN_TABLES, sessions.TABLES)
    found = kept.get(("credential", token), watched.mark, lambda: http.look(sessions.find, token))
    now = clock.timestamp()
    if found is None or found.expires_at <= now:
        raise errors.BadCredential("This session is unknown or has ended; sign in again.")
    if now - found.last_seen_at > SEEN_EVERY:
        http.platform().database.write_soon(sessions.touch, found.user_id, found.id)
    until = min(found.expires_at, found.last_seen_at + SEEN_EVERY)
    terms.caller = Caller.KNOWN
    terms.checks += (watched.still_stands, lambda: clock.timestamp() < until)
    return found


def _read_person() -> Profile | None:
    try:
        caller = credential()
    except errors.BadCredential:
        return None
    return None if caller is None else http.look(profiles.find, caller.user_id)


def _token(environ: WSGIEnvironment) -> str | None:
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.BadCredential("Send Authorization: Bearer and the access token.")
        return token.strip()
    return request.cookies.get(COOKIE if is_local() else SECURE_COOKIE) or None
