"""API calls count against a plan's month: those of programs, which come with a token.

Pages and their forms are not counted, nor is an operator's key, nor the doors by which somebody
finds out where they stand and gets out of it. What was begun can always be finished: the doors to
runs, outcomes and proofs, and to one's profile, count, but never refuse for that.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from flask import Flask, request

from whatworks import errors
from whatworks.store import usage
from whatworks.store.tally import Tally
from whatworks.web import gating, http, identity, kept

UNCOUNTED: Final = (
    "/api/entitlements/",
    "/api/billing/",
    "/api/docs",
    "/api/openapi.json",
    "/api/sign-in",
    "/api/session",
)
NEVER_REFUSED: Final = re.compile(
    r"(GET|HEAD) /api/(execution|outcome|proof|profile)(/.*)?"  # one's own things
    r"|\w+ /api/execution/.*"  # a run that began
    r"|POST /api/(outcome|proof)"
)


def register(app: Flask) -> None:
    """Count before every request."""
    app.before_request(count)


def count() -> None:
    """One more call of this program's owner. Raises PaymentRequired when the month is used up
    and this is not about something that was begun.
    """
    environ = request.environ
    if "HTTP_AUTHORIZATION" not in environ or not environ["PATH_INFO"].startswith("/api/"):
        return
    if environ["PATH_INFO"].startswith(UNCOUNTED):
        return
    try:
        caller = identity.credential()
    except errors.BadCredential:
        return  # the door says so, or does not care
    if caller is None or identity.may_act_for(caller):
        return
    tally = http.platform().calls
    kept.terms(environ).count = functools.partial(tally.note, caller.user_id)
    if new := tally.add(caller.user_id):
        _keep(tally, caller.user_id, new)


def _keep(tally: Tally, user_id: str, new: int) -> None:
    database = http.platform().database
    refusal = database.read(gating.refusal_of_calls, user_id, new, gating.limits())
    tally.watch(user_id, closely=refusal is not None)
    if refusal is None or NEVER_REFUSED.fullmatch(f"{request.method} {request.path}"):
        database.write_soon(usage.record, user_id, "api_calls", new)
        return
    database.write(usage.record, user_id, "api_calls", new)
    raise refusal
