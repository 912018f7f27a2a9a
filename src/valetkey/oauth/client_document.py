"""Our client ID metadata document (draft-ietf-oauth-client-id-metadata): who we are to services that fetch it."""

from __future__ import annotations

from typing import Any

GRANT_TYPES = ["authorization_code", "refresh_token"]


def client_document(*, client_id: str, name: str, home: str, redirect_uri: str) -> dict[str, Any]:
    """The document served at `client_id`, which it names.

    One per authorization server, listing that server's callback alone, so that no other server's answer can be passed
    off at it (RFC 9700 4.4).
    """
    return {
        "client_id": client_id,
        "client_name": name,
        "client_uri": home,
        "redirect_uris": [redirect_uri],
        "grant_types": GRANT_TYPES,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }
