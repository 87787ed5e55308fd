"""Flask without what this product never uses and every request would pay for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from whatworks.web.turnstile import Received

F = TypeVar("F", bound=Callable[..., Any])
NO_SUBDOMAIN: Final = ""


class _NoSessions(SessionInterface):
    """Sessions are rows of ours (`people/sessions.py`), not signed cookies of Flask's."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Always the same one, which refuses to keep anything."""
        del app, request
        return self._none


class WholeRequest(Request):
    """A request whose body the turnstile has received and found to be no larger than is taken."""

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> Any:
        """The body as bytes; as text, or parsed as a form, it is the framework's."""
        received = self.environ["wsgi.input"]
        if isinstance(received, Received) and not (as_text or parse_form_data):
            return received.getvalue()
        rest: Any = super().get_data  # declared once for each value of `as_text`
        return rest(cache, as_text, parse_form_data)


class Application(Flask):
    """A Flask of plain functions, one site without subdomains, and no sessions."""

    request_class = WholeRequest
    session_interface = _NoSessions()

    def ensure_sync(self, func: F) -> F:
        """The function itself."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Where a request leads. Raises SecurityError and BadHost."""
        if request is None:
            return None
        environ = request.environ
        request.host = get_host(environ)
        return self.url_map.bind(
            request.host,
            script_name=environ.get("SCRIPT_NAME"),
            subdomain=NO_SUBDOMAIN,
            url_scheme=environ["wsgi.url_scheme"],
            default_method=environ["REQUEST_METHOD"],
            path_info=request.path,
            query_args=environ.get("QUERY_STRING"),
        )
