"""Speaking to an authorization server in a connection's name: exchange, refresh, revoke. Each request into the trace.

Secrets pass through here on their way between vault and desk; they are wiped, and never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from valetkey.connections.client_identity import ClientIdentities
from valetkey.connections.desk import Desk, Hint, Replied
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection, StepFailed
from valetkey.connections.servers import Servers, outside
from valetkey.connections.trace import Steps, request_line, scrubbed
from valetkey.directory.model import Connector
from valetkey.kernel.errors import OutboundFailed, RootKeyUnavailable, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.net.model import Moved, Url
from valetkey.oauth.model import (
    AuthorizationServer,
    Client,
    ParseUrl,
    TokenFailure,
    TokenFailureKind,
    TokenSet,
)
from valetkey.oauth.revocation import Revocation
from valetkey.vault.model import Binding, NothingSealed, Use
from valetkey.vault.verbs import Vault

_NOT_THERE = (301, 404, 405, 410)


@dataclass(frozen=True, slots=True)
class Revoked:
    """What came of a revocation, as a receipt says it: `confirmed`, `unsupported`, `failed` or `not_needed`."""

    outcome: str
    detail: str


class TokenEndpoint:
    """Asks token and revocation endpoints."""

    def __init__(
        self, *, vault: Vault, desk: Desk, servers: Servers, identities: ClientIdentities, parse: ParseUrl
    ) -> None:
        self._vault = vault
        self._desk = desk
        self._servers = servers
        self._identities = identities
        self._parse = parse

    async def server_of(self, connection: Connection, connector: Connector) -> AuthorizationServer | None:
        """The server that gave this connection its tokens, as last known; `None` if that is lost."""
        return await self._servers.known(connection.issuer, allow_http=self._allow_http(connector))

    async def exchange(
        self,
        server: AuthorizationServer,
        client: Client,
        *,
        code: Secret,
        verifier: Secret,
        redirect_uri: str,
        resource: str,
        steps: Steps,
    ) -> TokenSet | TokenFailure:
        """The code for tokens. Wipes code and verifier. Raises what `net` raises."""
        endpoint = server.token_endpoint
        steps.stage = "exchange"
        try:
            replied = await self._desk.exchange(
                endpoint, client, code=code, verifier=verifier, redirect_uri=redirect_uri, resource=resource
            )
            return await self._noted(replied, endpoint, "exchange", steps)
        finally:
            code.wipe()
            verifier.wipe()

    async def refresh(
        self, connection: Connection, connector: Connector, server: AuthorizationServer, steps: Steps
    ) -> tuple[TokenSet | TokenFailure, AuthorizationServer]:
        """New tokens for the refresh token, and the server that gave them: what is known of it may have been renewed.

        No answer is a passing failure. Raises `VaultFailed` when the refresh token cannot be opened, which it cannot
        for another origin than it was given by: then the person must look first. `RootKeyUnavailable` and `NotReleased`
        say that nothing can be opened now; then nothing has left.
        """
        reply = await self._refresh_at(connection, connector, server, steps)
        if isinstance(reply, TokenFailure) and reply.status in _NOT_THERE:
            allow_http = self._allow_http(connector)
            now = await self._servers.renew(
                connection.issuer, allow_http=allow_http, reach=connector.reach, steps=steps
            )
            if now is not None and now.token_endpoint != server.token_endpoint:
                return await self._refresh_at(connection, connector, now, steps), now
        return reply, server

    async def revoke_sealed(
        self, connection: Connection, connector: Connector, server: AuthorizationServer | None, steps: Steps
    ) -> Revoked:
        """Revokes what is sealed for the connection: the refresh token, then the access token. Never raises."""
        if server is None:
            return Revoked("failed", "What was known of the authorization server is lost.")
        tokens: list[tuple[Secret, Hint]] = []
        bindings: tuple[tuple[Hint, Binding], ...] = (
            ("refresh_token", oauth.refresh_binding(connection, connector, server)),
            ("access_token", oauth.access_binding(connection, connector)),
        )
        try:
            for hint, binding in bindings:
                with suppress(NothingSealed):
                    tokens.append((await self._vault.reveal_for_exchange(bound_to=binding, use=Use.REVOKE), hint))
        except (VaultFailed, RootKeyUnavailable) as failed:
            return Revoked("failed", f"The tokens could not be opened. {failed.message}")
        if not tokens:
            return Revoked("not_needed", "No token was held.")
        return await self.revoke(connector, server, tokens, steps)

    async def revoke(
        self,
        connector: Connector,
        server: AuthorizationServer,
        tokens: Sequence[tuple[Secret, Hint]],
        steps: Steps,
    ) -> Revoked:
        """Revokes tokens, in order, and wipes them. What came of the first counts: it is the one that lives longest."""
        endpoint = server.revocation_endpoint
        host = self._parse(server.issuer).host
        try:
            if endpoint is None:
                await steps.note("revocation", "", reason=f"{host} has no revocation endpoint")
                return Revoked("unsupported", f"{host} cannot be told to forget: end the access there yourself.")
            client = await self._identities.known(connector, server)
            if client is None:
                return Revoked("failed", f"{host} does not know us any more: end the access there yourself.")
            results = []
            for token, hint in tokens:
                # Each request with a proof of its own: a signed statement is good once (RFC 7523 3).
                again = client if client.auth != "private_key_jwt" else await self._identities.known(connector, server)
                results.append(await self._revoke_one(endpoint, again or client, token, hint, steps))
            if client.secret is not None:
                client.secret.wipe()
        except (VaultFailed, RootKeyUnavailable) as failed:
            return Revoked("failed", f"{failed.message} End the access at {host} yourself.")
        finally:
            for token, _ in tokens:
                token.wipe()
        first = results[0]
        if first is Revocation.CONFIRMED:
            return Revoked("confirmed", f"{host} confirmed that the access has ended.")
        return Revoked(first.value, f"{host} did not confirm: end the access there yourself.")

    async def _revoke_one(self, endpoint: Url, client: Client, token: Secret, hint: Hint, steps: Steps) -> Revocation:
        line = request_line("POST", endpoint)
        try:
            replied = await self._desk.revoke(endpoint, client, token=token, hint=hint)
        except OutboundFailed as failed:
            await steps.note("revocation", line, reason=f"{hint}: {failed.message}")
            return Revocation.FAILED
        await steps.note("revocation", line, status=replied.status, reason=f"{hint}: {replied.result.value}")
        return replied.result

    async def _refresh_at(
        self, connection: Connection, connector: Connector, server: AuthorizationServer, steps: Steps
    ) -> TokenSet | TokenFailure:
        if not connector.reach.permits(server.token_endpoint.host):  # checked before anything is opened
            message = (await outside(server.token_endpoint.host, "refresh", steps)).message
            return TokenFailure(TokenFailureKind.PASSING, "", message, 0)
        binding = oauth.refresh_binding(connection, connector, server)
        refresh_token = await self._vault.reveal_for_exchange(bound_to=binding, use=Use.REFRESH)
        try:
            client = await self._identities.identify(connector, server, steps)
            steps.stage = "refresh"
            replied = await self._desk.refresh(
                server.token_endpoint, client, refresh_token=refresh_token, resource=connection.resource
            )
            reply = replied.reply
            if isinstance(
                reply, TokenFailure
            ):  # tokens are put away before a word is written of them: see `tokens_came`
                await self._noted(replied, server.token_endpoint, "refresh", steps)
        except StepFailed as failed:
            return TokenFailure(TokenFailureKind.PASSING, "", failed.message, 0)
        except OutboundFailed as failed:
            await steps.note("refresh", request_line("POST", server.token_endpoint), reason=failed.message)
            return TokenFailure(TokenFailureKind.PASSING, "", failed.message, 301 if isinstance(failed, Moved) else 0)
        finally:
            refresh_token.wipe()
        if client.secret is not None:
            client.secret.wipe()
        if isinstance(reply, TokenFailure) and reply.kind is TokenFailureKind.CLIENT_REFUSED:
            await self._identities.refused(connector, server, client.id, steps)
        return reply

    async def _noted(self, replied: Replied, endpoint: Url, stage: str, steps: Steps) -> TokenSet | TokenFailure:
        reply = replied.reply
        reason = words_of(reply) if isinstance(reply, TokenFailure) else tokens_came(reply)
        await steps.note(stage, request_line("POST", endpoint), status=replied.status, reason=reason)
        return reply

    def _allow_http(self, connector: Connector) -> bool:
        return self._parse(connector.url).scheme == "http"


def tokens_of(tokens: TokenSet) -> list[tuple[Secret, Hint]]:
    """A token set in the order in which it is revoked."""
    refresh: list[tuple[Secret, Hint]] = [(tokens.refresh_token, "refresh_token")] if tokens.refresh_token else []
    return [*refresh, (tokens.access_token, "access_token")]


def tokens_came(tokens: TokenSet) -> str:
    """What a trace says of them."""
    return "tokens came, " + ("a refresh token among them" if tokens.refresh_token else "no refresh token")


def words_of(failure: TokenFailure) -> str:
    """A failure for the trace and for people: never what we sent, should the server repeat it."""
    said = ": ".join(part for part in (scrubbed(failure.error), scrubbed(failure.description)) if part)
    status = f"HTTP {failure.status}" if failure.status >= 200 else ""
    return " ".join(part for part in (status, said) if part) or "no answer"
