"""Whom to believe about who is calling: only the proxies that the settings declare."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.middleware.proxy_fix import ProxyFix

from whatworks.settings import Settings


class Proxies:
    """WSGI middleware: X-Forwarded-For and X-Forwarded-Proto count when a declared proxy calls.

    Anybody can write these headers. Without a proxy declared, or from an address that is not one
    of theirs, they are passed over, and the caller is whoever holds the connection.
    """

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        hops = settings.trusted_proxies
        self._app = app
        self._behind = ProxyFix(self._named, x_for=hops, x_proto=hops) if hops else app
        self._networks = settings.proxy_networks if hops else ()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, as the proxy or as the connection tells it."""
        if self._networks and self._declared(environ.get("REMOTE_ADDR", "")):
            return self._behind(environ, start_response)
        return self._app(environ, start_response)

    def _named(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Some proxies add the port of the connection; a caller is one behind all of theirs."""
        environ["REMOTE_ADDR"] = _without_port(environ.get("REMOTE_ADDR", ""))
        return self._app(environ, start_response)

    def _declared(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address):
            found = found.ipv4_mapped or found
        return any(found in network for network in self._networks)


def _without_port(address: str) -> str:
    """An address as it can be compared.

    >>> [_without_port(one) for one in ("203.0.113.7:4711", "[2001:db8::7]:4711", "2001:db8::7")]
    ['203.0.113.7', '2001:db8::7', '2001:db8::7']
    """
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
