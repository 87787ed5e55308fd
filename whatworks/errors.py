"""The family of expected failures. Each knows its HTTP status and a stable code; none knows Flask.

A message is one sentence a person can act on. `fields` names every bad field at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Failure(Exception):  # noqa: N818 - read as `raise errors.NotFound(...)`, not `...Error`
    """Something a caller can understand and often mend; anything else is a bug."""

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.fields = dict(fields or {})
        self.details = dict(details or {})
        self.retry_after = retry_after


class Invalid(Failure):
    """400: the request itself is wrong; `fields` says where and how to mend it."""

    status = 400
    code = "invalid_request"


class BadCredential(Failure):
    """401: a credential was sent and is wrong, expired or revoked."""

    status = 401
    code = "bad_credential"


class PaymentRequired(Failure):
    """402: a plan or a purchase is needed.

    `details` carries reason, plan, limit, used and upgrade_url.
    """

    status = 402
    code = "plan_required"


class Forbidden(Failure):
    """403: the request came from another site, or the browser would not say from where."""

    status = 403
    code = "cross_site_request"


class NotFound(Failure):
    """404: it does not exist, or it is not yours; the two look the same."""

    status = 404
    code = "not_found"


class MethodNotAllowed(Failure):
    """405: the address exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class Conflict(Failure):
    """409: it contradicts what is already there."""

    status = 409
    code = "conflict"


class Gone(Failure):
    """410: a sign-in link or code that was used or is too old."""

    status = 410
    code = "gone"


class TooLarge(Failure):
    """413: more bytes than are taken here."""

    status = 413
    code = "too_large"


class UnsupportedMedia(Failure):
    """415: not a media type that is taken here."""

    status = 415
    code = "unsupported_media_type"


class TooManyRequests(Failure):
    """429: a rate limit; `retry_after` in seconds."""

    status = 429
    code = "rate_limited"


class Unavailable(Failure):
    """503: not done, and safe to try again after `retry_after` seconds."""

    status = 503
    code = "unavailable"


class Uncertain(Failure):
    """504: it may or may not have been done; repeat with the same Idempotency-Key to find out."""

    status = 504
    code = "uncertain"
