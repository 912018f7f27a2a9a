"""Our client ID metadata document (draft-ietf-oauth-client-id-metadata): who we are to services that fetch it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GRANT_TYPES = ["authorization_code", "refresh_token"]


def client_document(
    *, client_id: str, name: str, home: str, redirect_uri: str, key: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The document served at `client_id`, which it names.

    One per authorization server, listing that server's callback alone, so that no other server's answer can be passed
    off at it (RFC 9700 4.4). `key` is our public key there, if we sign who we are; no document can hold a secret.
    """
    return {
        "client_id": client_id,
        "client_name": name,
        "client_uri": home,
        "redirect_uris": [redirect_uri],
        "grant_types": GRANT_TYPES,
        "response_types": ["code"],
        **authentication(key),
        "application_type": "web",
    }


def authentication(key: Mapping[str, Any] | None) -> dict[str, Any]:
    """How a client without a secret proves who it is: with this key, or not at all (RFC 7591 2)."""
    if key is None:
        return {"token_endpoint_auth_method": "none"}
    return {
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": key["alg"],
        "jwks": {"keys": [dict(key)]},
    }
