"""Only our own pages may change anything: where a request comes from, and the token its form carries.

Two checks, each enough by itself: the browser's word (`Sec-Fetch-Site`, `Origin`), which no page can forge, and the
synchronizer token, which no other site can read.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request

from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD"})
FIELD = "csrf"
HEADER = "x-csrf-token"

_STALE = "This form was no longer current, so nothing was changed."
_STALE_HINT = "Go back, reload the page and send it again."


def token_for(session: BrowserSession | None, visit: str) -> str:
    """The token that forms of this browser carry: the session's own, or before sign-in one made from its cookie."""
    if session is not None:
        return session.csrf
    return hashlib.sha256(b"visit\0" + visit.encode()).hexdigest() if visit else ""


def check_origin(request: Request, *, origin: str) -> None:
    """Raises `Forbidden` unless the browser says that a page of ours sent this.

    Our pages send `Referrer-Policy: no-referrer`, which makes browsers write `Origin: null` on form posts (Fetch,
    "append a request Origin header"); then `Sec-Fetch-Site` has to say it. A client that sends neither is refused.
    """
    site = request.headers.get("sec-fetch-site")
    given = request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("Another site sent this request, so nothing was changed.")
    if given not in (None, "null", origin):
        raise Forbidden("Another site sent this request, so nothing was changed.")
    if given != origin and site is None:
        raise Forbidden("The browser did not say which page sent this, so nothing was changed.", hint=_STALE_HINT)


def check_token(given: str, expected: str) -> None:
    """Raises `Forbidden` unless the form's token is this browser's."""
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forbidden(_STALE, hint=_STALE_HINT)
