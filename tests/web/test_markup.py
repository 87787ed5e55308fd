"""What people type is shown as the text it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests import people
from tests.people import Person
from tests.web.conftest import on_sqlite
from tests.web.probe import PAYLOADS, probed
from whatworks import clock

TYPED = ("email", "goal", "value", "note", "proof_url", "unit", "code", "challenge")


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """All share one application; everybody has an address of their own."""
    return shared_app


def test_control_the_probe_finds() -> None:
    for payload in PAYLOADS[:3]:
        assert probed(f'<p title="{payload}">{payload}</p>'), payload


@on_sqlite
def test_what_people_type_is_text(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    execution_id = asha.start()
    run, outcome = f"/executor/{execution_id}", f"/outcome/{execution_id}"
    for number, payload in enumerate(PAYLOADS):
        step = str(1 + number % 5)  # beside one note there is room for some texts only
        for form in (
            {"kind": "note", "text": payload},
            {"kind": "verdict", "result": "failed", "note": payload},
        ):
            answer = asha.client.post(f"{run}/event", data={"step": step, **form})
            assert answer.status_code == 303
        answer = asha.client.post(
            outcome, data={"metric_type": "custom", "value": "1", "unit": "pages", "note": payload}
        )
        assert answer.status_code == 303
        assert probed(asha.client.get(answer.headers["Location"]).get_data(as_text=True)) == []
        typed = dict.fromkeys(TYPED, payload)
        for path in ("/signup", "/signin", "/signin/code", "/profile", outcome, f"{run}/event"):
            answer = asha.client.post(path, data={**typed, "next": payload, "step": payload})
            assert probed(answer.get_data(as_text=True)) == [], (path, payload)
        query = dict.fromkeys(
            ("goal", "market", "next", "token", "recommendation", "corrects", "outcome"), payload
        )
        for client in (asha.client, app.test_client()):
            for path in (
                *("/workflows", "/signin", "/signup", "/signin/link", "/admin/claim", outcome),
                *(
                    "/executor/whatsapp_bot",
                    f"{outcome}/done",
                    f"/{payload}",
                    f"/executor/{payload}",
                ),
            ):
                answer = client.get(path, query_string=query)
                assert answer.status_code < 500
                assert probed(answer.get_data(as_text=True)) == [], (path, payload)
    for path in ("/dashboard", run, outcome, "/dashboard/next", "/sessions"):
        answer = asha.client.get(path)
        assert answer.status_code == 200
        assert probed(answer.get_data(as_text=True)) == [], path


def test_the_name_of_a_program_is_text(app: Flask, person: Callable[..., Person]) -> None:
    asha = person()
    for payload in PAYLOADS[:7]:
        app.test_client().post(
            "/signup",
            data={"email": f"{clock.new_id()}@example.com", **people.NEW},
            headers={"User-Agent": payload},
        )
    client = app.test_client()
    client.post(
        "/signup",
        data={"email": f"{clock.new_id()}@example.com", **people.NEW},
        headers={"User-Agent": "<probe>"},
    )
    page = client.get("/sessions").get_data(as_text=True)
    assert probed(page) == []
    assert "&lt;probe&gt;" in page
    assert asha.client.get("/sessions").status_code == 200
