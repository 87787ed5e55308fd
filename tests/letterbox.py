"""A mail server that keeps what it is given."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.processes import free_port

SENDER = "whatworks <hello@whatworks.example>"


class Letterbox:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refusals = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail, or refuse it for now."""
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos, message))
        return "250 OK"


def serve(box: Letterbox, port: int, **settings: Any) -> Controller:
    """Mails that arrive at a port go into a box."""
    server = Controller(box, hostname="127.0.0.1", port=port, **settings)
    server.start()
    return server


@pytest.fixture
def letterbox() -> Iterator[tuple[Letterbox, str]]:
    """A mail server that works, and its address."""
    box, port = Letterbox(), free_port()
    server = serve(box, port, enable_SMTPUTF8=True)
    yield box, f"smtp://127.0.0.1:{port}"
    server.stop()
