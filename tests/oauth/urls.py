"""URLs for tests, parsed by the product's own parser."""

from __future__ import annotations

from typing import Any

from valetkey.net.model import Url
from valetkey.net.url import parse_url
from valetkey.oauth.discovery import read_as_document
from valetkey.oauth.model import AuthorizationServer

ISSUER = "https://as.example.com"
METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
}


def url(text: str) -> Url:
    return parse_url(text)


def a_server(**changed: Any) -> AuthorizationServer:
    """A server with unremarkable metadata, but for what is said; `None` takes a member away."""
    document = {name: value for name, value in {**METADATA, **changed}.items() if value is not None}
    return read_as_document(document, issuer=str(document["issuer"]), parse=parse_url, allow_http=False)
