"""Mail leaves by SMTP or into the outbox; nothing typed by somebody becomes a header."""

from __future__ import annotations

import email
import email.policy
import logging
import re
import smtplib
import stat
import threading
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult

from tests import people
from tests.letterbox import SENDER, Letterbox, serve
from tests.processes import free_port, until
from whatworks import mail
from whatworks.app import close
from whatworks.upgrades import migrations


def mailer(url: str, tmp_path: Path, sender: str = SENDER) -> mail.Mailer:
    return mail.Mailer(mail.carrier(url, tmp_path / "outbox"), sender)


def test_a_sign_in_mail_arrives(letterbox: tuple[Letterbox, str], tmp_path: Path) -> None:
    box, smtp_url = letterbox
    url = f"sqlite:///{tmp_path / 'data.db'}"
    migrations.upgrade(url)
    app = people.build(
        url,
        tmp_path,
        smtp_url=smtp_url,
        mail_from=SENDER,
        public_url="https://whatworks.example/",
    )
    asha = people.sign_up(app)
    page = app.test_client().post("/signin", data={"email": asha.email})
    assert "outbox" not in page.get_data(as_text=True)
    until(lambda: box.mails)
    close(app)
    ((recipients, message),) = box.mails
    assert recipients == [asha.email]
    assert message["To"] == asha.email
    assert message["From"] == SENDER
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"\d{6} is your whatworks code", message["Subject"])
    assert message["Message-ID"].endswith("@whatworks.example>")
    assert message["Date"].datetime is not None
    text = message.get_content()
    assert "https://whatworks.example/signin/link?token=" in text
    assert message["Subject"][:6] in text


def test_a_server_that_comes_late_gets_the_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box, port = Letterbox(), free_port()
    sender = mailer(f"smtp://127.0.0.1:{port}", tmp_path)
    sender.send("asha@example.com", "Late", "text")
    until(lambda: "attempt 1 failed" in caplog.text)
    server = serve(box, port)
    until(lambda: box.mails)
    sender.close()
    server.stop()


def test_a_server_that_is_busy_gets_it_again(
    letterbox: tuple[Letterbox, str], tmp_path: Path
) -> None:
    box, url = letterbox
    box.refusals = 2
    sender = mailer(url, tmp_path)
    sender.send("asha@example.com", "Again", "text")
    sender.send("ravi@example.com", "After", "text")
    sender.close()
    assert [message["Subject"] for _, message in box.mails] == ["Again", "After"]


def test_a_mail_that_cannot_be_sent_is_logged_without_its_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    sender = mailer(f"smtp://127.0.0.1:{free_port()}", tmp_path)
    with caplog.at_level(logging.DEBUG):
        sender.send("asha@example.com", "123456 is your code", "secret")
        sender.close()
    assert caplog.text.count("failed") == mail.TRIES
    assert "could not be sent" in caplog.text
    for private in ("asha", "123456", "secret"):
        assert private not in caplog.text


def test_a_password_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    seen = []

    def authenticate(*_given: object) -> AuthResult:
        seen.append(1)
        return AuthResult(success=True)

    box, port = Letterbox(), free_port()
    server = serve(box, port, authenticator=authenticate, auth_require_tls=False)
    message = EmailMessage()
    message["From"], message["To"] = SENDER, "asha@example.com"
    carrier = mail.Smtp(f"smtp://user:password@127.0.0.1:{port}")
    with pytest.raises(smtplib.SMTPException, match="no encryption"):
        carrier.deliver(message)
    server.stop()
    assert not seen
    assert not box.mails


@pytest.mark.parametrize("to", ["a@example.com\r\nBcc: b@example.com", "a@example.com\nx: y"])
def test_no_header_can_be_smuggled_in_and_no_other_mail_is_lost_by_it(
    tmp_path: Path, to: str
) -> None:
    sender = mailer("", tmp_path)
    for given in ((to, "Subject"), ("a@example.com", f"Subject {to}"), ("a@example.com", "Fine")):
        sender.send(*given, "text")
    sender.close()
    (sent,) = (path.read_text() for path in (tmp_path / "outbox").glob("*.eml"))
    assert "Subject: Fine" in sent


def test_an_outbox_is_for_its_owner_only(tmp_path: Path) -> None:
    sender = mailer("", tmp_path)
    for number in range(3):
        sender.send("asha@example.com", f"Mail {number}", "line\n.\nFrom here")
    sender.close()
    folder = tmp_path / "outbox"
    files = sorted(folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * 3
    read = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files
    ]
    assert [message["Subject"] for message in read] == ["Mail 0", "Mail 1", "Mail 2"]


@pytest.mark.parametrize("to", ["é@example.com", "asha@例え.jp", "अशा@example.com"])
def test_addresses_of_all_scripts(
    letterbox: tuple[Letterbox, str], tmp_path: Path, to: str
) -> None:
    box, url = letterbox
    sent, kept = mailer(url, tmp_path), mailer("", tmp_path)
    for sender in (sent, kept):
        sender.send(to, "₹ 4,800", "₹")
        sender.send("asha@example.com", "After", "text")
        sender.close()
    assert [message["Subject"] for _, message in box.mails] == ["₹ 4,800", "After"]
    assert len(list((tmp_path / "outbox").iterdir())) == 2


def test_a_full_queue_drops_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    class Slow:
        def deliver(self, message: EmailMessage) -> None:
            del message
            gate.wait(60)

    sender = mail.Mailer(Slow(), SENDER)
    for _ in range(1100):
        sender.send("asha@example.com", "S", "t")
    gate.set()
    sender.close()
    assert "the queue is full" in caplog.text


def test_closing_twice_and_without_having_sent(tmp_path: Path) -> None:
    sender = mailer("", tmp_path)
    sender.close()
    sender.close()
    assert not (tmp_path / "outbox").exists()
