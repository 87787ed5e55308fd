"""What a browser keeps for times without a connection: the worker, and the page it falls to."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from whatworks.web import assets

site = Blueprint("offline", __name__)


@site.get("/sw.js")
def worker() -> Response:
    """The service worker; it stands at the root because it answers for every page."""
    text = render_template("sw.js", release=assets.RELEASE, files=assets.for_offline())
    return Response(
        text, mimetype="text/javascript", headers={"Cache-Control": "no-cache, max-age=0"}
    )


@site.get("/offline")
def page() -> Response:
    """What is shown instead of a page that was never opened here; the same for everybody."""
    return Response(render_template("offline.html", person=None, path="/offline"))
