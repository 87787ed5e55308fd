"""What the database says when it cannot do a thing, in words for whoever asked."""

from __future__ import annotations

from whatworks import errors


def unreachable() -> errors.Unavailable:
    return errors.Unavailable(
        "The database cannot be reached right now; nothing was changed, try again shortly.",
        retry_after=5,
    )


def ending() -> errors.Unavailable:
    return errors.Unavailable("The server is shutting down; try again.", retry_after=2)


def uncertain() -> errors.Uncertain:
    return errors.Uncertain(
        "It is not certain that this was saved; send it again with the same Idempotency-Key."
    )


def busy(failure: BaseException) -> errors.Unavailable:
    """Locked, full or unwritable: nothing was changed, and it may pass."""
    full = "full" in str(failure) or getattr(failure, "sqlstate", None) == "53100"
    message = (
        "The disk is full; nothing was changed. Free some space and try again."
        if full
        else "The database is busy; nothing was changed, try again in a few seconds."
    )
    raised = errors.Unavailable(message, retry_after=5)
    raised.__cause__ = failure
    return raised
