"""Sending mail: by SMTP, or into an outbox folder when no server is set. Never in a transaction."""

from __future__ import annotations

import logging
import queue
import smtplib
import ssl
import threading
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from whatworks import clock

logger = logging.getLogger(__name__)
TRIES: Final = 4
TIMEOUT: Final = 10.0


class Carrier(Protocol):
    """Takes one finished message somewhere; raises OSError or SMTPException when it cannot."""

    def deliver(self, message: EmailMessage) -> None:
        """Hand the message over."""


class Outbox:
    """Writes each mail to a file of a folder, for the embedded start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, message: EmailMessage) -> None:
        """Write `<id>.eml`, readable by its owner only; it is there whole, or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{clock.new_id()}.eml"
        draft = path.with_suffix(".part")
        draft.touch(mode=0o600)
        draft.write_bytes(message.as_bytes())
        draft.rename(path)


class Smtp:
    """Speaks to a mail server: smtp:// (STARTTLS whenever it is offered) or smtps://."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)

    def deliver(self, message: EmailMessage) -> None:
        """Send one message over a connection of its own."""
        with self._connect() as server:
            if self._parts.username:
                server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        host = self._parts.hostname or "localhost"
        context = ssl.create_default_context()
        if self._parts.scheme == "smtps":
            port = self._parts.port or 465
            return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        server = smtplib.SMTP(host, self._parts.port or 587, timeout=TIMEOUT)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif self._parts.username:
            server.close()
            raise smtplib.SMTPException("the server offers no encryption for the password")
        return server


class Mailer:
    """Sends in the background, so that an answer takes as long for every address."""

    def __init__(self, carrier: Carrier, sender: str) -> None:
        self._carrier = carrier
        self._sender = sender
        self._waiting: queue.Queue[EmailMessage | None] = queue.Queue(1000)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, to: str, subject: str, text: str) -> None:
        """Queue a plain-text mail; tried a few times, and logged without its address if lost."""
        try:
            message = self._message(to, subject, text)
        except ValueError:  # an old shop's address, say, that cannot stand in a header
            logger.error("mail dropped: its address or subject cannot stand in a header")
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="mailer", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            logger.error("mail dropped: the queue is full")

    def deliver(self, to: str, subject: str, text: str, *, name: str, unsubscribe: str) -> None:
        """Hand a mail over now, for whoever keeps a record of what was sent.

        The same `name` gives the same Message-ID, by which mailboxes know a mail they have already.
        `unsubscribe` is an address that ends such mails by a bare POST (RFC 8058). Raises OSError,
        SMTPException, and ValueError when the address cannot stand in a header.
        """
        message = self._message(to, subject, text)
        message.replace_header("Message-ID", f"<{name}@{_domain(self._sender)}>")
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        self._carrier.deliver(message)

    def close(self) -> None:
        """Send what is waiting, then stop."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._waiting.put(None)
            thread.join(timeout=TIMEOUT * 2)

    def _message(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = formatdate(clock.timestamp())
        message["Message-ID"] = make_msgid(domain=_domain(self._sender))
        message["Auto-Submitted"] = "auto-generated"
        # Plain lines, so that a link can be copied from the file of the outbox as well.
        message.set_content(text, cte="7bit" if text.isascii() else "8bit")
        return message

    def _loop(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._deliver(message)

    def _deliver(self, message: EmailMessage) -> None:
        for attempt in range(TRIES):
            try:
                self._carrier.deliver(message)
            except (OSError, smtplib.SMTPException) as failure:
                logger.warning("mail attempt %d failed: %s", attempt + 1, type(failure).__name__)
                time.sleep(2**attempt / 4)
            else:
                return
        logger.error("mail %s could not be sent", message["Message-ID"])


def carrier(smtp_url: str, outbox: Path) -> Carrier:
    """The way mail goes: the server if one is set, else the folder."""
    return Smtp(smtp_url) if smtp_url else Outbox(outbox)


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].partition("@")[2] or "localhost"
