"""Finding out who authorizes for a connector: where the metadata lies, and what of it can be believed.

RFC 9728 (protected resource metadata), RFC 8414 and OpenID Connect Discovery (authorization server metadata), in the
order of the MCP authorization pages (reference/mcp.md 2.2). The caller fetches; nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valetkey.kernel.errors import printable
from valetkey.net.model import Url
from valetkey.oauth.document import (
    checked_url,
    endpoint_of,
    flag_of,
    read_object,
    scopes_of,
    text_of,
    texts_of,
)
from valetkey.oauth.model import AuthorizationServer, BadMetadata, ParseUrl, ProtectedResource
from valetkey.oauth.pkce import METHOD

_PRM = "/.well-known/oauth-protected-resource"
_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


def prm_locations(connector: Url) -> tuple[str, ...]:
    """Where protected resource metadata lies when no challenge points to it: below the path, then at the root."""
    path = "" if connector.path == "/" else connector.path
    inserted = f"{connector.origin}{_PRM}{path}" + (f"?{connector.query}" if connector.query else "")
    return tuple(dict.fromkeys((inserted, f"{connector.origin}{_PRM}")))


def read_prm(body: bytes, *, connector: Url, parse: ParseUrl, allow_http: bool) -> ProtectedResource:
    """The metadata of the resource that `connector` is, or lies below.

    Its `resource` must be of the same origin and equal to, or a path-prefix of, the connector's URL (else the tokens we
    get would be for something else). Raises `BadMetadata`; when the resource differs, it names both.
    """
    document = read_object(body)
    resource = text_of(document, "resource")
    if not resource:
        raise BadMetadata("“resource” is missing.", field="resource")
    named = checked_url(resource, what="resource", parse=parse, allow_http=allow_http)
    if not covers(named, connector):
        raise BadMetadata(
            f"The metadata is about {printable(named.text)}, and the connector is {printable(connector.text)}.",
            field="resource",
            hint="Enter the URL exactly as the service gives it.",
        )
    servers = texts_of(document, "authorization_servers")
    if not servers:
        raise BadMetadata("“authorization_servers” is missing or empty.", field="authorization_servers")
    return ProtectedResource(resource, servers, scopes_of(document, "scopes_supported"))


def covers(resource: Url, connector: Url) -> bool:
    """Whether `connector` is `resource` or lies below it, compared as RFC 3986 section 6 normalizes."""
    if (resource.scheme, resource.host, resource.port) != (connector.scheme, connector.host, connector.port):
        return False
    if resource.query and resource.query != connector.query:
        return False
    return f"{connector.path.rstrip('/')}/".startswith(f"{resource.path.rstrip('/')}/")


def as_locations(issuer: Url) -> tuple[str, ...]:
    """Where an issuer's metadata may lie, in the order to try.

    For an issuer with a path the root is never asked: it belongs to somebody else.
    """
    path = issuer.path.rstrip("/")
    if not path:
        return (f"{issuer.origin}{_OAUTH}", f"{issuer.origin}{_OPENID}")
    return (f"{issuer.origin}{_OAUTH}{path}", f"{issuer.origin}{_OPENID}{path}", f"{issuer.origin}{path}{_OPENID}")


def legacy_as_location(connector: Url) -> str:
    """Where a service of the 2025-03-26 revision keeps the metadata, which then is its own issuer (CON-10)."""
    return f"{connector.origin}{_OAUTH}"


def legacy_default_server(connector: Url, *, parse: ParseUrl) -> AuthorizationServer:
    """The endpoints that the 2025-03-26 revision assumes where there is no metadata at all (CON-10)."""
    origin = connector.origin
    return AuthorizationServer(
        issuer=origin,
        authorization_endpoint=parse(f"{origin}/authorize"),
        token_endpoint=parse(f"{origin}/token"),
        registration_endpoint=parse(f"{origin}/register"),
        revocation_endpoint=None,
        scopes=(),
        client_auths=(),
        signing_algs=(),
        takes_client_documents=False,
        promises_iss=False,
    )


def read_as_metadata(body: bytes, *, issuer: str, parse: ParseUrl, allow_http: bool) -> AuthorizationServer:
    """The metadata of `issuer`, which must state that very identifier. Raises `BadMetadata`."""
    return read_as_document(read_object(body), issuer=issuer, parse=parse, allow_http=allow_http)


def read_as_document(
    document: Mapping[str, Any], *, issuer: str, parse: ParseUrl, allow_http: bool
) -> AuthorizationServer:
    """As `read_as_metadata`, for metadata that is already an object, such as `as_document` gave."""
    stated = text_of(document, "issuer")
    if not is_same_issuer(stated, issuer):
        # RFC 8414 3.3: else whoever serves this file could speak for another server.
        raise BadMetadata(
            f"The metadata is of the issuer {printable(stated) or '(none)'}, and {printable(issuer)} was asked for.",
            field="issuer",
        )
    checked_url(stated, what="issuer", parse=parse, allow_http=allow_http)
    _require_code_flow(document)
    endpoints = {
        name: endpoint_of(document, name, parse=parse, allow_http=allow_http)
        for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint")
    }
    authorize, token = endpoints["authorization_endpoint"], endpoints["token_endpoint"]
    if authorize is None or token is None:
        missing = "authorization_endpoint" if authorize is None else "token_endpoint"
        raise BadMetadata(f"“{missing}” is missing.", field=missing)
    return AuthorizationServer(
        issuer=stated,
        authorization_endpoint=authorize,
        token_endpoint=token,
        registration_endpoint=endpoints["registration_endpoint"],
        revocation_endpoint=endpoints["revocation_endpoint"],
        scopes=scopes_of(document, "scopes_supported"),
        client_auths=texts_of(document, "token_endpoint_auth_methods_supported"),
        signing_algs=texts_of(document, "token_endpoint_auth_signing_alg_values_supported"),
        takes_client_documents=flag_of(document, "client_id_metadata_document_supported"),
        promises_iss=flag_of(document, "authorization_response_iss_parameter_supported"),
    )


def as_document(server: AuthorizationServer) -> dict[str, Any]:
    """What we keep of a server's metadata: `read_as_document` reads it, and checks it, again."""
    kept: dict[str, Any] = {
        "issuer": server.issuer,
        "authorization_endpoint": server.authorization_endpoint.text,
        "token_endpoint": server.token_endpoint.text,
        "scopes_supported": list(server.scopes),
        "token_endpoint_auth_methods_supported": list(server.client_auths),
        "token_endpoint_auth_signing_alg_values_supported": list(server.signing_algs),
        "code_challenge_methods_supported": [METHOD],
        "client_id_metadata_document_supported": server.takes_client_documents,
        "authorization_response_iss_parameter_supported": server.promises_iss,
    }
    for name, url in (
        ("registration_endpoint", server.registration_endpoint),
        ("revocation_endpoint", server.revocation_endpoint),
    ):
        if url is not None:
            kept[name] = url.text
    return kept


def is_same_issuer(one: str, other: str) -> bool:
    """Identical, but that a root issuer may be written with or without its slash (python-sdk#1919: Google's)."""
    if one == other:
        return bool(one)
    shorter, longer = sorted((one, other), key=len)
    return longer == f"{shorter}/" and shorter.count("/") == 2 and "://" in shorter


def _require_code_flow(document: Mapping[str, Any]) -> None:
    if METHOD not in texts_of(document, "code_challenge_methods_supported"):
        raise BadMetadata(
            "It does not say that it supports PKCE with S256.",
            field="code_challenge_methods_supported",
            hint="MCP requires it; the service must add it to its metadata.",
        )
    grants = texts_of(document, "grant_types_supported")
    if grants and "authorization_code" not in grants:
        # CON-04: no connection without a person who consents.
        raise BadMetadata(
            "It offers no way for a person to authorize (no authorization code grant).", field="grant_types_supported"
        )
    responses = texts_of(document, "response_types_supported")
    if responses and "code" not in responses:
        raise BadMetadata("It gives out no authorization codes.", field="response_types_supported")
