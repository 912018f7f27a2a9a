"""Where requests with a secret in them are made of their parts, sent, and their answers read: one for each (RFC 6749).

Here is the one that does so in this process. With a vault in a process of its own these verbs are carried out there,
and what this process gives and gets in the place of secrets is sealed (`split.desk`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from valetkey.kernel.secret import Secret
from valetkey.net.client import WebClient
from valetkey.net.limits import REFRESH, TOKEN, Limits
from valetkey.net.model import Url
from valetkey.oauth.model import Client, ClientAuth, RegistrationRefused, TokenFailure, TokenSet
from valetkey.oauth.openid import IdTokenReplied, id_token_request, read_id_token_response
from valetkey.oauth.registration import Registered, read_registration
from valetkey.oauth.revocation import Revocation, read_revocation_response, revocation_request
from valetkey.oauth.token import exchange_request, read_token_response, refresh_request

REVOKE = Limits(first_byte=5.0, idle=5.0, total=5.0, max_body=64 * 1024)
"""Forgetting does not wait for a server that is slow to forget (security.md 2.8)."""

Hint = Literal["refresh_token", "access_token"]


@dataclass(frozen=True, slots=True)
class Replied:
    """What a token endpoint said: the status, and the tokens or why there are none."""

    status: int
    tokens: TokenSet | None
    failure: TokenFailure | None

    @property
    def reply(self) -> TokenSet | TokenFailure:
        reply = self.tokens or self.failure
        assert reply is not None  # there is the one or the other
        return reply


@dataclass(frozen=True, slots=True)
class RevocationReplied:
    """What a revocation endpoint said."""

    status: int
    result: Revocation


@dataclass(frozen=True, slots=True)
class RegistrationReplied:
    """What a registration endpoint said."""

    status: int
    registered: Registered


class Desk(Protocol):
    """Each raises what `net` raises; secrets that were given are the caller's to wipe."""

    async def exchange(
        self, endpoint: Url, client: Client, *, code: Secret, verifier: Secret, redirect_uri: str, resource: str
    ) -> Replied: ...

    async def refresh(self, endpoint: Url, client: Client, *, refresh_token: Secret, resource: str) -> Replied: ...

    async def revoke(self, endpoint: Url, client: Client, *, token: Secret, hint: Hint) -> RevocationReplied: ...

    async def register(
        self, endpoint: Url, *, issuer: str, document: bytes, redirect_uri: str, asked: ClientAuth
    ) -> RegistrationReplied:
        """Also raises `RegistrationRefused`."""
        ...

    async def identify(
        self, endpoint: Url, client: Client, *, issuer: str, code: Secret, verifier: Secret, redirect_uri: str
    ) -> IdTokenReplied:
        """For a person who signs in to this hub: what comes back tells who they are, and opens nothing."""
        ...


class DirectDesk:
    """Asks through `web`."""

    def __init__(self, web: WebClient) -> None:
        self._web = web

    async def exchange(
        self, endpoint: Url, client: Client, *, code: Secret, verifier: Secret, redirect_uri: str, resource: str
    ) -> Replied:
        request = exchange_request(
            endpoint, client, code=code, verifier=verifier, redirect_uri=redirect_uri, resource=resource
        )
        fetched = await self._web.post_form(request.url, request.fields, headers=request.headers, limits=TOKEN)
        return _replied(fetched.status, fetched.body)

    async def refresh(self, endpoint: Url, client: Client, *, refresh_token: Secret, resource: str) -> Replied:
        request = refresh_request(endpoint, client, refresh_token=refresh_token, resource=resource)
        fetched = await self._web.post_form(request.url, request.fields, headers=request.headers, limits=REFRESH)
        return _replied(fetched.status, fetched.body)

    async def revoke(self, endpoint: Url, client: Client, *, token: Secret, hint: Hint) -> RevocationReplied:
        request = revocation_request(endpoint, client, token=token, hint=hint)
        fetched = await self._web.post_form(request.url, request.fields, headers=request.headers, limits=REVOKE)
        return RevocationReplied(fetched.status, read_revocation_response(fetched.status, fetched.body))

    async def register(
        self, endpoint: Url, *, issuer: str, document: bytes, redirect_uri: str, asked: ClientAuth
    ) -> RegistrationReplied:
        fetched = await self._web.post(endpoint, body=document, content_type="application/json")
        try:
            registered = read_registration(fetched.status, fetched.body, redirect_uri=redirect_uri, asked=asked)
        except RegistrationRefused as refused:
            refused.status = fetched.status
            raise
        return RegistrationReplied(fetched.status, registered)

    async def identify(
        self, endpoint: Url, client: Client, *, issuer: str, code: Secret, verifier: Secret, redirect_uri: str
    ) -> IdTokenReplied:
        request = id_token_request(endpoint, client, code=code, verifier=verifier, redirect_uri=redirect_uri)
        fetched = await self._web.post_form(request.url, request.fields, headers=request.headers, limits=TOKEN)
        return read_id_token_response(fetched.status, fetched.body)


def _replied(status: int, body: bytes) -> Replied:
    reply = read_token_response(status, body)
    return Replied(status, None, reply) if isinstance(reply, TokenFailure) else Replied(status, reply, None)
