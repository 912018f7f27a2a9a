"""The token endpoint: exchanging a code, refreshing, and reading what comes back (RFC 6749 4.1.3, 5, 6)."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from valetkey.kernel.errors import printable
from valetkey.kernel.secret import Secret
from valetkey.net.model import Url
from valetkey.oauth.client_assertion import ASSERTION_TYPE
from valetkey.oauth.document import read_object, split_scope
from valetkey.oauth.model import BadMetadata, Client, FormRequest, Holder, TokenFailure, TokenFailureKind, TokenSet

_JSON = {"accept": "application/json"}
# What can stand in an Authorization header as one word; longer ones no server takes.
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_LIFETIME_UNKNOWN = 300.0
_LONGEST_ID_TOKEN = 16 * 1024
_LONGEST_LIFETIME = 10 * 365 * 86400.0

_KINDS = {
    "invalid_grant": TokenFailureKind.GRANT_ENDED,
    # Definite equivalents (CON-23): what two large services say instead, about nothing but the refresh token.
    "bad_refresh_token": TokenFailureKind.GRANT_ENDED,  # GitHub
    "invalid_refresh_token": TokenFailureKind.GRANT_ENDED,  # Slack
    "invalid_client": TokenFailureKind.CLIENT_REFUSED,
    "unauthorized_client": TokenFailureKind.CLIENT_REFUSED,
    "invalid_scope": TokenFailureKind.SCOPE_REFUSED,
    "temporarily_unavailable": TokenFailureKind.PASSING,
    "server_error": TokenFailureKind.PASSING,
    "slow_down": TokenFailureKind.PASSING,
}


def exchange_request(
    endpoint: Url, client: Client, *, code: Secret, verifier: Secret, redirect_uri: str, resource: str
) -> FormRequest:
    """The exchange of an authorization code for tokens."""
    fields: dict[str, str | Secret] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        **_named(resource),
    }
    return authenticated(endpoint, client, fields)


def refresh_request(endpoint: Url, client: Client, *, refresh_token: Secret, resource: str) -> FormRequest:
    """A refresh. It names no scope, so that what was granted stays as it is (RFC 6749 6)."""
    fields: dict[str, str | Secret] = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        **_named(resource),
    }
    return authenticated(endpoint, client, fields)


def _named(resource: str) -> Mapping[str, str]:
    """RFC 8707; nothing for a server that is known to refuse the parameter."""
    return {"resource": resource} if resource else {}


def authenticated(endpoint: Url, client: Client, fields: Mapping[str, str | Secret]) -> FormRequest:
    """The form with proof of who we are, by the method that was registered."""
    if client.auth == "none":
        return FormRequest(endpoint, {**fields, "client_id": client.id}, _JSON)
    if client.secret is None:
        raise ValueError(f"a {client.auth} client without its secret")
    if client.auth == "client_secret_post":
        return FormRequest(endpoint, {**fields, "client_id": client.id, "client_secret": client.secret}, _JSON)
    if client.auth == "private_key_jwt":
        proof: dict[str, str | Secret] = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": client.secret}
        return FormRequest(endpoint, {**fields, "client_id": client.id, **proof}, _JSON)
    # Revealed because the id and the secret are encoded together: form-encoded first, then base64 (RFC 6749 2.3.1).
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret.reveal())}"
    basic = Secret(b"Basic " + base64.b64encode(pair.encode()))
    return FormRequest(endpoint, fields, {**_JSON, "authorization": basic})


def read_token_response(status: int, body: bytes) -> TokenSet | TokenFailure:
    """The tokens, or what kind of failure it is.

    Only an error that a server states in the form of RFC 6749 5.2 can end a grant; it is also recognized in capitals,
    inside a 200, and as `error.code`. A 4xx without one (a firewall's page), a 429 and any 5xx pass.
    """
    if status >= 500 or status in (408, 425, 429):
        return TokenFailure(TokenFailureKind.PASSING, "", "", status)
    try:
        document = read_object(body)
    except BadMetadata as unreadable:
        succeeded = 200 <= status < 300
        return TokenFailure(
            TokenFailureKind.UNREADABLE if succeeded else TokenFailureKind.PASSING, "", unreadable.message, status
        )
    if error := _error_of(document):
        kind = _KINDS.get(error.lower(), TokenFailureKind.REFUSED)
        return TokenFailure(kind, printable(error, limit=60), _description_of(document), status)
    if not 200 <= status < 300:
        return TokenFailure(TokenFailureKind.PASSING, "", "", status)
    return _read_tokens(document, status)


def usable_seconds(expires_in: object) -> float:
    """Seconds from now for which a token is to be used, by what the server calls `expires_in` (security.md 2.6).

    A tenth, at most a minute, is kept back. Not stated: five minutes, then we ask again. Negative or absurd: none.
    """
    if expires_in is None or isinstance(expires_in, bool):
        return _LIFETIME_UNKNOWN
    try:
        seconds = float(expires_in)  # type: ignore[arg-type]  # a number, or by some servers a text of one
    except (TypeError, ValueError, OverflowError):
        return 0.0
    if not math.isfinite(seconds) or not 0 <= seconds <= _LONGEST_LIFETIME:
        return 0.0
    return seconds - min(60.0, seconds / 10)


def _read_tokens(document: Mapping[str, Any], status: int) -> TokenSet | TokenFailure:
    token_type = document.get("token_type", "Bearer")  # required, and left out by some
    access, refresh, scope = (document.get(name) for name in ("access_token", "refresh_token", "scope"))
    problem = ""
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        problem = "“token_type” is not Bearer."
    elif not isinstance(access, str) or not _TOKEN.fullmatch(access):
        problem = "“access_token” is missing or cannot be one."
    elif refresh and (not isinstance(refresh, str) or not _TOKEN.fullmatch(refresh)):
        problem = "“refresh_token” cannot be one."
    elif scope is not None and not isinstance(scope, (str, list)):
        problem = "“scope” is not a text."
    if problem:
        return TokenFailure(TokenFailureKind.UNREADABLE, "", problem, status)
    return TokenSet(
        access_token=Secret(str(access)),
        refresh_token=Secret(str(refresh)) if refresh else None,
        usable_for=usable_seconds(document.get("expires_in")),
        scope=None if scope is None else _scope_text(scope),
        holder=_read_holder(document.get("id_token")),
    )


def _read_holder(id_token: object) -> Holder | None:
    """Whom the ID token names; `None` for what is none, or says less than its standard demands."""
    if not isinstance(id_token, str) or len(id_token) > _LONGEST_ID_TOKEN or id_token.count(".") != 2:
        return None
    part = id_token.split(".")[1]
    try:
        claims = read_object(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
        expires_at = float(claims["exp"])
    except (BadMetadata, ValueError, TypeError, KeyError, OverflowError):
        return None
    issuer, email, audience = claims.get("iss"), claims.get("email", ""), claims.get("aud")
    named = (audience,) if isinstance(audience, str) else tuple(audience) if isinstance(audience, list) else ()
    if not isinstance(issuer, str) or not isinstance(email, str) or not all(isinstance(one, str) for one in named):
        return None
    # Some say it as a text, against the standard; what is neither is no.
    return Holder(issuer, named, email, claims.get("email_verified") in (True, "true"), expires_at)


def _scope_text(scope: str | list[Any]) -> str:
    # Separated by commas (GitHub, Slack) or given as a list by some, against RFC 6749 3.3.
    words = " ".join(str(item) for item in scope) if isinstance(scope, list) else scope
    return " ".join(split_scope(words if " " in words else words.replace(",", " ")))


def _error_of(document: Mapping[str, Any]) -> str:
    error = document.get("error")
    if isinstance(error, Mapping):
        error = error.get("code")
    return error.strip() if isinstance(error, str) else ""


def _description_of(document: Mapping[str, Any]) -> str:
    error = document.get("error")
    description = error.get("message") if isinstance(error, Mapping) else document.get("error_description")
    return printable(description, limit=200) if isinstance(description, str) else ""
