"""A person who walks through the pages by forms alone."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import people
from tests.web import forms
from tests.web.forms import Form
from tests.web.pages import path, text

ASHA = {"email": "asha@example.com", **people.NEW, "country": "IN"}


def joined(client: FlaskClient, next_: str = "") -> TestResponse:
    """Sign up by the form; the page one is led to."""
    form = forms.find(client.get("/signup", query_string={"next": next_}), "/signup")
    return forms.send(client, form, form.filled(**ASHA))


def begun(client: FlaskClient, workflow: str = "resume_generator") -> TestResponse:
    """Start a workflow from its guide; the page of the run."""
    form = forms.find(client.get(f"/executor/{workflow}"), f"/executor/{workflow}")
    page = forms.send(client, form, form.filled())
    assert path(page).startswith("/executor/")
    return page


def step(page: TestResponse, number: int) -> Form:
    """The form of one step of a run: its note, its checklist, its verdict."""
    (found,) = (
        form
        for form in forms.read(page)
        if form.fields.get("step") == str(number) and form.fields.get("kind") == "note"
    )
    return found


def progress(page: TestResponse) -> str:
    """The steps done of all, as the bar of a run says."""
    found = re.search(r"<progress[^>]*>(\d+ of \d+)</progress>", text(page))
    assert found is not None
    return found[1]


def worked(client: FlaskClient, page: TestResponse, number: int, note: str = "") -> TestResponse:
    """Say that a step worked; the page after it."""
    form = step(page, number)
    return forms.send(client, form, form.filled(("result", "worked"), text=note))


def finished(client: FlaskClient, page: TestResponse, steps: int = 5) -> TestResponse:
    """Work through a run; the page that asks what it brought."""
    for number in range(1, steps + 1):
        page = worked(client, page, number)
    assert path(page).startswith("/outcome/")
    return page


def outcome_form(page: TestResponse) -> Form:
    """The form that asks what a run brought."""
    return forms.find(page, path(page))
