"""The calendar file of the daily routine."""

from __future__ import annotations

import re
from datetime import time
from typing import Final
from urllib.parse import unquote

from flask import Blueprint, request
from werkzeug.wrappers import Response

from whatworks import clock, errors
from whatworks.execution import calendar_file
from whatworks.people import zones
from whatworks.web import http, identity

site = Blueprint("rhythm", __name__)
COOKIE: Final = "whatworks_zone"  # set by scripts: what the device says
USUAL: Final = "18:00"


@site.get("/routine.ics")
def routine_file() -> Response:
    """The 45 minutes, every day at a time, where the person is."""
    person = identity.require_person()
    at = _time(request.args.get("at") or USUAL)
    zone, now = zones.of(person), clock.now()
    address = http.platform().settings.address.rstrip("/")
    text = calendar_file.daily(
        zone,
        zones.day(now.timestamp(), zone),
        at,
        uid=f"routine-{person.id}@whatworks",
        now=now,
        address=f"{address}/dashboard",
    )
    response = Response(text, mimetype="text/calendar")
    response.headers["Content-Disposition"] = 'attachment; filename="whatworks-routine.ics"'
    return response


def zone_of_device() -> str:
    """The time zone that the caller's device told, if it did and there is one of that name."""
    told = unquote(request.cookies.get(COOKIE, ""))
    return told if len(told) <= zones.LONGEST and zones.is_known(told) else ""


def _time(given: str) -> time:
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", given)
    if found is None:
        raise errors.Invalid("Give a time such as 18:00.", fields={"at": "give a time as 18:00"})
    return time(int(found[1]), int(found[2]))
