"""The door to what was bought."""

from __future__ import annotations

import io

from flask import Blueprint, Response, send_file

from whatworks.store import products
from whatworks.web import guards

site = Blueprint("downloads", __name__)


@site.get("/download/<product>")
@guards.limiter.limit(guards.DOWNLOAD)
def download(product: str) -> Response:
    """A product's ZIP; resumable."""
    found = products.get(product)
    products.require_bought(found)
    return send_file(
        io.BytesIO(products.archive(found)),
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"{found.key}.zip",
        conditional=True,
    )
