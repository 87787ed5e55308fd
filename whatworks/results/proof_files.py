"""The pictures of proofs in the file store: page by page, and a thumbnail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from whatworks import clock, db, errors
from whatworks.results import proofs
from whatworks.results.pictures import Cleaned
from whatworks.results.proofs import Draft, Proof
from whatworks.storage import Store

DAY: Final = 86_400.0
SWEPT_DAYS: Final = 3


def draft_of(cleaned: Cleaned) -> Draft:
    """What the row of an upload says."""
    first = cleaned.pages[0]
    return Draft(
        kind=cleaned.kind,
        bytes=sum(len(page.content) for page in (*cleaned.pages, cleaned.thumb)),
        sha256=cleaned.sha256,
        pages=len(cleaned.pages),
        width=first.width,
        height=first.height,
        dhash=cleaned.dhash,
    )


@contextlib.contextmanager
def stored(files: Store, proof_id: str, cleaned: Cleaned) -> Iterator[None]:
    """Keep an upload's pictures while its row is written; without a row nothing is left behind."""
    folder = proofs.folder(proof_id)
    contents = {_page_key(proof_id, n): page.content for n, page in enumerate(cleaned.pages, 1)}
    contents[f"{folder}/thumb.webp"] = cleaned.thumb.content
    try:
        for key, content in contents.items():
            files.put(key, content)
        yield
    except errors.Uncertain:
        raise  # the row may be there; `sweep` will know
    except BaseException:
        for key in contents:
            with contextlib.suppress(errors.Failure):
                files.remove(key)
        raise


def page(files: Store, proof: Proof, number: int) -> bytes:
    """One page as it was kept, WebP. Raises NotFound."""
    if not 1 <= number <= proof.pages:
        raise errors.NotFound("This proof has no such page.")
    return files.get(_page_key(proof.id, number))


def thumb(files: Store, proof: Proof) -> bytes:
    """The thumbnail, WebP. Raises NotFound; a text has none."""
    if not proof.pages:
        raise errors.NotFound("This proof is a text.")
    return files.get(f"{proofs.folder(proof.id)}/thumb.webp")


def remove(files: Store, proof_id: str) -> int:
    """Let go of all pictures of a proof; returns how many there were."""
    keys = files.list_keys(proofs.folder(proof_id))
    for key in keys:
        files.remove(key)
    return len(keys)


def sweep(database: db.Database, files: Store) -> int:
    """Remove files whose row never came, of uploads cut off in the middle, and what is left of
    proofs taken back while the store was out of reach; returns how many.

    Looks at the last days only, and at no upload younger than a day.
    """
    now = clock.timestamp()
    gone = database.read(proofs.list_gone, now - SWEPT_DAYS * DAY)
    removed = sum(remove(files, proof_id) for proof_id in gone)
    for days in range(1, SWEPT_DAYS + 1):
        keys = files.list_keys(proofs.folder_of_day(now - days * DAY))
        ids = {key.split("/")[2] for key in keys if key.count("/") == 3}
        if not ids:
            continue
        known = database.read(proofs.list_known, min(ids), max(ids))
        old = {proof_id for proof_id in ids - known if proofs.made_at(proof_id) < now - DAY}
        for key in keys:
            if key.split("/")[2] in old:
                files.remove(key)
                removed += 1
    return removed


def _page_key(proof_id: str, number: int) -> str:
    return f"{proofs.folder(proof_id)}/{number}.webp"
