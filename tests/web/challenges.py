"""Challenges to sign in, and the mails that bring them."""

from __future__ import annotations

import email
import email.policy
import html
import re
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient

from tests import outbox

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Mail:
    """A mail of the outbox."""

    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        return self.subject[:6]

    @property
    def link(self) -> str:
        """The path and query of the link."""
        found = re.search(r"https?://[^/\s]+(/signin/link\S+)", self.text)
        assert found is not None
        return found[1]

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]


def newest(app: Flask) -> Mail:
    """The last mail written."""
    path = outbox.files(app)[-1]
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body()
    assert body is not None
    return Mail(str(message["To"]), str(message["Subject"]), body.get_content())


@dataclass(frozen=True)
class Asked:
    """Somebody who asked for a mail, the mail, and the page they see meanwhile."""

    client: FlaskClient
    mail: Mail
    page: str

    @property
    def challenge(self) -> str:
        found = re.search(rf'name="challenge" value="({UUID})"', self.page)
        assert found is not None
        return found[1]

    def try_code(self, code: str, challenge: str | None = None) -> int:
        form = {"challenge": challenge or self.challenge, "code": code}
        return self.client.post("/signin/code", data=form).status_code


def ask(app: Flask, address: str, **form: str) -> Asked:
    """Ask for a mail to sign in."""
    client = app.test_client()
    page = client.post("/signin", data={"email": address, **form})
    assert page.status_code == 200
    return Asked(client, newest(app), html.unescape(page.get_data(as_text=True)))


def signed_in(client: FlaskClient) -> bool:
    """Whether a browser is."""
    return client.get("/dashboard").status_code == 200


def wrong(code: str) -> str:
    """A code that is not it."""
    return f"{(int(code) + 1) % 1_000_000:06d}"
