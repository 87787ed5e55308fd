"""Doors to proofs: add one, list one's own; fetch its pictures, as owner or operator."""

from __future__ import annotations

import contextlib
import functools
from typing import Final, Literal

import msgspec
from flask import Blueprint, Response, request

from whatworks import clock, db, errors, retractions
from whatworks.results import proof_files, proofs
from whatworks.results.proofs import Proof
from whatworks.web import fields, guards, http, identity, proof_uploads

doors = http.Doors("Proofs")
site = Blueprint("proofs", __name__)
# Even if a picture were something else after all, no browser would run it.
INERT: Final = "default-src 'none'; sandbox"
WEBP: Final = "image/webp"


class NewProof(msgspec.Struct):
    """What shows a result: a `file` in a multipart form, or a text. `step` is of the execution."""

    text: fields.Text | None = None
    execution_id: fields.Id | None = None
    step: fields.StepNumber | None = None


class ProofCreated(msgspec.Struct):
    """The proof as kept; width and height are of the first page, a text has none."""

    proof_id: str
    proof_url: str
    kind: str
    bytes: int
    width: int | None
    height: int | None
    success: Literal[True] = True


class ProofLine(msgspec.Struct):
    """A proof in a list; width and height are of the first page, a text has its `text`."""

    proof_id: str
    proof_url: str
    execution_id: str | None
    step: int | None
    kind: str
    text: str | None
    pages: int
    bytes: int
    width: int | None
    height: int | None
    created_at: str | None


class ProofList(msgspec.Struct):
    """A person's proofs, newest first; `next` is the `after` of the next page."""

    proofs: list[ProofLine]
    next: str | None
    success: Literal[True] = True


class ProofsOf(msgspec.Struct):
    """Whose, how many, and after which one."""

    user_id: fields.Id
    limit: fields.PageSize = 100
    after: fields.Id | None = None


class ProofTakenBack(msgspec.Struct):
    """It is gone: its pictures are removed, and nothing shows it any more."""

    proof_id: str
    success: Literal[True] = True


@doors.door(
    "POST",
    "/api/proof",
    body=NewProof,
    files=(proof_uploads.FIELD,),
    answer=ProofCreated,
    status=201,
    errors=(400, 401, 404, 409, 413, 415, 429),
)
@guards.limiter.limit(guards.UPLOAD)
def create(body: NewProof) -> Response:
    """Keep a PNG, JPEG, WebP or PDF, or a text, as a proof; only what it looks like is kept."""
    user_id = _caller(body.execution_id)
    key = http.request_key(user_id)
    file = proof_uploads.chosen_file()
    if (file is None) == (body.text is None):
        field = "text" if request.is_json else proof_uploads.FIELD
        raise errors.Invalid(
            "Send one file, or a text.",
            fields={field: "give a text, or send a PNG, JPEG, WebP or PDF as a form's file"},
        )
    address = http.platform().settings.address
    encode = http.encoder(functools.partial(_created, address))
    where = (encode, key, user_id, body.execution_id, body.step)
    if file is not None:
        return http.reply(proof_uploads.keep_file(file, *where), 201)
    return http.reply(proof_uploads.keep_text(body.text or "", *where), 201)


@doors.door("GET", "/api/proof", query=ProofsOf, answer=ProofList, errors=(400, 401, 404))
def list_for(query: ProofsOf) -> ProofList:
    """A person's proofs, page by page."""
    owner = identity.acting_for(query.user_id)
    found = http.read(proofs.list_for, owner, query.limit + 1, query.after)
    address = http.platform().settings.address
    page = [_line(address, proof) for proof in found[: query.limit]]
    return ProofList(page, page[-1].proof_id if len(found) > query.limit else None)


@doors.door("DELETE", "/api/proof/<proof_id>", answer=ProofTakenBack, errors=(401, 404, 409))
def take_back(proof_id: str) -> ProofTakenBack:
    """Take a proof back: its pictures are removed, its address ends, results are claims again."""
    let_go(_owner(proof_id), proof_id)
    return ProofTakenBack(proof_id)


def let_go(user_id: str, proof_id: str) -> None:
    """Take a proof back; its pictures go once that is written. Raises NotFound."""
    http.write(retractions.take_back, user_id, proof_id, actor=identity.actor())
    with contextlib.suppress(errors.Unavailable):  # the hourly sweep tries again
        proof_files.remove(http.platform().files, proof_id)


@site.get("/proofs/<proof_id>/thumb")
def thumb(proof_id: str) -> Response:
    """A small picture of the first page."""
    proof = visible(proof_id)
    with http.platform().aside():
        content = proof_files.thumb(http.platform().files, proof)
    return picture(content)


@site.get("/proofs/<proof_id>/page/<int:number>")
def page(proof_id: str, number: int) -> Response:
    """A page as a picture, to be shown."""
    return picture(page_of(visible(proof_id), number))


@site.get("/proofs/<proof_id>/file")
@site.get("/proofs/<proof_id>/file/<int:number>")
def file(proof_id: str, number: int = 1) -> Response:
    """A page, or the text, as a file to keep."""
    proof = visible(proof_id)
    if proof.kind == "text":
        return attachment((proof.text or "").encode(), "text/plain", f"proof-{proof.id}.txt")
    return attachment(page_of(proof, number), WEBP, f"proof-{proof.id}-{number}.webp")


def visible(proof_id: str) -> Proof:
    """A proof that the signed-in person may see. Raises SignInNeeded and NotFound."""
    person = identity.require_person()
    return http.read(_visible, person.id, identity.is_operator(), proof_id)


def picture(content: bytes) -> Response:
    """A WebP of ours: pages show it all the same; opened by itself it is saved and never run."""
    return attachment(content, WEBP, "proof.webp")


def attachment(content: bytes, mimetype: str, name: str) -> Response:
    """A file that browsers save and never open."""
    response = Response(content, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = INERT
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def page_of(proof: Proof, number: int) -> bytes:
    """The picture of a page. Raises NotFound."""
    with http.platform().aside():
        return proof_files.page(http.platform().files, proof, number)


def _visible(session: db.Session, person_id: str, is_operator: bool, proof_id: str) -> Proof:
    owner = proofs.find_owner(session, proof_id) if is_operator else None
    return proofs.get(session, owner or person_id, proof_id)


def _caller(execution_id: str | None) -> str:
    """Who the proof belongs to: the caller, or the owner of the execution for an operator's key."""
    if execution_id is not None:
        return identity.owner_of_execution(execution_id)
    caller = identity.credential()
    if caller is None:
        raise identity.nothing_without_credential("person")
    return caller.user_id


def _line(address: str, proof: Proof) -> ProofLine:
    return ProofLine(
        proof_id=proof.id,
        proof_url=f"{address}/proofs/{proof.id}",
        execution_id=proof.execution_id,
        step=proof.step,
        kind=proof.kind,
        text=proof.text,
        pages=proof.pages,
        bytes=proof.bytes,
        width=proof.width,
        height=proof.height,
        created_at=clock.rfc3339(proof.created_at),
    )


def _owner(proof_id: str) -> str:
    """Whose proof to look for: the caller's own, or anybody's for an operator's key."""
    caller = _caller(None)
    if identity.may_act_for_others():
        return http.read(proofs.find_owner, proof_id) or caller
    return caller


def _created(address: str, proof: Proof) -> ProofCreated:
    return ProofCreated(
        proof_id=proof.id,
        proof_url=f"{address}/proofs/{proof.id}",
        kind=proof.kind,
        bytes=proof.bytes,
        width=proof.width,
        height=proof.height,
    )
