"""The mails that ask again: what arrives, where their links lead, and how to get rid of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from tests import people
from tests.letterbox import SENDER, Letterbox, serve
from tests.people import Person
from tests.processes import free_port
from tests.web import forms
from whatworks import clock, signed
from whatworks import reminders as room
from whatworks.app import close
from whatworks.models import Email
from whatworks.results import outcomes
from whatworks.web import reminders

DAY: Final = 86_400.0
ADDRESS: Final = "https://whatworks.example"


@dataclass(frozen=True)
class Post:
    """An application that sends mail to a server of ours."""

    app: Flask
    box: Letterbox

    def send(self, at: float) -> list[EmailMessage]:
        """What arrives when the hourly chore runs at a time."""
        before = len(self.box.mails)
        with time_machine.travel(at):
            reminders.send_due(self.app)
        return [message for _, message in self.box.mails[before:]]


@pytest.fixture
def post(database_url: str, tmp_path: Path, letterbox: tuple[Letterbox, str]) -> Iterator[Post]:
    box, url = letterbox
    app = build(database_url, tmp_path, url)
    yield Post(app, box)
    close(app)


def build(database_url: str, folder: Path, smtp_url: str, **more: object) -> Flask:
    return people.build(
        database_url,
        folder,
        smtp_url=smtp_url,
        mail_from=SENDER,
        public_url=ADDRESS,
        **more,
    )


def joined(app: Flask) -> Person:
    """Somebody whose address is proved."""
    person = people.sign_up(app)
    prove = update(Email).where(Email.user_id == person.user_id).values(verified_at=1.0)
    people.platform(app).database.write(lambda session: session.run(prove))
    return person


def finished(person: Person) -> str:
    execution_id = person.start()
    person.finish(execution_id)
    return execution_id


def links(message: EmailMessage) -> dict[str, str]:
    """Each line of a mail that leads somewhere, by what it says."""
    found = re.findall(rf"([^\r\n]+):\s+{ADDRESS}(\S+)", message.get_content())
    return dict(found)


def results(app: Flask, person: Person) -> list[tuple[str, float]]:
    found = people.platform(app).database.read(outcomes.list_for, person.user_id)
    return [(one.metric_type, one.value) for one in found]


def press(client: FlaskClient, path: str, **typed: str) -> str:
    """Open a link and press its page's button; the text of the page after that."""
    page = client.get(path)
    assert page.status_code == 200
    form = forms.find(page, path.partition("?")[0])
    after = forms.send(client, form, form.filled(**typed))
    return after.get_data(as_text=True)


# ---- what arrives ---------------------------------------------------------------------------


