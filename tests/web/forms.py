"""The forms of a page, filled in and sent as a browser without scripts does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

VOID: Final = {"submit", "button", "image", "reset", "file"}


@dataclass
class Form:
    """Where it leads, what is in it, and the buttons to send it with."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    takes: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    ticked: dict[str, list[str]] = field(default_factory=dict)

    def filled(self, button: tuple[str, str] | None = None, /, **typed: str) -> dict[str, Any]:
        """What a browser would send. A field or button that is not there is a mistake."""
        assert typed.keys() <= self.takes, f"{typed.keys() - self.takes} not in {self.takes}"
        assert button is None or button in self.buttons, f"{button} not in {self.buttons}"
        return {
            **self.fields,
            **self.ticked,
            **typed,
            **({} if button is None else {button[0]: button[1]}),
        }


class _Reader(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[Form] = []
        self.named: dict[str, Form] = {}
        self.within: Form | None = None
        self.inside: Form | None = None
        self.area: str | None = None
        self.select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect fields and buttons of the form one is in."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.within = self._named(given["id"]) if "id" in given else Form()
            self.within.action = given.get("action", self.path)
            self.within.method = given.get("method", "get").lower()
            self.forms.append(self.within)
            return
        if tag in ("input", "button", "textarea", "select"):  # they may name a form elsewhere
            self.inside = self._named(given["form"]) if "form" in given else self.within
        if self.inside is not None and "disabled" not in given:
            self._part(self.inside, tag, given)

    def _named(self, name: str) -> Form:
        """The form of this id, which may come later than what belongs to it."""
        return self.named.setdefault(name, Form())

    def _part(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "button" and given.get("type", "submit") == "submit":
            form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name and given.get("type") not in VOID:
            self._input(form, name, given)
        elif tag == "textarea" and name:
            self.area = name
            form.takes.add(name)
            form.fields[name] = ""
        elif tag == "select" and name:
            self.select = name
            form.takes.add(name)
        elif tag == "option" and self.select:
            value = given.get("value", "")
            if "selected" in given or self.select not in form.fields:
                form.fields[self.select] = value

    def _input(self, form: Form, name: str, given: dict[str, str]) -> None:
        form.takes.add(name)
        if given.get("type") in ("radio", "checkbox") and "checked" not in given:
            return
        if given.get("type") == "checkbox":
            form.ticked.setdefault(name, []).append(given.get("value", ""))
            return
        form.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave what ends here."""
        if tag == "form":
            self.inside = self.within = None
        elif tag == "textarea":
            if self.inside is not None and self.area is not None:  # the first line break is no text
                self.inside.fields[self.area] = self.inside.fields[self.area].removeprefix("\n")
            self.area = None
        elif tag == "select":
            self.select = None

    def handle_data(self, data: str) -> None:
        """What stands in a text area is sent with it."""
        if self.inside is not None and self.area is not None:
            self.inside.fields[self.area] += data


def read(page: TestResponse) -> list[Form]:
    """The forms of a page."""
    reader = _Reader(page.request.path)
    reader.feed(page.get_data(as_text=True))
    return reader.forms


def find(page: TestResponse, action: str) -> Form:
    """The form of a page that leads there; where there are several, they are the same."""
    found = [form for form in read(page) if form.action == action and form.method == "post"]
    assert found, f"no form leads to {action} from {page.request.path}"
    assert all(form == found[0] for form in found)
    return found[0]


def send(client: FlaskClient, form: Form, data: dict[str, str]) -> TestResponse:
    """Send a form and go where it leads."""
    return client.post(form.action, data=data, follow_redirects=True)
