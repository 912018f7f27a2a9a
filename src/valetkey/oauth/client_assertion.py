"""Proving who we are with a signed statement instead of a secret (`private_key_jwt`; RFC 7521 4.2, RFC 7523 2.2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from valetkey.kernel.secret import Secret
from valetkey.oauth.model import AuthorizationServer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 60
"""Seconds from its making to its end."""

_ALGORITHM = "ES256"


def takes_assertions(server: AuthorizationServer) -> bool:
    """Whether the server says that it takes what we can sign.

    RFC 8414 wants the algorithms listed; where they are not, we try if there is no other way to be known there.
    """
    if "private_key_jwt" not in server.client_auths:
        return False
    return _ALGORITHM in server.signing_algs or (not server.signing_algs and len(server.client_auths) == 1)


def signing_input(*, client_id: str, issuer: str, kid: str, jti: str, now: int) -> bytes:
    """What is to be signed (RFC 7515 5.1). `now` is in seconds since 1970.

    The audience is the issuer alone: a statement that names a token endpoint can be carried to another server by one
    that lies about its endpoints (draft-ietf-oauth-rfc7523bis 4). `jti` is used once.
    """
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "jti": jti, "iat": now, "exp": now + LIFETIME}
    return signed_parts(claims, kid=kid, kind="JWT")


def signed_parts(claims: Mapping[str, Any], *, kid: str, kind: str) -> bytes:
    """A statement as it is signed; `kind` tells readers what it is for (RFC 8725 3.11)."""
    return b".".join(_part(each) for each in ({"alg": _ALGORITHM, "kid": kid, "typ": kind}, claims))


def with_signature(signed: bytes, signature: bytes) -> bytes:
    """The statement whole."""
    return signed + b"." + _base64url(signature)


def assertion(signed: bytes, signature: bytes) -> Secret:
    """The statement with its signature: good for one request, and a secret for as long as it lives."""
    return Secret(with_signature(signed, signature))


def _part(value: Mapping[str, Any]) -> bytes:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
