"""The desk at the token endpoint, in two halves: what a worker asks, and the vault's process that does it.

The vault's half goes by the labels of the parcels it is handed, never by the worker's word: what opens for one token
endpoint is posted to that one, what a service gives is sealed for the account that asked, and nothing comes back in the
open but what says how it went.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from valetkey.beside.children import Child
from valetkey.connections.desk import Desk, Hint, RegistrationReplied, Replied, RevocationReplied
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.net.model import Url
from valetkey.oauth.model import AuthorizationServer, Client, ClientAuth, TokenSet
from valetkey.oauth.openid import IdTokenReplied
from valetkey.vault.model import Binding, Use
from valetkey.vault.parcels import FRESH, Parcels

SpoolNow = Callable[[str, TokenSet], Awaitable[None]]
KnownServer = Callable[[str], Awaitable[AuthorizationServer | None]]


class DeskBeside:
    """The worker's half: implements `connections.desk.Desk` by asking."""

    def __init__(self, vault: Child) -> None:
        self._vault = vault

    async def exchange(
        self, endpoint: Url, client: Client, *, code: Secret, verifier: Secret, redirect_uri: str, resource: str
    ) -> Replied:
        return await self._vault.ask(
            "exchange", Replied, endpoint=endpoint, client=client, code=code, verifier=verifier,
            redirect_uri=redirect_uri, resource=resource,
        )  # fmt: skip

    async def refresh(self, endpoint: Url, client: Client, *, refresh_token: Secret, resource: str) -> Replied:
        return await self._vault.ask(
            "refresh", Replied, endpoint=endpoint, client=client, refresh_token=refresh_token, resource=resource
        )

    async def revoke(self, endpoint: Url, client: Client, *, token: Secret, hint: Hint) -> RevocationReplied:
        return await self._vault.ask(
            "revoke", RevocationReplied, endpoint=endpoint, client=client, token=token, hint=hint
        )

    async def register(
        self, endpoint: Url, *, issuer: str, document: bytes, redirect_uri: str, asked: ClientAuth
    ) -> RegistrationReplied:
        return await self._vault.ask(
            "register", RegistrationReplied, endpoint=endpoint, issuer=issuer, document=document,
            redirect_uri=redirect_uri, asked=asked,
        )  # fmt: skip

    async def identify(
        self, endpoint: Url, client: Client, *, issuer: str, code: Secret, verifier: Secret, redirect_uri: str
    ) -> IdTokenReplied:
        return await self._vault.ask(
            "identify", IdTokenReplied, endpoint=endpoint, client=client, issuer=issuer, code=code, verifier=verifier,
            redirect_uri=redirect_uri,
        )  # fmt: skip


