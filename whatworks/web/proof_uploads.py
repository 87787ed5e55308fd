"""Taking files and texts as proofs: made harmless, kept, then a row; or nothing at all."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec

from flask import request
from werkzeug.datastructures import FileStorage

from whatworks import clock, db, errors, idempotency
from whatworks.execution import runs
from whatworks.idempotency import Key
from whatworks.results import proof_files, proofs
from whatworks.results.proofs import Draft, Proof, Quota
from whatworks.web import http, identity
from whatworks.web.http import Answer

P = ParamSpec("P")
Encode = Callable[[Proof], bytes]
FIELD: Final = "file"


def take_file(user_id: str, execution_id: str | None = None, step: int | None = None) -> str | None:
    """The id of the proof made of a form's file; None when no file was chosen.

    Sent again with the same key it is the same proof. Raises Invalid, TooLarge, UnsupportedMedia
    and Unavailable, each with its remedy under `file`, and what `proofs.add` raises.
    """
    file = chosen_file()
    if file is None:
        return None
    key = idempotency.part(http.request_key(user_id), FIELD)
    return keep_file(file, _id_of, key, user_id, execution_id, step).body.decode()


def take_text(
    user_id: str, text: str, execution_id: str | None = None, step: int | None = None
) -> str:
    """The id of the proof made of a form's text."""
    key = idempotency.part(http.request_key(user_id), "text")
    return keep_text(text, _id_of, key, user_id, execution_id, step).body.decode()


def chosen_file() -> FileStorage | None:
    """The file of this request, whatever a program calls its part where it is the only one; forms
    send an empty one when none was chosen.
    """
    sent = list(request.files.values())
    file = sent[0] if len(sent) == 1 else request.files.get(FIELD)
    if file is None or file.filename:
        return file
    has_content = bool(file.stream.read(1))
    file.stream.seek(0)
    return file if has_content else None


def keep_file(
    file: FileStorage,
    encode: Encode,
    key: Key | None,
    user_id: str,
    execution_id: str | None,
    step: int | None,
) -> Answer:
    """Sanitise, keep, and write the row; the answer of an earlier request with this key."""
    try:
        http.read(_check, key, user_id, quota(), execution_id, step)
        cleaned = http.platform().studio.clean(file.stream)
        proof_id = clock.new_id()
        files = http.platform().files
        with proof_files.stored(files, proof_id, cleaned):
            draft = proof_files.draft_of(cleaned)
            row = (user_id, proof_id, draft, quota(), execution_id, step, identity.actor())
            return _write(key, encode, _add, *row)
    except idempotency.Replayed as earlier:
        return Answer(earlier.body, replayed=True, at=earlier.at)


def keep_text(
    text: str,
    encode: Encode,
    key: Key | None,
    user_id: str,
    execution_id: str | None,
    step: int | None,
) -> Answer:
    """Write the row of a text; the answer of an earlier request with this key.

    Raises Invalid when there is nothing to read in it: it would count as a proof all the same.
    """
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    content = "\n".join(line.rstrip() for line in lines)
    if not any(sign.isprintable() and not sign.isspace() for sign in content):
        raise errors.Invalid(
            "There is nothing to read in this text.", fields={"text": "say what shows the result"}
        )
    draft = Draft(
        kind="text",
        bytes=len(content.encode()),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        text=content,
    )
    proof_id = clock.new_id()
    try:
        row = (user_id, proof_id, draft, quota(), execution_id, step, identity.actor())
        return _write(key, encode, _add, *row)
    except idempotency.Replayed as earlier:
        return Answer(earlier.body, replayed=True, at=earlier.at)


def quota() -> Quota:
    """What one person may keep here."""
    settings = http.platform().settings
    return Quota(settings.proofs_per_person, settings.proof_bytes_per_person)


def _write(
    key: Key | None,
    encode: Encode,
    verb: Callable[Concatenate[db.Session, P], Proof],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Answer:
    return Answer(http.write(idempotency.once, key, encode, verb, *args, **kwargs), replayed=False)


def _check(
    session: db.Session,
    key: Key | None,
    user_id: str,
    quota: Quota,
    execution_id: str | None,
    step: int | None,
) -> None:
    """Before the work: was this answered already, and is there room?"""
    idempotency.check(session, key)
    proofs.check(session, user_id, quota, execution_id=execution_id, step=step)


def _add(
    session: db.Session,
    user_id: str,
    proof_id: str,
    draft: Draft,
    quota: Quota,
    execution_id: str | None,
    step: int | None,
    actor: str,
) -> Proof:
    """The row, and where it was shown in a step, the event of its run."""
    proof = proofs.add(
        session, user_id, proof_id, draft, quota, execution_id=execution_id, step=step
    )
    if execution_id is not None and step is not None:
        runs.record_proof(session, user_id, execution_id, step=step, proof_id=proof_id, actor=actor)
    return proof


def _id_of(proof: Proof) -> bytes:
    return proof.id.encode()
