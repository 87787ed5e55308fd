"""Pictures that people show for what they did, and what is kept of them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests import hostile, people
from tests.people import Person
from tests.web import forms

Sign = Callable[..., Person]


def png(seed: int = 1, side: int = 400) -> bytes:
    """A picture."""
    return hostile.encoded(hostile.picture(random.Random(seed), side), "PNG")


def upload(person: Person, content: bytes = b"", **fields: str) -> TestResponse:
    """Send a picture as a browser does."""
    key = fields.pop("key", None)
    file = FileStorage(io.BytesIO(content or png()), filename="C:\\fakepath\\proof.png")
    boundary, body = encode_multipart({**fields, "file": file})
    return person.client.post(
        "/api/proof",
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"Idempotency-Key": key} if key else {},
    )


def kept_files(app: Flask) -> set[str]:
    """The ids of proofs that have files."""
    return {key.split("/")[2] for key in people.platform(app).files.list_keys("proofs")}


@dataclass
class Shown:
    """Somebody's result with a picture."""

    person: Person
    execution_id: str
    proof_id: str
    outcome_id: str


def case(client: FlaskClient) -> dict[str, str]:
    """What the queue's form holds."""
    return dict(forms.find(client.get("/admin/proofs"), "/admin/proofs/decide").fields)
