"""Answers of the authorization server: JSON that no cache keeps, and redirects that carry `iss`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, Response

from valetkey.authserver.model import OAuthError
from valetkey.kernel.errors import TooMany

_ALWAYS = {
    "cache-control": "no-store",
    "pragma": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def answer(body: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] = {}) -> JSONResponse:
    return JSONResponse(dict(body), status_code=status, headers={**_ALWAYS, **headers})


def error_answer(error: OAuthError, *, basic: bool = False) -> JSONResponse:
    """RFC 6749 5.2. `basic` says that the client tried HTTP Basic, which is then challenged."""
    headers = {"www-authenticate": 'Basic realm="Valetkey"'} if error.status == 401 and basic else {}
    description = error.message.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
    return answer({"error": error.error, "error_description": description}, status=error.status, headers=headers)


def too_many_answer(error: TooMany) -> JSONResponse:
    headers = {"retry-after": str(max(1, round(error.retry_after)))}
    return answer({"error": "temporarily_unavailable", "error_description": error.message}, status=429, headers=headers)


def redirect_answer(uri: str, parameters: Mapping[str, str], *, status: int) -> Response:
    """To the client's redirect URI, whose own query stays. 302 after a GET, 303 after a POST."""
    query = urlencode(parameters, quote_via=quote)
    location = f"{uri}{'&' if '?' in uri else '?'}{query}"
    return Response(status_code=status, headers={**_ALWAYS, "location": location})
