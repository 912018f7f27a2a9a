"""The values of OAuth, and the ways in which a message from outside cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.secret import Secret
from valetkey.net.model import Url

ParseUrl = Callable[[str], Url]
"""The one strict parser (`net.url.parse_url`), with what the operator allows; raises `BadInput`."""

ClientAuth = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
"""How we prove at a token endpoint who we are (RFC 7591 section 2)."""

CLIENT_AUTHS: tuple[ClientAuth, ...] = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
"""Those we speak, the one we would rather register first: a secret is understood wherever it is offered."""


class BadMetadata(ValetkeyError):
    """Metadata that is malformed, unsafe, or not about what was asked. `field` names the member at fault."""

    code = "bad_metadata"

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class MixedUp(ValetkeyError):
    """An authorization response from another server than we sent the person to (RFC 9207); nothing of it is shown."""

    code = "mixed_up"


class RegistrationRefused(ValetkeyError):
    """An authorization server did not register us, or not as something we can be."""

    code = "registration_refused"
    status: int | None = None
    """What the answer's status was, if there was an answer."""


class ScopeOrigin(StrEnum):
    """Where the list of scopes came from (S-18, S-19)."""

    CHALLENGE = "challenge"  # the connector's 401 named them
    CONNECTOR = "connector"  # its protected resource metadata lists them
    AUTHORIZATION_SERVER = "authorization_server"  # fallback: may be broader than needed
    PINNED = "pinned"
    BEFORE = "before"  # nobody names any now; these were granted before, or named when a call was refused
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """Protected resource metadata (RFC 9728). `resource` is verbatim, as it must be sent."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """Authorization server metadata (RFC 8414), checked. `issuer` is the value the metadata states."""

    issuer: str
    authorization_endpoint: Url
    token_endpoint: Url
    registration_endpoint: Url | None
    revocation_endpoint: Url | None
    scopes: tuple[str, ...]
    client_auths: tuple[str, ...]
    signing_algs: tuple[str, ...]
    """`token_endpoint_auth_signing_alg_values_supported`, for `private_key_jwt`"""
    takes_client_documents: bool
    """`client_id_metadata_document_supported`"""
    promises_iss: bool
    """`authorization_response_iss_parameter_supported`: then a response without `iss` is refused (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at one authorization server. With `private_key_jwt` the secret is a signed statement, for one use."""

    id: str
    auth: ClientAuth
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A form to be posted, as `net.client.WebClient.post_form` takes it."""

    url: Url
    fields: Mapping[str, str | Secret]
    headers: Mapping[str, str | Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, as the ID token says that came beside the tokens.

    It came from the token endpoint itself, so its signature would say nothing more (OpenID Connect Core 3.1.3.7, 6);
    whom it is from and for, and until when, is for the caller to check.
    """

    issuer: str
    audience: tuple[str, ...]
    email: str
    is_verified: bool
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a token endpoint gave. `usable_for` is in seconds from its receipt, with a margin taken off.

    `scope` is what it says it granted, in its own order; `None` when it did not say, and then it granted what was asked
    (RFC 6749 5.1).
    """

    access_token: Secret
    refresh_token: Secret | None
    usable_for: float
    scope: str | None
    holder: Holder | None = None

    def granted(self, asked: str) -> str:
        """The scope granted for a request that asked for `asked`."""
        return asked if self.scope is None else self.scope


class TokenFailureKind(StrEnum):
    """What a failed token request means for what we hold."""

    GRANT_ENDED = "grant_ended"  # the one that is final: the person's grant is gone
    CLIENT_REFUSED = "client_refused"  # the server does not know us (any more)
    SCOPE_REFUSED = "scope_refused"
    REFUSED = "refused"  # another error that RFC 6749 defines or allows
    PASSING = "passing"  # nothing is known to have changed: try later
    UNREADABLE = "unreadable"  # success was claimed and no usable token came


@dataclass(frozen=True, slots=True)
class TokenFailure:
    """A token request that gave no tokens. `error` and `description` are the server's words, bounded and printable."""

    kind: TokenFailureKind
    error: str
    description: str
    status: int
