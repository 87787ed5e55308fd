"""What a program has to know before its first request: the beginning of the API document."""

from __future__ import annotations

from typing import Final

from whatworks.settings import Settings
from whatworks.web import guards, http

DAYS: Final = Settings.session_days
STEPS: Final = (
    (
        "Get a token",
        "`POST /api/profile` signs up and answers with an `access_token`. To get one again:"
        " `POST /api/sign-in` mails a six-digit code, and `POST /api/sign-in/code` takes it, once"
        f" and within ten minutes, for a new token. A token lasts {DAYS} days, unless the server is"
        " set otherwise (`WHATWORKS_SESSION_DAYS`); `DELETE /api/session` ends it before. The first"
        " code that is spent proves the address and ends every credential made before it.",
    ),
    (
        "Send it",
        "`Authorization: Bearer TOKEN` with every request; the session cookie does as well. Bodies"
        " are JSON in UTF-8, with `Content-Type: application/json`. Times are RFC 3339 in UTC,"
        " identifiers are opaque strings. Fields that a door does not know are passed over.",
    ),
    (
        "Repeat safely",
        "Every POST takes an `Idempotency-Key` of your own making, 1 to"
        f" {http.MAX_KEY} characters. The same key with the same body gives the first answer again,"
        " with `Idempotency-Replayed: true`, and does nothing twice; with another body it is a 409."
        " Repeat with the same key after a timeout, a 503 or a 504.",
    ),
    (
        "When it fails",
        'Every failure is `{"success": false, "error": "…", "code": "…"}`: a sentence for a person,'
        " and a code that stays. With 400, `fields` names every bad field at once, with its remedy."
        " Without a credential everything private answers 404, as if it were not there, and so does"
        " what is somebody else's; a wrong or old credential answers 401.",
    ),
    (
        "Page by page",
        "Lists take `limit`, and answer with `next`: send it as `after` to get the next page, until"
        " it is null.",
    ),
    (
        "How much in a minute",
        "By caller's address, for signing in together with the pages:"
        f" `POST /api/profile` {guards.SIGN_UP}; `POST /api/sign-in` {guards.SIGN_IN}, and for one"
        f" e-mail address {guards.SIGN_IN_ADDRESS}; `POST /api/sign-in/code` {guards.SIGN_IN}, five"
        f" tries a code; `POST /api/proof` {guards.UPLOAD}; `POST /create_order` and the two of"
        f" `/api/billing/` {guards.CREATE_ORDER} each; `POST /validate_coupon` {guards.COUPON};"
        f" downloads {guards.DOWNLOAD}. Beyond that a 429 says in `Retry-After` how many seconds to"
        " wait. The other doors have no such limit.",
    ),
    (
        "How much in a month",
        "A plan holds so many runs, API calls and exports a month (UTC);"
        " `GET /api/entitlements/{user_id}` tells how many, how many are used, and when the month"
        " begins anew. Calls with a token count, in steps, so a few more may pass; cookies,"
        " operators' keys, signing in, entitlements and billing do not count. When all are used:"
        " 402, `reason` is `executions`, `api_calls` or `exports`, `limit` and `used` are numbers,"
        " and `resets_at` says when it goes on. What you have begun you can always finish:"
        " progress, events, outcomes, proofs, and reading your own things go on. Where a workflow"
        " needs another plan, `reason` is `tier`, `limit` that plan, and `used` null.",
    ),
)