def test_the_mail(post: Post) -> None:
    asha = joined(post.app)
    finished(asha)
    (message,) = post.send(clock.timestamp() + 8 * DAY)
    assert message["To"] == asha.email
    assert (
        message["Subject"]
        == "Did “Write resumes for money, with AI as your assistant” bring you something?"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(rf"<{ADDRESS}/unsubscribe/\S+>", message["List-Unsubscribe"])
    assert message["Auto-Submitted"] == "auto-generated"
    said = links(message)
    assert {"I earned money", "Nothing yet", "No more mails like this one"} <= said.keys()
    assert max(map(len, message.get_content().splitlines())) < 400
    assert post.send(clock.timestamp() + 8 * DAY) == []


def test_workers_send_each_mail_once(
    database_url: str, tmp_path: Path, letterbox: tuple[Letterbox, str]
) -> None:
    box, url = letterbox
    workers = [build(database_url, tmp_path, url) for _ in range(2)]
    everybody = [joined(workers[0]) for _ in range(5)]
    for person in everybody:
        finished(person)
    with time_machine.travel(clock.timestamp() + 8 * DAY):
        for app in workers * 2:
            reminders.send_due(app)
    for app in workers:
        close(app)
    assert sorted(to for (to,), _ in box.mails) == sorted(person.email for person in everybody)


def test_a_server_that_is_away_gets_all_of_them_later(database_url: str, tmp_path: Path) -> None:
    box, port = Letterbox(), free_port()
    app = build(database_url, tmp_path, f"smtp://127.0.0.1:{port}")
    for person in [joined(app) for _ in range(3)]:
        finished(person)
    post = Post(app, box)
    for hour in range(9):  # far more often than a single mail would be tried
        assert post.send(clock.timestamp() + 8 * DAY + hour * 3600) == []
    server = serve(box, port)
    assert len(post.send(clock.timestamp() + 8 * DAY + 9 * 3600)) == 3
    server.stop()
    close(app)


def test_a_server_that_is_busy_gets_it_again_and_only_once(post: Post) -> None:
    finished(joined(post.app))
    post.box.refusals = 1
    now = clock.timestamp() + 8 * DAY
    assert post.send(now) == []
    assert len(post.send(now + 3600)) == 1
    assert post.send(now + 7200) == []


def test_a_crash_after_the_claim_does_not_lose_the_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        """The process ends here."""

    def end(*_given: object) -> bool:
        raise Crash

    finished(joined(post.app))
    now = clock.timestamp() + 8 * DAY
    with monkeypatch.context() as patch, time_machine.travel(now):
        patch.setattr(reminders, "_send", end)
        with pytest.raises(Crash):
            reminders.send_due(post.app)
    assert post.send(now + 600) == []  # it may still be at it
    assert len(post.send(now + 3601)) == 1
    assert post.send(now + 7300) == []


def test_a_crash_after_sending_repeats_the_same_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told apart from a loss: but mailboxes know a Message-ID they have."""
    finished(joined(post.app))
    now = clock.timestamp() + 8 * DAY
    with monkeypatch.context() as patch:
        patch.setattr(room, "sent", lambda _session, _due: None)
        (first,) = post.send(now)
    (again,) = post.send(now + 3601)
    assert first["Message-ID"] == again["Message-ID"]
    assert post.send(now + 7300) == []


def test_the_setting_and_the_switch(
    database_url: str, tmp_path: Path, letterbox: tuple[Letterbox, str]
) -> None:
    box, url = letterbox
    app = build(database_url, tmp_path, url, reminders=False)
    asha = joined(app)
    finished(asha)
    assert Post(app, box).send(clock.timestamp() + 8 * DAY) == []
    profile = people.signed_in(app, asha.user_id).get("/profile").get_data(as_text=True)
    assert "This site sends none" in profile
    assert "/profile/reminders" not in profile
    close(app)
    app = build(database_url, tmp_path, url)
    post = Post(app, box)
    client = people.signed_in(app, asha.user_id)
    assert "After 7, 30 and 60 days" in client.get("/profile").get_data(as_text=True)
    page = client.post("/profile/reminders", data={"on": "off"}, follow_redirects=True)
    assert "We will not ask you by mail any more" in page.get_data(as_text=True)
    assert post.send(clock.timestamp() + 8 * DAY) == []
    client.post("/profile/reminders", data={"on": "on"})
    assert len(post.send(clock.timestamp() + 8 * DAY)) == 1
    close(app)


# ---- where the links lead -------------------------------------------------------------------


@pytest.fixture
def asked(post: Post) -> tuple[Person, str, dict[str, str]]:
    """Somebody who was asked: she, her run, and the links of the mail."""
    asha = joined(post.app)
    execution_id = finished(asha)
    (message,) = post.send(clock.timestamp() + 8 * DAY)
    return asha, execution_id, links(message)


Asked = tuple[Person, str, dict[str, str]]


def test_looking_changes_nothing(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    before = people.everything(people.platform(post.app).database)
    for path in said.values():
        for method in ("GET", "HEAD"):
            assert post.app.test_client().open(path, method=method).status_code == 200
    assert people.everything(people.platform(post.app).database) == before
    assert results(post.app, asha) == []


def test_one_tap_says_nothing_yet(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    page = press(post.app.test_client(), said["Nothing yet"])
    assert "Thank you" in page
    assert results(post.app, asha) == [("revenue", 0.0)]
    assert "Your answer about" in post.app.test_client().get(said["Nothing yet"]).get_data(True)


def test_a_result_needs_its_number(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    client = post.app.test_client()
    page = press(client, said["I earned money"])
    assert 'id="value-error"' in page
    assert "Write it as a number, such as 4800" in page
    assert 'value="INR" selected' in page
    page = press(client, said["I earned money"], value="₹4,800")
    assert "₹4,800" in page
    assert results(post.app, asha) == [("revenue", 4800.0)]


def test_a_mail_is_answered_once(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    client = post.app.test_client()
    form = forms.find(client.get(said["I saved time"]), said["I saved time"].partition("?")[0])
    for hours in ("2.5", "99"):
        page = forms.send(client, form, form.filled(value=hours))
        assert "Thank you" in page.get_data(as_text=True)
    assert results(post.app, asha) == [("time_saved", 2.5)]


def test_stopping_is_about_one_run(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    page = press(post.app.test_client(), said["Do not ask about this one again"])
    assert "Thank you" in page
    assert results(post.app, asha) == []
    assert post.send(clock.timestamp() + 31 * DAY) == []


def test_unsubscribing_by_page_and_by_mail_program(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    path = said["No more mails like this one"]
    client = post.app.test_client()
    assert "Stop these mails?" in client.get(path).get_data(as_text=True)
    assert len(post.send(clock.timestamp() + 31 * DAY)) == 1  # looking did not do it
    one_click = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 200
    finished(asha)
    assert post.send(clock.timestamp() + 40 * DAY) == []
    assert "No more such mails" in press(client, path)


def test_somebody_elses_hands(post: Post, asked: Asked) -> None:
    """Links that were not ours, or were for something else, look like nothing at all."""
    asha, execution_id, said = asked
    token = said["Nothing yet"].rpartition("/")[2].partition("?")[0]
    key = people.platform(post.app).settings.secret_key
    other = people.sign_up(post.app)
    forged = [
        token[:-2] + "AA",
        token.partition(".")[0],
        signed.token("x" * 40, "reminder", asha.user_id, execution_id, "7"),
        signed.token(key, "unsubscribe", asha.user_id),
        signed.token(key, "unsubscribe", asha.user_id, execution_id, "7"),
        "é", "%00", "a.b.c",
    ]  # fmt: skip
    client = post.app.test_client()
    for path in [f"/reminder/{one}" for one in forged] + [f"/unsubscribe/{token}"]:
        assert client.get(path).status_code == 404, path
        assert client.post(path, data={"metric_type": "nothing"}).status_code == 404, path
    stranger = signed.token(key, "reminder", other.user_id, execution_id, "7")
    assert client.get(f"/reminder/{stranger}").status_code == 404
    never = signed.token(key, "reminder", asha.user_id, execution_id, "60")
    assert client.get(f"/reminder/{never}").status_code == 410
    with time_machine.travel(clock.timestamp() + 200 * DAY):
        assert client.get(said["Nothing yet"]).status_code == 410
    assert results(post.app, asha) == []


def test_the_page_says_nothing_of_the_person(post: Post, asked: Asked) -> None:
    asha, _, said = asked
    page = post.app.test_client().get(said["I earned money"]).get_data(as_text=True)
    assert asha.email not in page
    assert asha.user_id not in page
