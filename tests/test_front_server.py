"""A real nginx in front: it sends the large ZIPs, and nobody reads them past the shop."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.browser.conftest import Server, wait_for
from tests.conftest import Figure
from tests.processes import free_port
from tests.stubs.razorpay import RazorpayStub
from whatworks.store import links

NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
KEY: Final = "k" * 40
PRODUCTS: Final = """
[products.film]
title = "A film"
kind = "one_off"
files = ["film.bin"]
prices = { INR = 49900 }
"""
CONFIGURATION: Final = """
pid {folder}/nginx.pid; error_log {folder}/nginx.log; daemon off; user root;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
        location /deliveries/ {{
            internal;
            alias {folder}/deliveries/;
            add_header X-Content-Type-Options nosniff;
        }}
    }}
}}
"""
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Front:
    """nginx, the shop behind it and the bank of its buyers."""

    port: int
    folder: Path
    razorpay: RazorpayStub

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request through nginx."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET" if body is None else "POST", path, body, named)
        answer = connection.getresponse()
        found = answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def deliver(self) -> None:
        """What the bank writes arrives."""
        for body, headers in self.razorpay.parcels():
            named = {name.replace("-", "_"): value for name, value in headers.items()}
            assert self.ask("/webhook", body, **named)[0] == 200
        self.razorpay.letters.clear()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """As docs/operations.md sets it up."""
    if NGINX is None:
        pytest.skip("nginx is missing: apt-get install nginx-light")
    tmp_path.chmod(0o755)
    (tmp_path / "film.bin").write_bytes(bytes(range(256)) * 20_000)
    (tmp_path / "products.toml").write_text(PRODUCTS)
    port = free_port()
    with RazorpayStub() as razorpay:
        given = {
            **razorpay.settings,
            "products_file": tmp_path / "products.toml",
            "accel_redirect": "/deliveries",
            "trusted_proxies": 1,
            "rate_limits": "off",
            "secret_key": KEY,
        }
        server = Server(tmp_path, **{f"WHATWORKS_{n.upper()}": str(v) for n, v in given.items()})
        file = tmp_path / "nginx.conf"
        file.write_text(CONFIGURATION.format(folder=tmp_path, port=port, behind=server.port))
        try:
            server.start()
            process = subprocess.Popen([NGINX, "-c", str(file)])
            try:
                wait_for(f"http://127.0.0.1:{port}/readyz", process)
                yield Front(port, tmp_path, razorpay)
            finally:
                process.terminate()
                process.wait(60)
        finally:
            server.stop()


@pytest.mark.drill
def test_nginx_sends_what_was_bought_and_nothing_else(front: Front, figure: Figure) -> None:
    wanted = json.dumps({"product": "film", "email": "asha@example.com"}).encode()
    made = json.loads(front.ask("/create_order", wanted, Content_Type="application/json")[2])
    payment = front.razorpay.pay(made["id"])
    front.deliver()
    path = links.download_path(KEY, made["order_id"], "film")

    status, headers, whole = front.ask(path)
    assert (status, headers["content-type"]) == (200, "application/zip")
    assert headers["content-disposition"] == "attachment; filename=film.zip"
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        assert file.testzip() is None
        assert made["order_id"] in file.read("YOUR-LICENCE.txt").decode()
    tag, half = headers["etag"], len(whole) // 2

    status, headers, part = front.ask(path, Range="bytes=1000-1999")
    assert (status, part) == (206, whole[1000:2000])
    assert headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    status, _, rest = front.ask(path, Range=f"bytes={half}-", If_Range=tag)
    assert (status, whole[:half] + rest) == (206, whole)
    status, _, again = front.ask(path, Range=f"bytes={half}-", If_Range='"another"')
    assert (status, again) == (200, whole)
    assert front.ask(path, If_None_Match=tag)[0] == 304
    assert front.ask(path, Range="bytes=99999999-")[0] == 416

    (file_name,) = [found.name for found in (front.folder / "deliveries").glob("*.zip")]
    past = [
        *(f"/deliveries/{file_name}", f"/%64eliveries/{file_name}", f"/deliveries%2f{file_name}"),
        *("/deliveries/", f"/download/../deliveries/{file_name}", "/deliveries../data.db"),
        *("/deliveries/..%2fdata.db", "/deliveries/../data.db"),
    ]
    assert [front.ask(one)[0] for one in past] == [404] * len(past)
    assert front.ask("/download/film", X_Accel_Redirect=f"/deliveries/{file_name}")[0] == 402
    assert front.ask(path[:-1] + "x")[0] == 402

    front.razorpay.give_back(payment["id"])
    front.deliver()
    assert front.ask(path)[0] == 402
    assert front.ask(path, Range=f"bytes={half}-", If_Range=tag)[0] == 402
    figure(f"{len(whole)} bytes sent and resumed by nginx, read past the shop {len(past)} ways: 0")