class GuardedDesk:
    """The vault's half: opens parcels, asks by `desk`, and makes parcels of what came."""

    def __init__(self, desk: Desk, parcels: Parcels, known: KnownServer, spool_now: SpoolNow) -> None:
        self._desk = desk
        self._spool_now = spool_now
        self._parcels = parcels
        self._known = known

    async def exchange(
        self, endpoint: Url, client: Client, code: Secret, verifier: Secret, redirect_uri: str, resource: str
    ) -> Replied:
        belongs, opened = self._opened(verifier, Use.EXCHANGE_CODE)
        _check_origin(belongs, endpoint)
        ours = self._client(client, belongs.issuer, endpoint)
        try:
            replied = await self._desk.exchange(
                endpoint, ours, code=code, verifier=opened, redirect_uri=redirect_uri, resource=resource
            )
        finally:
            _wipe(code, opened, ours.secret)
        return self._sealed(replied, belongs)

    async def refresh(self, endpoint: Url, client: Client, refresh_token: Secret, resource: str) -> Replied:
        belongs, opened = self._opened(refresh_token, Use.REFRESH)
        _check_origin(belongs, endpoint)
        ours = self._client(client, belongs.issuer, endpoint)
        try:
            replied = await self._desk.refresh(endpoint, ours, refresh_token=opened, resource=resource)
            if replied.tokens is not None:  # before anybody else hears of it: a worker may be gone by then (I7)
                await self._spool_now(belongs.subject, replied.tokens)
            replied = _unechoed(replied, opened)
        finally:
            _wipe(opened, ours.secret)
        return self._sealed(replied, belongs)

    async def revoke(self, endpoint: Url, client: Client, token: Secret, hint: Hint) -> RevocationReplied:
        belongs, opened = self._opened(token, Use.REVOKE, FRESH)
        server = await self._known(belongs.issuer)
        if server is None or server.revocation_endpoint is None or server.revocation_endpoint.text != endpoint.text:
            opened.wipe()
            raise BadInput("A token is given back to the server that gave it.", field="revocation_endpoint")
        ours = self._client(client, belongs.issuer, server.token_endpoint)
        try:
            return await self._desk.revoke(endpoint, ours, token=opened, hint=hint)
        finally:
            _wipe(opened, ours.secret)

    async def register(
        self, endpoint: Url, issuer: str, document: bytes, redirect_uri: str, asked: ClientAuth
    ) -> RegistrationReplied:
        replied = await self._desk.register(
            endpoint, issuer=issuer, document=document, redirect_uri=redirect_uri, asked=asked
        )
        like = Binding(tenant="", person="", subject="", purpose="", origin=endpoint.origin, issuer=issuer)
        new = replied.registered
        if new.client.secret is not None:
            secret = self._parcels.fresh(new.client.secret, purpose="client_secret", like=like)
            new = replace(new, client=replace(new.client, secret=secret))
        if new.management_token is not None:
            token = self._parcels.fresh(new.management_token, purpose="registration_access_token", like=like)
            new = replace(new, management_token=token)
        return replace(replied, registered=new)

    async def identify(
        self, endpoint: Url, client: Client, issuer: str, code: Secret, verifier: Secret, redirect_uri: str
    ) -> IdTokenReplied:
        """The verifier is the browser's, so no parcel; what comes back says who somebody is, and opens nothing here."""
        ours = self._client(client, issuer, endpoint)
        try:
            return await self._desk.identify(
                endpoint, ours, issuer=issuer, code=code, verifier=verifier, redirect_uri=redirect_uri
            )
        finally:
            _wipe(code, verifier, ours.secret)

    # --- within -------------------------------------------------------------------------------------------------------

    def _opened(self, secret: Secret, *uses: str) -> tuple[Binding, Secret]:
        found = self._parcels.open(secret)
        if found is None:
            raise BadInput("A credential in the open is not taken here.", field="token")
        label, opened = found
        if label.use not in uses:
            opened.wipe()
            raise BadInput(f"What was revealed for {label.use} goes nowhere else.", field="token")
        return label.belongs, opened

    def _client(self, client: Client, issuer: str, endpoint: Url) -> Client:
        """Who we are, with the secret opened; a signed statement is none of the vault's, and good once."""
        if client.secret is None:
            return client
        found = self._parcels.open(client.secret)
        if found is None:
            if client.auth != "private_key_jwt":
                raise BadInput("A client's secret in the open is not taken here.", field="client_secret")
            return client
        label, opened = found
        if label.use == FRESH:
            is_theirs = label.belongs.purpose == "client_secret" and label.belongs.issuer == issuer
        else:
            is_theirs = (
                label.use == Use.CLIENT_AUTHENTICATION
                and label.belongs.issuer == issuer
                and label.belongs.origin == endpoint.origin
            )
        if not is_theirs:
            opened.wipe()
            raise BadInput("Our secret at one server is not said to another.", field="client_secret")
        return replace(client, secret=opened)

    def _sealed(self, replied: Replied, belongs: Binding) -> Replied:
        tokens = replied.tokens
        if tokens is None:
            return replied
        refresh = tokens.refresh_token
        return replace(
            replied,
            tokens=TokenSet(
                access_token=self._parcels.fresh(tokens.access_token, purpose="access_token", like=belongs),
                refresh_token=self._parcels.fresh(refresh, purpose="refresh_token", like=belongs) if refresh else None,
                usable_for=tokens.usable_for,
                scope=tokens.scope,
                holder=tokens.holder,
            ),
        )


def _check_origin(belongs: Binding, endpoint: Url) -> None:
    """As the encryption already says: a token for another token endpoint than the one it came from is not opened."""
    if belongs.origin != endpoint.origin:
        raise BadInput("What belongs to one token endpoint is not said to another.", field="token_endpoint")


def _unechoed(replied: Replied, token: Secret) -> Replied:
    """The same, but that a server's words about a token it refuses are not passed on if they begin to repeat it."""
    failure = replied.failure
    if failure is None:
        return replied
    # Revealed to be looked for: what is compared is its beginning, and goes nowhere.
    beginning = token.reveal()[:12].decode("latin-1")
    if beginning not in failure.description and beginning not in failure.error:
        return replied
    return replace(replied, failure=replace(failure, error="", description=""))


def _wipe(*secrets: Secret | None) -> None:
    for secret in secrets:
        if secret is not None:
            secret.wipe()
