"""What the sample authorization server remembers: clients, codes, grants and tokens. No HTTP here.

Tokens are opaque and kept by hash. Codes and refresh tokens are used once; using one twice ends the whole grant, since
then two parties hold it (RFC 9700 2.2.2, 4.14.2).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from valetkey.demo.notes import SCOPES

CODE_SECONDS = 60
REFRESH_SECONDS = 14 * 24 * 3600
MOST_CLIENTS = 1000

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]
AUTH_METHODS: tuple[AuthMethod, ...] = ("none", "client_secret_basic", "client_secret_post")


class OAuthError(Exception):
    """An error with its word on the wire (RFC 6749 5.2, RFC 7591 3.2.2, RFC 8707 2)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    secret_digest: str

    def may_redirect_to(self, uri: str) -> bool:
        """Exactly as registered, but for the port of a loopback address (RFC 8252 7.3)."""
        return any(
            uri == known or _without_loopback_port(uri) == _without_loopback_port(known) for known in self.redirect_uris
        )


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asked a person for, checked."""

    client: Client
    redirect_uri: str
    state: str
    challenge: str
    resource: str
    scopes: tuple[str, ...]


def read_request(
    client: Client, items: Sequence[tuple[str, str]], *, resources: frozenset[str]
) -> AuthorizationRequest:
    """The authorization request in these query fields; the redirect URI was checked before."""
    fields = dict(items)
    names = [name for name, _ in items]
    if repeated := next((name for name in fields if names.count(name) > 1), None):
        raise OAuthError("invalid_request", f"{repeated[:40]} is given more than once.")
    if fields.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code.")
    if fields.get("code_challenge_method") != "S256" or len(fields.get("code_challenge", "")) != 43:
        raise OAuthError("invalid_request", "PKCE with S256 is required.")
    if (resource := fields.get("resource", "")) not in resources:
        raise OAuthError("invalid_target", "resource must name a service that this server protects.")
    scopes = tuple(dict.fromkeys(fields.get("scope", " ".join(SCOPES)).split()))
    if not scopes or not set(scopes) <= SCOPES.keys():
        raise OAuthError("invalid_scope", f"The scopes here are {' '.join(SCOPES)}.")
    state, challenge = fields.get("state", ""), fields["code_challenge"]
    return AuthorizationRequest(client, fields["redirect_uri"], state, challenge, resource, scopes)


@dataclass(slots=True)
class Grant:
    """What a person allowed a client, for one resource; all tokens that come from it live and die with it."""

    client_id: str
    person: str
    resource: str
    scopes: tuple[str, ...]
    ended: str = ""


@dataclass(slots=True)
class Token:
    kind: Literal["access", "refresh"]
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float
    spent: bool = False


@dataclass(slots=True)
class _Code:
    request: AuthorizationRequest
    grant: Grant
    expires_at: float
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A token pair as it goes to the client, once."""

    access_token: str
    refresh_token: str
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """Everything in memory; `now` is seconds, handed in so that tests can move it.

    `issued` keeps each token in clear, which no real server would do: the story needs to know what to look for in the
    hub's data directory.
    """

    now: Callable[[], float]
    access_seconds: int
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    issued: list[dict[str, str]] = field(default_factory=list)
    revocations: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, _Code] = field(default_factory=dict)

    def register(self, metadata: Mapping[str, Any]) -> tuple[Client, str]:
        """A new client and its secret, empty for a public one (RFC 7591)."""
        uris = metadata.get("redirect_uris")
        if not isinstance(uris, list) or not uris or not all(isinstance(uri, str) and _is_safe(uri) for uri in uris):
            raise OAuthError("invalid_redirect_uri", "redirect_uris must be https, or http on a loopback address.")
        method = metadata.get("token_endpoint_auth_method", "client_secret_basic")
        if method not in AUTH_METHODS:
            raise OAuthError(
                "invalid_client_metadata", f"token_endpoint_auth_method is one of {', '.join(AUTH_METHODS)}."
            )
        if "authorization_code" not in metadata.get("grant_types", ["authorization_code"]):
            raise OAuthError("invalid_client_metadata", "grant_types must have authorization_code.")
        if len(self.clients) >= MOST_CLIENTS:
            raise OAuthError("invalid_client_metadata", "Too many clients have registered here.", status=429)
        secret = "" if method == "none" else secrets.token_urlsafe(32)
        name = str(metadata.get("client_name") or "A client without a name")[:80]
        client = Client(f"c-{secrets.token_hex(8)}", name, tuple(uris), method, digest(secret) if secret else "")
        self.clients[client.id] = client
        return client, secret

    def allow(self, request: AuthorizationRequest, person: str, scopes: Sequence[str]) -> str:
        """The code for what the person granted, which may be less than was asked."""
        code = f"mc_{secrets.token_urlsafe(32)}"
        grant = Grant(request.client.id, person, request.resource, tuple(scopes))
        self._codes[digest(code)] = _Code(request, grant, self.now() + CODE_SECONDS)
        return code

    def redeem(self, client: Client, *, code: str, redirect_uri: str, verifier: str, resource: str) -> Issued:
        found = self._codes.get(digest(code))
        if found is None or found.request.client != client:
            raise OAuthError("invalid_grant", "The code is unknown.")
        if found.spent:
            found.grant.ended = "code used twice"
            raise OAuthError("invalid_grant", "The code was used before; the grant has ended.")
        found.spent = True
        if found.expires_at < self.now():
            raise OAuthError("invalid_grant", "The code has expired.")
        if redirect_uri != found.request.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri differs from the authorization request.")
        if s256(verifier) != found.request.challenge:
            raise OAuthError("invalid_grant", "code_verifier does not match (RFC 7636 4.6).")
        if resource not in ("", found.grant.resource):
            raise OAuthError("invalid_target", "The code was granted for another resource.")
        return self._issue(found.grant, found.grant.scopes)

    def refresh(self, client: Client, *, token: str, scopes: Sequence[str], resource: str) -> Issued:
        found = self.tokens.get(digest(token))
        if found is None or found.kind != "refresh" or found.grant.client_id != client.id:
            raise OAuthError("invalid_grant", "The refresh token is unknown.")
        if found.spent and not found.grant.ended:
            found.grant.ended = "refresh token used twice"
        if found.grant.ended or found.expires_at < self.now():
            raise OAuthError("invalid_grant", f"The grant has ended: {found.grant.ended or 'expired'}.")
        if not set(scopes) <= set(found.grant.scopes):
            raise OAuthError("invalid_scope", "A refresh cannot ask for more than was granted.")
        if resource not in ("", found.grant.resource):
            raise OAuthError("invalid_target", "The grant is for another resource.")
        found.spent = True
        return self._issue(found.grant, tuple(scopes) or found.grant.scopes)

    def revoke(self, client: Client, token: str) -> None:
        """RFC 7009: an unknown token is as good as revoked; a refresh token takes its whole grant along."""
        found = self.tokens.get(digest(token))
        if found is None or found.grant.client_id != client.id:
            return
        if found.kind == "refresh":
            found.grant.ended = found.grant.ended or "revoked"
        else:
            found.spent = True
        self.revocations.append({"kind": found.kind, "person": found.grant.person, "token_sha256": digest(token)})

    def look_up(self, token: str) -> Token | None:
        """The access token, if it is good now."""
        found = self.tokens.get(digest(token))
        if found is None or found.kind != "access" or found.spent or found.grant.ended or found.expires_at < self.now():
            return None
        return found

    def _issue(self, grant: Grant, scopes: tuple[str, ...]) -> Issued:
        if grant.ended:
            raise OAuthError("invalid_grant", f"The grant has ended: {grant.ended}.")
        pair = Issued(f"ma_{secrets.token_urlsafe(32)}", f"mr_{secrets.token_urlsafe(32)}", scopes)
        self.tokens[digest(pair.access_token)] = Token("access", grant, scopes, self.now() + self.access_seconds)
        self.tokens[digest(pair.refresh_token)] = Token("refresh", grant, grant.scopes, self.now() + REFRESH_SECONDS)
        for kind, value in (("access", pair.access_token), ("refresh", pair.refresh_token)):
            self.issued.append({"kind": kind, "person": grant.person, "value": value, "token_sha256": digest(value)})
        return pair


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def s256(verifier: str) -> str:
    """RFC 7636 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _is_safe(uri: str) -> bool:
    parts = urlsplit(uri)
    if parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def _without_loopback_port(uri: str) -> tuple[str, ...]:
    parts = urlsplit(uri)
    if parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return (parts.scheme, parts.hostname, parts.path, parts.query)
    return (uri,)
