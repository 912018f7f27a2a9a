"""What discovery finds: authorization server metadata (RFC 8414) and protected resource metadata (RFC 9728).

One issuer, without a path and without a trailing slash, since clients of the field strip or add both; the same bytes at
every place a client may look. A resource's document is derived from its path alone: it is the same whether or not there
is such a connector.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from valetkey.authserver.model import CimdWorks
from valetkey.identity.resources import MCP, connector_of, is_mcp_resource, profile_of

_HEADERS = {
    "cache-control": "public, max-age=60",
    "access-control-allow-origin": "*",  # public facts; browser clients read them from elsewhere
    "x-content-type-options": "nosniff",
}


class Metadata:
    """Both documents. `cimd_works` says whether documents of clients can be had: by egress, or pinned."""

    def __init__(self, *, public_url: str, cimd_works: CimdWorks) -> None:
        self._public_url = public_url
        self._cimd_works = cimd_works

    async def authorization_server(self, request: Request) -> Response:
        """At the root, and where clients look that take the resource's path for the issuer's."""
        path = request.path_params.get("path")
        if path is not None and not is_mcp_resource(f"/{path}"):
            return _not_found()
        return _found(authorization_server_metadata(self._public_url, cimd=self._cimd_works()))

    async def protected_resource(self, request: Request) -> Response:
        """At the path of the resource; at the root, the one that is meant when none is named."""
        path = request.path_params.get("path")
        resource = MCP if path is None else f"/{path}"
        if not is_mcp_resource(resource):
            return _not_found()
        return _found(protected_resource_metadata(self._public_url, resource))


def authorization_server_metadata(public_url: str, *, cimd: bool) -> Mapping[str, object]:
    """RFC 8414 2, with RFC 9207 3 and the client ID metadata document's flag."""
    return {
        "issuer": public_url,
        "authorization_endpoint": f"{public_url}/oauth/authorize",
        "token_endpoint": f"{public_url}/oauth/token",
        "registration_endpoint": f"{public_url}/oauth/register",
        "revocation_endpoint": f"{public_url}/oauth/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["mcp", "offline_access"],
        "client_id_metadata_document_supported": cimd,
        "authorization_response_iss_parameter_supported": True,
    }


def protected_resource_metadata(public_url: str, resource: str) -> Mapping[str, object]:
    """RFC 9728 2. No `offline_access`: that is between client and authorization server."""
    connector, label = connector_of(resource)
    named = (f"{connector} ({label})" if label else connector) or profile_of(resource)
    return {
        "resource": f"{public_url}{resource}",
        "authorization_servers": [public_url],
        "scopes_supported": ["mcp"],
        "bearer_methods_supported": ["header"],
        "resource_name": f"{named} through Valetkey" if named else "Valetkey",
    }


def _found(document: Mapping[str, object]) -> Response:
    return Response(json.dumps(document).encode(), media_type="application/json", headers=_HEADERS)


def _not_found() -> Response:
    return JSONResponse({"error": "not_found"}, status_code=404, headers={"x-content-type-options": "nosniff"})
