"""The one error shape: whatever goes wrong, programs get JSON and people get a page."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Final

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from whatworks import errors

logger = logging.getLogger(__name__)
PROGRAMS: Final = ("/api", "/create_order", "/validate_coupon", "/webhook", "/webhook/stripe")


def register(app: Flask, page: Callable[[errors.Failure], str]) -> None:
    """Give every failure the one shape: JSON for programs, `page` for people."""

    def render(failure: errors.Failure) -> Response:
        if wants_json():
            response = as_json(failure)
        else:
            response = Response(page(failure), failure.status, mimetype="text/html")
        if failure.retry_after is not None:
            response.headers["Retry-After"] = str(failure.retry_after)
        return response

    def render_http(failure: HTTPException) -> Response:
        if failure.response is not None or (failure.code or 500) < 400:
            return Response.force_type(failure.get_response())  # type: ignore[return-value]
        response = render(_from_http(failure))
        response.status_code = failure.code or 500
        for name in ("Allow", "Retry-After", "Content-Range"):
            if value := dict(failure.get_headers()).get(name):
                response.headers[name] = value
        return response

    def render_bug(failure: Exception) -> Response:
        where = "".join(traceback.format_tb(failure.__traceback__))
        logger.error("%s in %s\n%s", type(failure).__name__, request.endpoint, where)
        return render(errors.Failure("Something went wrong on our side; try again shortly."))

    app.register_error_handler(errors.Failure, render)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(Exception, render_bug)


def wants_json() -> bool:
    """Whether the caller is a program: an API address, or a JSON Accept header."""
    if request.path.startswith("/api/") or request.path in PROGRAMS:
        return request.path != "/api/docs"
    accept = request.accept_mimetypes
    return accept["application/json"] > accept["text/html"]


def as_json(failure: errors.Failure) -> Response:
    """A failure as JSON."""
    body: dict[str, object] = {"success": False, "error": failure.message, "code": failure.code}
    if failure.fields:
        body["fields"] = failure.fields
    return Response(
        msgspec.json.encode(body | failure.details), failure.status, mimetype="application/json"
    )


_HTTP: Final[dict[int, tuple[type[errors.Failure], str]]] = {
    400: (errors.Invalid, "The request could not be understood."),
    404: (errors.NotFound, "There is nothing at this address."),
    405: (errors.MethodNotAllowed, "This address does not take that method."),
    413: (errors.TooLarge, "This is more than can be taken at once; send less."),
    415: (errors.UnsupportedMedia, "This type of content is not taken here."),
    429: (errors.TooManyRequests, "Too many requests; wait a little and try again."),
}


def _from_http(failure: HTTPException) -> errors.Failure:
    kind, message = _HTTP.get(
        failure.code or 500,
        (errors.Invalid, "The request could not be understood.")
        if 400 <= (failure.code or 500) < 500
        else (errors.Failure, "Something went wrong on our side; try again shortly."),
    )
    return kind(message)
