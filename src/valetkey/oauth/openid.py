"""Signing people in by OpenID Connect: what a provider says of itself, and the answer that holds an ID token.

Only the code flow, with PKCE always: many providers that support S256 do not say so in their metadata, and a server
that does not know the parameters ignores them (RFC 6749 3.1). The caller fetches; nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from valetkey.kernel.secret import Secret
from valetkey.net.model import Url
from valetkey.oauth.authorization import authorization_url
from valetkey.oauth.discovery import is_same_issuer
from valetkey.oauth.document import endpoint_of, flag_of, read_object, text_of, texts_of
from valetkey.oauth.model import (
    AuthorizationServer,
    BadMetadata,
    Client,
    FormRequest,
    ParseUrl,
    TokenFailure,
    TokenFailureKind,
)
from valetkey.oauth.token import authenticated, read_token_response

SCOPE: Final = "openid email profile"
LONGEST_ID_TOKEN: Final = 16 * 1024
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """What OpenID Connect Discovery 1.0 says of a provider, checked. `issuer` is the value that ID tokens state."""

    issuer: str
    authorization_endpoint: Url
    token_endpoint: Url
    keys: Url
    """`jwks_uri`"""
    signing_algs: tuple[str, ...]
    client_auths: tuple[str, ...]
    promises_iss: bool


@dataclass(frozen=True, slots=True)
class IdTokenReplied:
    """What the token endpoint said to a sign-in: an ID token, or why there is none. Other tokens are not kept."""

    status: int
    id_token: Secret | None
    failure: TokenFailure | None


def configuration_location(issuer: Url) -> str:
    """Where the metadata lies (Discovery 4.1): after the issuer's path, not before it as in RFC 8414."""
    return f"{issuer.origin}{issuer.path.rstrip('/')}{_WELL_KNOWN}"


def read_configuration(body: bytes, *, issuer: str, parse: ParseUrl, allow_http: bool) -> OpenIdProvider:
    """The metadata of `issuer`, which must state that very identifier. Raises `BadMetadata`."""
    document = read_object(body)
    stated = text_of(document, "issuer")
    if not is_same_issuer(stated, issuer):
        # Discovery 4.3: else whoever serves this file could speak for another provider.
        raise BadMetadata("The provider's metadata is of another issuer.", field="issuer")
    authorize, token, keys = (
        _required(document, name, parse=parse, allow_http=allow_http)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    responses = texts_of(document, "response_types_supported")
    if responses and "code" not in responses:
        raise BadMetadata("The provider gives out no authorization codes.", field="response_types_supported")
    return OpenIdProvider(
        issuer=stated,
        authorization_endpoint=authorize,
        token_endpoint=token,
        keys=keys,
        # Discovery 3: RS256 must be among them, so that is what silence means.
        signing_algs=texts_of(document, "id_token_signing_alg_values_supported") or ("RS256",),
        client_auths=texts_of(document, "token_endpoint_auth_methods_supported") or ("client_secret_basic",),
        promises_iss=flag_of(document, "authorization_response_iss_parameter_supported"),
    )


def sign_in_url(
    provider: OpenIdProvider,
    *,
    client_id: str,
    redirect_uri: str,
    state: Secret,
    code_challenge: str,
    nonce: str,
    login_hint: str,
    again: bool,
) -> str:
    """Where to send the person. `again` asks the provider to have them prove anew who they are (Core 3.1.2.1)."""
    server = AuthorizationServer(
        issuer=provider.issuer,
        authorization_endpoint=provider.authorization_endpoint,
        token_endpoint=provider.token_endpoint,
        registration_endpoint=None,
        revocation_endpoint=None,
        scopes=(),
        client_auths=provider.client_auths,
        signing_algs=(),
        takes_client_documents=False,
        promises_iss=provider.promises_iss,
    )
    address = authorization_url(
        server,
        client_id=client_id,
        redirect_uri=redirect_uri,
        state=state,
        code_challenge=code_challenge,
        resource="",
        scope=SCOPE,
    )
    more = {"nonce": nonce}
    if login_hint:
        more["login_hint"] = login_hint
    if again:
        more |= {"prompt": "login", "max_age": "0"}
    return f"{address}&{urlencode(more, quote_via=quote)}"


def id_token_request(
    endpoint: Url, client: Client, *, code: Secret, verifier: Secret, redirect_uri: str
) -> FormRequest:
    """The exchange of a code for an ID token (Core 3.1.3.1)."""
    fields: Mapping[str, str | Secret] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return authenticated(endpoint, client, fields)


def read_id_token_response(status: int, body: bytes) -> IdTokenReplied:
    """The ID token out of the answer. What else was given is wiped: we call nothing in the person's name there."""
    reply = read_token_response(status, body)
    if isinstance(reply, TokenFailure):
        return IdTokenReplied(status, None, reply)
    for token in (reply.access_token, reply.refresh_token):
        if token is not None:
            token.wipe()
    given = read_object(body).get("id_token")
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID_TOKEN or not given.isascii():
        problem = "“id_token” is missing or cannot be one."
        return IdTokenReplied(status, None, TokenFailure(TokenFailureKind.UNREADABLE, "", problem, status))
    return IdTokenReplied(status, Secret(given), None)


def _required(document: Mapping[str, object], name: str, *, parse: ParseUrl, allow_http: bool) -> Url:
    url = endpoint_of(document, name, parse=parse, allow_http=allow_http)
    if url is None:
        raise BadMetadata(f"“{name}” is missing.", field=name)
    return url
