"""The browser's cookies: the session; before there is one, a visit that its forms are tied to; and, while somebody is
away at their organization's identity provider, what says that it is the same browser that comes back.

`__Host-` makes the browser refuse a cookie that was set by a subdomain or over http. Plain-http localhost cannot have
that prefix, so there the names go without it.
"""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret

_AWAY = "vko"
_TEN_MINUTES = 600
_SEVEN_DAYS = 7 * 24 * 3600  # the absolute life of a session (security.md 5.1); the server decides earlier


class Cookies:
    """Reads and writes our cookies. `secure` is whether people reach the hub over https."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self.session_name = f"{prefix}sid"
        self.visit_name = f"{prefix}visit"
        self.sign_in_name = f"{prefix}signin"

    def session(self, request: Request) -> Secret | None:
        value = request.cookies.get(self.session_name, "")
        return Secret(value) if 0 < len(value) <= 200 else None

    def visit(self, request: Request) -> str:
        value = request.cookies.get(self.visit_name, "")
        return value if 0 < len(value) <= 100 else ""

    def sign_in(self, request: Request) -> Secret | None:
        value = request.cookies.get(self.sign_in_name, "")
        return Secret(value) if value.startswith(_AWAY) and len(value) <= 100 else None

    def new_sign_in(self) -> Secret:
        return new_token(_AWAY)

    def begin_sign_in(self, response: Response, browser: Secret) -> None:
        # Revealed because only this browser is to know it: it takes part in the proof that the code is exchanged with.
        self._set(response, self.sign_in_name, browser.reveal().decode(), max_age=_TEN_MINUTES)

    def begin_session(self, response: Response, session: Secret) -> None:
        # Revealed because a cookie is how the browser is told its own session id.
        self._set(response, self.session_name, session.reveal().decode(), max_age=_SEVEN_DAYS)

    def end_session(self, response: Response) -> None:
        self._set(response, self.session_name, "", max_age=0)

    def new_visit(self) -> str:
        return secrets.token_urlsafe(32)

    def begin_visit(self, response: Response, visit: str) -> None:
        self._set(response, self.visit_name, visit, max_age=None)

    def _set(self, response: Response, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")
